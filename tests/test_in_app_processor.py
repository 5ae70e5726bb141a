"""The in-app processor on real spans: what it writes, what it never touches, and that it never raises."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry import baggage, context, trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import (
    ConcurrentMultiSpanProcessor,
    ReadableSpan,
    SpanLimits,
    SpanProcessor,
    TracerProvider,
)
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor, SpanExporter
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from otel_carbon.estimator import Estimator, EstimatorSettings
from otel_carbon.factors import FactorTables
from otel_carbon.model import Call, Footprint, Sighting, Usage
from otel_carbon.processors import CarbonSpanProcessor
from otel_carbon.processors.attributes import attribute_values
from otel_carbon.processors.duplicates import CountedCalls, EndedCall
from otel_carbon.processors.ended_span import facts_of
from otel_carbon.spans import mark_attributes

CHAT = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "azure.ai.openai",
    "gen_ai.request.model": "gpt-4o",
    "gen_ai.response.model": "gpt-4o-2024-08-06",
    "gen_ai.usage.input_tokens": 1200,
    "gen_ai.usage.output_tokens": 345,
}
ESTIMATOR = Estimator(FactorTables.bundled(), EstimatorSettings(region="swedencentral"))


class App:
    """A tracer provider with the carbon processor, and what it exports."""

    def __init__(self, *before: SpanProcessor, limits: SpanLimits | None = None, **options: Any) -> None:
        self.exporter = InMemorySpanExporter()
        self.processor = CarbonSpanProcessor(ESTIMATOR, **{"metrics": False, **options})
        self.provider = TracerProvider(
            span_limits=limits, resource=Resource({"service.name": "shop"}), shutdown_on_exit=False
        )
        for processor in (*before, self.processor, SimpleSpanProcessor(self.exporter)):
            self.provider.add_span_processor(processor)
        self.tracer = self.provider.get_tracer("opentelemetry.instrumentation.openai.v1", "0.62.4")

    def span(self, attributes: Mapping[str, Any], *, name: str = "chat gpt-4o") -> ReadableSpan:
        with self.tracer.start_as_current_span(name, kind=trace.SpanKind.CLIENT, attributes=attributes):
            pass
        return self.exported[-1]

    @property
    def exported(self) -> list[ReadableSpan]:
        return list(self.exporter.get_finished_spans())


class Notes:
    """Takes sightings as a ledger's writer does."""

    def __init__(self) -> None:
        self.sightings: list[Sighting] = []
        self.flushed = self.closed = 0

    def submit(self, sighting: Sighting) -> bool:
        self.sightings.append(sighting)
        return True

    def flush(self, timeout_s: float) -> bool:
        self.flushed += 1
        return timeout_s > 0

    def close(self) -> None:
        self.closed += 1


def ours(span: ReadableSpan) -> dict[str, Any]:
    return {key: value for key, value in (span.attributes or {}).items() if key.startswith("otel_carbon.")}


def theirs(span: ReadableSpan) -> dict[str, Any]:
    return {key: value for key, value in (span.attributes or {}).items() if not key.startswith("otel_carbon.")}


def test_a_genai_span_gets_what_the_estimator_says_and_keeps_what_it_had() -> None:
    span = App().span(CHAT)

    call = Call(
        provider="azure.ai.openai", model="gpt-4o-2024-08-06", request_model="gpt-4o", usage=Usage(1200, 0, 0, 345, 0)
    )
    outcome = ESTIMATOR.estimate(call)
    assert isinstance(outcome, Footprint)
    assert ours(span) == mark_attributes(outcome)
    assert ours(span)["otel_carbon.status"] == "estimated"
    assert ours(span)["otel_carbon.region.name"] == "swedencentral"
    assert theirs(span) == CHAT


def test_another_span_is_left_as_it_is() -> None:
    span = App().span({"http.request.method": "GET", "http.route": "/"}, name="GET /")

    assert dict(span.attributes or {}) == {"http.request.method": "GET", "http.route": "/"}


def test_a_parent_of_calls_stays_unmarked() -> None:
    span = App().span({**CHAT, "gen_ai.operation.name": "invoke_agent"}, name="invoke_agent")

    assert ours(span) == {}


def test_a_call_without_counts_is_no_usage() -> None:
    span = App().span({key: value for key, value in CHAT.items() if "usage" not in key})

    assert ours(span) == {"otel_carbon.status": "no_usage"}


def test_a_call_that_failed_without_counts_is_failed() -> None:
    app = App()
    span = app.tracer.start_span("chat", attributes={"gen_ai.operation.name": "chat", "gen_ai.system": "openai"})
    span.set_status(trace.StatusCode.ERROR, "timed out")
    span.end()

    assert ours(app.exported[-1]) == {"otel_carbon.status": "failed"}


def test_a_span_that_an_earlier_stage_marked_is_left_alone() -> None:
    marked = {**CHAT, "otel_carbon.status": "estimated", "otel_carbon.co2e_grams": 0.125}

    assert dict(App().span(marked).attributes or {}) == marked


def test_two_processors_mark_a_span_once() -> None:
    notes = Notes()
    app = App(CarbonSpanProcessor(ESTIMATOR, metrics=False), ledger=notes)

    span = app.span(CHAT)

    assert ours(span)["otel_carbon.status"] == "estimated"
    assert [sighting.mark is not None for sighting in notes.sightings] == [True]


@pytest.mark.parametrize("exporting", [SimpleSpanProcessor, BatchSpanProcessor])
def test_an_exporter_that_was_there_before_sees_the_carbon(
    exporting: Callable[[SpanExporter], SpanProcessor],
) -> None:
    exporter = InMemorySpanExporter()
    app = App(exporting(exporter))

    app.span(CHAT)
    app.provider.force_flush()

    assert [ours(span)["otel_carbon.status"] for span in exporter.get_finished_spans()] == ["estimated"]
    app.provider.shutdown()


def test_a_concurrent_processor_pipeline_sees_the_carbon() -> None:
    exporter = InMemorySpanExporter()
    provider = TracerProvider(active_span_processor=ConcurrentMultiSpanProcessor(2), shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    provider.add_span_processor(CarbonSpanProcessor(ESTIMATOR, metrics=False))

    for _ in range(20):
        provider.get_tracer("x").start_span("chat", attributes=CHAT).end()

    assert [ours(span)["otel_carbon.status"] for span in exporter.get_finished_spans()] == ["estimated"] * 20
    provider.shutdown()


def test_a_processor_that_only_forwards_on_end_still_delivers_the_carbon() -> None:
    class Forwarding(SpanProcessor):
        """Hides `_on_ending`, as vendors' wrappers do."""

        def __init__(self, *inner: SpanProcessor) -> None:
            self.inner = inner

        def on_end(self, span: ReadableSpan) -> None:
            for processor in self.inner:
                processor.on_end(span)

    exporter = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    carbon = CarbonSpanProcessor(ESTIMATOR, metrics=False)
    provider.add_span_processor(Forwarding(carbon, SimpleSpanProcessor(exporter)))

    provider.get_tracer("x").start_span("chat", attributes=CHAT).end()

    (span,) = exporter.get_finished_spans()
    assert ours(span)["otel_carbon.status"] == "estimated"


def test_a_full_span_loses_nothing_of_the_application() -> None:
    full = {**CHAT, **{f"app.key{n}": n for n in range(128 - len(CHAT))}}

    span = App().span(full)

    assert theirs(span) == full
    assert len(ours(span)) > 10
    assert span.dropped_attributes == 0


def test_what_the_application_lost_itself_is_still_reported() -> None:
    app = App(limits=SpanLimits(max_span_attributes=8))

    span = app.span({**{f"app.key{n}": n for n in range(7)}, **CHAT})

    assert span.dropped_attributes == 5
    assert ours(span)["otel_carbon.status"] == "estimated"


def test_a_limit_on_the_length_of_values_does_not_cut_the_mark() -> None:
    span = App(limits=SpanLimits(max_span_attribute_length=4)).span({**CHAT, "gen_ai.request.model": "gpt4"})

    assert ours(span)["otel_carbon.status"] == "estimated"


def test_attributes_of_an_ended_span_stay_immutable() -> None:
    span = App().span(CHAT)

    assert span.attributes is not None
    with pytest.raises(TypeError):
        span.attributes["late"] = 1  # type: ignore[index]


def test_the_outer_of_two_spans_with_one_answer_is_a_duplicate() -> None:
    app = App()
    answer = {**CHAT, "gen_ai.response.id": "chatcmpl-1"}
    with app.tracer.start_as_current_span("outer", attributes=answer):
        app.tracer.start_span("inner", attributes=answer).end()

    assert {span.name: ours(span)["otel_carbon.status"] for span in app.exported} == {
        "inner": "estimated",
        "outer": "duplicate",
    }


def test_of_two_spans_with_one_answer_the_one_with_tokens_counts() -> None:
    app = App()
    answer = {**CHAT, "gen_ai.response.id": "chatcmpl-1"}
    tokenless = {key: value for key, value in answer.items() if "usage" not in key}
    with app.tracer.start_as_current_span("outer", attributes=answer):
        app.tracer.start_span("inner", attributes=tokenless).end()

    assert {span.name: ours(span)["otel_carbon.status"] for span in app.exported} == {
        "inner": "no_usage",
        "outer": "estimated",
    }


def test_two_libraries_that_watch_one_call_count_it_once_also_from_two_traces() -> None:
    app = App()
    answer = {**CHAT, "gen_ai.response.id": "chatcmpl-1"}
    framework = app.provider.get_tracer("framework").start_span("outer", attributes=answer)
    app.tracer.start_span("inner", attributes=answer).end()
    framework.end()

    assert [ours(span)["otel_carbon.status"] for span in app.exported] == ["estimated", "duplicate"]


def test_calls_at_the_same_time_count_even_when_a_server_repeats_its_ids() -> None:
    app = App()
    spans = [app.tracer.start_span("chat", attributes={**CHAT, "gen_ai.response.id": "same"}) for _ in range(3)]
    for span in spans:
        span.end()

    assert [ours(span)["otel_carbon.status"] for span in app.exported] == ["estimated"] * 3


def test_only_the_latest_calls_are_remembered() -> None:
    app, counted = App(), CountedCalls(remembered=10)
    call = Call(model="gpt-4o")
    outer = app.provider.get_tracer("framework").start_span("outer")
    for n in range(100):
        inner = app.tracer.start_span("inner")
        inner.end()
        counted.repeats(EndedCall(facts_of(inner), "app", call, (n, 0, 0, 345, 0), f"id-{n}"))
    outer.end()

    assert [counted.repeats(EndedCall(facts_of(outer), "framework", call, None, f"id-{n}")) for n in (0, 99)] == [
        False,
        True,
    ]
    assert len(counted._recent.answers) + len(counted._older.answers) <= 10


def test_calls_one_after_the_other_count_even_when_a_server_repeats_its_ids() -> None:
    app = App()
    with app.tracer.start_as_current_span("request"):
        for _ in range(3):
            app.span({**CHAT, "gen_ai.response.id": "always-the-same"})

    calls = [span for span in app.exported if ours(span)]
    assert [ours(span)["otel_carbon.status"] for span in calls] == ["estimated"] * 3


def test_baggage_says_who_a_call_is_accounted_to() -> None:
    notes = Notes()
    app = App(ledger=notes)
    token = context.attach(baggage.set_baggage("otel_carbon.tenant", "acme", baggage.set_baggage("other", "x")))
    try:
        span = app.span(CHAT)
    finally:
        context.detach(token)

    assert ours(span)["otel_carbon.tenant"] == "acme"
    assert "other" not in (span.attributes or {})
    assert notes.sightings[0].attribution.tenant == "acme"
    assert notes.sightings[0].attribution.service == "shop"


def test_the_ledger_gets_calls_and_parents_each_once() -> None:
    notes = Notes()
    app = App(ledger=notes)
    with app.tracer.start_as_current_span("agent", attributes={"gen_ai.operation.name": "invoke_agent"}) as agent:
        app.span(CHAT)
    app.span({"http.route": "/"}, name="GET /")

    call, parent = notes.sightings
    assert call.call is not None
    assert call.call.usage == Usage(1200, 0, 0, 345, 0)
    assert call.span.parent_span_id == f"{agent.get_span_context().span_id:016x}"
    assert call.span.trace_id == parent.span.trace_id == f"{agent.get_span_context().trace_id:032x}"
    assert call.scope == "opentelemetry.instrumentation.openai.v1"
    assert call.mark is None
    assert (parent.call, parent.span.parent_span_id) == (None, "")


def test_a_flush_reaches_the_ledger_and_the_processors_behind() -> None:
    notes = Notes()
    app = App(ledger=notes)

    assert app.provider.force_flush() is True
    assert notes.flushed == 1


def test_after_shutdown_nothing_is_estimated_and_a_second_one_is_harmless() -> None:
    notes = Notes()
    app = App(ledger=notes)

    app.processor.shutdown()
    app.processor.shutdown()

    assert notes.closed == 1
    assert ours(app.span(CHAT)) == {}
    assert app.processor.active is False


def test_an_error_inside_is_a_warning_once_and_never_the_applications(caplog: pytest.LogCaptureFixture) -> None:
    class Broken(Notes):
        def submit(self, sighting: Sighting) -> bool:
            raise ValueError(sighting)

    app = App(ledger=Broken())
    with caplog.at_level(logging.DEBUG, "otel_carbon"):
        for _ in range(3):
            app.span(CHAT)

    records = [record for record in caplog.records if record.name.startswith("otel_carbon")]
    assert {record.levelno for record in records[1:]} == {logging.DEBUG}
    assert records[0].levelno == logging.WARNING


NUMBERS = st.one_of(
    st.integers(-(2**70), 2**70), st.floats(allow_nan=True, allow_infinity=True), st.sampled_from([0, -1, 10**400])
)
TEXTS = st.text(st.characters(codec="ascii"), max_size=30) | st.sampled_from(["gpt-4o", "12", "nan", "x" * 5000])
SCALARS = st.one_of(NUMBERS, TEXTS, st.booleans(), st.none(), st.binary(max_size=8))
VALUES = st.one_of(SCALARS, st.lists(SCALARS, max_size=3), st.dictionaries(st.just("k"), SCALARS, max_size=1))
KEYS = st.sampled_from(
    [
        *CHAT,
        "gen_ai.system",
        "gen_ai.response.id",
        "gen_ai.usage.prompt_tokens",
        "gen_ai.usage.cache_read.input_tokens",
        "gen_ai.usage.reasoning.output_tokens",
        "server.address",
        "error.type",
        "llm.request.type",
        "otel_carbon.status",
        "otel_carbon.tenant",
        "app.key",
    ]
)


@settings(max_examples=300)
@given(st.dictionaries(KEYS, VALUES, max_size=12))
def test_no_attribute_makes_it_raise_or_changes_what_the_application_set(attributes: dict[str, Any]) -> None:
    bare = TracerProvider(shutdown_on_exit=False).get_tracer("x").start_span("x", attributes=attributes)
    expected = dict(attribute_values(bare.attributes))  # type: ignore[attr-defined]
    app = App(ledger=Notes(), metrics=True)

    span = app.span(attributes)

    kept = {key: value for key, value in (span.attributes or {}).items() if key in expected}
    assert repr(kept) == repr(expected)
    for key, value in ours(span).items():
        if key not in expected:
            assert isinstance(value, str) or (0.0 <= value < math.inf)
