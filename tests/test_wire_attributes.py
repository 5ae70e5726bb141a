from __future__ import annotations

import gc
import math
import struct
from typing import Any

import pytest
from google.protobuf.message import DecodeError
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from otlp_requests import any_value, attributes, delimited, key_values

from otel_carbon.errors import InvalidDataError
from otel_carbon.estimator import Estimator
from otel_carbon.factors import FactorTables
from otel_carbon.model import (
    Call,
    Confidence,
    FactorRef,
    Footprint,
    Grid,
    Interval,
    NotEstimated,
    Outcome,
    Region,
    Status,
    Usage,
)
from otel_carbon.pipeline.attributes import AttributeReader
from otel_carbon.pipeline.attributes_encoding import encode_span_attributes
from otel_carbon.pipeline.attributes_marks import MarkEncoder
from otel_carbon.spans import mark_attributes


def python_value(value: AnyValue) -> Any:
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return tuple(python_value(each) for each in value.array_value.values)
    if kind == "kvlist_value":
        return {each.key: python_value(each.value) for each in reversed(value.kvlist_value.values)}
    return None if kind in (None, "string_value_strindex") else getattr(value, kind)


def read(*encoded: bytes, keys: tuple[str, ...] = ("a", "b")) -> dict[str, Any]:
    return AttributeReader(keys).read(encoded)


def key_value(key: str, value: Any) -> bytes:
    return KeyValue(key=key, value=any_value(value)).SerializeToString()


@pytest.mark.parametrize(
    "value",
    [
        "", "text", "é😀", "x" * 127, "x" * 128, "x" * 20_000, True, False, 0, 1, 127, 128, 1023, 1024, 16_383, 16_384,
        2_097_151, 2_097_152, 2**63 - 1, -1, -(2**63), 0.0, -0.0, 1.5, math.inf, b"", b"\xff", None, (), ("a", 1, None),
        {}, {"c": {"d": (1.0,)}},
    ],
)  # fmt: skip
def test_a_value_is_read_as_the_python_value_it_stands_for(value: Any) -> None:
    found = read(key_value("a", value))

    assert found == {"a": value}
    assert type(found["a"]) is type(value)


def test_nan_is_read_as_nan() -> None:
    assert math.isnan(read(key_value("a", math.nan))["a"])


@given(st.lists(key_values(), max_size=8))
def test_every_attribute_is_read_as_protobuf_reads_it(given_values: list[KeyValue]) -> None:
    encoded = [each.SerializeToString() for each in given_values]
    expected = {each.key: python_value(each.value) for each in reversed(given_values)}

    everything = AttributeReader.of_everything()

    assert repr(everything.read(encoded)) == repr({each.key: expected[each.key] for each in given_values})
    assert repr(everything.read(encoded)) == repr({each.key: expected[each.key] for each in given_values})


@given(st.binary(max_size=40), st.booleans())
def test_bytes_of_any_kind_are_read_as_protobuf_reads_them_or_refused(rest: bytes, begin_well: bool) -> None:
    encoded = (b"\x0a\x01a\x12" if begin_well else b"") + rest
    reader = AttributeReader.of_everything()
    try:
        expected = KeyValue.FromString(encoded)
    except DecodeError:  # or a text that is not UTF-8, which is read all the same
        try:
            reader.read([encoded])
        except InvalidDataError:
            return
        return
    assert repr(reader.read([encoded])) == repr({expected.key: python_value(expected.value)})


def test_of_a_key_that_occurs_twice_the_first_value_counts() -> None:
    assert read(key_value("a", 1), key_value("b", 2), key_value("a", 3)) == {"a": 1, "b": 2}


def test_a_key_that_is_not_wanted_is_left_out() -> None:
    assert read(key_value("c", 1), key_value("aa", 1), key_value("", 1)) == {}


def test_keys_with_a_wanted_prefix_are_read() -> None:
    reader = AttributeReader(["a"], ["b.", "c."])

    assert reader.read([key_value(key, 1) for key in ("a", "a.x", "b.x", "c.é", "b")]) == {"a": 1, "b.x": 1, "c.é": 1}


def test_text_that_is_not_utf8_is_read_with_replacement_characters() -> None:
    broken = delimited(1, b"a", length_size=1) + delimited(2, delimited(1, b"caf\xc3", length_size=1), length_size=1)
    unusual = delimited(1, b"a") + delimited(2, delimited(1, b"caf\xc3"))
    in_array = delimited(1, b"b") + delimited(2, delimited(5, delimited(1, delimited(1, b"\xff"))))

    assert read(broken) == {"a": "caf�"}
    assert read(unusual, in_array) == {"a": "caf�", "b": ("�",)}


def test_a_key_that_is_not_utf8_is_read_with_replacement_characters() -> None:
    broken = delimited(1, b"\xff", length_size=1) + delimited(2, b"\x18\x01", length_size=1)

    assert AttributeReader.of_everything().read([broken]) == {"�": 1}


@pytest.mark.parametrize(
    ("encoded", "value"),
    [
        (b"\x12\x02\x18\x05" + b"\x0a\x01a", 5),  # value before key
        (b"\x0a\x01c\x12\x02\x18\x05\x0a\x01a", 5),  # the key twice: the last one counts
        (b"\x0a\x01a\x12\x02\x18\x05\x12\x02\x18\x06", 6),  # the value in two parts: the last member counts
        (b"\x0a\x01a\x12\x04\x18\x05\x0a\x00", ""),  # two members in one value
        (b"\x0a\x01a\x12\x03\x18\x85\x00", 5),  # a number longer than it has to be
        (b"\x0a\x01a\x12\x05\x18\x85\x80\x80\x00", 5),
        (b"\x8a\x00\x01a\x12\x02\x18\x05", 5),  # a tag longer than it has to be
        (b"\x0a\x81\x00a\x12\x02\x18\x05", 5),  # a length longer than it has to be
        (b"\x0a\x01a\x12\x02\x18\x05\x20\x01", 5),  # an unknown field
        (b"\x0a\x01a\x12\x04\x10\x80\x80\x01", True),  # a truth value of several bytes
        (b"\x0a\x01a\x12\x00", None),
        (b"\x0a\x01a", None),
        (b"\x0a\x01a\x12\x02\x40\x07", None),  # an index into a dictionary that traces do not have
    ],
)
def test_unusual_encodings_mean_what_they_mean_to_protobuf(encoded: bytes, value: Any) -> None:
    assert python_value(KeyValue.FromString(encoded).value) == value
    assert read(encoded) == {"a": value}


def test_what_is_no_attribute_is_refused() -> None:
    with pytest.raises(InvalidDataError, match="not a protobuf message of the type KeyValue"):
        read(b"\x0a\x05a")
    with pytest.raises(InvalidDataError, match="not a protobuf message of the type AnyValue"):
        read(b"\x0a\x01a\x12\x02\x18\x85")


def test_a_wanted_attribute_is_found_inside_a_larger_message() -> None:
    wanted, other = key_value("a", "x" * 300), key_value("c", "x" * 300)
    body = wanted + other
    reader = AttributeReader(["a"])

    assert reader.wants(body, 0, len(wanted))
    assert not reader.wants(body, len(wanted), len(body))
    assert reader.wants(body, 0, len(wanted) - 1)  # in doubt
    assert reader.wants(body, len(body) - 1, len(body))


def test_texts_that_never_repeat_are_read_as_others_are() -> None:
    reader = AttributeReader(("a",))
    for number in range(200):
        assert reader.read([key_value("a", f"id-{number:04}")]) == {"a": f"id-{number:04}"}
    unusual = key_value("a", "id-9999")[:-8] + b"\x05id-99\x78\x01"  # as long, but the text ends before another field

    assert reader.read([unusual]) == {"a": "id-99"}
    assert reader.read([key_value("a", "id-000\u00e9"[1:]), key_value("a", "other")]) == {"a": "d-000\u00e9"}
    assert reader.read([key_value("a", "id-0000")[:-1] + b"\xff"]) == {"a": "id-000\ufffd"}
    assert len(reader._known) < 100


def test_memory_stays_bounded_whatever_is_read() -> None:
    reader = AttributeReader(["a"])
    for number in range(30_000):
        reader.read([key_value("a", f"value {number}"), key_value("a", number), key_value("c", number)])
    gc.collect()

    assert len(reader._known) <= 8192


def test_values_are_written_as_attributes_of_a_span() -> None:
    encoded = encode_span_attributes({"text": "é" * 100, "number": 1.5, "whole": 2, "broken": "\ud800"})

    assert Span.FromString(encoded).attributes == attributes(
        {"text": "é" * 100, "number": 1.5, "whole": 2.0, "broken": "?"}
    )


_NUMBERS = st.floats(0, 1e9)
_NAMES = st.sampled_from((None, "eu-west-3", "FR", "World"))


@st.composite
def intervals(draw: st.DrawFn) -> Interval:
    return Interval(*sorted((draw(_NUMBERS), draw(_NUMBERS), draw(_NUMBERS))))


@st.composite
def footprints(draw: st.DrawFn) -> Footprint:
    maybe = st.one_of(intervals(), st.none())
    return Footprint(
        "gpt-4o",
        draw(maybe),
        None,
        draw(maybe),
        None,
        draw(maybe),
        draw(maybe),
        FactorRef("seed", "row", draw(st.sampled_from(("alias", "pattern")))),
        draw(st.sampled_from(Confidence)),
        Region(draw(_NAMES), "user"),
        Grid(draw(_NAMES), draw(st.one_of(_NUMBERS, st.none())), None),
    )


@given(st.lists(footprints(), max_size=6))
def test_a_mark_is_encoded_as_its_attributes_say(outcomes: list[Footprint]) -> None:
    encoder = MarkEncoder()

    for outcome in outcomes * 2:
        assert encoder.encode(outcome) == encode_span_attributes(mark_attributes(outcome))


def test_marks_of_real_outcomes_are_encoded_as_their_attributes_say() -> None:
    estimator = Estimator(FactorTables.bundled())
    encoder = MarkEncoder()
    models = ("gpt-4o", "gpt-4o-mini", "claude-sonnet-4-5", "never-heard-of", "text-embedding-3-small")
    outcomes: list[Outcome] = [
        estimator.estimate(Call(model=model, usage=Usage(uncached_input_tokens=17, visible_output_tokens=tokens)))
        for model in models
        for tokens in (1, 345, 99_999)
    ]

    for outcome in (*outcomes, *(NotEstimated(status, "why") for status in Status)):
        assert encoder.encode(outcome) == encode_span_attributes(mark_attributes(outcome))


def test_numbers_of_a_mark_are_doubles_with_six_significant_digits() -> None:
    footprint = Footprint(
        "m", Interval(0.1, 0.123456789, 1 / 3), None, Interval(1e-12, 2.0, 1234567.0), None, Interval.exact(0.25), None,
        FactorRef("set", "row", "alias"), Confidence.LOW, Region(None, "world"), Grid("WORLD", 473.0, None),
    )  # fmt: skip

    found = {each.key: each.value for each in Span.FromString(MarkEncoder().encode(footprint)).attributes}

    assert found["otel_carbon.energy_wh"].double_value == 0.123457
    assert found["otel_carbon.energy_wh_high"].double_value == 0.333333
    assert found["otel_carbon.co2e_grams_low"].double_value == 1e-12
    assert found["otel_carbon.co2e_grams_high"].double_value == 1234570.0
    assert struct.pack("<d", 0.123457) in MarkEncoder().encode(footprint)
