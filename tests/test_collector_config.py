"""The generated config of a stock Collector. A real one runs it in tests/e2e/test_enriching_collector.py."""

from __future__ import annotations

import math
import re
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from otel_carbon.cli.main import main
from otel_carbon.collector.amounts import root_and_exponential
from otel_carbon.collector.document import collector_config, statements
from otel_carbon.collector.ottl import Rewrite, number, re2_rewrite
from otel_carbon.errors import ConfigError, FactorError
from otel_carbon.factors import FactorTables, GridFamily

_TABLES = FactorTables.bundled()
_SET = "otel-carbon-2026.11"
_COMMITTED = Path(__file__).parents[1] / "collector_config" / "enriching-collector.yaml"
_PATH = re.compile(r'span\.cache\["(\w+)"\]')


def test_the_committed_config_is_the_one_that_the_tables_give() -> None:
    generated = collector_config(_TABLES, factor_set=_SET, grid=GridFamily.ELECTRICITY_MAPS)

    assert _COMMITTED.read_text(encoding="utf-8") == generated, "run scripts/generate-collector-config"


def test_the_command_writes_a_config_for_some_models_and_regions(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["collector-config", "--models", "gpt-4o-2024-08-06,gpt-4o", "--regions", "eu-west-3"]) == 0

    written = capsys.readouterr().out
    made = yaml.safe_load(written)["processors"]["transform/otel_carbon"]["trace_statements"][0]["statements"]
    assert sum('== "gpt-4o"' in statement and 'set(span.cache["row"]' in statement for statement in made) == 1
    assert not any('"name": "eu-west-1"' in statement for statement in made)
    assert "models: gpt-4o-2024-08-06, gpt-4o · regions: eu-west-3" in written


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--regions", "eu-wset-3"], "--regions: unknown cloud region 'eu-wset-3'; did you mean 'eu-west-3'"),
        (["--models", "/"], "--models: '/' is not the name of a model"),
        (["--factor-set", "seed-carbon-llm-2025"], "--factor-set: 'seed-carbon-llm-2025' cannot be written"),
        (["--factor-set", "mlenergy-2026.02"], "are left to otel-carbon-2026.11"),
        (["--factor-set", "nothing"], "nothing"),
    ],
)
def test_what_cannot_be_written_is_refused_with_the_option(
    options: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["collector-config", *options]) == 2
    assert message in capsys.readouterr().err


def test_a_file_that_cannot_be_written_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["collector-config", "--output", str(tmp_path / "no" / "file.yaml")]) == 1
    assert "--output" in capsys.readouterr().err


def test_the_grid_is_the_one_that_was_asked_for() -> None:
    ember = "\n".join(statements(_TABLES, factor_set=_SET, grid=GridFamily.EMBER))

    assert '"zone": "IRL"' in ember
    assert '"zone": "IE"' not in ember


@given(st.floats(0.0, 7.0), st.floats(0.0, 7.0))
def test_root_and_exponential_have_nine_digits_more_than_enough(first: float, second: float) -> None:
    values = {"first": first, "second": second}
    for statement in root_and_exponential('span.cache["first"]', 'span.cache["second"]'):
        target, _, rest = statement.removeprefix("set(").partition(", ")
        expression, _, condition = rest.partition(") where ")
        condition = condition.replace('span.cache["ok"] == true', "True")
        if eval(_PATH.sub(r'values["\1"]', condition)):
            found = _PATH.fullmatch(target)
            assert found is not None
            values[found[1]] = eval(_PATH.sub(r'values["\1"]', expression))

    assert values["exp"] == pytest.approx(math.exp(math.hypot(first, second)), rel=1e-9)


@pytest.mark.parametrize(
    ("value", "written"), [(1.0, "1.0"), (1e-05, "1.0e-05"), (1.5e-07, "1.5e-07"), (3, "3.0"), (1e22, "1.0e+22")]
)
def test_a_float_has_a_decimal_point(value: float, written: str) -> None:
    assert number(value) == written


@pytest.mark.parametrize(
    ("pattern", "replacement", "expected"),
    [
        (r"(?<=\db)-\d+:\d+$", "", Rewrite(r"(\db)-\d+:\d+$", "${1}")),
        (r":(?=\d)", "-", Rewrite(r":(\d)", "-${1}")),
        (r"^(r1|v3)(?=$|[.-])", r"deepseek-\1", Rewrite(r"^(r1|v3)($|[.-])", "deepseek-${1}${2}")),
        (r"^(?!embed-)(.+)-v\d+$", r"\1", Rewrite(r"^(.+)-v\d+$", "${1}", "^(?:embed-)")),
    ],
)
def test_a_pattern_that_looks_around_captures_what_it_looks_at(
    pattern: str, replacement: str, expected: Rewrite
) -> None:
    assert re2_rewrite(pattern, replacement) == expected


def test_a_pattern_that_looks_around_in_the_middle_is_refused() -> None:
    with pytest.raises(FactorError, match="looks around"):
        re2_rewrite("a(?!b)c", "")


def test_no_statement_has_a_regular_expression_that_the_collector_cannot_compile() -> None:
    made = "\n".join(statements(_TABLES, factor_set=_SET, grid=GridFamily.ELECTRICITY_MAPS))

    assert not re.search(r"\(\?[=!]|\(\?<[=!]", made)


def test_an_unknown_region_is_refused_from_python_too() -> None:
    with pytest.raises(ConfigError, match="--regions"):
        statements(_TABLES, factor_set=_SET, grid=GridFamily.EMBER, regions={"mars-1"})
