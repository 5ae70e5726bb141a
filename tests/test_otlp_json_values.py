from __future__ import annotations

import math
from typing import Any

import pytest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from otlp_json_documents import decoded_metric, decoded_span, decoded_value

from otel_carbon.errors import InvalidDataError


@pytest.mark.parametrize("written", [1_790_000_000_000_000_000, "1790000000000000000", 1.79e18])
def test_64_bit_integers_are_strings_or_numbers(written: Any) -> None:
    assert decoded_span(startTimeUnixNano=written).start_time_unix_nano == 1_790_000_000_000_000_000


@pytest.mark.parametrize(
    ("written", "value"),
    [("-5", -5), (-5, -5), ("9223372036854775807", 2**63 - 1), (-(2**63), -(2**63)), (3.0, 3), ("007", 7)],
)
def test_signed_integers_keep_their_sign(written: Any, value: int) -> None:
    assert decoded_value({"intValue": written}) == AnyValue(int_value=value)


def test_zero_in_a_value_is_not_nothing() -> None:
    assert decoded_value({"intValue": "0"}) == AnyValue(int_value=0)
    assert decoded_value({"stringValue": ""}).WhichOneof("value") == "string_value"
    assert decoded_value({"boolValue": False}).WhichOneof("value") == "bool_value"
    assert decoded_value({}).WhichOneof("value") is None


@pytest.mark.parametrize("number", [10**20, -(10**20), 1e21, 2**63, -(2**63) - 1])
def test_a_number_too_large_for_an_integer_is_read_as_the_double_it_was(number: float) -> None:
    assert decoded_value({"intValue": number}) == AnyValue(double_value=float(number))
    point = decoded_metric(gauge={"dataPoints": [{"asInt": number}]}).gauge.data_points[0]
    assert point.as_double == float(number)


@pytest.mark.parametrize(
    ("written", "problem"),
    [
        ("9223372036854775808", "is not an integer between -9223372036854775808 and 9223372036854775807"),
        ("1e3", "is not an integer"),
        ("", "is not an integer"),
        ("١٢", "is not an integer"),
        (" 1", "is not an integer"),
        (1.5, "is not an integer"),
        (True, "is not an integer"),
        ([], "is not an integer"),
    ],
)
def test_what_is_no_integer_is_refused(written: Any, problem: str) -> None:
    with pytest.raises(InvalidDataError, match=rf"attributes\[0\]\.value\.intValue {problem}$"):
        decoded_value({"intValue": written})


@pytest.mark.parametrize(
    ("field", "value"), [("flags", -1), ("flags", 2**32), ("startTimeUnixNano", -1), ("startTimeUnixNano", 2**64)]
)
def test_an_integer_out_of_range_is_refused(field: str, value: int) -> None:
    with pytest.raises(InvalidDataError, match=rf"spans\[0\]\.{field} is not an integer between 0 and "):
        decoded_span(**{field: value})


@pytest.mark.parametrize(
    ("written", "value"),
    [(1.5, 1.5), (2, 2.0), ("1.5", 1.5), ("-2e-3", -0.002), ("Infinity", math.inf), ("-Infinity", -math.inf)],
)
def test_doubles_are_numbers_or_words(written: Any, value: float) -> None:
    assert decoded_value({"doubleValue": written}) == AnyValue(double_value=value)


def test_nan_is_a_word() -> None:
    assert math.isnan(decoded_value({"doubleValue": "NaN"}).double_value)


@pytest.mark.parametrize(
    ("written", "problem"),
    [
        ("nan", "is not a number"),
        ("inf", "is not a number"),
        ("0x10", "is not a number"),
        ("1_0", "is not a number"),
        ("", "is not a number"),
        (True, "is not a number"),
        ({}, "is not a number"),
        ("1e999", "is too large for a double"),
        (10**400, "is too large for a double"),
    ],
)
def test_what_is_no_double_is_refused(written: Any, problem: str) -> None:
    with pytest.raises(InvalidDataError, match=rf"doubleValue {problem}$"):
        decoded_value({"doubleValue": written})


def test_counts_and_bounds_of_a_histogram_are_read() -> None:
    point = {"count": "3", "sum": 1.5, "bucketCounts": ["1", 2], "explicitBounds": [0.5], "min": 0}

    read = decoded_metric(histogram={"dataPoints": [point], "aggregationTemporality": 2}).histogram.data_points[0]

    assert (read.count, read.sum, list(read.bucket_counts), list(read.explicit_bounds)) == (3, 1.5, [1, 2], [0.5])
    assert read.HasField("min")
    assert not read.HasField("max")


@pytest.mark.parametrize("written", ["_-8=", "/+8=", "/+8", "_-8"])
def test_bytes_are_base64(written: str) -> None:
    assert decoded_value({"bytesValue": written}) == AnyValue(bytes_value=b"\xff\xef")


@pytest.mark.parametrize("written", ["*", "a", "a=b=", "é", 7])
def test_what_is_no_base64_is_refused(written: Any) -> None:
    with pytest.raises(InvalidDataError, match=r"bytesValue is not (base64|a string)$"):
        decoded_value({"bytesValue": written})


def test_half_a_surrogate_pair_becomes_a_replacement_character() -> None:
    assert decoded_span(name="cut \ud83d").name == "cut �"
    assert decoded_span(name="whole 😀").name == "whole 😀"
