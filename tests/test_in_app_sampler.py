"""The sampler wrapper: every GenAI span is seen, no more of them are exported."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import (
    ALWAYS_OFF,
    ALWAYS_ON,
    Decision,
    ParentBased,
    Sampler,
    SamplingResult,
    TraceIdRatioBased,
)
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, set_span_in_context
from opentelemetry.trace.span import TraceState

from otel_carbon.errors import ConfigError
from otel_carbon.processors import KeepGenAI
from otel_carbon.processors.sampler import keep_genai
from otel_carbon.spans import SpanReader

CHAT = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-4o"}
READER = SpanReader.bundled()


class Seen(SpanProcessor):
    """Counts the GenAI spans that reach a processor."""

    def __init__(self) -> None:
        self.count = 0

    def on_end(self, span: ReadableSpan) -> None:
        self.count += "gen_ai.request.model" in (span.attributes or {})


def traffic(sampler: Sampler, *, traces: int = 2000) -> tuple[int, int]:
    """Return how many GenAI spans a processor saw, and how many spans of any kind were exported."""
    seen, exporter = Seen(), InMemorySpanExporter()
    provider = TracerProvider(sampler=sampler, shutdown_on_exit=False)
    provider.add_span_processor(seen)
    provider.add_span_processor(BatchSpanProcessor(exporter, max_queue_size=65536))
    tracer = provider.get_tracer("x")
    for _ in range(traces):
        with tracer.start_as_current_span("GET /"):
            tracer.start_span("chat gpt-4o", attributes=CHAT).end()
    provider.shutdown()
    return seen.count, len(exporter.get_finished_spans())


def test_every_call_is_seen_at_ten_percent_and_the_export_stays_at_ten_percent() -> None:
    seen, exported = traffic(KeepGenAI(ParentBased(TraceIdRatioBased(0.1)), reader=READER))

    assert seen == 2000
    assert 200 < exported < 650


def test_nothing_changes_where_everything_or_nothing_is_exported() -> None:
    assert traffic(KeepGenAI(ALWAYS_ON, reader=READER), traces=50) == (50, 100)
    assert traffic(KeepGenAI(ALWAYS_OFF, reader=READER), traces=50) == (50, 0)


def test_a_span_is_known_by_its_name_where_it_starts_without_attributes() -> None:
    sampler = KeepGenAI(ALWAYS_OFF, reader=READER)

    decisions = {
        name: sampler.should_sample(None, 1, name).decision
        for name in (
            "chat gpt-4o",
            "embeddings text-embedding-3-small",
            "litellm_request",
            "openai.response",
            "ChatOpenAI.chat",
            "ChatAnthropic",
            "chat.py",
            "chat",
            "chatty",
            "GET /",
        )
    }
    assert decisions == {
        "chat gpt-4o": Decision.RECORD_ONLY,
        "embeddings text-embedding-3-small": Decision.RECORD_ONLY,
        "litellm_request": Decision.RECORD_ONLY,
        "openai.response": Decision.RECORD_ONLY,
        "ChatOpenAI.chat": Decision.RECORD_ONLY,
        "ChatAnthropic": Decision.RECORD_ONLY,
        "chat.py": Decision.DROP,
        "chat": Decision.DROP,
        "chatty": Decision.DROP,
        "GET /": Decision.DROP,
    }


class Inner(Sampler):
    """Drops, with a trace state and attributes of its own; knows the arguments of an older SDK only."""

    def should_sample(self, parent_context: Any, trace_id: int, name: str, *rest: Any) -> SamplingResult:
        assert (parent_context, trace_id, len(rest)) == (None, 1, 3)
        return SamplingResult(Decision.DROP, {"sampler.rule": name}, TraceState([("ot", "th:8")]))

    def get_description(self) -> str:
        return "Inner"


def test_the_inner_samplers_trace_state_and_attributes_are_kept() -> None:
    result = KeepGenAI(Inner(), reader=READER).should_sample(None, 1, "x", None, CHAT, None)

    assert result.decision is Decision.RECORD_ONLY
    assert dict(result.attributes) == {**CHAT, "sampler.rule": "x"}
    assert result.trace_state == TraceState([("ot", "th:8")])


def test_a_call_below_an_unsampled_remote_parent_is_seen_and_not_exported() -> None:
    seen, exporter = Seen(), InMemorySpanExporter()
    provider = TracerProvider(sampler=KeepGenAI(ParentBased(ALWAYS_ON), reader=READER), shutdown_on_exit=False)
    provider.add_span_processor(seen)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    remote = set_span_in_context(NonRecordingSpan(SpanContext(1, 2, is_remote=True, trace_flags=TraceFlags(0))))

    provider.get_tracer("x").start_span("chat", remote, attributes=CHAT).end()

    assert (seen.count, exporter.get_finished_spans()) == (1, ())


def test_the_description_names_both() -> None:
    assert KeepGenAI(Inner(), reader=READER).get_description() == "KeepGenAI{Inner}"


@settings(max_examples=100)
@given(
    st.text(max_size=20),
    st.one_of(st.none(), st.dictionaries(st.sampled_from([*CHAT, "x"]), st.one_of(st.text(), st.floats(), st.none()))),
)
def test_it_decides_about_any_span(name: str, attributes: Any) -> None:
    result = KeepGenAI(ALWAYS_OFF, reader=READER).should_sample(None, 1, name, None, attributes)

    assert result.decision in {Decision.DROP, Decision.RECORD_ONLY}


@pytest.mark.parametrize(
    ("argument", "description"),
    [
        (None, "TraceIdRatioBased{1.0}"),
        ("", "TraceIdRatioBased{1.0}"),
        ("0.25", "TraceIdRatioBased{0.25}"),
        ("0", "TraceIdRatioBased{0.0}"),
    ],
)
def test_the_sampler_of_the_environment_takes_the_share_to_export(argument: str | None, description: str) -> None:
    assert description in keep_genai(argument).get_description()


@pytest.mark.parametrize("argument", ["ten percent", "1.5", "-1", "nan"])
def test_a_share_that_is_none_is_refused(argument: str) -> None:
    with pytest.raises(ConfigError, match="OTEL_TRACES_SAMPLER_ARG"):
        keep_genai(argument)
