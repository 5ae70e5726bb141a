"""The rows of a factor set as a table of the config: Wh per token, and what a span says of where they come from."""

from __future__ import annotations

from collections.abc import Mapping

from otel_carbon.collector.ottl import Value
from otel_carbon.errors import ConfigError
from otel_carbon.estimator.derivation import widened
from otel_carbon.factors import FactorRow, FactorSet, FactorTables
from otel_carbon.model import Confidence
from otel_carbon.semconv.carbon import (
    OTEL_CARBON_CONFIDENCE,
    OTEL_CARBON_FACTOR_ID,
    OTEL_CARBON_FACTOR_MATCH,
    OTEL_CARBON_FACTOR_SET,
)
from otel_carbon.units import tokens_in_millions

__all__ = ["GUESSES", "KINDS", "ROW_MARKS", "Rows"]

GUESSES = frozenset({"name_hint", "global_default"})
"""Steps that say little of a model: another name of it may say more."""

KINDS = ("uncached", "cache_read_tokens", "cache_write_tokens", "visible", "reasoning_tokens")
"""The kinds of tokens in the cache, in the order of `TokenRates`."""

ROW_MARKS = (OTEL_CARBON_FACTOR_SET, OTEL_CARBON_FACTOR_ID, OTEL_CARBON_FACTOR_MATCH, OTEL_CARBON_CONFIDENCE)
"""What a row says on a span."""


class Rows:
    """Collects the rows that statements name, each with the step that led to it."""

    def __init__(self, tables: FactorTables, factor_set: FactorSet) -> None:
        self.factor_set = factor_set
        self._constants = tables.constants
        self._rows: dict[str, Mapping[str, Value]] = {}
        self._guesses: set[str] = set()

    def id_of(self, row: FactorRow, step: str, confidence: Confidence | None = None) -> str:
        """Return the name of a row in the table.

        Raises:
            ConfigError: the row says nothing of some kind of tokens.
        """
        said = (confidence or row.confidence).value
        row_id = f"{row.name} {step} {said}"
        if step in GUESSES:
            self._guesses.add(row_id)
        if row_id not in self._rows:
            self._rows[row_id] = self._values(row, step, said)
        return row_id

    def guesses(self) -> set[str]:
        """Return the names of the rows that say little of the model."""
        return self._guesses

    def table(self) -> Mapping[str, Mapping[str, Value]]:
        """Return all rows that were named: Wh per token of each kind, low, central and high, and the marks."""
        return self._rows

    def _values(self, row: FactorRow, step: str, confidence: str) -> Mapping[str, Value]:
        values: dict[str, Value] = {}
        for index, kind in enumerate(widened(self._constants, row, step).by_kind()):
            if kind.central <= 0.0:
                raise ConfigError(f"--factor-set: row {row.name!r} has no energy for some tokens; use the gateway")
            for bound, wh_per_million in (("l", kind.low), ("c", kind.central), ("h", kind.high)):
                values[f"{bound}{index}"] = tokens_in_millions(1) * float(wh_per_million)
        marks: dict[str, Value] = dict(zip(ROW_MARKS, (self.factor_set.id, row.name, step, confidence), strict=True))
        return values | {"marks": marks}
