"""What is remembered of a kind of span reads the next one exactly as reading it anew does."""

from __future__ import annotations

from typing import Any

import pytest
from captures import captures
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from otel_carbon.model import Call
from otel_carbon.pipeline.attributes import AttributeReader
from otel_carbon.spans import KnownReads, Parent, SpanReader, known_reads

READER = SpanReader.bundled()
START = 1_790_000_000 * 10**9
CHAT: dict[str, Any] = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "openai",
    "gen_ai.request.model": "gpt-4o",
    "gen_ai.response.model": "gpt-4o-2024-08-06",
    "gen_ai.response.id": "chatcmpl-1",
    "gen_ai.usage.input_tokens": 1200,
    "gen_ai.usage.output_tokens": 345,
    "gen_ai.usage.cache_read.input_tokens": 400,
    "server.address": "api.openai.com",
}
LEGACY: dict[str, Any] = {
    "gen_ai.system": "Azure",
    "llm.request.type": "chat",
    "gen_ai.request.model": "gpt-4o-mini",
    "gen_ai.usage.prompt_tokens": 10,
    "gen_ai.usage.completion_tokens": 20,
    "server.address": "example.openai.azure.com",
}
STREAMED: dict[str, Any] = {**CHAT, "logfire.span_type": "log", "duration": 1.5}
PICTURED: dict[str, Any] = {**CHAT, "gen_ai.output.type": "text", "gen_ai.usage.image.input_tokens": 9}
SCOPES = ["opentelemetry.instrumentation.openai.v1", "opentelemetry.instrumentation.anthropic", "logfire.openai", ""]
VALUES = st.one_of(
    st.integers(0, 5000),
    st.integers(-3, 10**13),
    st.floats(),
    st.booleans(),
    st.none(),
    st.sampled_from(["12", "", "1e3", " gpt-4o ", "o3", "embed", "x" * 600, (1, 2), ["a"], {"a": "b"}]),
)


@st.composite
def span_attributes(draw: st.DrawFn) -> dict[str, Any]:
    attributes: dict[str, Any] = dict(draw(st.sampled_from([CHAT, LEGACY, STREAMED, PICTURED])))
    changed = st.sampled_from([*attributes, "error.type", "gen_ai.response.id"])
    for key in draw(st.sets(st.sampled_from(sorted(attributes)), max_size=2)):
        del attributes[key]
    return {**attributes, **draw(st.dictionaries(changed, VALUES, max_size=3))}


SPANS = st.lists(
    st.tuples(
        span_attributes(),
        st.sampled_from([0, 2, 3]),
        st.booleans(),
        st.sampled_from([0, 1, START]),
        st.sampled_from([0, START + 1, START + 10**9]),
    ),
    min_size=1,
    max_size=8,
)


Times = tuple[int, bool, int, int]
"""Kind, whether it failed, start and end."""


def anew(scope: str, resource: dict[str, Any], attributes: dict[str, Any], rest: Times) -> Call | Parent | None:
    kind, failed, started, ended = rest
    return READER.read(
        attributes,
        scope_name=scope,
        resource=resource,
        kind=kind,
        failed=failed,
        started_unix_nano=started,
        ended_unix_nano=ended,
    )


@settings(max_examples=400)
@given(SPANS, st.sampled_from(SCOPES), st.sampled_from([{}, {"cloud.region": "eu-west-3"}]))
def test_a_remembered_kind_is_read_as_anew(
    spans: list[tuple[dict[str, Any], int, bool, int, int]], scope: str, resource: dict[str, Any]
) -> None:
    known = KnownReads(READER, scope, resource)

    for attributes, *rest in [*spans, *spans]:
        assert repr(known.read(attributes, *rest)) == repr(anew(scope, resource, attributes, tuple(rest)))


def test_a_count_of_images_that_was_none_is_read_when_it_is_one() -> None:
    known, rest = KnownReads(READER, "", {}), (3, False, START, START + 9)
    plain = {key: value for key, value in CHAT.items() if "cache" not in key}
    spans = [{**plain, "gen_ai.usage.image.input_tokens": count} for count in (-1, 9)]
    found = [known.read(span, *rest) for span in spans]

    assert [call.media_input_tokens for call in found if isinstance(call, Call)] == [None, 9]
    assert found == [anew("", {}, span, rest) for span in spans]


def test_a_key_without_a_value_is_as_good_as_none() -> None:
    known, rest = KnownReads(READER, "", {}), (3, False, START, START + 9)
    failing: list[dict[str, Any]] = [{**CHAT, "error.type": "x"}, {**CHAT, "error.type": None}]

    assert [known.read(span, *rest) for span in failing] == [anew("", {}, span, rest) for span in failing]


def test_the_spans_of_real_libraries_are_read_as_anew() -> None:
    wanted = AttributeReader(READER.keys)
    known: dict[str, KnownReads] = {}
    calls = 0
    for body in [body for capture in captures() for body in capture.bodies] * 2:
        for resource_spans in ExportTraceServiceRequest.FromString(body).resource_spans:
            for each in resource_spans.scope_spans:
                scope = each.scope.name
                reads = known.setdefault(scope, KnownReads(READER, scope, {}))
                for span in each.spans:
                    attributes = wanted.read([item.SerializeToString() for item in span.attributes])
                    rest = (span.kind, span.status.code == 2, span.start_time_unix_nano, span.end_time_unix_nano)
                    found = reads.read(attributes, *rest)
                    calls += isinstance(found, Call)
                    assert found == anew(scope, {}, attributes, rest)

    assert calls > 1000


def test_a_kind_is_read_in_full_once() -> None:
    read: list[dict[str, Any]] = []

    class Noting(SpanReader):
        def read(self, attributes: dict[str, Any], **arguments: Any) -> Call | Parent | None:  # type: ignore[override]
            read.append(attributes)
            return super().read(attributes, **arguments)

    known = KnownReads(Noting.bundled(), "", {})
    found = [
        known.read({**CHAT, "gen_ai.usage.output_tokens": tokens}, 3, False, START, START + 9) for tokens in (1, 2)
    ]

    assert len(read) == 1
    assert [call.usage.visible_output_tokens for call in found if isinstance(call, Call) and call.usage] == [1, 2]


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(known_reads, "_REMEMBERED", 50)
    known = KnownReads(READER, "", {})
    for number in range(300):
        known.read({**CHAT, f"k{number % 40}": 1, "gen_ai.response.model": f"m{number}"}, 3, False, START, START + 9)

    assert len(known._shapes) + sum(len(kinds) for _, kinds in known._shapes.values()) <= 52


def test_long_texts_are_not_remembered() -> None:
    known, rest = KnownReads(READER, "", {}), (3, False, START, START + 9)
    named = {**CHAT, "gen_ai.response.model": "m" * 1000}

    assert [known.read(named, *rest) for _ in range(2)] == [anew("", {}, named, rest)] * 2
    assert not any(kinds for _, kinds in known._shapes.values())
