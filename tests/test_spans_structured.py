"""Attributes that hold a structure: JSON, the text of a Python dict, a map."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_carbon.spans.structured import StructuredAttributes, base_key, nested_paths, structure


def look(value: Any, path: str) -> Any:
    key = f"usage::{path}"
    return StructuredAttributes({"usage": value}, nested_paths([key])).get(key)


@pytest.mark.parametrize(
    "written",
    [
        '{"details": {"cached_tokens": 400}}',
        "{'details': {'cached_tokens': 400, 'audio': None}}",
        {"details": {"cached_tokens": 400}},
    ],
)
def test_json_a_python_dict_and_a_map_are_looked_into(written: Any) -> None:
    assert look(written, "details.cached_tokens") == 400


def test_a_text_that_is_quoted_once_more_is_read_without_its_quotes() -> None:
    assert look('"CHAT_MODEL"', "") == "CHAT_MODEL"


@pytest.mark.parametrize(
    "written",
    [
        "",
        "not json",
        "[1, 2]",
        "{'details': open('/etc/passwd')}",
        "{'details': " + "[" * 500 + "]" * 500 + "}",
        '{"details": ' * 5000,
        "{" * 100_000,
        '{"details": 1' + "0" * 5000 + "}",
        7,
        None,
        b"{}",
        ("a", "b"),
    ],
)
def test_what_is_no_such_structure_says_nothing(written: Any) -> None:
    assert look(written, "details.cached_tokens") is None


def test_a_text_that_is_too_long_is_not_parsed() -> None:
    assert (
        look(json.dumps({"details": {"cached_tokens": 400}, "answer": "x" * 70_000}), "details.cached_tokens") is None
    )


def test_an_attribute_is_parsed_once_for_all_that_is_looked_for_in_it(monkeypatch: pytest.MonkeyPatch) -> None:
    parsed: list[Any] = []
    monkeypatch.setattr("otel_carbon.spans.structured.structure", lambda raw: parsed.append(raw) or {"a": 1, "b": 2})
    attributes = StructuredAttributes({"usage": "…", "plain": 3}, nested_paths(["usage::a", "usage::b", "other::a"]))

    assert [attributes.get(key) for key in ("usage::a", "usage::b", "other::a", "plain")] == [1, 2, None, 3]
    assert parsed == ["…"]


def test_a_plain_key_has_no_path() -> None:
    assert nested_paths(["gen_ai.usage.input_tokens"]) == {}
    assert base_key("metadata.usage_object::a.b") == "metadata.usage_object"


@given(st.text(max_size=200))
def test_no_text_makes_it_raise(written: str) -> None:
    structure(written)
    structure("{'a': " + written + "}")
