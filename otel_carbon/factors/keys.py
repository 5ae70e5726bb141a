"""Every key that a factor-set file may have. A key that is not here is a spelling mistake, and is refused."""

from __future__ import annotations

__all__ = [
    "ENERGY_OR_CARBON_KEYS",
    "ITEM_KEYS",
    "PUBLISHED_PREFIX",
    "REGION_KEYS",
    "ROW_KEYS",
    "SET_KEYS",
    "SOURCE_KEYS",
    "TOP_KEYS",
    "TOTAL_KEYS",
]

TOP_KEYS = frozenset({"schema", "set", "source", "model", "class", "item", "region"})
SET_KEYS = frozenset(
    {
        *("id", "version", "title", "licence", "source_id", "valid_from", "valid_to"),
        *("basis", "energy_boundary", "token_scope", "grid", "pue", "embodied", "water", "unmatched"),
        *("min_bounds_factor", "cached_input_factor", "accounting", "confidence_policy", "default_confidence"),
        *("method", "grid_file", "model_file", "constants_file", "bounds", "warning"),
    }
)
PUBLISHED_PREFIX = "published_"
"""Keys that begin so quote the publication and are not calculated with."""
_TOKEN_KEYS = frozenset(
    {
        *("input_wh_per_1m", "cached_input_wh_per_1m", "cache_write_wh_per_1m", "output_wh_per_1m"),
        *("reasoning_wh_per_1m", "reasoning_over_output", "visible_output_only"),
    }
)
TOTAL_KEYS = frozenset(
    {"total_kwh_per_1m", "total_g_per_1k", "request_wh", "request_g", "request_ml", "request_mg_sb_eq"}
)
ENERGY_OR_CARBON_KEYS = frozenset(
    {"input_wh_per_1m", "output_wh_per_1m", "total_kwh_per_1m", "total_g_per_1k", "request_wh", "request_g"}
)
_TEXT_KEYS = frozenset(
    {
        *("label", "rule", "basis", "host", "hardware", "n_rows", "task", "active_b", "total_b"),
        *("fit_max_rel_residual", "scale", "accounting", "note", "location_based_note", "measured_note"),
        *("review_confidence", "review_note"),
    }
)
ROW_KEYS = frozenset({"name", "match", "providers", "confidence", "source_id"}) | _TOKEN_KEYS | TOTAL_KEYS | _TEXT_KEYS
ITEM_KEYS = frozenset(
    {
        *("name", "match", "providers", "kind", "unit", "rule", "wh_per_item", "energy_boundary"),
        *("confidence", "basis", "note", "source_id"),
    }
)
SOURCE_KEYS = frozenset({"id", "citation", "url", "date", "licence", "note"})
REGION_KEYS = frozenset({"name", "label", "g_per_kwh", "published_note", "regions", "source_id"})
