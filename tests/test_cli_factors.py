"""`otel-carbon factors`, as typed."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import pytest

from otel_carbon.cli.factors import add_arguments, run
from otel_carbon.errors import ConfigError, FactorError
from otel_carbon.factors import FactorTables
from otel_carbon.factors.files import DATA_DIRECTORY

_DEFAULT_FILE = DATA_DIRECTORY / "sets" / "otel-carbon-2026.11.toml"


def _run(*argv: str) -> int:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    return run(parser.parse_args(argv))


def test_all_sets_are_listed_with_their_licence(capsys: pytest.CaptureFixture[str]) -> None:
    assert _run("list") == 0

    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["id", "basis", "boundary", "models", "classes", "valid", "from", "licence"]
    assert [line.split()[0] for line in lines[1:]] == list(FactorTables.bundled().set_ids)
    assert lines[4].endswith("per_token         it               19        9  2026-11-01  CC BY 4.0 (own derivation)")


def test_all_sets_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    _run("list", "--format", "json")

    documents = json.loads(capsys.readouterr().out)
    default = next(document for document in documents if document["id"] == "otel-carbon-2026.11")
    assert (default["basis"], default["models"], default["classes"]) == ("per_token", 19, 9)
    assert default["source"]["licence"] == "CC BY 4.0"


def test_one_set_is_shown_with_rows_and_sources(capsys: pytest.CaptureFixture[str]) -> None:
    _run("show", "otel-carbon-2026.11")

    out = capsys.readouterr().out
    assert "\nfrontier                     120 (30.0 - 500)     12.0 (0.600 - 250)" in out
    assert "\nmlenergy-2026        Chung J.-W. et al., ML.ENERGY Benchmark" in out


def test_a_set_of_another_basis_is_shown_as_published(capsys: pytest.CaptureFixture[str]) -> None:
    _run("show", "seed-carbon-llm-2025")

    out = capsys.readouterr().out
    assert "\nmistral-large-2    2.85            measured    seed-001  mistral-large-2 mistral-large-24*" in out
    assert "\nwarning     figures of a product page, as published: the interval describes their own spread" in out


def test_one_set_as_json_has_every_rate_with_bounds(capsys: pytest.CaptureFixture[str]) -> None:
    _run("show", "otel-carbon-2026.11", "--format", "json")

    document = json.loads(capsys.readouterr().out)
    frontier = next(row for row in document["classes"] if row["id"] == "frontier")
    assert frontier["rates"]["visible_output_wh_per_1m"] == {"low": 250.0, "central": 1000.0, "high": 4000.0}


def test_a_good_file_is_called_valid(capsys: pytest.CaptureFixture[str]) -> None:
    assert _run("check", str(_DEFAULT_FILE)) == 0
    assert capsys.readouterr().out == (
        f"{_DEFAULT_FILE}: valid. otel-carbon-2026.11, per_token, 19 models, 9 classes, from 2026-11-01\n"
    )


def test_a_bad_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text("schema = 1\n", encoding="utf-8")

    with pytest.raises(FactorError, match=r"mine\.toml: the table \[set\] is missing"):
        _run("check", str(path))


def test_a_changed_row_is_the_difference(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = _DEFAULT_FILE.read_text(encoding="utf-8").replace("otel-carbon-2026.11", "mine-1")
    changed = text.replace(
        "output_wh_per_1m = { low = 250, central = 1000, high = 4000 }",
        "output_wh_per_1m = { low = 250, central = 900, high = 4000 }",
    )
    path = tmp_path / "mine.toml"
    path.write_text(changed.replace('name = "micro"', 'name = "tiny"'), encoding="utf-8")

    _run("diff", "otel-carbon-2026.11", str(path))

    assert capsys.readouterr().out == (
        "row       figure                    otel-carbon-2026.11  mine-1\n"
        "frontier  visible_output_wh_per_1m  1,000 (250 - 4,000)  900 (250 - 4,000)\n"
        "micro     row                       has it               -\n"
        "tiny      row                       -                    has it\n"
    )


def test_a_set_does_not_differ_from_itself(capsys: pytest.CaptureFixture[str]) -> None:
    _run("diff", "otel-carbon-2026.11", str(_DEFAULT_FILE))

    assert capsys.readouterr().out == "otel-carbon-2026.11 and otel-carbon-2026.11: no row differs\n"


def test_a_model_name_is_explained_for_every_set(capsys: pytest.CaptureFixture[str]) -> None:
    _run("explain", "us.anthropic.claude-sonnet-4-5-20250929-v1:0")

    lines = capsys.readouterr().out.splitlines()
    assert "name           claude-sonnet-4-5" in lines
    assert "profile        us." in lines
    assert [line.split()[:4] for line in lines[-6:]] == [
        ["jegham-2025.11", "otel-carbon-2026.11", "frontier", "fallback_pattern"],
        ["mlenergy-2026.02", "otel-carbon-2026.11", "frontier", "fallback_pattern"],
        ["otel-carbon-2026.11", "otel-carbon-2026.11", "frontier", "pattern"],
        ["seed-carbon-llm-2025", "otel-carbon-2026.11", "frontier", "fallback_pattern"],
        ["seed-model-class-kwh", "seed-model-class-kwh", "claude-sonnet_gpt-4o", "set_model"],
        ["vendor-2025", "otel-carbon-2026.11", "frontier", "fallback_pattern"],
    ]


def test_a_model_name_is_explained_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    _run("explain", "ft:gpt-4o-mini:org::id", "--format", "json")

    document = json.loads(capsys.readouterr().out)
    assert (document["name"], document["fine_tuned"], document["class"]) == ("gpt-4o-mini", True, "medium")


def test_an_unknown_set_is_refused_with_the_nearest() -> None:
    with pytest.raises(ConfigError, match=r"unknown factor set 'jegham'; did you mean 'jegham-2025\.11'"):
        _run("show", "jegham")


def test_the_licence_of_every_file_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    _run("licences")

    lines = dict(line.split("  ", 1) for line in capsys.readouterr().out.splitlines())
    assert lines["grid/ember_2025.csv"].strip() == "Ember and Energy Institute via Our World in Data, CC BY 4.0"
    assert len(lines) == sum(path.suffix in {".toml", ".csv", ".json"} for path in DATA_DIRECTORY.rglob("*.*"))


def test_regions_and_basis_of_two_sets_are_compared(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "mine.toml"
    text = (DATA_DIRECTORY / "sets" / "seed-model-class-kwh.toml").read_text(encoding="utf-8")
    text = text.replace('id = "seed-model-class-kwh"', 'id = "mine-1"').replace("g_per_kwh = 50", "g_per_kwh = 40")
    path.write_text(text.replace('embodied = "none"', 'embodied = "included"'), encoding="utf-8")

    _run("diff", "seed-model-class-kwh", str(path))

    assert capsys.readouterr().out == (
        "row              figure     seed-model-class-kwh  mine-1\n"
        "(set)            hardware   none                  included\n"
        "region eu-north  g_per_kwh  50                    40\n"
    )
