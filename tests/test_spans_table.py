"""A new dialect is a row of data."""

from __future__ import annotations

import pytest

from otel_carbon.errors import ConfigError
from otel_carbon.model import Call, Usage
from otel_carbon.spans import DialectTable, Parent, SpanReader

MADE_UP = """
schema = 1

[providers]
"acme-ml" = "acme"

[hosts.suffixes]
"acme.example" = "acme"

[[dialect]]
name = "acme"
title = "Acme tracing"
scopes = ["acme.*"]
markers = ["acme.kind"]
without_operation = "chat"
[dialect.fields]
operation = ["acme.kind"]
provider = ["acme.vendor"]
response_model = ["acme.model"]
input_tokens = ["acme.tokens.in"]
output_tokens = ["acme.tokens.out"]
cache_read_tokens = ["acme.tokens.cached"]
reasoning_tokens = ["acme.tokens.thoughts"]
region = ["acme.region"]
[dialect.calls]
Ask = "chat"
[dialect.parents]
values = ["Plan"]

[[accounting]]
scopes = ["acme.*"]
keys = ["acme.tokens.total_includes_cache"]
cache_in_input = true

[[accounting]]
scopes = ["acme.*"]
cache_in_input = false
reasoning = "outside"
"""

SPAN = {
    "acme.kind": "Ask",
    "acme.vendor": "Acme-ML",
    "acme.model": "roadrunner-2",
    "acme.region": "moon-1",
    "acme.tokens.in": 100,
    "acme.tokens.out": 20,
    "acme.tokens.cached": 30,
    "acme.tokens.thoughts": 5,
}


def reader() -> SpanReader:
    return SpanReader(DialectTable.bundled().extended(MADE_UP))


def test_a_made_up_dialect_is_read_after_adding_its_rows() -> None:
    assert SpanReader.bundled().read(SPAN, scope_name="acme.tracer") is None
    assert reader().read(SPAN, scope_name="acme.tracer") == Call(
        operation="chat",
        provider="acme",
        model="roadrunner-2",
        region="moon-1",
        usage=Usage(
            uncached_input_tokens=100,
            cache_read_tokens=30,
            cache_write_tokens=0,
            visible_output_tokens=20,
            reasoning_tokens=5,
        ),
    )


def test_a_row_with_a_key_decides_only_where_the_key_is_on_the_span() -> None:
    reading = reader().read({**SPAN, "acme.tokens.total_includes_cache": True}, scope_name="acme.tracer")

    assert isinstance(reading, Call)
    assert reading.usage == Usage(70, 30, 0, 20, 5)


def test_a_dialect_with_scopes_reads_no_other_scope() -> None:
    assert reader().read(SPAN, scope_name="somebody.else") is None


def test_its_parents_and_its_spans_without_an_operation_are_read_by_its_rows() -> None:
    assert reader().read({"acme.kind": "plan"}, scope_name="acme.tracer") == Parent("plan")
    assert isinstance(reader().read({"acme.kind": ""}, scope_name="acme.tracer"), Call)


def test_its_keys_are_among_the_keys_of_the_reader() -> None:
    assert {*SPAN, "acme.tokens.total_includes_cache"} <= reader().keys
    assert "acme.kind" in reader().markers


def test_a_reader_of_an_extended_table_still_reads_the_bundled_dialects() -> None:
    chat = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-4o", "gen_ai.usage.input_tokens": 1}

    assert reader().read(chat) == SpanReader.bundled().read(chat)


@pytest.mark.parametrize(
    ("toml", "message"),
    [
        ("schema = ", "dialects: not TOML"),
        ("", "dialects: schema is None, write schema = 1"),
        ("schema = 1\nproviders = 1", "dialects: providers has to be a table"),
        ("schema = 1\n[providers]\nx = 1", "dialects: every value of providers has to be a string"),
        ("schema = 1\n[dialects]", "dialects: unknown key 'dialects'"),
        ("schema = 1\ndialect = 1", "dialects: write dialect as [[dialect]]"),
        ("schema = 1\n[[dialect]]", "dialects: dialect None: name is missing"),
        ('schema = 1\n[[dialect]]\nname = "x"', "dialects: dialect 'x': markers is empty"),
        ('schema = 1\n[[dialect]]\nname = "x"\nmarkers = "m"', "dialects: dialect 'x': markers has to be a list of"),
        ('schema = 1\n[[dialect]]\nname = "x"\nextends = "y"', "dialects: dialect 'x': extends names the unknown"),
        ('schema = 1\n[[dialect]]\nname = "x"\nfields = {input = []}', "dialects: dialect 'x': fields: unknown key"),
        ('schema = 1\n[[accounting]]\ncache_in_input = "yes"', "dialects: accounting: cache_in_input has to be true"),
    ],
)
def test_a_table_that_cannot_be_read_names_the_place_and_the_fix(toml: str, message: str) -> None:
    with pytest.raises(ConfigError) as refused:
        DialectTable().extended(toml)

    assert str(refused.value).startswith(message)
