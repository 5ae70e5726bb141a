"""The views that a person queries: `calls`, `daily`, `by_model`. Units are in the column names."""

# ruff: noqa: S608 - names are constants of this package, values are parameters

from __future__ import annotations

from otel_carbon.ledger.columns import MEDIA, TOKENS

__all__ = ["VIEWS"]

_TOKENS = ", ".join((*TOKENS, *MEDIA))
_TOKEN_SUMS = ", ".join(f"COALESCE(SUM({name}), 0) AS {name}" for name in TOKENS)
_BANDS = tuple(
    f"{quantity}_{bound}" for quantity in ("energy_wh", "co2e_grams") for bound in ("low", "central", "high")
)
_BAND_SUMS = ", ".join(f"COALESCE(SUM({name}), 0) AS {name}" for name in _BANDS)

VIEWS = (
    # Every call that stands: the lines that no reversal has taken back.
    (
        "CREATE VIEW calls AS SELECT occurred_at, provider, COALESCE(normalised_model, model, request_model) AS model,"
        " operation, service, environment, tenant, project, workload, agent, status, calls,"
        f" {_TOKENS}, {', '.join(_BANDS)},"
        " region, region_source, grid_zone, grid_intensity_g_per_kwh, factor_set, factor_id, confidence, trace_id,"
        " span_id, response_id, seq FROM lines WHERE kind = 'call'"
        " AND NOT EXISTS (SELECT 1 FROM lines AS taken_back WHERE taken_back.reverses_seq = lines.seq)"
    ),
    (
        f"CREATE VIEW daily AS SELECT substr(hour, 1, 10) AS day, SUM(calls) AS calls, {_TOKEN_SUMS}, {_BAND_SUMS}"
        " FROM hourly GROUP BY substr(hour, 1, 10) HAVING SUM(counted) <> 0 ORDER BY day"
    ),
    (
        f"CREATE VIEW by_model AS SELECT provider, model, SUM(calls) AS calls, {_TOKEN_SUMS}, {_BAND_SUMS}"
        " FROM hourly GROUP BY provider, model HAVING SUM(counted) <> 0 ORDER BY co2e_grams_central DESC"
    ),
)
"""`CREATE VIEW` statements."""
