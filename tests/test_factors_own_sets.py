"""Factor sets of the user, named by configuration, are checked and then selected by their ids."""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from otel_carbon.cli import estimate as estimate_command
from otel_carbon.cli import factors as factors_command
from otel_carbon.errors import ConfigError, FactorError
from otel_carbon.estimator import Estimator, EstimatorSettings, settings_from_environment
from otel_carbon.estimator.api import estimate
from otel_carbon.factors import FactorTables
from otel_carbon.model import Call, Footprint, Interval, ItemKind, Items, Mark, Source, Status, Usage
from otel_carbon.pipeline.component import Settings
from otel_carbon.processors.carbon import FACTORY, Config
from otel_carbon.spans import mark_attributes, read_mark

_SET = """
schema = 1
[set]
id = "acme-2026.1"
version = "1"
title = "Acme's own"
licence = "CC0"
source_id = "otel-carbon-derived"
basis = "per_token"
energy_boundary = "facility"
unmatched = "fallback:otel-carbon-2026.11"
valid_from = "2026-01-01"

[[model]]
name = "acme-1"
match = ["acme-1"]
input_wh_per_1m = { low = 1, central = 2, high = 4 }
output_wh_per_1m = { low = 10, central = 20, high = 40 }
confidence = "measured"
source_id = "otel-carbon-derived"
"""
_CALL = Call(provider="vllm", model="acme-1", usage=Usage(visible_output_tokens=1_000_000))


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "acme.toml"
    path.write_text(_SET, encoding="utf-8")
    return str(path)


def _of(estimator: Estimator) -> tuple[str, str, Interval | None]:
    outcome = estimator.estimate(_CALL)
    assert isinstance(outcome, Footprint)
    return outcome.factor.set, outcome.factor.id, outcome.energy_wh


_EXPECTED = ("acme-2026.1", "acme-1", Interval(10.0, 20.0, 40.0))


def test_a_set_named_in_the_settings_answers_by_its_id(file: str) -> None:
    settings = EstimatorSettings(factor_set="acme-2026.1", factor_sets=(file,))

    assert _of(Estimator(FactorTables.bundled(), settings)) == _EXPECTED


def test_a_call_can_ask_for_a_named_set_beside_the_default(file: str) -> None:
    settings = EstimatorSettings(factor_sets=(file, file), own_sets_first=False)
    estimator = Estimator(FactorTables.bundled(), settings)

    assert _of(estimator.of_set("acme-2026.1")) == _EXPECTED
    assert _of(estimator)[0] == "otel-carbon-2026.11"


def test_a_mark_made_with_a_named_set_is_recomputed_from_it(file: str) -> None:
    estimator = Estimator(FactorTables.bundled(), EstimatorSettings(factor_set="acme-2026.1", factor_sets=(file,)))
    first = estimator.estimate(_CALL)
    assert isinstance(first, Footprint)
    other = Estimator(FactorTables.bundled(), EstimatorSettings(factor_sets=(file,)))

    mark = Mark(Status.ESTIMATED, factor=first.factor, region=first.region, grid=first.grid)

    assert other.recompute(_CALL, mark) == first


def test_the_shared_tables_do_not_get_a_users_set(file: str) -> None:
    Estimator(FactorTables.bundled(), EstimatorSettings(factor_sets=(file,)))

    with pytest.raises(ConfigError, match=r"unknown factor set 'acme-2026\.1'"):
        FactorTables.bundled().factor_set("acme-2026.1")


def test_the_environment_names_files_with_commas_between(file: str) -> None:
    settings = settings_from_environment(
        {"OTEL_CARBON_FACTOR_SET": "acme-2026.1", "OTEL_CARBON_FACTOR_SETS": f" {file} , "}
    )

    assert settings.factor_sets == (file,)
    assert _of(Estimator(FactorTables.bundled(), settings)) == _EXPECTED


def test_the_gateways_processor_takes_files(file: str) -> None:
    config = Config(factor_set="acme-2026.1", factor_sets=(file,))

    assert _of(FACTORY.create(config, Settings("carbon", {}, {})).estimator) == _EXPECTED


def test_the_python_function_takes_files(file: str) -> None:
    found = estimate("acme-1", output_tokens=1_000_000, factor_set="acme-2026.1", factor_sets=[Path(file)])

    assert isinstance(found.outcome, Footprint)
    assert found.outcome.energy_wh == Interval(10.0, 20.0, 40.0)


def test_both_commands_take_files(
    file: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    parser = argparse.ArgumentParser()
    estimate_command.add_arguments(parser)
    words = "--model acme-1 --output-tokens 1000000 --factor-set acme-2026.1 --format json --factor-set-file"
    estimate_command.run(parser.parse_args([*words.split(), file]))
    assert json.loads(capsys.readouterr().out)["factor"]["set"] == "acme-2026.1"

    monkeypatch.setenv("OTEL_CARBON_FACTOR_SETS", file)
    parser = argparse.ArgumentParser()
    factors_command.add_arguments(parser)
    factors_command.run(parser.parse_args(["list"]))
    assert "\nacme-2026.1 " in f"\n{capsys.readouterr().out}".replace("\n\n", "\n")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("low = 10, central = 20", "low = 30, central = 20", r"acme\.toml, model 'acme-1': output_wh_per_1m is not in"),
        ("acme-2026.1", "jegham-2025.11", "the figures are not those that 'jegham-2025.11' stands for"),
    ],
)
def test_a_file_that_is_not_valid_stops_the_start(file: str, old: str, new: str, message: str) -> None:
    Path(file).write_text(_SET.replace(old, new), encoding="utf-8")

    with pytest.raises(FactorError, match=message):
        Estimator(FactorTables.bundled(), EstimatorSettings(factor_sets=(file,)))


_SOURCE = """
[[source]]
id = "acme-meter"
citation = "Acme, meter readings of rack 7"
url = "https://acme.example/rack-7"
date = "2026-10-31"
licence = "internal"
"""


def _with_source(file: str, source: str = _SOURCE) -> None:
    text = _SET.replace('source_id = "otel-carbon-derived"', 'source_id = "acme-meter"')
    Path(file).write_text(text + source, encoding="utf-8")


def test_a_set_brings_its_own_sources(file: str) -> None:
    _with_source(file)
    tables = FactorTables.bundled().with_factor_sets([file])

    assert tables.sources["acme-meter"] == Source(
        id="acme-meter",
        citation="Acme, meter readings of rack 7",
        url="https://acme.example/rack-7",
        date="2026-10-31",
        licence="internal",
        verification="given by the factor set itself",
        note="",
    )
    assert "acme-meter" not in FactorTables.bundled().sources


def test_the_working_and_the_set_cite_its_own_sources(file: str, capsys: pytest.CaptureFixture[str]) -> None:
    _with_source(file)
    cited = "\nacme-meter            Acme, meter readings of rack 7, https://acme.example/rack-7\n"
    parser = argparse.ArgumentParser()
    estimate_command.add_arguments(parser)
    words = "--model acme-1 --output-tokens 9 --factor-set acme-2026.1 --explain --factor-set-file"
    estimate_command.run(parser.parse_args([*words.split(), file]))
    assert " ".join(cited.split()) in " ".join(capsys.readouterr().out.split())

    parser = argparse.ArgumentParser()
    factors_command.add_arguments(parser)
    factors_command.run(parser.parse_args(["show", file]))
    assert " ".join(cited.split()) in " ".join(capsys.readouterr().out.split())
    factors_command.run(parser.parse_args(["show", file, "--format", "json"]))
    assert json.loads(capsys.readouterr().out)["source"]["id"] == "acme-meter"


def test_two_files_may_bring_the_same_source(file: str, tmp_path: Path) -> None:
    _with_source(file)
    other = tmp_path / "other.toml"
    other.write_text(Path(file).read_text(encoding="utf-8").replace("acme-2026.1", "acme-2026.2"), encoding="utf-8")

    tables = FactorTables.bundled().with_factor_sets([file, str(other)])

    assert {"acme-2026.1", "acme-2026.2"} <= set(tables.set_ids)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            'url = "https://acme.example/rack-7"\n',
            "",
            r"acme\.toml, source 'acme-meter': url is missing; a source needs",
        ),
        ('licence = "internal"', 'licence = " "', r"acme\.toml, source 'acme-meter': licence is missing"),
        ("citation =", "quotation =", r"acme\.toml, source 'acme-meter': unknown key 'quotation'"),
        ("acme-meter", "mlenergy-2026", r"acme\.toml, source 'mlenergy-2026': the id is taken by another source"),
    ],
)
def test_a_source_that_is_not_whole_or_takes_a_known_id_is_refused(file: str, old: str, new: str, message: str) -> None:
    _with_source(file, _SOURCE.replace(old, new))

    with pytest.raises(FactorError, match=message):
        FactorTables.bundled().with_factor_sets([file])


_EXAMPLE = str(Path(__file__).parent.parent / "docs" / "examples" / "measured.toml")
_NOVEMBER = 1_795_464_000_000_000_000  # 2026-11-23T20:00:00Z
_OCTOBER = 1_791_000_000_000_000_000  # 2026-10-03
_LLAMA = Call(
    provider="my-vllm",
    model="meta-llama/Llama-3.3-70B-Instruct",
    usage=Usage(visible_output_tokens=1_000_000),
    at_unix_nano=_NOVEMBER,
)


def _measured(**settings: Any) -> Estimator:
    return Estimator(FactorTables.bundled(), EstimatorSettings(factor_sets=(_EXAMPLE,), **settings))


def _answer(estimator: Estimator, call: Call) -> tuple[str, str, str]:
    outcome = estimator.estimate(call)
    assert isinstance(outcome, Footprint)
    return outcome.factor.set, outcome.factor.id, outcome.confidence.value


_OWN = ("acme-measured-2026.11", "llama-3.3-70b on our nodes", "measured")


def test_measured_energy_goes_before_the_selected_set_and_is_labelled() -> None:
    outcome = _measured().estimate(_LLAMA)

    assert _answer(_measured(), _LLAMA) == _OWN
    assert isinstance(outcome, Footprint)
    assert outcome.it_energy_wh == Interval(610.0, 877.5, 1450.0)
    assert _answer(_measured(factor_set="ecologits-0.11.3"), _LLAMA) == _OWN


def test_the_example_counts_audio_by_the_second() -> None:
    call = Call(provider="vllm", model="whisper-large-v3", items=Items(ItemKind.AUDIO_SECONDS, 60))

    outcome = _measured().estimate(call)

    assert isinstance(outcome, Footprint)
    assert outcome.it_energy_wh is not None
    assert outcome.it_energy_wh.central == pytest.approx(0.3, rel=1e-12)
    assert outcome.confidence.value == "measured"


@pytest.mark.parametrize(
    "call",
    [
        replace(_LLAMA, provider="together"),  # somebody else's machines
        replace(_LLAMA, provider=None),
        replace(_LLAMA, model="mistral-large-2"),  # no row
        replace(_LLAMA, at_unix_nano=_OCTOBER),  # before the set holds
    ],
)
def test_what_was_not_measured_keeps_its_estimate(call: Call) -> None:
    assert _answer(_measured(), call)[0] == "otel-carbon-2026.11"


def test_a_set_that_is_asked_for_by_name_is_not_preceded_by_another() -> None:
    assert _answer(_measured().of_set("otel-carbon-2026.11"), _LLAMA)[0] == "otel-carbon-2026.11"
    assert _answer(_measured(own_sets_first=False), _LLAMA)[0] == "otel-carbon-2026.11"
    found = estimate(
        model=_LLAMA.model or "",
        provider="my-vllm",
        output_tokens=9,
        factor_sets=[_EXAMPLE],
        factor_set="otel-carbon-2026.11",
    )
    assert isinstance(found.outcome, Footprint)
    assert found.outcome.factor.set == "otel-carbon-2026.11"


def test_of_two_versions_the_one_that_holds_at_the_time_of_the_call_answers(tmp_path: Path) -> None:
    files = []
    for version, start in (("2026.11", "2026-11-01"), ("2026.12", "2026-12-01")):
        path = tmp_path / f"{version}.toml"
        text = Path(_EXAMPLE).read_text(encoding="utf-8").replace("acme-measured-2026.11", f"acme-measured-{version}")
        text = text.replace('valid_from = "2026-11-01"', f'valid_from = "{start}"')
        path.write_text(text.replace("acme-node-meters-2026-11", f"meters-{version}"), encoding="utf-8")
        files.append(str(path))
    estimator = Estimator(FactorTables.bundled(), EstimatorSettings(factor_sets=tuple(files)))

    december = _NOVEMBER + 14 * 86_400 * 10**9

    assert _answer(estimator, _LLAMA)[0] == "acme-measured-2026.11"
    assert _answer(estimator, replace(_LLAMA, at_unix_nano=december))[0] == "acme-measured-2026.12"
    assert _answer(estimator, replace(_LLAMA, at_unix_nano=None))[0] == "acme-measured-2026.12"


def test_a_mark_by_measured_energy_is_recomputed_with_its_label() -> None:
    estimator = _measured()
    first = estimator.estimate(_LLAMA)
    mark = read_mark(mark_attributes(first))
    assert mark is not None

    again = estimator.recompute(_LLAMA, mark)

    assert isinstance(again, Footprint)
    assert again == first


def test_the_same_model_may_have_a_row_for_each_who_serves_it_and_no_two_for_one(tmp_path: Path) -> None:
    text = Path(_EXAMPLE).read_text(encoding="utf-8")
    row = text[text.index("[[model]]") : text.index("[[item]]")]
    path = tmp_path / "two.toml"
    path.write_text(text + row.replace("on our nodes", "again"), encoding="utf-8")

    with pytest.raises(FactorError, match=r"two\.toml, \[\[model\]\] match: 'llama-3\.3-70b\* of my-vllm' stands"):
        FactorTables.bundled().read_factor_set(path)

    path.write_text(
        text + row.replace("on our nodes", "again").replace('"my-vllm", "vllm"', '"other"'), encoding="utf-8"
    )
    assert len(FactorTables.bundled().read_factor_set(path).models) == 2
