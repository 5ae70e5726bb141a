"""The columns of a ledger line: one list that the schema, the encoding, the reports and the export share."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = [
    "BOUNDS",
    "COLUMNS",
    "COLUMN_NAMES",
    "GUESS",
    "MEDIA",
    "NEGATED",
    "QUANTITIES",
    "TOKENS",
    "Column",
    "bounds_of",
]

BOUNDS = ("low", "central", "high")

TOKENS = ("input_tokens", "cache_read_tokens", "cache_write_tokens", "output_tokens", "reasoning_tokens")
"""Input includes the cached ones, output the reasoning ones."""

MEDIA = ("media_input_tokens", "media_output_tokens", "images", "videos", "audio_seconds")
"""Of the tokens, those of images, audio and video; and what was made or heard, by item."""

GUESS = "guess"
"""The `data_tier` of a line whose token counts the emitter guessed."""

QUANTITIES = (
    "it_energy_wh",
    "energy_wh",
    "co2e_operational_grams",
    "co2e_embodied_grams",
    "co2e_grams",
    "water_liters",
    "primary_energy_mj",
    "abiotic_depletion_kgsbeq",
    "co2e_market_based_grams",
)
"""What a line holds; each is three columns, one per bound. `energy_wh` is facility energy.

The last ones, from water on, are given by few factor sets or only when asked for; market-based emissions only where a
supplier's own figure is configured. They are no part of `co2e_grams`.
"""


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a line. `type` is TEXT, INTEGER or REAL."""

    name: str
    type: str
    required: bool = False


def bounds_of(quantity: str) -> tuple[str, str, str]:
    """Return the three columns of a quantity."""
    return (f"{quantity}_low", f"{quantity}_central", f"{quantity}_high")


def _text(*names: str, required: bool = False) -> tuple[Column, ...]:
    return tuple(Column(name, "TEXT", required) for name in names)


COLUMNS: tuple[Column, ...] = (
    Column("seq", "INTEGER", required=True),
    *_text("kind", "recorded_at", "occurred_at", required=True),
    *_text("service", "environment", "tenant", "project", "workload", "user", "agent", "conversation"),
    *_text("provider", "request_model", "model", "normalised_model", "operation"),
    Column("calls", "REAL", required=True),
    *(Column(name, "INTEGER") for name in TOKENS),
    *(Column(name, "REAL" if name == "audio_seconds" else "INTEGER") for name in MEDIA),
    *(Column(name, "REAL") for quantity in QUANTITIES for name in bounds_of(quantity)),
    *_text("region", "region_source", "grid_zone"),
    Column("grid_intensity_g_per_kwh", "REAL"),
    *_text("grid_source", "grid_period_start", "grid_quality"),
    *_text("factor_set", "factor_id", "factor_match", "confidence", "data_tier"),
    *_text("ghg_scope", "ghg_category", "ghg_reason"),
    Column("market_based_g_per_kwh", "REAL"),
    *_text("market_based_source"),
    *_text("verification_status", "source", "status", "trace_id", "span_id", required=True),
    *_text("response_id"),
    Column("adjusted_count", "REAL", required=True),
    Column("reverses_seq", "INTEGER"),
    *_text("reason"),
    Column("claimed_energy_wh", "REAL"),
    Column("claimed_co2e_grams", "REAL"),
    *_text("claimed_factor_set", "claimed_factor_id"),
    Column("claim_differs", "INTEGER"),
    *_text("hash", required=True),
)
"""In table order. A column may be added at the end; none is ever renamed, retyped or removed."""

COLUMN_NAMES = tuple(column.name for column in COLUMNS)

NEGATED = frozenset(
    ("calls", *TOKENS, *MEDIA, *(name for quantity in QUANTITIES for name in bounds_of(quantity))),
)
"""What a reversal carries with the opposite sign, so that a sum over all lines is right."""
