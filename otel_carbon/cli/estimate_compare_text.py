"""One call under every factor set, as text: a table, and a line for each set on why it differs."""

from __future__ import annotations

from collections.abc import Sequence

from otel_carbon.cli.columns import aligned, significant
from otel_carbon.cli.estimate_text import cells
from otel_carbon.estimator.compare import Comparison
from otel_carbon.model import NotEstimated

__all__ = ["compare_text"]


def compare_text(comparisons: Sequence[Comparison]) -> str:
    """Return the comparison as text. Figures of different sets stand beside each other and are not to be added."""
    header = ("factor set", "energy", "low - high", "emissions", "low - high", "times", "factor", "confidence")
    table = aligned([header, *map(_row, comparisons)], right=(1, 3, 5))
    why = aligned([(comparison.factor_set.id, comparison.why) for comparison in comparisons])
    warnings = aligned(
        [
            ("warning", f"{comparison.factor_set.id}: {comparison.factor_set.warning}")
            for comparison in comparisons
            if comparison.factor_set.warning
        ]
    )
    said = "The disagreement between sets is not inside the interval of any of them. Do not add figures of two sets."
    return f"{table}\n\nwhy they differ\n\n{why}\n\n{warnings}\n\n{said}"


def _row(comparison: Comparison) -> tuple[str, ...]:
    outcome, name = comparison.outcome, comparison.factor_set.id
    if isinstance(outcome, NotEstimated):
        return (name, "-", "", "-", "", "-", outcome.reason, outcome.status.value)
    return (
        name,
        *cells(outcome.energy_wh, "Wh"),
        *cells(outcome.co2e_grams, "g CO2e"),
        "-" if comparison.ratio is None else significant(comparison.ratio, 2),
        f"{outcome.factor.id} ({outcome.factor.match})",
        outcome.confidence.value,
    )
