"""`otel-carbon estimate`, as typed."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from otel_carbon.cli.estimate import add_arguments, run
from otel_carbon.errors import ConfigError
from otel_carbon.estimator.api import estimate


def _run(*argv: str) -> int:
    import argparse

    parser = argparse.ArgumentParser()
    add_arguments(parser)
    return run(parser.parse_args(argv))


def test_one_call_as_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    status = _run(
        *("--model", "gpt-4o", "--provider", "azure.ai.openai", "--region", "swedencentral"),
        *("--input-tokens", "1200", "--output-tokens", "345"),
    )

    assert status == 0
    assert capsys.readouterr().out == (
        "gpt-4o\n"
        "\n"
        "                          central  low - high\n"
        "energy at the meter       570 mWh  140 - 2,300 mWh\n"
        "  of it at the server     490 mWh  120 - 2,000 mWh\n"
        "emissions              33 mg CO2e  6.0 - 150 mg CO2e\n"
        "  from electricity     11 mg CO2e  2.7 - 48 mg CO2e\n"
        "  from hardware        22 mg CO2e  2.8 - 120 mg CO2e\n"
        "water                      3.5 mL  0.67 - 18 mL\n"
        "\n"
        "factor      frontier of otel-carbon-2026.11, by pattern\n"
        "confidence  class_default: the figure of a class of models, not of this one\n"
        "region      swedencentral, by cloud_region\n"
        "grid        SE-SE3, 20 g/kWh, electricitymaps-yearly-via-co2js\n"
        "as much as  0.00014 km by petrol car, 0.0027 phone charges, 0.000067 months of a young tree's growth\n"
    )


def test_one_call_as_json_is_that_of_the_python_function(capsys: pytest.CaptureFixture[str]) -> None:
    _run(
        *("--model", "o3", "--provider", "openai", "--input-tokens", "500", "--cache-read-tokens", "100"),
        *("--cache-write-tokens", "50", "--output-tokens", "3000", "--reasoning-tokens", "2600", "--zone", "FRA"),
        *("--pue", "1.1", "--grid-intensity", "50", "--latency-s", "3", "--at", "2026-11-30", "--format", "json"),
    )

    expected = estimate(
        model="o3",
        provider="openai",
        input_tokens=500,
        cache_read_tokens=100,
        cache_write_tokens=50,
        output_tokens=3000,
        reasoning_tokens=2600,
        zone="FRA",
        pue=1.1,
        grid_intensity=50,
        latency_s=3,
        at="2026-11-30",
    )
    assert json.loads(capsys.readouterr().out) == expected.to_dict()


def test_counts_that_contradict_each_other_are_said_to_count_both(capsys: pytest.CaptureFixture[str]) -> None:
    _run(
        *("--model", "gpt-4o", "--input-tokens", "3", "--cache-read-tokens", "6", "--cache-write-tokens", "1"),
        *("--output-tokens", "5", "--reasoning-tokens", "50"),
    )
    said = capsys.readouterr().out
    assert "note        7 cached tokens cannot be part of 3 input tokens: both count, 10 input tokens in all\n" in said
    assert (
        "note        50 reasoning tokens cannot be part of 5 output tokens: both count, 55 output tokens in all\n"
        in said
    )

    _run("--model", "gpt-4o", "--input-tokens", "7", "--cache-read-tokens", "7", "--reasoning-tokens", "50")
    assert "note" not in capsys.readouterr().out


def test_notes_on_the_rows_of_a_file_stand_below_the_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "calls.csv"
    path.write_text(
        "model,output_tokens,reasoning_tokens\ngpt-4o,5,50\ngpt-4o,60,50\n" + 7 * "gpt-4o,5,50\n", encoding="utf-8"
    )

    _run("--file", str(path))

    assert capsys.readouterr().out.splitlines()[-2:] == [
        "",
        (
            "note on row 1, 3, 4, 5, 6 and 3 more: 50 reasoning tokens cannot be part of 5 output tokens: "
            "both count, 55 output tokens in all"
        ),
    ]


def test_the_working_names_every_source(capsys: pytest.CaptureFixture[str]) -> None:
    _run("--model", "gpt-4o", "--provider", "openai", "--output-tokens", "1000", "--explain")

    lines = capsys.readouterr().out.splitlines()
    output = next(line for line in lines if line.startswith("visible output factor"))
    assert re.split(r"  +", output) == [
        *("visible output factor", "1,000", "250.0 - 4,000", "Wh/1M tokens", "otel-carbon-derived", "x 1,000 tokens"),
    ]
    assert any(line.startswith("microsoft-datacenters-fy25     Microsoft Datacenters efficiency: ") for line in lines)


def test_the_working_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    _run("--model", "gpt-4o", "--output-tokens", "1000", "--explain", "--format", "json")

    working = json.loads(capsys.readouterr().out)["working"]
    assert working[0] == {"step": "model", "how": "gpt-4o is read as gpt-4o", "value": None, "unit": "", "source": None}
    assert working[2] == {
        "step": "visible output factor",
        "how": "x 1,000 tokens",
        "value": {"low": 250.0, "central": 1000.0, "high": 4000.0},
        "unit": "Wh/1M tokens",
        "source": "otel-carbon-derived",
    }


def test_a_call_without_tokens_is_said_to_have_no_estimate(capsys: pytest.CaptureFixture[str]) -> None:
    assert _run("--model", "gpt-4o") == 0
    assert capsys.readouterr().out == "not estimated (no_usage): the call carries no token counts\n"


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["--output-tokens", "5"], "^--model: is missing; give the name of a model, such as gpt-4o$"),
        (["--model", "m", "--output-tokens", "nan"], "^--output-tokens: must be a whole number of tokens from 0 up"),
        (
            ["--model", "m", "--output-tokens", "-5"],
            "^--output-tokens: must be a whole number of tokens from 0 up, not '-5'$",
        ),
        (["--model", "m", "--factor-set", "x"], "^--factor-set: unknown factor set 'x'; known are "),
        (["--model", "m", "--grid-intensity", "green"], "^--grid-intensity: must be from 0 to 10000 g/kWh"),
        (["--model", "m", "--zone", "XX"], "^--zone: unknown grid zone 'XX'; "),
        (
            ["--model", "m", "--region", "eu-wset-1"],
            "^--region: unknown cloud region 'eu-wset-1'; did you mean 'eu-west-1'",
        ),
    ],
)
def test_a_bad_value_is_one_line_that_names_the_option(argv: list[str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        _run(*argv)


def _csv(tmp_path: Path, text: str) -> str:
    path = tmp_path / "cases.csv"
    path.write_text(text, encoding="utf-8")
    return str(path)


_CASES = """model,provider,region,input_tokens,output_tokens
gpt-4o,openai,,1000,500
claude-haiku-4-5,aws.bedrock,eu-west-1,5000,
,,,10,10
"""


def test_a_file_gives_one_json_object_a_line_in_order(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _run("--file", _csv(tmp_path, _CASES), "--format", "json")

    documents = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert documents == [
        estimate(model="gpt-4o", provider="openai", input_tokens=1000, output_tokens=500).to_dict(),
        estimate(model="claude-haiku-4-5", provider="aws.bedrock", region="eu-west-1", input_tokens=5000).to_dict(),
        estimate(model="", input_tokens=10, output_tokens=10).to_dict(),
    ]


def test_a_file_as_a_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _run("--file", _csv(tmp_path, _CASES + "gpt-4o,,,,\n"))

    lines = [re.split(r"  +", line.strip()) for line in capsys.readouterr().out.splitlines()]
    assert lines == [
        ["model", "energy", "low - high", "emissions", "low - high", "factor", "confidence", "region"],
        [
            *("gpt-4o", "730 mWh", "180 - 2,900 mWh", "310 mg CO2e", "55 - 1,300 mg CO2e"),
            *("frontier (pattern)", "class_default", "USA (provider_default)"),
        ],
        [
            *("claude-haiku-4-5", "170 mWh", "44 - 670 mWh", "57 mg CO2e", "14 - 240 mg CO2e"),
            *("medium (pattern)", "class_default", "eu-west-1 (cloud_region)"),
        ],
        [
            *("6.7 mWh", "0.46 - 55 mWh", "3.3 mg CO2e", "0.083 - 29 mg CO2e"),
            *("unknown (global_default)", "low", "world (world)"),
        ],
        ["gpt-4o", "-", "-", "the call carries no token counts", "no_usage"],
    ]


def test_columns_are_aligned(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _run("--file", _csv(tmp_path, _CASES))

    header, *rows = capsys.readouterr().out.splitlines()
    for title in ("factor", "confidence", "region"):
        assert all(row[header.index(title) - 2 : header.index(title)] == "  " for row in rows)
        assert all(row[header.index(title)] != " " for row in rows)


def test_an_option_beside_a_file_holds_where_a_cell_is_empty(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _run("--file", _csv(tmp_path, _CASES), "--model", "o3", "--zone", "FRA", "--format", "json")

    documents = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [document["model"] for document in documents] == ["gpt-4o", "claude-haiku-4-5", "o3"]
    assert {document["grid"]["zone"] for document in documents} == {"FRA"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "model,output_tokens\ngpt-4o,1\ngpt-4o,x\n",
            r"cases\.csv, line 3, column output_tokens: must be a whole number",
        ),
        ("model,tokens\ngpt-4o,1\n", r"cases\.csv, line 1, column tokens: no such column; columns are model, provider"),
        ("model,output_tokens,model\ngpt-4o,1,o3\n", r"cases\.csv, line 1, column model: stands twice; leave one out"),
        ("", r"^--file: .*cases\.csv is empty; its first line names the columns"),
        ("model,output_tokens\ngpt-4o,1,2\n", r"cases\.csv, line 2: has more cells than the header"),
        ("output_tokens\n1\n", r"cases\.csv, line 2, column model: is missing"),
        ("model,region\ngpt-4o,mars-1\n", r"cases\.csv, line 2, column region: unknown cloud region 'mars-1'"),
        ('model,zone\n"' + "x" * 200_000 + '",\n', r"cases\.csv, line 2: not readable as CSV: field larger than"),
    ],
)
def test_a_bad_cell_is_named_by_line_and_column(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        _run("--file", _csv(tmp_path, text))


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"^--file: .*nowhere\.csv cannot be read: No such file or directory$"):
        _run("--file", str(tmp_path / "nowhere.csv"))


def test_a_file_of_another_encoding_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "cases.csv"
    path.write_bytes("model\nmodèle\n".encode("latin-1"))

    with pytest.raises(ConfigError, match=r"cases\.csv is not UTF-8 text; save it as CSV in UTF-8"):
        _run("--file", str(path))


_SETS_AS_COMPARED = [
    *("otel-carbon-2026.11", "ecologits-0.11.3", "jegham-2025.11", "mlenergy-2026.02"),
    *("seed-carbon-llm-2025", "seed-model-class-kwh", "vendor-2025"),
]


def test_a_call_is_shown_under_every_set_with_a_reason_each(capsys: pytest.CaptureFixture[str]) -> None:
    _run(*("--model", "gpt-4o", "--provider", "openai", "--input-tokens", "600", "--output-tokens", "400", "--compare"))

    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[1:8]] == _SETS_AS_COMPARED
    assert [line.split()[0] for line in lines[11:18]] == _SETS_AS_COMPARED
    # 1,000 tokens at 0.3 g per 1k; 0.6 x 120 + 0.4 x 1000 = 472 Wh per 1,000 calls at 1.17 x 384 + 45 g/kWh is 0.233 g.
    assert lines[5].split() == [
        *("seed-carbon-llm-2025", "not", "given", "300", "mg", "CO2e", "100", "-", "900", "mg", "CO2e", "1.3"),
        *("gpt-4o", "(set_model)", "estimated"),
    ]
    assert lines[15] == (
        "seed-carbon-llm-2025  emissions per token, input and output alike; no energy; grid inside the figure, "
        "PUE inside the figure, hardware inside the figure, water left out"
    )
    assert lines[14] == "mlenergy-2026.02      has no figure for this call: otel-carbon-2026.11 answered"
    assert sum(line.startswith("warning ") for line in lines) == 2


def test_a_comparison_as_json_begins_with_the_set_that_was_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    _run(
        *("--model", "mistral-large-2", "--output-tokens", "400", "--factor-set", "vendor-2025"),
        *("--compare", "--format", "json"),
    )

    documents = json.loads(capsys.readouterr().out)
    by_set = {document["set"]: document for document in documents}
    assert [documents[0]["set"], len(documents)] == ["vendor-2025", 7]
    assert documents[0]["ratio_to_first"] == 1.0
    assert documents[0]["estimate"]["co2e_grams"] == {"low": 0.57, "central": 1.14, "high": 2.28}
    assert documents[0]["estimate"]["abiotic_depletion_kgsbeq"]["central"] == pytest.approx(0.16e-6)
    assert by_set["seed-carbon-llm-2025"]["ratio_to_first"] == pytest.approx(1.0)
    assert by_set["seed-carbon-llm-2025"]["estimate"]["energy_wh"] is None
    assert by_set["seed-carbon-llm-2025"]["estimate"]["sci"] is None
    default = by_set["otel-carbon-2026.11"]["estimate"]
    assert default["sci"]["per_call_grams"] == default["co2e_grams"]


def test_a_comparison_is_of_one_call(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"^--compare: takes one call; leave --file away$"):
        _run("--compare", "--file", str(tmp_path / "cases.csv"))


@pytest.mark.parametrize(
    ("factor_set", "lines"),
    [
        ("ecologits-0.11.3", ["output tokens", "GPUs", "generation time", "manufacture", "primary energy"]),
        ("seed-carbon-llm-2025", ["published figure", "amount", "region", "grid intensity", "total"]),
        ("seed-model-class-kwh", ["published figure", "amount", "facility energy", "operational", "total"]),
        ("vendor-2025", ["published figure", "amount", "facility energy", "total"]),
    ],
)
def test_the_working_is_that_of_the_basis(
    factor_set: str, lines: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    _run("--model", "gpt-4o", "--output-tokens", "400", "--factor-set", factor_set, "--explain", "--format", "json")

    working = json.loads(capsys.readouterr().out)["working"]
    steps = [step["step"] for step in working]
    assert [step for step in steps if step in lines] == [line for line in lines for _ in range(steps.count(line))]
    assert set(lines) <= set(steps)
