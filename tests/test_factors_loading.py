"""Factor tables load whole or not at all: every row has a source, every interval is in order, every key is known."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from otel_carbon.errors import ConfigError, FactorError
from otel_carbon.factors import FactorTables, GridFamily
from otel_carbon.factors.files import DATA_DIRECTORY, compiled
from otel_carbon.model import Confidence, Interval

_SET = """
schema = 1
[set]
id = "acme-2026.1"
version = "1"
title = "Acme's own"
licence = "CC0"
source_id = "otel-carbon-derived"
basis = "per_token"
energy_boundary = "it"
unmatched = "fallback:otel-carbon-2026.11"
valid_from = "2026-01-01"

[[model]]
name = "acme-1"
match = ["acme-1"]
input_wh_per_1m = { low = 1, central = 2, high = 4 }
output_wh_per_1m = { low = 10, central = 20, high = 40 }
confidence = "estimated"
source_id = "otel-carbon-derived"
"""


def _file(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "acme.toml"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("schema = 1", "schema = 2", "acme.toml: schema must be 1, not 2"),
        ('title = "Acme\'s own"', "", r"acme.toml, \[set\]: title is missing or not a text"),
        (
            'confidence = "estimated"\nsource_id = "otel-carbon-derived"',
            'confidence = "estimated"\nsource_id = "hearsay"',
            "acme.toml, model 'acme-1': source_id 'hearsay' is not a known source; describe it in a ",
        ),
        (
            'confidence = "estimated"\nsource_id = "otel-carbon-derived"',
            'confidence = "estimated"',
            "acme.toml, model 'acme-1': source_id is missing or not a text",
        ),
        (
            "low = 1, central = 2",
            "low = 3, central = 2",
            "input_wh_per_1m is not in order: low 3.0, central 2.0, high 4.0",
        ),
        ("low = 1, central = 2", "low = -1, central = 2", "input_wh_per_1m.low must be finite and not negative: -1"),
        ("high = 4 }", "high = nan }", "input_wh_per_1m.high must be finite and not negative: nan"),
        ("high = 4 }", "high = inf }", "input_wh_per_1m.high must be finite and not negative: inf"),
        ("central = 2, high = 4 }", "high = 4 }", "input_wh_per_1m needs exactly low, central and high"),
        ("output_wh_per_1m =", "ouput_wh_per_1m =", "acme.toml, model 'acme-1': unknown key 'ouput_wh_per_1m'"),
        ("[[model]]", "[[modell]]", "acme.toml: unknown key 'modell'"),
        (
            'basis = "per_token"',
            'basis = "per_word"',
            r"acme.toml, \[set\]: 'per_word' is not one of per_token, total_kwh",
        ),
        (
            'confidence = "estimated"',
            'confidence = "sure"',
            "'sure' is not one of measured, vendor_reported, estimated",
        ),
        ('match = ["acme-1"]', 'match = ["acme-1", "acme-1"]', r"\[\[model\]\] match: 'acme-1' stands there twice"),
        (
            'unmatched = "fallback:otel-carbon-2026.11"',
            "",
            "unmatched = \"class\" needs a \\[\\[class\\]\\] named 'unknown'",
        ),
        ('valid_from = "2026-01-01"', 'valid_from = "soon"', "valid_from is not a date such as 2026-11-01: 'soon'"),
        ("input_wh_per_1m = {", "input_wh_per_1m = [{", "acme.toml: not valid TOML: "),
    ],
)
def test_a_file_with_a_mistake_is_refused_with_its_place(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert old in _SET
    with pytest.raises(FactorError, match=message):
        FactorTables().read_factor_set(_file(tmp_path, _SET.replace(old, new, 1)))


def test_a_name_that_stands_twice_is_refused(tmp_path: Path) -> None:
    row = _SET[_SET.index("[[model]]") :]

    with pytest.raises(FactorError, match=r"acme.toml, \[\[model\]\]: 'acme-1' stands there twice"):
        FactorTables().read_factor_set(_file(tmp_path, _SET + row))


def test_a_row_without_energy_or_carbon_is_refused(tmp_path: Path) -> None:
    lines = [line for line in _SET.splitlines() if "_wh_per_1m" not in line]

    with pytest.raises(FactorError, match="model 'acme-1': no energy and no carbon key"):
        FactorTables().read_factor_set(_file(tmp_path, "\n".join(lines)))


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(FactorError, match=r"nowhere\.toml: cannot be read: No such file or directory"):
        FactorTables().read_factor_set(tmp_path / "nowhere.toml")


def test_what_a_row_leaves_out_follows_from_the_rest(tmp_path: Path) -> None:
    rates = FactorTables().read_factor_set(_file(tmp_path, _SET)).models[0].rates

    assert rates is not None
    assert rates.cache_read_wh_per_1m == Interval(0.02, 0.2, 2.0)
    assert rates.cache_write_wh_per_1m == Interval(1.0, 2.0, 4.0)
    assert rates.reasoning_wh_per_1m == Interval(10.0, 24.0, 60.0)


def test_a_plain_number_gets_bounds_by_its_confidence(tmp_path: Path) -> None:
    text = _SET.replace("{ low = 10, central = 20, high = 40 }", "21").replace('"estimated"', '"class-default"')

    row = FactorTables().read_factor_set(_file(tmp_path, text)).models[0]

    assert row.confidence is Confidence.CLASS_DEFAULT
    assert row.rates is not None
    assert row.rates.visible_output_wh_per_1m == Interval(4.2, 21.0, 105.0)


def test_a_set_can_ask_for_wider_bounds(tmp_path: Path) -> None:
    text = _SET.replace("{ low = 10, central = 20, high = 40 }", "21").replace(
        'basis = "per_token"', 'basis = "per_token"\nmin_bounds_factor = 7'
    )

    rates = FactorTables().read_factor_set(_file(tmp_path, text)).models[0].rates

    assert rates is not None
    assert rates.visible_output_wh_per_1m == Interval(3.0, 21.0, 147.0)


def test_hidden_reasoning_that_the_published_figure_holds_is_not_counted_again(tmp_path: Path) -> None:
    text = _SET.replace('confidence = "estimated"', 'confidence = "estimated"\nvisible_output_only = true')

    rates = FactorTables().read_factor_set(_file(tmp_path, text)).models[0].rates

    assert rates is not None
    assert rates.reasoning_wh_per_1m == Interval.exact(0.0)


def test_a_users_set_is_selectable_by_its_id(tmp_path: Path) -> None:
    tables = FactorTables()

    added = tables.add_factor_set(_file(tmp_path, _SET))

    assert tables.factor_set("acme-2026.1") is added
    assert "acme-2026.1" in tables.set_ids
    assert "acme-2026.1" not in FactorTables.bundled().set_ids


def test_an_id_is_given_once(tmp_path: Path) -> None:
    tables = FactorTables()
    tables.add_factor_set(_file(tmp_path, _SET))

    with pytest.raises(FactorError, match=r"the factor set id 'acme-2026\.1' is taken; a changed set needs a new id"):
        tables.add_factor_set(_file(tmp_path, _SET.replace("high = 40 }", "high = 50 }")))


def test_an_id_of_a_shipped_set_stands_for_its_figures(tmp_path: Path) -> None:
    with pytest.raises(FactorError, match=r"the figures are not those that 'otel-carbon-2026\.11' stands for"):
        FactorTables().add_factor_set(_file(tmp_path, _SET.replace("acme-2026.1", "otel-carbon-2026.11")))


def test_an_unknown_set_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(
        ConfigError, match=r"unknown factor set 'otel-carbon-2026\.1'; did you mean 'otel-carbon-2026\.11'"
    ):
        FactorTables.bundled().factor_set("otel-carbon-2026.1")


@pytest.mark.parametrize("set_id", FactorTables.bundled().set_ids)
def test_a_shipped_set_loads_under_the_name_of_its_file(set_id: str) -> None:
    factor_set = FactorTables.bundled().factor_set(set_id)

    assert factor_set.id == set_id
    assert factor_set.models
    assert {row.source_id for row in factor_set.models} <= set(FactorTables.bundled().sources)


def test_the_shipped_tables_have_as_many_rows_as_their_sources() -> None:
    tables = FactorTables.bundled()

    assert len(tables.patterns.patterns) == 91
    assert len(tables.patterns.hints) == 6
    assert {cloud: len(regions) for cloud, regions in tables.regions.items()} == {
        "aws": 38,
        "azure": 73,
        "gcp": 45,
        "oci": 39,
        "ovh": 14,
        "scaleway": 4,
        "bytedance": 2,
    }
    assert {family.value: len(tables.grid(family)) for family in GridFamily} == {
        "electricity-maps": 352,
        "ember": 215,
    }
    assert len(tables.offsite_water_l_per_kwh) == 428  # 215 zones, 213 of which are countries with a second code


def test_every_pattern_of_the_shipped_tables_compiles() -> None:
    tables = FactorTables.bundled()

    patterns = [row[0] for row in tables.patterns.patterns] + [host.pattern for host in tables.hosts]

    assert all(compiled(pattern).pattern == pattern for pattern in patterns)


def test_every_name_in_one_table_is_found_in_the_others() -> None:
    tables = FactorTables.bundled()
    zones, countries = tables.grid(GridFamily.ELECTRICITY_MAPS), tables.grid(GridFamily.EMBER)

    for regions in tables.regions.values():
        assert {region.zone for region in regions.values()} <= set(zones)
        assert {region.country_iso3 for region in regions.values()} <= set(countries)
    for profile in tables.profiles.values():
        assert set(profile.candidate_regions) <= set(tables.regions[profile.cloud])
    assert {provider.country_iso3 for provider in tables.providers.values()} <= set(countries)
    assert {host.provider for host in tables.hosts} <= set(tables.providers)
    assert {host.profile for host in tables.hosts} - {None} <= set(tables.profiles)
    assert {name for name in tables.name_rules.hosts.values() if name} <= set(tables.providers)
    default = tables.factor_set("otel-carbon-2026.11")
    per_item = {"image-generation", "video-generation", ""}
    assert {row[2] for row in tables.patterns.patterns} - per_item <= set(default.classes)


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("provider_defaults.csv", ",ovh-2022", ",hearsay"),
        ("cloud_regions.csv", ",gsf-rtc", ","),
        ("grid/electricity_maps_2025.csv", ",electricitymaps-yearly-via-co2js", ","),
        ("model_patterns.csv", ",otel-carbon-derived", ",me"),
        ("hosts.csv", ",otel-carbon-derived", ",me"),
        ("equivalences.csv", "epa-equivalencies-2026", "me"),
    ],
)
def test_a_table_row_without_a_source_does_not_load(tmp_path: Path, file: str, old: str, new: str) -> None:
    shutil.copytree(DATA_DIRECTORY, tmp_path / "data")
    path = tmp_path / "data" / file
    path.write_text(path.read_text(encoding="utf-8").replace(old, new, 1), encoding="utf-8")
    tables = FactorTables(tmp_path / "data")

    with pytest.raises(FactorError, match=rf"{path.name}, line \d+: source_id '\w*' is not in sources.csv"):
        _ = (
            tables.providers,
            tables.regions,
            tables.grid(GridFamily.ELECTRICITY_MAPS),
            tables.patterns,
            tables.hosts,
            tables.equivalents,
        )


def test_a_source_without_an_address_does_not_load(tmp_path: Path) -> None:
    shutil.copytree(DATA_DIRECTORY, tmp_path / "data")
    path = tmp_path / "data" / "sources.csv"
    path.write_text(path.read_text(encoding="utf-8").replace("https://ml.energy/leaderboard", ""), encoding="utf-8")

    with pytest.raises(FactorError, match="'mlenergy-2026': a source needs a citation, a url and a licence"):
        FactorTables(tmp_path / "data")
