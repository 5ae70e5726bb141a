"""An id stands for the same figures for ever, a figure in another unit is refused, and every file has its licence."""

from __future__ import annotations

from pathlib import Path

import pytest

from otel_carbon.errors import FactorError
from otel_carbon.factors import FactorTables
from otel_carbon.factors.files import DATA_DIRECTORY
from otel_carbon.factors.fingerprint import fingerprint, recorded_fingerprints
from otel_carbon.factors.licences import licences
from otel_carbon.factors.plausible import BOUNDS

_SETS = sorted((DATA_DIRECTORY / "sets").glob("*.toml"))
_DEFAULT = DATA_DIRECTORY / "sets" / "otel-carbon-2026.11.toml"
_FRONTIER = "output_wh_per_1m = { low = 250, central = 1000, high = 4000 }"


def _changed(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "mine.toml"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("path", _SETS, ids=lambda path: path.stem)
def test_a_shipped_set_has_the_figures_that_its_id_was_given_to(path: Path) -> None:
    assert fingerprint(path) == recorded_fingerprints()[path.stem]


def test_every_recorded_set_is_shipped() -> None:
    assert sorted(recorded_fingerprints()) == [path.stem for path in _SETS]


def test_another_number_under_a_known_id_is_refused(tmp_path: Path) -> None:
    path = _changed(tmp_path, _DEFAULT.read_text(encoding="utf-8").replace(_FRONTIER, _FRONTIER.replace("1000", "999")))

    with pytest.raises(FactorError, match=r"the figures are not those that 'otel-carbon-2026\.11' stands for; give"):
        FactorTables.bundled().read_factor_set(path)


def test_another_word_under_a_known_id_is_not_another_figure(tmp_path: Path) -> None:
    text = _DEFAULT.read_text(encoding="utf-8").replace("otel-carbon default factors", "Default factors")

    assert fingerprint(_changed(tmp_path, f"# A comment.\n{text}")) == fingerprint(_DEFAULT)


def test_the_files_that_a_parametric_set_names_are_part_of_it(tmp_path: Path) -> None:
    name = "ecologits-0.11.3.toml"
    path = tmp_path / name
    path.write_bytes((DATA_DIRECTORY / "sets" / name).read_bytes())
    assert fingerprint(path) == recorded_fingerprints()["ecologits-0.11.3"]

    models = (DATA_DIRECTORY / "ecologits_models.csv").read_text(encoding="utf-8")
    (tmp_path / "ecologits_models.csv").write_text(models.replace("1340", "1341"), encoding="utf-8")

    assert fingerprint(path) != recorded_fingerprints()["ecologits-0.11.3"]


_HEAD = """
schema = 1
[set]
id = "acme-1"
version = "1"
title = "t"
licence = "CC0"
source_id = "otel-carbon-derived"
basis = "{basis}"
energy_boundary = "facility"
unmatched = "none"
[[model]]
name = "acme"
match = ["acme"]
confidence = "estimated"
source_id = "otel-carbon-derived"
"""


@pytest.mark.parametrize(
    ("basis", "rows", "message"),
    [
        ("per_token", "input_wh_per_1m = 0.12\noutput_wh_per_1m = 1000", "model 'acme': input_wh_per_1m is 0.12; "),
        ("per_token", "input_wh_per_1m = 120\noutput_wh_per_1m = 1.0", "model 'acme': output_wh_per_1m is 1; "),
        ("per_token", "input_wh_per_1m = 120\noutput_wh_per_1m = 3600000", "model 'acme': output_wh_per_1m is 3.6e.06"),
        ("total_kwh_per_1m", "total_kwh_per_1m = 5", "model 'acme': total_kwh_per_1m is 5; "),
        ("total_g_per_1k", "total_g_per_1k = 0.0003", "model 'acme': total_g_per_1k is 0.0003; "),
        ("per_request", "request_wh = 0.00024", "model 'acme': request_wh is 0.00024; "),
        ("per_request", "request_g = 1140", "model 'acme': request_g is 1140; "),
        ("per_request", "request_wh = 0.24\nrequest_ml = 0.00026", "model 'acme': request_ml is 0.00026; "),
        (
            "total_kwh_per_1m",
            (
                'total_kwh_per_1m = 0.01\n[[region]]\nname = "pl"\ng_per_kwh = 0.65\nregions = ["aws:eu-central-1"]\n'
                'source_id = "otel-carbon-derived"'
            ),
            "region 'pl': g_per_kwh is 0.65; ",
        ),
    ],
)
def test_a_figure_in_another_unit_is_refused_by_row_and_field(
    basis: str, rows: str, message: str, tmp_path: Path
) -> None:
    path = _changed(tmp_path, _HEAD.format(basis=basis) + rows + "\n")

    with pytest.raises(FactorError, match=rf"^mine\.toml, {message}.*check the unit$"):
        FactorTables.bundled().read_factor_set(path)


@pytest.mark.parametrize(
    ("basis", "row", "message"),
    [
        ("total_kwh_per_1m", "total_g_per_1k = 0.3", "row 'acme': total_kwh_per_1m is missing (total_kwh_per_1m)"),
        (
            "per_request",
            'request_g = 1\nscale = "words/7"',
            "model 'acme': scale must be none or output_tokens/<number>",
        ),
    ],
)
def test_a_row_without_the_figure_of_its_basis_is_refused(basis: str, row: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(FactorError) as raised:
        FactorTables.bundled().read_factor_set(_changed(tmp_path, _HEAD.format(basis=basis) + row + "\n"))

    assert message in str(raised.value)


def test_every_bound_is_in_order_and_has_a_reason() -> None:
    for bounds in BOUNDS.values():
        assert 0.0 < bounds.least < bounds.greatest
        assert len(bounds.reason) > 30


def test_every_data_file_has_a_licence() -> None:
    found = licences()

    assert "Open Database License 1.0" in found["grid/electricity_maps_2025.csv"]
    assert "Mozilla Public License 2.0" in found["ecologits_models.csv"]
    assert found["sets/otel-carbon-2026.11.toml"].startswith("own derivation and compilation, CC BY 4.0")


def test_a_data_file_without_a_licence_is_refused(tmp_path: Path) -> None:
    (tmp_path / "LICENCES.md").write_text("| file | licence |\n|---|---|\n| `a.csv` | CC0 |\n", encoding="utf-8")
    (tmp_path / "a.csv").touch()
    assert licences(tmp_path) == {"a.csv": "CC0"}

    (tmp_path / "b.csv").touch()
    with pytest.raises(FactorError, match=r"^b\.csv: no licence is written down in LICENCES\.md$"):
        licences(tmp_path)
