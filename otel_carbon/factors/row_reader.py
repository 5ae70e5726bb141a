"""Reading the rows of one factor-set file: models, classes, items and regions."""

from __future__ import annotations

from collections.abc import Container, Mapping
from typing import Any

from otel_carbon.errors import FactorError
from otel_carbon.factors.constants import Constants
from otel_carbon.factors.fields import member, refuse_unknown, text, texts
from otel_carbon.factors.files import number
from otel_carbon.factors.items import item_rate
from otel_carbon.factors.keys import (
    ENERGY_OR_CARBON_KEYS,
    ITEM_KEYS,
    PUBLISHED_PREFIX,
    REGION_KEYS,
    ROW_KEYS,
    TOTAL_KEYS,
)
from otel_carbon.factors.plausible import check_plausible
from otel_carbon.factors.rates import token_rates
from otel_carbon.factors.rows import Basis, FactorRow, RegionRow
from otel_carbon.factors.scale import request_scale
from otel_carbon.model import Confidence

__all__ = ["RowReader"]


class RowReader:
    """Reads rows of one file, with what every row needs."""

    def __init__(self, file: str, source_ids: Container[str], constants: Constants, head: Mapping[str, Any]) -> None:
        self._file = file
        self._source_ids = source_ids
        self._constants = constants
        self._head = head

    def source_id(self, where: str, row: Mapping[str, Any]) -> str:
        """Return where a row's figures come from."""
        value = text(where, row, "source_id")
        if value not in self._source_ids:
            raise FactorError(f"{where}: source_id {value!r} is not a known source; describe it in a [[source]]")
        return value

    def row(self, kind: str, raw: Mapping[str, Any]) -> FactorRow:
        """Return a `[[model]]` or a `[[class]]`."""
        name = text(f"{self._file}, [[{kind}]]", raw, "name")
        where = f"{self._file}, {kind} {name!r}"
        refuse_unknown(where, {key: 0 for key in raw if not key.startswith(PUBLISHED_PREFIX)}, ROW_KEYS)
        if not ENERGY_OR_CARBON_KEYS & raw.keys():
            raise FactorError(
                f"{where}: no energy and no carbon key; one of {', '.join(sorted(ENERGY_OR_CARBON_KEYS))}"
            )
        for key in TOTAL_KEYS & raw.keys():
            check_plausible(where, key, number(where, key, raw[key]))
        request_scale(where, raw)
        confidence = member(where, Confidence, text(where, raw, "confidence"))
        per_token = self._head.get("basis") == Basis.PER_TOKEN
        rates = token_rates(where, raw, self._head, confidence, self._constants) if per_token else None
        match = texts(where, raw, "match") if kind == "model" else ()
        return FactorRow(
            name, match, confidence, self.source_id(where, raw), rates, raw, providers=_providers(where, raw)
        )

    def item(self, raw: Mapping[str, Any]) -> FactorRow:
        """Return an `[[item]]`."""
        name = text(f"{self._file}, [[item]]", raw, "name")
        where = f"{self._file}, item {name!r}"
        refuse_unknown(where, raw, ITEM_KEYS)
        confidence = member(where, Confidence, text(where, raw, "confidence"))
        return FactorRow(
            name,
            texts(where, raw, "match") if "match" in raw else (),
            confidence,
            self.source_id(where, raw),
            None,
            raw,
            item=item_rate(where, raw, confidence, self._constants),
            providers=_providers(where, raw),
        )

    def region(self, raw: Mapping[str, Any]) -> RegionRow:
        """Return a `[[region]]`."""
        name = text(f"{self._file}, [[region]]", raw, "name")
        where = f"{self._file}, region {name!r}"
        refuse_unknown(where, raw, REGION_KEYS)
        intensity = number(where, "g_per_kwh", raw.get("g_per_kwh"))
        check_plausible(where, "g_per_kwh", intensity)
        return RegionRow(name, intensity, texts(where, raw, "regions"), self.source_id(where, raw))


def _providers(where: str, raw: Mapping[str, Any]) -> tuple[str, ...]:
    if "providers" not in raw:
        return ()
    return tuple(provider.strip().lower() for provider in texts(where, raw, "providers"))
