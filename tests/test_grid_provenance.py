"""From a line or a span with an hourly intensity to its hour, its age, and the publications behind it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ledger_cases import EIGHT_O_CLOCK, as_dict, sighting

from otel_carbon.estimator import Estimator, EstimatorSettings
from otel_carbon.factors import FactorTables
from otel_carbon.ledger import Ledger
from otel_carbon.model import Call, GridReading, Sighting
from otel_carbon.reports import report_document, summarise
from otel_carbon.reports.provenance import provenance_of_attributes, provenance_of_line
from otel_carbon.spans import mark_attributes

_HOUR_NS = 3_600 * 10**9
_SOURCES = {
    "electricitymaps-v4-hourly": ["electricitymaps-v4-hourly"],
    "uk-carbon-intensity-half-hourly": ["uk-carbon-intensity-half-hourly", "ipcc-ar5-wg3-annex3"],
    "csv:meter": ["csv:meter"],
}


class _Hour:
    """A source of one hour."""

    def __init__(self, source_id: str, *, estimated: bool = False, until_ns: int = EIGHT_O_CLOCK + _HOUR_NS) -> None:
        self.given: GridReading | None = GridReading(
            "IE", 123.456, until_ns - _HOUR_NS, until_ns, source_id, is_estimated=estimated
        )

    def reading(self, _keys: tuple[str, ...], _at_unix_nano: int) -> GridReading | None:
        return self.given


def _sighting(number: int) -> Sighting:
    found = sighting(number, provider="aws.bedrock")
    assert isinstance(found.call, Call)
    return replace(found, call=replace(found.call, region="eu-west-1"))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.db"


def _recorded(path: Path, hour: _Hour) -> tuple[Ledger, dict[str, Any]]:
    ledger = Ledger.open(path, estimator=Estimator(FactorTables.bundled(), EstimatorSettings(), hour))
    ledger.record([_sighting(1)])
    return ledger, as_dict(ledger, 1)


@pytest.mark.parametrize("source_id", _SOURCES)
def test_a_line_leads_to_its_hour_and_its_publications(path: Path, source_id: str) -> None:
    ledger, line = _recorded(path, _Hour(source_id))

    with ledger.snapshot() as connection:
        found = provenance_of_line(connection, Estimator(FactorTables.bundled()), where=("1",))
    document = report_document(summarise(ledger))
    ledger.close()

    assert (line["grid_period_start"], line["grid_quality"]) == ("2026-11-23T20:00:00.000000Z", "measured")
    assert found.agrees is True
    assert found.mark.grid is not None
    assert (found.mark.grid.period_start_unix_nano, found.mark.grid.quality) == (EIGHT_O_CLOCK, "measured")
    named = {source.id: source for source in found.sources}
    assert named.keys() >= set(_SOURCES[source_id])
    for key in _SOURCES[source_id]:
        assert named[key].citation
        assert named[key].licence
        assert named[key].verification
    assert set(_SOURCES[source_id]) <= {source["id"] for source in document["sources"]}


@pytest.mark.parametrize(
    ("hour", "quality", "source_id"),
    [
        (_Hour("electricitymaps-v4-hourly", estimated=True), "estimated", "electricitymaps-v4-hourly"),
        (_Hour("csv:meter", until_ns=EIGHT_O_CLOCK), "carried_forward", "csv:meter"),
    ],
)
def test_what_is_stale_or_estimated_says_so_on_the_line(path: Path, hour: _Hour, quality: str, source_id: str) -> None:
    ledger, line = _recorded(path, hour)
    ledger.close()

    assert (line["grid_quality"], line["grid_source"]) == (quality, source_id)
    assert "grid intensity of the period from" in line["reason"]


def test_offline_is_the_year_and_says_so_on_the_line(path: Path) -> None:
    offline = _Hour("csv:meter")
    offline.given = None
    ledger, line = _recorded(path, offline)
    ledger.close()

    assert (line["grid_quality"], line["grid_period_start"]) == ("yearly", None)
    assert line["grid_source"] == "electricitymaps-yearly-via-co2js"
    assert line["reason"] == "no hourly grid intensity was known when this was estimated: the average of a year is used"


@pytest.mark.parametrize("source_id", _SOURCES)
def test_a_span_leads_there_too(source_id: str) -> None:
    estimator = Estimator(FactorTables.bundled(), EstimatorSettings(), _Hour(source_id))
    call = _sighting(1).call
    assert call is not None

    found = provenance_of_attributes(dict(mark_attributes(estimator.estimate(call))), estimator)

    assert {source.id for source in found.sources} >= set(_SOURCES[source_id])
