"""Bodies that real JavaScript exporters sent, and what their protobuf exporters make of the same values."""

from __future__ import annotations

import gzip
import math
from pathlib import Path

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from otel_carbon.pipeline.otlp import parse
from otel_carbon.pipeline.otlp_json import decode
from otel_carbon.pipeline.pdata import Signal

FIXTURES = Path(__file__).parent / "fixtures" / "otlp_json"


def captured(name: str) -> bytes:
    return gzip.decompress((FIXTURES / name).read_bytes())


def decoded(name: str) -> ExportTraceServiceRequest:
    return ExportTraceServiceRequest.FromString(decode(Signal.TRACES, captured(name)))


@pytest.mark.parametrize(("name", "spans"), [("sdk_node", 27), ("nextjs_edge", 5), ("edge_values", 1)])
def test_a_captured_body_is_decoded_with_all_its_spans(name: str, spans: int) -> None:
    assert parse(Signal.TRACES, decode(Signal.TRACES, captured(f"{name}.json.gz"))).items == spans


def test_the_ids_of_captured_spans_are_ids() -> None:
    spans = [
        span
        for resource in decoded("sdk_node.json.gz").resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    ]

    assert {len(span.trace_id) for span in spans} == {16}
    assert {len(span.span_id) for span in spans} == {8}
    parents = {span.parent_span_id for span in spans}
    assert parents <= {b"", *(span.span_id for span in spans)}


def test_json_and_protobuf_of_one_program_are_the_same_request_but_for_nan_and_infinity() -> None:
    from_json = decoded("edge_values.json.gz")
    twin = ExportTraceServiceRequest.FromString(captured("edge_values.pb.gz"))
    span, twin_span = (each.resource_spans[0].scope_spans[0].spans[0] for each in (from_json, twin))
    for field in ("trace_id", "span_id", "start_time_unix_nano", "end_time_unix_nano"):
        assert type(getattr(span, field)) is type(getattr(twin_span, field))
        setattr(span, field, getattr(twin_span, field))
    values = {each.key: each.value for each in span.attributes}
    twin_values = {each.key: each.value for each in twin_span.attributes}
    # JSON.stringify writes both as null, so nothing is left to decode.
    assert values["nan"].WhichOneof("value") is None
    assert values["inf"].WhichOneof("value") is None
    assert math.isnan(twin_values["nan"].double_value)
    assert twin_values["inf"].double_value == math.inf
    for key in ("nan", "inf"):
        values[key].CopyFrom(twin_values[key])

    assert from_json.SerializeToString(deterministic=True) == twin.SerializeToString(deterministic=True)


def test_an_integer_beyond_64_bits_does_not_cost_the_request() -> None:
    (span,) = decoded("edge_values.json.gz").resource_spans[0].scope_spans[0].spans

    assert {each.key: each.value.double_value for each in span.attributes}["int1e20"] == 1e20
