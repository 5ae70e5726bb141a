"""The gateway's `carbon` processor, against the same work done with protobuf objects."""

from __future__ import annotations

import base64
import dataclasses
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from captures import one_per_family
from hypothesis import given
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from otlp_requests import (
    OPENAI_SCOPE,
    STARTED,
    attributes,
    chat_attributes,
    chat_span,
    requests,
    spans_of,
    traces,
    web_span,
)

from otel_carbon.errors import ConfigError, InvalidDataError
from otel_carbon.estimator import Estimator, EstimatorSettings
from otel_carbon.factors import FactorTables
from otel_carbon.model import Call, Footprint, NotEstimated, Sighting, SpanIdentity, Status
from otel_carbon.pipeline.attributes_encoding import encode_span_attributes
from otel_carbon.pipeline.component import Settings
from otel_carbon.pipeline.duplicates import duplicates
from otel_carbon.pipeline.otlp import parse, sightings
from otel_carbon.pipeline.otlp_schema import REQUESTS, lenient
from otel_carbon.pipeline.pdata import Enriched, Payload, Signal
from otel_carbon.pipeline.wire import resource_spans
from otel_carbon.processors.carbon import FACTORY, CarbonProcessor, Config
from otel_carbon.spans import AttributionRules, adjusted_count, mark_attributes, read_mark

CAPTURES = [base64.b64decode(body) for case in one_per_family() for body in case["bodies"]]


def processor(shared: dict[str, Any] | None = None, **config: Any) -> CarbonProcessor:
    return FACTORY.create(Config(**config), Settings("carbon", {}, shared or {}))


PROCESSOR = processor()


def processed(*spans: Span, by: CarbonProcessor = PROCESSOR, **around: Any) -> Payload:
    return by.process(parse(Signal.TRACES, traces(*spans, **around).SerializeToString()))


def mark_of(span: Span) -> dict[str, Any]:
    return {
        each.key: getattr(each.value, each.value.WhichOneof("value"))
        for each in span.attributes
        if each.key.startswith("otel_carbon.")
    }


def with_objects(body: bytes) -> tuple[bytes, list[Sighting]]:
    """Return what the processor has to make of a request and what it has to see in it, made with protobuf objects."""
    request = lenient(REQUESTS[Signal.TRACES]).FromString(body)
    seen: list[tuple[Any, Sighting]] = []
    for resource in request.resource_spans:
        around = python_attributes(resource.resource.attributes)
        for scope in resource.scope_spans:
            seen += [
                (span, sighting)
                for span in scope.spans
                if (sighting := sighting_of(span, scope.scope.name.decode(), around)) is not None
            ]
    repeated = duplicates([sighting for _, sighting in seen])
    for index, (span, sighting) in enumerate(seen):
        if sighting.call is not None and all(each.key != b"otel_carbon.status" for each in span.attributes):
            outcome = _DUPLICATE if index in repeated else PROCESSOR.estimator.estimate(sighting.call)
            span.MergeFromString(encode_span_attributes(mark_attributes(outcome)))
    return request.SerializeToString(), [sighting for _, sighting in seen]


_DUPLICATE = NotEstimated(Status.DUPLICATE, "")


def sighting_of(span: Any, scope: str, resource: dict[str, Any]) -> Sighting | None:
    attributes = python_attributes(span.attributes)
    times = (span.start_time_unix_nano, span.end_time_unix_nano)
    call = PROCESSOR.reader.read(
        attributes,
        scope_name=scope,
        resource=resource,
        kind=span.kind,
        failed=span.status.code == 2,
        started_unix_nano=times[0],
        ended_unix_nano=times[1],
    )
    ids = (span.trace_id, span.span_id)
    if call is None or [len(each) for each in ids] != [16, 8] or not all(any(each) for each in ids):
        return None
    return Sighting(
        SpanIdentity(*(each.hex() for each in ids), span.parent_span_id.hex()),
        *times,
        PROCESSOR.reader.attribution(attributes, resource),
        call if isinstance(call, Call) else None,
        read_mark(attributes),
        adjusted_count(span.trace_state.decode()),
        scope or None,
    )


def python_attributes(values: Any) -> dict[str, Any]:
    return {each.key.decode(): python_value(each.value) for each in reversed(values)}


def python_value(value: Any) -> Any:
    kind = value.WhichOneof("value")
    if kind == "string_value":
        return value.string_value.decode()
    if kind == "array_value":
        return tuple(python_value(each) for each in value.array_value.values)
    if kind == "kvlist_value":
        return python_attributes(value.kvlist_value.values)
    return None if kind is None else getattr(value, kind)


@given(requests())
def test_the_result_is_what_protobuf_objects_give(body: bytes) -> None:
    payload = PROCESSOR.process(parse(Signal.TRACES, body))
    expected, seen = with_objects(body)

    assert lenient(REQUESTS[Signal.TRACES]).FromString(payload.body).SerializeToString() == expected
    assert [each.sighting for each in payload.enriched] == seen
    assert sightings(body, PROCESSOR.reader) == seen


@given(requests())
def test_a_second_pass_changes_nothing(body: bytes) -> None:
    once = PROCESSOR.process(parse(Signal.TRACES, body))

    assert PROCESSOR.process(once) == once


def test_two_spans_with_one_id_stay_two_in_a_second_pass() -> None:
    agent = {"gen_ai.operation.name": "invoke_agent"}
    once = processed(chat_span(1, extra=agent), chat_span(1, extra=agent, end_time_unix_nano=STARTED + 9))

    assert len({each.sighting.ended_unix_nano for each in once.enriched}) == 2
    assert PROCESSOR.process(once) == once


@given(requests())
def test_spans_that_are_not_enriched_keep_their_bytes(body: bytes) -> None:
    payload = PROCESSOR.process(parse(Signal.TRACES, body))
    before, after = _encoded_spans(body), _encoded_spans(payload.body)

    assert len(before) == len(after)
    changed = [new for old, new in zip(before, after, strict=True) if old != new]
    assert len(changed) == sum(each.outcome is not None for each in payload.enriched)
    assert all(new.startswith(old) for old, new in zip(before, after, strict=True))


def _encoded_spans(body: bytes) -> list[bytes]:
    return [
        body[start:end]
        for resource in resource_spans(body)
        for scope in resource.scope_spans
        for _, start, end in scope.spans
    ]


def test_spans_of_real_libraries_are_enriched_as_protobuf_objects_would_be() -> None:
    marked = 0
    for body in CAPTURES:
        payload = PROCESSOR.process(parse(Signal.TRACES, body))
        expected, seen = with_objects(body)
        assert lenient(REQUESTS[Signal.TRACES]).FromString(payload.body).SerializeToString() == expected
        assert [each.sighting for each in payload.enriched] == seen
        assert PROCESSOR.process(payload) == payload
        marked += sum(each.outcome is not None for each in payload.enriched)

    assert marked >= len(CAPTURES) / 2


def test_a_call_gets_its_footprint() -> None:
    payload = processed(chat_span(), resource={"cloud.region": "eu-west-3"})
    (enriched,) = payload.enriched
    assert isinstance(enriched.outcome, Footprint)

    found = mark_of(spans_of(payload.body)[0])

    assert found == mark_attributes(enriched.outcome)
    assert found["otel_carbon.status"] == "estimated"
    assert found["otel_carbon.factor.set"] == "otel-carbon-2026.11"
    assert (payload.items, payload.signal) == (1, Signal.TRACES)


def test_what_does_not_concern_it_passes_as_the_same_bytes() -> None:
    body = traces(web_span(1), web_span(2, name="gen_ai.operation.name")).SerializeToString()

    assert PROCESSOR.process(parse(Signal.TRACES, body)).body is body
    assert PROCESSOR.process(parse(Signal.TRACES, b"")).enriched == ()


@pytest.mark.parametrize("signal", [Signal.METRICS, Signal.LOGS])
def test_metrics_and_logs_pass_as_the_same_payload(signal: Signal) -> None:
    payload = Payload(signal, traces(chat_span()).SerializeToString(), 1)

    assert PROCESSOR.process(payload) is payload


def test_agents_are_seen_and_not_marked() -> None:
    payload = processed(chat_span(extra={"gen_ai.operation.name": "invoke_agent"}))

    assert mark_of(spans_of(payload.body)[0]) == {}
    assert [(each.sighting.call, each.outcome) for each in payload.enriched] == [(None, None)]


@pytest.mark.parametrize(
    ("extra", "status"),
    [
        ({"gen_ai.usage.input_tokens": float("nan"), "gen_ai.usage.output_tokens": -1}, "no_usage"),
        ({"gen_ai.usage.input_tokens": "many", "gen_ai.usage.output_tokens": "", "error.type": "timeout"}, "failed"),
    ],
)
def test_a_call_without_usage_is_marked_with_the_reason(extra: dict[str, Any], status: str) -> None:
    payload = processed(chat_span(extra=extra))

    assert mark_of(spans_of(payload.body)[0]) == {"otel_carbon.status": status}


@pytest.mark.parametrize("status", ["estimated", "no_usage", "something else", 7])
def test_a_span_with_a_status_is_left_alone_whatever_it_says(status: Any) -> None:
    span = chat_span(extra={"otel_carbon.status": status, "otel_carbon.co2e_grams": 1.0})
    body = traces(span).SerializeToString()

    payload = PROCESSOR.process(parse(Signal.TRACES, body))

    assert payload.body is body
    assert [each.outcome for each in payload.enriched] == [None]


def test_of_two_spans_of_one_call_the_outer_one_is_marked_as_the_duplicate() -> None:
    answer = {"gen_ai.response.id": "chatcmpl-1"}
    outer, inner = chat_span(1, extra=answer), chat_span(2, extra=answer, parent_span_id=(1).to_bytes(8, "big"))

    payload = processed(outer, inner)

    assert [mark_of(span)["otel_carbon.status"] for span in spans_of(payload.body)] == ["duplicate", "estimated"]
    duplicate, counted = (each.outcome for each in payload.enriched)
    assert isinstance(duplicate, NotEstimated)
    assert duplicate.status is Status.DUPLICATE
    assert isinstance(counted, Footprint)


def test_a_span_without_valid_ids_passes_without_a_mark() -> None:
    body = traces(chat_span(trace_id=b"short")).SerializeToString()

    payload = PROCESSOR.process(parse(Signal.TRACES, body))

    assert payload.body == body
    assert payload.enriched == ()


def test_two_stages_in_one_pipeline_show_connectors_what_the_first_one_did() -> None:
    first = processed(chat_span())

    assert processor(grid_intensity_g_per_kwh=1.0).process(first) == first


def test_what_cannot_be_read_is_refused() -> None:
    with pytest.raises(InvalidDataError):
        PROCESSOR.process(Payload(Signal.TRACES, b"\x0a\x7fgen_ai.", 1))


def test_settings_of_the_config_reach_the_estimate() -> None:
    aliased = chat_span(extra={"gen_ai.request.model": "mine", "gen_ai.response.model": "mine"})
    chosen = processor(grid_intensity_g_per_kwh=41.0, model_aliases={"mine": "gpt-4o"}, water=True)

    (enriched,) = processed(aliased, by=chosen).enriched

    assert isinstance(enriched.outcome, Footprint)
    assert enriched.outcome.grid.intensity_g_per_kwh == 41.0
    assert enriched.outcome.model == "gpt-4o"
    assert enriched.outcome.factor.match != "global_default"
    assert "otel_carbon.water_liters" in mark_of(spans_of(processed(aliased, by=chosen).body)[0])


def test_without_fallback_an_unknown_model_has_no_estimate() -> None:
    unknown = chat_span(extra={"gen_ai.request.model": "never-heard-of", "gen_ai.response.model": "never-heard-of"})

    payload = processed(unknown, by=processor(fallback=False))

    assert mark_of(spans_of(payload.body)[0]) == {"otel_carbon.status": "unknown_model"}


def test_attribution_reads_the_keys_of_the_config() -> None:
    keys = AttributionRules(tenant=("customer",), user=("enduser.pseudo.id",))
    span = chat_span(extra={"customer": "acme", "enduser.pseudo.id": "u1", "tenant.id": "no"})

    (enriched,) = processed(span, by=processor(attribution=keys)).enriched

    assert (enriched.sighting.attribution.tenant, enriched.sighting.attribution.user) == ("acme", "u1")
    assert enriched.sighting.attribution.service == "shop"


def test_the_defaults_are_those_of_the_estimator() -> None:
    assert Config().estimator_settings() == EstimatorSettings()
    ours = {field.name for field in dataclasses.fields(Config)} - {"attribution", "grid_intensity"}
    assert ours == {field.name for field in dataclasses.fields(EstimatorSettings)}


@pytest.mark.parametrize(
    "wrong", [{"pue_ratio": 0.5}, {"grid": "guess"}, {"grid_intensity_g_per_kwh": -1.0}, {"model_aliases": {"a": ""}}]
)
def test_a_setting_that_cannot_be_is_refused_when_it_is_read(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        Config(**wrong)


@pytest.mark.parametrize("wrong", [{"factor_set": "none-such"}, {"zone": "nowhere"}])
def test_a_name_that_no_table_has_is_refused_when_the_processor_is_built(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        processor(**wrong)


def test_an_estimator_that_the_process_shares_is_used() -> None:
    shared = Estimator(FactorTables.bundled(), EstimatorSettings(grid_intensity_g_per_kwh=7.0))

    built = processor({"estimator": shared})

    assert built.estimator is shared
    assert mark_of(spans_of(processed(chat_span(), by=built).body)[0])["otel_carbon.grid.intensity_g_per_kwh"] == 7.0


def test_threads_share_a_processor() -> None:
    bodies = [
        traces(
            *(
                chat_span(n, extra={"gen_ai.usage.output_tokens": seed * 100 + n, "app": f"{seed}"})
                for n in range(1, 40)
            ),
            resource={"service.name": f"service-{seed}"},
        ).SerializeToString()
        for seed in range(40)
    ]
    shared = processor()

    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(lambda body: shared.process(parse(Signal.TRACES, body)), bodies))

    for body, result in zip(bodies, results, strict=True):
        assert result == PROCESSOR.process(parse(Signal.TRACES, body))


def test_one_attribute_of_ten_megabytes_passes_byte_for_byte() -> None:
    body = traces(chat_span(extra={"gen_ai.input.messages": "x" * 10_000_000})).SerializeToString()

    payload = PROCESSOR.process(parse(Signal.TRACES, body))

    assert isinstance(payload.enriched[0].outcome, Footprint)
    assert _encoded_spans(payload.body)[0].startswith(_encoded_spans(body)[0])


def test_enriched_names_every_span_with_what_was_seen() -> None:
    payload = processed(web_span(1), chat_span(2), chat_span(3, extra={"gen_ai.operation.name": "execute_tool"}))

    assert [each.sighting for each in payload.enriched] == [
        dataclasses.replace(each, mark=None) for each in sightings(payload.body, PROCESSOR.reader)
    ]
    assert all(isinstance(each, Enriched) for each in payload.enriched)
    assert {each.sighting.scope for each in payload.enriched} == {OPENAI_SCOPE}
    assert {each.sighting.started_unix_nano for each in payload.enriched} == {STARTED}


def test_a_forged_mark_inside_a_prompt_is_only_text() -> None:
    forged = encode_span_attributes({"otel_carbon.status": "duplicate"}).decode("latin-1")

    payload = processed(chat_span(extra={"gen_ai.input.messages": forged}))

    assert mark_of(spans_of(payload.body)[0])["otel_carbon.status"] == "estimated"
    assert attributes(chat_attributes())[0] == spans_of(payload.body)[0].attributes[0]
