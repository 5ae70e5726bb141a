"""The calls of a period by another factor set, at the places that the ledger recorded."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from otel_carbon.estimator import Estimator
from otel_carbon.factors import PART_STATES, Basis, Boundary, FactorSet
from otel_carbon.model import (
    Call,
    FactorRef,
    Footprint,
    Grid,
    Interval,
    ItemKind,
    Items,
    Mark,
    Outcome,
    Region,
    Status,
    Usage,
    believed_count,
)
from otel_carbon.reports.report import Report, SecondGroup, SecondSet

__all__ = ["SecondSums", "items_of_line", "usage_of_line"]

_BASES = {
    Basis.PER_TOKEN: "energy per kind of token",
    Basis.TOTAL_KWH_PER_1M: "energy per token, input and output alike",
    Basis.TOTAL_G_PER_1K: "emissions per token, input and output alike",
    Basis.PER_REQUEST: "figures per request",
    Basis.PARAMETRIC: "life-cycle equations over output tokens only",
}
_BOUNDARIES = {
    Boundary.ACCELERATOR: "measured at the accelerator",
    Boundary.IT: "measured at the server",
    Boundary.FACILITY: "measured at the meter of the data centre",
    Boundary.NONE: "without energy",
}
_DIGITS = 12  # as the other figures of a report


class _Sum:
    """Calls and quantities that add up linearly, as between the lines of a ledger."""

    def __init__(self) -> None:
        self.calls = 0.0
        self._sums: dict[str, list[float]] = {"energy_wh": [0.0] * 3, "co2e_grams": [0.0] * 3}
        self._missing: set[str] = set()

    def add(self, footprint: Footprint, calls: float) -> None:
        self.calls += calls
        for name, sums in self._sums.items():
            value: Interval | None = getattr(footprint, name)
            if value is None:
                self._missing.add(name)
                continue
            for index, bound in enumerate((value.low, value.central, value.high)):
                sums[index] += bound * calls

    def interval(self, name: str) -> Interval | None:
        if name in self._missing or not self.calls:
            return None
        low, central, high = (_rounded(value) for value in self._sums[name])
        return Interval(min(low, central), central, max(high, central))


class SecondSums:
    """The sums of distinct calls (`query.distinct_calls`) by the factor set of an estimator.

    A second set applies to the region and the grid intensity of the line, except where it brings its own.
    """

    def __init__(self, estimator: Estimator, by: tuple[str, ...], calls: Iterable[Mapping[str, Any]]) -> None:
        self._estimator = estimator
        self._by = by
        self._groups: defaultdict[tuple[str | None, ...], _Sum] = defaultdict(_Sum)
        self._total = _Sum()
        self._answered_by: defaultdict[str, float] = defaultdict(float)
        self._first_sets: set[str] = set()
        self._not_estimated = 0.0
        for row in calls:
            self._add(row)

    def beside(self, report: Report) -> SecondSet:
        """Return the second set as it stands beside the figures of a report over the same calls."""
        tables = self._estimator.tables
        factor_set = tables.versions(self._estimator.settings.factor_set)[-1]
        first_sets = [tables.factor_set(name) for name in sorted(self._first_sets) if name in tables.set_ids]
        return SecondSet(
            factor_set=self._estimator.settings.factor_set,
            title=factor_set.title,
            warning=factor_set.warning,
            totals=_group({}, self._total, report.totals.co2e_grams),
            groups=tuple(
                _group(group.keys, self._groups[tuple(group.keys.values())], group.totals.co2e_grams)
                for group in report.groups
            ),
            answered_by={name: _whole(calls) for name, calls in sorted(self._answered_by.items())},
            not_estimated_calls=_whole(self._not_estimated),
            why=_why(first_sets, factor_set),
        )

    def _add(self, row: Mapping[str, Any]) -> None:
        calls: float = row["calls"]
        outcome = _estimated(self._estimator, row)
        if row["factor_set"]:
            self._first_sets.add(row["factor_set"])
        if not isinstance(outcome, Footprint):
            self._not_estimated += calls
            return
        self._answered_by[outcome.factor.set] += calls
        self._total.add(outcome, calls)
        if self._by:
            self._groups[tuple(row[f"by_{name}"] or None for name in self._by)].add(outcome, calls)


def usage_of_line(row: Mapping[str, Any]) -> Usage | None:
    """Return the tokens of one call; a line that stands for several has those of all of them, a reversal negative."""
    if row["input_tokens"] is None or row["output_tokens"] is None:
        return None
    count = believed_count(row["adjusted_count"])
    read, write, reasoning, tokens_in, tokens_out = (
        round(abs(row[name] or 0) / count)
        for name in ("cache_read_tokens", "cache_write_tokens", "reasoning_tokens", "input_tokens", "output_tokens")
    )
    return Usage(max(tokens_in - read - write, 0), read, write, max(tokens_out - reasoning, 0), reasoning)


def items_of_line(row: Mapping[str, Any]) -> Items | None:
    """Return the images, videos or seconds of audio of one call, as `usage_of_line` its tokens."""
    for kind in ItemKind:
        if row[kind] is not None:
            return Items(kind, abs(row[kind]) / believed_count(row["adjusted_count"]))
    return None


def _estimated(estimator: Estimator, row: Mapping[str, Any]) -> Outcome:
    call = Call(
        operation=row["operation"] or "chat",
        provider=row["provider"],
        model=row["model"],
        request_model=row["request_model"],
        usage=usage_of_line(row),
        items=items_of_line(row),
    )
    found = estimator.estimate(call)
    if not isinstance(found, Footprint) or row["region_source"] is None:
        return found
    region = Region(row["region"], row["region_source"])
    grid = Grid(row["grid_zone"], row["grid_intensity_g_per_kwh"], row["grid_source"])
    factor = FactorRef(found.factor.set, found.factor.id, found.factor.match)
    return estimator.recompute(call, Mark(Status.ESTIMATED, factor=factor, region=region, grid=grid))


def _group(keys: Mapping[str, str | None], sums: _Sum, first: Interval | None) -> SecondGroup:
    co2e = sums.interval("co2e_grams")
    known = co2e is not None and first is not None and first.central > 0.0
    return SecondGroup(
        keys=keys,
        calls=_whole(sums.calls),
        energy_wh=sums.interval("energy_wh"),
        co2e_grams=co2e,
        ratio=_rounded(co2e.central / first.central) if known and co2e is not None and first is not None else None,
    )


def _why(first_sets: Iterable[FactorSet], second: FactorSet) -> str:
    described = "; ".join(_described(factor_set) for factor_set in first_sets if factor_set.id != second.id)
    rule = "The two are alternatives for the same calls and never add up."
    if not described:
        return f"The ledger rests on {second.id} too. {rule}"
    return f"They differ by what they rest on: {described}; against it {_described(second)}. {rule}"


def _described(factor_set: FactorSet) -> str:
    parts = ", ".join(f"{name} {PART_STATES[state]}" for name, state in factor_set.parts.items())
    return f"{factor_set.id} is {_BASES[factor_set.basis]}, {_BOUNDARIES[factor_set.boundary]} ({parts})"


def _whole(value: float) -> int | float:
    return int(value) if value.is_integer() else _rounded(value)


def _rounded(value: float) -> float:
    return float(f"{value:.{_DIGITS}g}")
