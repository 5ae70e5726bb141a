"""The user's own numbers for some calls: the most specific row goes first, and the answer says which it was."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ledger_cases import EIGHT_O_CLOCK
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

import otel_carbon
from otel_carbon.errors import ConfigError
from otel_carbon.estimator import Estimator, EstimatorSettings, Override, settings_from_environment
from otel_carbon.estimator.api import estimate
from otel_carbon.estimator.overrides_file import read_overrides
from otel_carbon.factors import FactorTables
from otel_carbon.gateway.components import Catalogue
from otel_carbon.gateway.config import parse_config
from otel_carbon.ledger import Ledger
from otel_carbon.model import Attribution, Call, Footprint, Region, Sighting, SpanIdentity, Usage
from otel_carbon.pipeline.component import Kind
from otel_carbon.reports.provenance import provenance_of_line
from otel_carbon.spans import mark_attributes, read_mark

_EXAMPLE = Path(__file__).parent.parent / "docs" / "examples" / "overrides.toml"
_CALL = Call(provider="my-vllm", model="mistral-7b", region="eu-de", usage=Usage(visible_output_tokens=1_000_000))
_HERE = Override(provider="my-vllm", region="eu-de", pue=1.1, grid_intensity_g_per_kwh=30.0, source="contract")
_ANYWHERE = Override(provider="my-vllm", pue=1.25, wue_l_per_kwh=0.5)
_MODEL = Override(model="mistral-*", provider="my-vllm", input_wh_per_1m=10.0, output_wh_per_1m=100.0)


def _estimator(*overrides: Override, **settings: Any) -> Estimator:
    return Estimator(FactorTables.bundled(), EstimatorSettings(overrides=overrides, water=True, **settings))


def _footprint(call: Call, *overrides: Override, **settings: Any) -> Footprint:
    outcome = _estimator(*overrides, **settings).estimate(call)
    assert isinstance(outcome, Footprint)
    return outcome


def _pue(footprint: Footprint) -> float:
    assert footprint.energy_wh is not None
    assert footprint.it_energy_wh is not None
    return footprint.energy_wh.central / footprint.it_energy_wh.central


def test_the_example_of_the_issue_gives_these_grams() -> None:
    footprint = _footprint(_CALL, _HERE)

    # class small, output: 80 (25-400) Wh; x 1.1 = 88 Wh; x 30 g/kWh = 2.64 g; embodied 80 x 45/1000 = 3.6 g
    assert footprint.energy_wh is not None
    assert footprint.co2e_operational_grams is not None
    assert footprint.co2e_embodied_grams is not None
    assert footprint.energy_wh.central == pytest.approx(88.0, rel=1e-12)
    assert footprint.energy_wh.low == pytest.approx(27.5, rel=1e-12)  # a PUE of one's own has no width
    assert footprint.co2e_operational_grams.central == pytest.approx(2.64, rel=1e-12)
    assert footprint.co2e_embodied_grams.central == pytest.approx(3.6, rel=1e-12)
    assert footprint.region == Region("eu-de", "user")
    assert (footprint.grid.intensity_g_per_kwh, footprint.grid.source) == (30.0, "user")
    assert footprint.notes[-1] == (
        "own numbers, overrides[0] for provider my-vllm, region eu-de: pue 1.1, grid_intensity_g_per_kwh 30 (contract)"
    )


def test_the_most_specific_row_that_has_a_number_goes_first() -> None:
    # In whatever order they stand: PUE of the row with two conditions, WUE of the only one that has it.
    for rows in ((_ANYWHERE, _HERE), (_HERE, _ANYWHERE)):
        footprint = _footprint(_CALL, *rows)
        assert _pue(footprint) == pytest.approx(1.1, rel=1e-12)
        assert any("wue_l_per_kwh 0.5" in note for note in footprint.notes)

    elsewhere = _footprint(replace(_CALL, region="eu-west-1"), _ANYWHERE, _HERE)
    assert _pue(elsewhere) == pytest.approx(1.25, rel=1e-12)
    assert elsewhere.region.source != "user"


@pytest.mark.parametrize(
    ("stronger", "weaker"),
    [
        (Override(model="mistral-7b", pue=1.3), Override(provider="my-vllm", pue=1.4)),
        (Override(provider="my-vllm", pue=1.3), Override(region="eu-de", pue=1.4)),
        (Override(model="mistral-7b", pue=1.3), Override(model="mistral*", pue=1.4)),
        (Override(provider="my-vllm", region="eu-de", pue=1.3), Override(model="mistral-7b", pue=1.4)),
    ],
)
def test_of_as_many_conditions_the_model_goes_before_provider_and_region(stronger: Override, weaker: Override) -> None:
    assert _pue(_footprint(_CALL, weaker, stronger)) == pytest.approx(1.3, rel=1e-12)


@pytest.mark.parametrize(
    "call",
    [
        replace(_CALL, provider="other"),
        replace(_CALL, provider=None),
        replace(_CALL, region="eu-central-1"),
        # Where the application runs says nothing about where a model is served.
        replace(_CALL, region=None, caller_region="eu-de"),
    ],
)
def test_calls_that_do_not_meet_every_condition_are_left_as_they_are(call: Call) -> None:
    assert _footprint(call, _HERE) == _footprint(call)


def test_a_provider_is_met_by_the_name_in_the_tables_too() -> None:
    call = replace(_CALL, provider="vllm", region=None)

    assert _pue(_footprint(call, Override(provider="Self-Hosted", pue=1.05))) == pytest.approx(1.05, rel=1e-12)


def test_an_override_goes_before_the_settings_for_all_calls() -> None:
    footprint = _footprint(_CALL, _HERE, pue_ratio=1.9, grid_intensity_g_per_kwh=900.0)

    assert _pue(footprint) == pytest.approx(1.1, rel=1e-12)
    assert footprint.grid.intensity_g_per_kwh == 30.0


def test_energies_replace_the_factor_and_say_so() -> None:
    footprint = _footprint(_CALL, _MODEL)

    # estimated: x and / 3
    assert footprint.it_energy_wh is not None
    assert footprint.it_energy_wh.central == pytest.approx(100.0, rel=1e-12)
    assert footprint.it_energy_wh.high == pytest.approx(300.0, rel=1e-12)
    assert re.fullmatch(r"override-[0-9a-f]{12}", footprint.factor.set)
    assert footprint.factor.id == "model mistral-*, provider my-vllm"
    assert footprint.confidence.value == "estimated"
    assert replace(_MODEL, output_wh_per_1m=101.0).energy_id != _MODEL.energy_id


def test_energies_measured_at_the_meter_hold_the_pue_already() -> None:
    row = replace(_MODEL, energy_boundary="facility", confidence="measured")

    footprint = _footprint(_CALL, row, _HERE)

    energy_wh = footprint.energy_wh
    assert energy_wh is not None
    bounds = [energy_wh.low, energy_wh.central, energy_wh.high]
    assert bounds == pytest.approx([100.0 / 1.5, 100.0, 150.0], rel=1e-12)
    assert footprint.confidence.value == "measured"


@pytest.mark.parametrize("factor_set", ["mlenergy-2026.02", "ecologits-0.11.3", "jegham-2025.11"])
def test_every_set_that_takes_a_place_takes_the_users(factor_set: str) -> None:
    call = replace(_CALL, model="gpt-4o" if factor_set == "jegham-2025.11" else "mistral-large-latest")

    footprint = _footprint(call, _HERE, factor_set=factor_set)

    assert footprint.grid.intensity_g_per_kwh == 30.0
    assert footprint.region == Region("eu-de", "user")


@pytest.mark.parametrize("rows", [(_HERE,), (_HERE, _ANYWHERE), (_MODEL, _HERE), (_MODEL,)])
def test_a_mark_is_recomputed_to_the_same_footprint(rows: tuple[Override, ...]) -> None:
    estimator = _estimator(*rows)
    first = estimator.estimate(_CALL)
    mark = read_mark(mark_attributes(first))
    assert mark is not None

    again = estimator.recompute(_CALL, mark)

    assert isinstance(first, Footprint)
    assert isinstance(again, Footprint)
    assert (again.energy_wh, again.co2e_grams, again.water_liters) == (
        first.energy_wh,
        first.co2e_grams,
        first.water_liters,
    )
    assert again.notes == first.notes


def test_a_line_says_which_override_was_used_and_leads_back(tmp_path: Path) -> None:
    estimator = _estimator(_MODEL, _HERE)
    ledger = Ledger.open(tmp_path / "ledger.db", estimator=estimator)
    span = SpanIdentity(f"{1:032x}", f"{1:016x}")
    call = replace(_CALL, at_unix_nano=EIGHT_O_CLOCK)
    ledger.record([Sighting(span, EIGHT_O_CLOCK, EIGHT_O_CLOCK + 1, Attribution(), call)])

    with ledger.snapshot() as connection:
        row = connection.execute("SELECT region, region_source, grid_source, reason FROM lines").fetchone()
        found = provenance_of_line(connection, estimator, where=("1",))
    ledger.close()

    assert tuple(row[:3]) == ("eu-de", "user", "user")
    assert "overrides[0] for model mistral-*, provider my-vllm: energy per token" in row[3]
    assert "overrides[1] for provider my-vllm, region eu-de: pue 1.1, grid_intensity_g_per_kwh 30" in row[3]
    assert found.agrees


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"pue": 1.1}, "model: a condition is missing; give at least one of model, provider, region"),
        ({"provider": "v"}, "pue: a number is missing; give at least one of pue, wue_l_per_kwh"),
        ({"provider": "v", "pue": 0.9}, r"pue: must be from 1 to 10 \(facility over IT energy\), not 0.9"),
        ({"provider": "v", "pue": float("nan")}, "pue: must be from 1 to 10"),
        ({"provider": "v", "wue_l_per_kwh": -1}, "wue_l_per_kwh: must be from 0 to 100 L per kWh of IT energy"),
        ({"provider": "v", "grid_intensity_g_per_kwh": 30000}, "grid_intensity_g_per_kwh: must be from 0 to 10,000"),
        ({"model": "m", "output_wh_per_1m": 5}, "input_wh_per_1m: is missing; energy needs input_wh_per_1m and"),
        ({"model": "m", "pue": 1.1, "energy_boundary": "rack"}, "energy_boundary: must be one of accelerator, it, fac"),
        ({"model": "m", "pue": 1.1, "confidence": "sure"}, "confidence: must be one of measured, vendor_reported"),
    ],
)
def test_a_wrong_row_is_refused_by_its_key(row: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=rf"^{message}"):
        Override(**row)


def test_two_rows_with_the_same_conditions_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"^overrides\[1\]: has the conditions of overrides\[0\] \(provider V\)"):
        EstimatorSettings(overrides=(Override(provider="v", pue=1.1), Override(provider="V", pue=1.2)))


_YAML = """
receivers: {otlp: {protocols: {grpc: {}}}}
processors:
  carbon:
    overrides:
      - {provider: my-vllm, region: eu-de, pue: 1.1, grid_intensity_g_per_kwh: 30}
      - {provider: my-vllm, pue: PUE}
exporters: {debug: {}}
service: {pipelines: {traces: {receivers: [otlp], processors: [carbon], exporters: [debug]}}}
"""


def test_the_gateway_takes_them_from_its_yaml() -> None:
    config = parse_config(_YAML.replace("PUE", "1.25"), {}, Catalogue.bundled(), source="gateway.yaml")

    overrides = config.components[Kind.PROCESSOR]["carbon"].config.estimator_settings().overrides

    assert overrides == (
        Override(provider="my-vllm", region="eu-de", pue=1.1, grid_intensity_g_per_kwh=30.0),
        Override(provider="my-vllm", pue=1.25),
    )


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("0.5", r"processors::carbon::overrides\[1\]::pue: must be from 1 to 10"),
        ("low", r"processors::carbon::overrides\[1\]::pue: must be a number"),
        ("1.2, pie: 1", r"processors::carbon::overrides\[1\]::pie: unknown key; did you mean 'pue'"),
    ],
)
def test_the_gateway_names_row_and_field_of_what_is_wrong(value: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parse_config(_YAML.replace("PUE", value), {}, Catalogue.bundled(), source="gateway.yaml")


def test_an_application_takes_them_from_a_file_that_the_environment_names() -> None:
    settings = settings_from_environment({"OTEL_CARBON_OVERRIDES": str(_EXAMPLE)})

    assert [row.conditions for row in settings.overrides] == [
        "provider my-vllm, region eu-de",
        "provider my-vllm",
        "model llama-3.3-70b*, provider my-vllm",
    ]
    assert settings.overrides[0].wue_l_per_kwh == 0.05


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[[override]]\nprovider = 'v'\npue = 'low'", r"override\[0\]::pue: must be a number, not 'low'"),
        ("[[override]]\nprovider = 3\npue = 1.1", r"override\[0\]::provider: must be a text, not 3"),
        ("[[override]]\nprovider = 'v'\npue = 99", r"override\[0\]::pue: must be from 1 to 10"),
        ("[[override]]\npie = 1", r"override\[0\]::pie: unknown key; there are model, provider, region, pue"),
        ("[[overrides]]\npue = 1", r"overrides: only \[\[override\]\] rows can stand here"),
        ("override = [", "not valid TOML"),
    ],
)
def test_a_wrong_file_is_refused_by_row_and_key(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(text, encoding="utf-8")

    with pytest.raises(ConfigError, match=rf"mine\.toml: {message}"):
        read_overrides(path)
    with pytest.raises(ConfigError, match=r"^OTEL_CARBON_OVERRIDES: .*mine\.toml"):
        settings_from_environment({"OTEL_CARBON_OVERRIDES": str(path)})


def test_a_missing_file_is_named() -> None:
    with pytest.raises(ConfigError, match=r"nowhere\.toml: cannot be read: No such file"):
        read_overrides("nowhere.toml")


def test_one_estimate_takes_them_and_what_is_said_of_the_call_goes_first() -> None:
    rows = read_overrides(_EXAMPLE)

    def of(**said: Any) -> Footprint:
        found = estimate(
            model="llama-3.3-70b-instruct",
            provider="my-vllm",
            region="eu-de",
            output_tokens=1_000_000,
            overrides=rows,
            **said,
        ).outcome
        assert isinstance(found, Footprint)
        return found

    assert _pue(of()) == pytest.approx(1.1, rel=1e-12)
    assert of().confidence.value == "measured"
    assert _pue(of(pue=1.6)) == pytest.approx(1.6, rel=1e-12)
    assert of(grid_intensity=200.0).grid.intensity_g_per_kwh == 200.0
    assert of(zone="FR").grid.zone == "FR"


def test_an_application_can_give_rows_as_mappings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OTEL_CARBON_OVERRIDES", raising=False)
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    otel_carbon.install(
        provider, overrides=[{"provider": "my-vllm", "grid_intensity_g_per_kwh": 30}, Override(region="x", pue=1.1)]
    )
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    attributes = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "my-vllm",
        "gen_ai.request.model": "mistral-7b",
        "gen_ai.usage.output_tokens": 345,
    }

    provider.get_tracer("test").start_span("chat", attributes=attributes).end()

    (span,) = exporter.get_finished_spans()
    assert span.attributes is not None
    assert span.attributes["otel_carbon.grid.intensity_g_per_kwh"] == 30.0
    assert span.attributes["otel_carbon.region.source"] == "user"
    with pytest.raises(ConfigError, match=r"^overrides\[0\]::pue: must be from 1 to 10"):
        otel_carbon.install(TracerProvider(), overrides=[{"provider": "v", "pue": 0.1}])
