"""What is remembered of a kind of call says of the next one exactly what reading and estimating it anew would say."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from captures import one_per_family
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry import trace
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from otel_carbon.estimator import Estimator, EstimatorSettings
from otel_carbon.factors import FactorTables
from otel_carbon.model import Call, Outcome, Sighting
from otel_carbon.processors import CarbonSpanProcessor, known_calls
from otel_carbon.processors.known_calls import KnownCalls
from otel_carbon.spans import SpanReader, put_six_digits, six_digits

READER = SpanReader.bundled()
TABLES = FactorTables.bundled()
ESTIMATORS = [
    Estimator(TABLES, EstimatorSettings()),
    Estimator(TABLES, EstimatorSettings(region="swedencentral", water=True)),
    Estimator(TABLES, EstimatorSettings(factor_set="otel-carbon", fallback=False)),
]
CHAT = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "openai",
    "gen_ai.request.model": "gpt-4o",
    "gen_ai.response.model": "gpt-4o-2024-08-06",
    "gen_ai.usage.input_tokens": 1200,
    "gen_ai.usage.output_tokens": 345,
}
CACHED = {
    "gen_ai.system": "anthropic",
    "gen_ai.operation.name": "chat",
    "gen_ai.response.model": "claude-sonnet-4-5",
    "gen_ai.usage.input_tokens": 700,
    "gen_ai.usage.output_tokens": 90,
    "gen_ai.usage.cache_read.input_tokens": 400,
    "gen_ai.usage.cache_creation.input_tokens": 100,
}
LEGACY = {
    "gen_ai.system": "Azure",
    "llm.request.type": "chat",
    "gen_ai.request.model": "gpt-4o-mini",
    "gen_ai.usage.prompt_tokens": 10,
    "gen_ai.usage.completion_tokens": 20,
    "gen_ai.usage.reasoning_tokens": 5,
    "server.address": "example.openai.azure.com",
}
STREAMED = {**CHAT, "logfire.span_type": "log", "duration": 1.5}
SCOPES = ["opentelemetry.instrumentation.openai.v1", "opentelemetry.instrumentation.anthropic", "logfire.openai", ""]


class Notes:
    """Takes sightings as a ledger's writer does."""

    def __init__(self) -> None:
        self.sightings: list[Sighting] = []

    def submit(self, sighting: Sighting) -> bool:
        self.sightings.append(sighting)
        return True

    def flush(self, timeout_s: float) -> bool:
        return timeout_s > 0

    def close(self) -> None:
        """Nothing is open."""


class LateNotes(Notes):
    """Makes sightings when it is flushed."""

    def __init__(self) -> None:
        super().__init__()
        self.makers: list[Callable[[], Sighting]] = []

    def submit_later(self, make: Callable[[], Sighting]) -> bool:
        self.makers.append(make)
        return True

    def flush(self, timeout_s: float) -> bool:
        self.sightings += [make() for make in self.makers]
        return super().flush(timeout_s)


class App:
    """An application whose processor forgets every kind of call before each span, or none."""

    def __init__(self, estimator: Estimator, *, forgets: bool, notes: Notes | None = None) -> None:
        self.notes = notes or Notes()
        self.spans, self.metrics = InMemorySpanExporter(), InMemoryMetricReader()
        meters = MeterProvider(metric_readers=[self.metrics], shutdown_on_exit=False)
        self.carbon = CarbonSpanProcessor(estimator, READER, self.notes, meters)
        self.provider = TracerProvider(shutdown_on_exit=False)
        self.provider.add_span_processor(self.carbon)
        self.provider.add_span_processor(SimpleSpanProcessor(self.spans))
        self._forgets = forgets

    def span(self, attributes: Mapping[str, Any], scope: str, *, started: int, failed: bool, kind: int) -> None:
        if self._forgets:
            self.carbon._enrichment._known = KnownCalls(READER, self.carbon._enrichment._estimator)
        tracer = self.provider.get_tracer(scope)
        span = tracer.start_span("x", kind=trace.SpanKind(kind), attributes=attributes, start_time=started)
        if failed:
            span.set_status(trace.StatusCode.ERROR)
        span.end(started + 1_000_000_000)

    def outcome(self) -> list[Any]:
        written = [dict(span.attributes or {}) for span in self.spans.get_finished_spans()]
        sightings = [(s.call, s.mark, s.attribution, s.adjusted_count, s.scope) for s in self.notes.sightings]
        data = self.metrics.get_metrics_data()
        points = [
            (metric.name, sorted(dict(point.attributes).items()), point.value)  # type: ignore[union-attr]
            for resource in (data.resource_metrics if data is not None else ())
            for scope in resource.scope_metrics
            for metric in scope.metrics
            for point in metric.data.data_points
        ]
        return [written, sightings, points]


PLAIN = st.integers(0, 5000)
ODD = st.one_of(
    st.integers(-3, 10**13), st.floats(), st.booleans(), st.none(), st.sampled_from(["12", "", "1e3", "nan", (1, 2)])
)
COUNTS = st.one_of(PLAIN, PLAIN, PLAIN, ODD)
TEXTS = st.one_of(st.sampled_from(["gpt-4o", "claude-haiku-4-5", "o3", "embed", "x" * 600, " gpt-4o "]), ODD)


@st.composite
def span_attributes(draw: st.DrawFn) -> dict[str, Any]:
    attributes: dict[str, Any] = dict(draw(st.sampled_from([CHAT, CACHED, LEGACY, STREAMED])))
    for key in attributes:
        if "usage" in key:
            attributes[key] = draw(COUNTS)
        elif key == "duration":
            attributes[key] = draw(st.floats(0.0, 9.0))
        elif key == "logfire.span_type":
            attributes[key] = draw(st.sampled_from(["log", "span"]))
    changed = st.sampled_from([*attributes, "error.type", "gen_ai.response.id"])
    changes = draw(st.dictionaries(changed, TEXTS, max_size=2))
    for key in draw(st.sets(st.sampled_from(sorted(attributes)), max_size=2)):
        del attributes[key]
    return {**attributes, **changes}


SPANS = st.lists(
    st.fixed_dictionaries(
        {
            "attributes": span_attributes(),
            "scope": st.sampled_from(SCOPES),
            "started": st.sampled_from([1, 1_700_000_000 * 10**9, 1_790_000_000 * 10**9, 1_900_000_000 * 10**9]),
            "failed": st.booleans(),
            "kind": st.sampled_from([0, 2]),
        }
    ),
    min_size=1,
    max_size=8,
)


@settings(max_examples=250)
@given(SPANS, st.sampled_from(ESTIMATORS))
def test_remembering_changes_nothing_to_the_last_bit(spans: list[dict[str, Any]], estimator: Estimator) -> None:
    remembering, forgetting = App(estimator, forgets=False), App(estimator, forgets=True)
    for span in [*spans, *spans]:
        remembering.span(**span)
        forgetting.span(**span)

    assert repr(remembering.outcome()) == repr(forgetting.outcome())


def test_remembering_changes_nothing_on_the_spans_of_real_libraries() -> None:
    remembering, forgetting = App(ESTIMATORS[0], forgets=False), App(ESTIMATORS[0], forgets=True)
    spans = [span for case in captured() for span in case]
    for span in [*spans, *spans]:
        for app in (remembering, forgetting):
            app.span(**span)

    assert len(spans) > 200
    assert remembering.outcome() == forgetting.outcome()


def test_a_stream_that_is_reported_apart_began_when_its_own_span_says() -> None:
    remembering, forgetting = App(ESTIMATORS[0], forgets=False), App(ESTIMATORS[0], forgets=True)
    for number, written in enumerate(["log", "span", "log", "span", "log"]):
        attributes = {**STREAMED, "logfire.span_type": written, "duration": 0.3 + number / 10}
        for app in (remembering, forgetting):
            app.span(attributes, "logfire.openai", started=(1_790_000_000 + number) * 10**9, failed=False, kind=2)

    assert remembering.outcome() == forgetting.outcome()
    assert len({note.call.at_unix_nano for note in remembering.notes.sightings if note.call}) == 5


def test_a_kind_of_call_is_estimated_once(monkeypatch: pytest.MonkeyPatch) -> None:
    estimated: list[Call] = []

    class Counting(Estimator):
        def estimate(self, call: Call, factor_set: str | None = None) -> Outcome:
            estimated.append(call)
            return super().estimate(call, factor_set)

    monkeypatch.setattr(known_calls, "_REMEMBERED", 8)
    app = App(Counting(TABLES), forgets=False)
    for tokens in range(1, 6):
        usual = {"scope": "app", "started": 1_790_000_000 * 10**9, "failed": False, "kind": 2}
        app.span({**CHAT, "gen_ai.usage.output_tokens": tokens}, **usual)
        app.span({**CHAT, "gen_ai.response.model": "o3", "gen_ai.response.id": f"id-{tokens}"}, **usual)

    assert [call.model for call in estimated] == ["gpt-4o-2024-08-06", "o3"]
    assert [note.call.usage.visible_output_tokens for note in app.notes.sightings[::2]] == [1, 2, 3, 4, 5]  # type: ignore[union-attr]


def test_what_the_ledger_makes_later_is_what_it_would_have_been_given_at_once() -> None:
    at_once, later = App(ESTIMATORS[0], forgets=False), App(ESTIMATORS[0], forgets=False, notes=LateNotes())
    for number in range(4):
        attributes = {**CHAT, "gen_ai.response.id": f"id-{number}", "otel_carbon.tenant": f"tenant-{number % 2}"}
        for app in (at_once, later):
            app.span(attributes, "app", started=(1_790_000_000 + number) * 10**9, failed=False, kind=2)

    assert len(later.notes.sightings) == 1  # the first of its kind
    later.carbon.force_flush()
    assert later.outcome() == at_once.outcome()
    assert [note.attribution.tenant for note in later.notes.sightings] == ["tenant-0", "tenant-1"] * 2


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(known_calls, "_REMEMBERED", 50)
    app = App(ESTIMATORS[0], forgets=False)
    for number in range(300):
        model = number if number % 3 else f"m{number}"
        attributes = {**CHAT, f"app.key{number % 40}": 1, "gen_ai.response.model": model}
        app.span(attributes, "app", started=1_790_000_000 * 10**9, failed=False, kind=2)

    shapes = app.carbon._enrichment._known._shapes
    assert len(shapes) + sum(len(kinds) for _, kinds in shapes.values()) <= 52


@given(st.lists(st.floats(0.0, 1e12) | st.floats(0.0, allow_infinity=False) | st.integers(0, 10**9).map(float)))
def test_six_digits_are_those_that_printing_gives(values: list[float]) -> None:
    assert [repr(value) for value in rounded(values)] == [repr(float(f"{value:.6g}")) for value in values]
    assert [repr(six_digits(value)) for value in values] == [repr(value) for value in rounded(values)]


@given(st.integers(100_000, 999_999), st.integers(-17, 12), st.integers(-3, 3))
def test_six_digits_are_right_where_the_seventh_is_a_five(digits: int, exponent: int, steps: int) -> None:
    value = float(f"{digits}.5e{exponent}")
    for _ in range(abs(steps)):
        value = value * (1 + 2**-52) if steps > 0 else value * (1 - 2**-53)

    assert rounded([value]) == [float(f"{value:.6g}")]


def rounded(values: list[float]) -> list[float]:
    mark: dict[str, float] = {}
    put_six_digits(mark, map(str, range(len(values))), values)
    return list(mark.values())


def captured() -> list[list[dict[str, Any]]]:
    return [
        [
            {
                "attributes": {item.key: value(item.value) for item in span.attributes},
                "scope": scope_spans.scope.name,
                "started": span.start_time_unix_nano,
                "failed": span.status.code == 2,
                "kind": max(span.kind - 1, 0),
            }
            for body in case["bodies"]
            for resource_spans in ExportTraceServiceRequest.FromString(base64.b64decode(body)).resource_spans
            for scope_spans in resource_spans.scope_spans
            for span in scope_spans.spans
        ]
        for case in one_per_family()
    ]


def value(any_value: AnyValue) -> Any:
    kind = any_value.WhichOneof("value")
    if kind == "array_value":
        return [value(item) for item in any_value.array_value.values]
    return None if kind in {None, "kvlist_value"} else getattr(any_value, kind)
