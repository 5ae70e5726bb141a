"""The Datadog dashboard and the Honeycomb board: of the form that their APIs take, with names that we write."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from datadog_api_client import Configuration
from datadog_api_client.model_utils import ModelComposed, ModelNormal, UnparsedObject, validate_and_convert_types
from datadog_api_client.v1.model.dashboard import Dashboard
from honeycomb.models.boards import BoardCreate
from honeycomb.models.derived_columns import DerivedColumnCreate
from honeycomb.models.queries import QuerySpec
from honeycomb.models.query_annotations import QueryAnnotationCreate
from metric_attributes import metric_attributes

from otel_carbon.spans.marks import MARK_KEYS

_ROOT = Path(__file__).parents[1]
_DATADOG = json.loads((_ROOT / "dashboards" / "datadog" / "genai-carbon.json").read_text(encoding="utf-8"))
_HONEYCOMB = json.loads((_ROOT / "dashboards" / "honeycomb" / "genai-carbon.tf.json").read_text(encoding="utf-8"))
_MADE: dict[str, dict[str, Any]] = _HONEYCOMB["resource"]
_QUERY = re.compile(r"sum:([\w.]+)\{([^}]*)\}(?: by \{([^}]*)\})?\.as_count\(\)")
_OF_HONEYCOMB = {"service.name", "trace.trace_id", "gen_ai.response.model"}


def _queries(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        yield from (each for key, each in value.items() if key == "query")
        for each in value.values():
            yield from _queries(each)
    elif isinstance(value, list):
        for each in value:
            yield from _queries(each)


def _unknown(value: Any, where: str = "") -> Iterator[str]:
    """Yield what Datadog's models take without knowing it: a widget of no type of theirs, a key that they have not."""
    if isinstance(value, UnparsedObject):
        yield where
        return
    inner = value if isinstance(value, list) else value._composed_instances if isinstance(value, ModelComposed) else ()
    for index, each in enumerate(inner):
        yield from _unknown(each, f"{where}[{index}]")
    if isinstance(value, ModelNormal):
        for key, each in value._data_store.items():
            if key not in value.attribute_map:
                yield f"{where}.{key}"
            yield from _unknown(each, f"{where}.{key}")


def _datadog(document: dict[str, Any]) -> Dashboard:
    return validate_and_convert_types(document, (Dashboard,), ["dashboard"], True, True, Configuration())


def test_datadogs_own_model_knows_every_widget_and_key() -> None:
    dashboard = _datadog(_DATADOG)

    assert list(_unknown(dashboard)) == []
    assert dashboard.to_dict() == _DATADOG


@pytest.mark.parametrize(("key", "value"), [("type", "no_such_widget"), ("no_such_key", 1)])
def test_datadogs_own_model_would_tell(key: str, value: object) -> None:
    document = json.loads(json.dumps(_DATADOG))
    document["widgets"][1]["definition"][key] = value

    assert list(_unknown(_datadog(document)))


def test_every_metric_that_datadog_is_asked_for_has_the_attributes_that_it_is_asked_by() -> None:
    attributes = metric_attributes()
    variables = {f"${each['name']}": each["prefix"] for each in _DATADOG["template_variables"]}
    asked = list(_queries(_DATADOG))

    assert len(asked) > 20
    for query in asked:
        found = _QUERY.fullmatch(query)
        assert found is not None, query
        tags = {variables[each] for each in found[2].split(",") if each != "*"} | set((found[3] or "").split(","))
        assert tags - {""} <= attributes[found[1]], query


def test_no_widget_of_datadog_covers_another() -> None:
    taken: set[tuple[int, int]] = set()
    for widget in _DATADOG["widgets"]:
        at = widget["layout"]
        cells = {(at["x"] + x, at["y"] + y) for x in range(at["width"]) for y in range(at["height"])}
        assert at["x"] + at["width"] <= 12
        assert not cells & taken, widget["definition"]
        taken |= cells


def test_honeycombs_models_take_every_query_field_and_panel() -> None:
    for made in _MADE["honeycombio_query"].values():
        query = json.loads(made["query_json"])
        understood = QuerySpec.model_validate(query).model_dump(mode="json", exclude_unset=True)
        assert understood == query
    for field in _MADE["honeycombio_derived_column"].values():
        assert field["dataset"] == "__all__"
        DerivedColumnCreate.model_validate({key: field[key] for key in ("alias", "expression", "description")})
    for annotation in _MADE["honeycombio_query_annotation"].values():
        QueryAnnotationCreate.model_validate({key: annotation[key] for key in annotation if key != "dataset"})
    (board,) = _MADE["honeycombio_flexible_board"].values()
    panels = board["panel"]
    BoardCreate.model_validate({"name": board["name"], "description": board["description"], "panels": panels})


def test_every_reference_in_the_terraform_file_leads_to_a_resource() -> None:
    text = json.dumps(_HONEYCOMB)
    names = {f"{kind}.{name}" for kind, resources in _MADE.items() for name in resources}

    used = set(re.findall(r"\$\{(\w+\.\w+)\.id\}", text))
    used |= {name for query in _MADE["honeycombio_query"].values() for name in _replaced_with(query)}

    assert used <= names
    assert {name for name in names if "query" in name or "column" in name} <= used


def test_honeycomb_is_asked_for_names_that_are_on_spans() -> None:
    fields = {field["alias"] for field in _MADE["honeycombio_derived_column"].values()}
    text = "".join(field["expression"] for field in _MADE["honeycombio_derived_column"].values())
    asked = set(re.findall(r"\$([\w.]+)", text))
    for made in _MADE["honeycombio_query"].values():
        query = json.loads(made["query_json"])
        asked |= set(query["breakdowns"])
        asked |= {
            one["column"] for key in ("calculations", "filters", "orders") for one in query[key] if "column" in one
        }

    assert asked <= MARK_KEYS | _OF_HONEYCOMB | fields
    assert fields <= asked


def _replaced_with(query: dict[str, Any]) -> list[str]:
    return query.get("lifecycle", {}).get("replace_triggered_by", [])
