"""The generated config of a stock Collector. A real one runs it in tests/e2e/test_enriching_collector.py."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from otel_carbon.cli.main import main
from otel_carbon.collector.amounts import root_and_exponential
from otel_carbon.collector.document import collector_config, statement_groups
from otel_carbon.collector.hosts import hosts_spelled_out
from otel_carbon.collector.ottl import Rewrite, number, re2_rewrite
from otel_carbon.collector.rows import Rows
from otel_carbon.errors import ConfigError, FactorError
from otel_carbon.factors import FactorTables, GridFamily
from otel_carbon.model import Interval

_TABLES = FactorTables.bundled()
_SET = "otel-carbon-2026.11"
_COMMITTED = Path(__file__).parents[1] / "collector_config" / "enriching-collector.yaml"
_WIDEST = math.log(50.0)  # of an energy and its bound, as `Interval` has it, twice
_NARROWEST = 0.001
_PATH = re.compile(r'span\.cache\["(\w+)"\]')


def test_the_committed_config_is_the_one_that_the_tables_give() -> None:
    generated = collector_config(_TABLES, factor_set=_SET, grid=GridFamily.ELECTRICITY_MAPS)

    assert _COMMITTED.read_text(encoding="utf-8") == generated, "run scripts/generate-collector-config"


def test_the_command_writes_a_config_for_some_models_and_regions(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["collector-config", "--models", "gpt-4o-2024-08-06,gpt-4o", "--regions", "eu-west-3"]) == 0

    written = capsys.readouterr().out
    groups = yaml.safe_load(written)["processors"]["transform/otel_carbon"]["trace_statements"]
    places = [statement for statement in groups[-1]["statements"] if statement.startswith('set(span.cache["place"]')]
    assert [('"eu-west-3": {' in each, '"eu-west-1": {' in each) for each in places] == [(True, False)]
    assert "models: gpt-4o-2024-08-06, gpt-4o · regions: eu-west-3" in written


def test_names_that_a_list_has_are_looked_up_and_all_others_are_taken_apart() -> None:
    _, names, calls, _ = statement_groups(_TABLES, factor_set=_SET, grid=GridFamily.EMBER, models=["gpt-4o"])

    looked_up = next(statement for statement in calls.statements if statement.startswith('set(span.cache["row"]'))
    for written in ("gpt-4o", "gpt-4o-2024-08-06"):
        assert f'"{written}": "frontier pattern class_default"' in looked_up
        assert f"\\n{written}\\n" in names.condition
    assert "gpt-4o-mini" not in looked_up


def test_what_one_group_finds_does_not_stay_on_the_span_and_is_not_taken_from_a_sender() -> None:
    foreign, names, calls, amounts = statement_groups(_TABLES, factor_set=_SET, grid=GridFamily.EMBER)

    path = 'span.attributes["otel_carbon.handed_over"]'
    forget, is_there = 'delete_key(span.attributes, "otel_carbon.handed_over")', f"{path} != nil"
    assert (foreign.condition, foreign.statements) == (is_there, (forget,))
    assert [any(f"set({path}" in each for each in group.statements) for group in (names, calls)] == [True, True]
    assert f"{forget} where {is_there}" in calls.statements
    assert names.condition.endswith(f" and {calls.condition}")  # no span has the first without the second
    assert (amounts.condition, forget in amounts.statements) == (is_there, True)


@pytest.mark.parametrize(
    ("pattern", "hosts"),
    [
        (r"^api\.x\.ai$", ["api.x.ai"]),
        (r"^(?:eu\.|us\.)?api\.openai\.com$", ["eu.api.openai.com", "us.api.openai.com", "api.openai.com"]),
        (r"^api\.together\.(?:xyz|ai)$", ["api.together.xyz", "api.together.ai"]),
        (r"^[a-z0-9-]+\.openai\.azure\.com$", []),
        (r"^(?P<region>eu|us)\.example\.com$", []),
        (r"^api.example$", []),
        (r"api\.example$", []),
    ],
)
def test_the_hosts_of_a_pattern_are_spelled_out_where_it_names_each(pattern: str, hosts: list[str]) -> None:
    assert hosts_spelled_out(pattern) == hosts


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
    ember = "\n".join(_statements(GridFamily.EMBER))

    assert '"otel_carbon.grid.zone": "IRL"' in ember
    assert '"otel_carbon.grid.zone": "IE"' not in ember


@given(st.floats(0.0, _WIDEST), st.floats(_NARROWEST, 3.0))
def test_root_and_exponential_have_nine_digits_more_than_enough(first: float, second: float) -> None:
    values = {"first": first, "second": second}
    for statement in root_and_exponential('span.cache["first"]', 'span.cache["second"]'):
        target, _, rest = statement.removeprefix("set(").partition(", ")
        found = _PATH.fullmatch(target)
        assert found is not None
        values[found[1]] = eval(_PATH.sub(r'values["\1"]', rest.removesuffix(")")))

    assert values["factor"] ** 4 == pytest.approx(math.exp(math.hypot(first, second) - first), rel=1e-9)


def test_the_spreads_of_all_places_are_within_what_that_holds_for() -> None:
    spreads = re.findall(r'"[ec][ba]": ([0-9.e+-]+)', "\n".join(_statements(GridFamily.ELECTRICITY_MAPS)))

    assert len(spreads) > 1000
    assert all(_NARROWEST <= float(spread) <= 3.0 for spread in spreads)


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
    made = "\n".join(_statements(GridFamily.ELECTRICITY_MAPS))

    assert not re.search(r"\(\?[=!]|\(\?<[=!]", made)


def test_a_row_that_has_no_energy_for_some_tokens_is_refused() -> None:
    chosen = _TABLES.factor_set(_SET)
    row = chosen.classes["frontier"]
    assert row.rates is not None
    without = replace(row, rates=replace(row.rates, cache_read_wh_per_1m=Interval(0.0, 0.0, 0.0)))

    with pytest.raises(ConfigError, match=r"--factor-set: row 'frontier' has no energy for some tokens"):
        Rows(_TABLES, chosen).id_of(without, "pattern")


def test_an_unknown_region_is_refused_from_python_too() -> None:
    with pytest.raises(ConfigError, match="--regions"):
        statement_groups(_TABLES, factor_set=_SET, grid=GridFamily.EMBER, regions={"mars-1"})


def _statements(grid: GridFamily) -> list[str]:
    groups = statement_groups(_TABLES, factor_set=_SET, grid=grid)
    return [text for group in groups for text in (group.condition, *group.statements)]
