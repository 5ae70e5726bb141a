"""The rules of the house that a machine can hold."""

from __future__ import annotations

import ast
import dataclasses
import importlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from otel_carbon.gateway.components import factories
from otel_carbon.pipeline.component import Factory

_ROOT = Path(__file__).parents[1]
_KINDS = {"receiver": "receivers", "processor": "processors", "exporter": "exporters", "connector": "connectors"}
_FACTORIES: list[Factory[Any]] = list(factories())


def _sheets() -> list[Path]:
    return sorted(path for folder in _KINDS.values() for path in (_ROOT / folder).glob("*/metadata.yaml"))


def _load(sheet: Path) -> dict[str, Any]:
    return yaml.safe_load(sheet.read_text(encoding="utf-8"))


def _named(code: str) -> Any:
    module, _, name = code.partition(":")
    return getattr(importlib.import_module(module), name)


@pytest.mark.parametrize("factory", _FACTORIES, ids=lambda factory: f"{factory.kind}-{factory.type}")
def test_every_component_has_a_sheet(factory: Factory[Any]) -> None:
    folder = _ROOT / _KINDS[factory.kind] / factory.type

    assert (folder / "README.md").is_file()
    assert _named(_load(folder / "metadata.yaml")["code"]) is factory


@pytest.mark.parametrize("sheet", _sheets(), ids=lambda path: f"{path.parts[-3]}-{path.parts[-2]}")
def test_every_sheet_names_code_that_exists(sheet: Path) -> None:
    meta = _load(sheet)

    assert meta["type"] == sheet.parent.name
    assert _KINDS[meta["status"]["class"]] == sheet.parent.parent.name
    assert _named(meta["code"]) is not None


@pytest.mark.parametrize("sheet", _sheets(), ids=lambda path: f"{path.parts[-3]}-{path.parts[-2]}")
def test_every_sheet_is_in_the_catalogue_of_its_folder(sheet: Path) -> None:
    catalogue = (sheet.parent.parent / "README.md").read_text(encoding="utf-8")

    assert f"({sheet.parent.name}/)" in catalogue or f"({sheet.parent.name}/README.md)" in catalogue


@pytest.mark.parametrize("factory", _FACTORIES, ids=lambda factory: f"{factory.kind}-{factory.type}")
def test_the_sheet_gives_the_keys_and_defaults_of_the_code(factory: Factory[Any]) -> None:
    sheet = _load(_ROOT / _KINDS[factory.kind] / factory.type / "metadata.yaml")

    assert _documented(sheet.get("config", {})) == _defaults(factory.config)


@pytest.mark.parametrize("factory", _FACTORIES, ids=lambda factory: f"{factory.kind}-{factory.type}")
def test_the_sheet_states_the_stability_of_the_code(factory: Factory[Any]) -> None:
    sheet = _load(_ROOT / _KINDS[factory.kind] / factory.type / "metadata.yaml")

    stated = {level: set(signals) for level, signals in sheet["status"]["stability"].items()}
    assert stated == {factory.stability.value: {signal.value for signal in factory.signals}}


def _documented(keys: dict[str, Any]) -> dict[str, Any]:
    """Return key -> default of a sheet; nested maps are those without a `type` of their own."""
    found: dict[str, Any] = {}
    for name, entry in keys.items():
        if not isinstance(entry.get("type"), str):
            found[name] = _documented(entry)
        else:
            found[name] = "required" if entry.get("required") else entry.get("default")
    return found


def _defaults(config: type) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for field in dataclasses.fields(config):
        if field.default is not dataclasses.MISSING:
            default = field.default
        elif field.default_factory is not dataclasses.MISSING:
            default = field.default_factory()
        else:
            found[field.name] = "required"
            continue
        found[field.name] = _plain(default)
    return found


def _plain(value: Any) -> Any:
    """Return a default as YAML writes it."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    return dict(value) if hasattr(value, "keys") else value


# ---- units in names -------------------------------------------------------------------------------------------------

_QUANTITY = re.compile(r"(^|_)(energy|co2e?|intensity|mass|duration|latency|timeout|interval|water)(_|$)")
_UNIT = re.compile(
    r"_(wh|kwh|mj|joules|j|g|grams|kg|g_per_kwh|g_per_kwh_it|l_per_kwh|ml|liters|l|s|ms|ns|unix_nano|per_1m|ratio)"
    r"(_(low|central|high|sum|reversed|total))?$"
    r"|_(alpha|beta|gamma)(_wh)?$"  # coefficients of a published regression, under their published names
)


def _float_fields() -> Iterator[tuple[str, str]]:
    """Yield (where, name) of every dataclass field annotated as a plain number or interval."""
    for path in sorted((_ROOT / "otel_carbon").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.ClassDef) or node.name.endswith("Config"):
                continue  # a user's config has the Collector's key names, with the unit in the value ("5s")
            for item in node.body:
                if isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name):
                    kind = ast.unparse(item.annotation)
                    if re.fullmatch(r"(float|Interval)( \| None)?", kind):
                        yield f"{path.relative_to(_ROOT)}:{node.name}", item.target.id


def test_a_field_that_holds_a_quantity_names_its_unit() -> None:
    nameless = [(where, name) for where, name in _float_fields() if _QUANTITY.search(name) and not _UNIT.search(name)]

    assert nameless == []


def test_no_tracked_text_names_a_machine() -> None:
    """A path of somebody's home directory in a document is a document that works only there."""
    pattern = re.compile(r"/(home|Users|root|work)/[a-z]")
    files = [path for glob in ("*.md", "docs/**/*.md", "otel_carbon/**/*.py") for path in _ROOT.glob(glob)]

    assert [str(path) for path in files if pattern.search(path.read_text(encoding="utf-8"))] == []
