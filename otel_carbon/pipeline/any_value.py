"""Attributes in their protobuf encoding: one value.

KeyValue: key = 1, value = 2
AnyValue: string_value = 1, bool_value = 2, int_value = 3, double_value = 4, array_value = 5, kvlist_value = 6,
          bytes_value = 7
"""

from __future__ import annotations

import struct
from typing import Any

from otel_carbon.pipeline.otlp_schema import lenient, read
from otel_carbon.pipeline.wire import read_varint

__all__ = ["DOUBLE", "INT", "STRING", "key_and_value", "read_any_value", "unpack_double", "usual_parts"]

STRING, INT, DOUBLE = 0x0A, 0x18, 0x21  # tags of AnyValue
_BOOL = 0x10
_KEY, _VALUE = 0x0A, 0x12  # tags of KeyValue

unpack_double = struct.Struct("<d").unpack_from


def key_and_value(encoded: bytes) -> tuple[bytes, Any]:
    """Return the key and the value of a `KeyValue` in whatever encoding.

    Raises:
        InvalidDataError: it is not a protobuf message.
    """
    key_value = read(lenient("opentelemetry.proto.common.v1.KeyValue"), encoded, "KeyValue")
    return key_value.key, _python_value(key_value.value)


def usual_parts(body: bytes, start: int) -> tuple[int, int, int]:
    """Return the offsets behind the key, of the value and behind it, of a `KeyValue` written as all SDKs write it.

    Another way of writing it gives -1 for all of them.
    """
    key_end = body[start + 1] + start + 2
    if body[start] != _KEY or body[start + 1] >= 0x80 or body[key_end] != _VALUE:
        return -1, -1, -1
    value_size = body[key_end + 1]
    value = key_end + 2
    if value_size >= 0x80:
        value_size, value = read_varint(body, key_end + 1)
    return key_end, value, value + value_size


def read_any_value(encoded: bytes, start: int, end: int) -> Any:
    """Return the `AnyValue` between two offsets, the second of which is the end of the bytes.

    Raises:
        InvalidDataError: it is not a protobuf message.
    """
    size = end - start
    tag = encoded[start] if size >= 2 else 0
    try:
        if tag == STRING:
            text_size, text = encoded[start + 1], start + 2
            if text_size >= 0x80:
                text_size, text = read_varint(encoded, start + 1)
            if text + text_size == end:
                return encoded[text:end].decode("utf-8", "replace")
        elif tag == INT:
            number, behind = read_varint(encoded, start + 1)
            if behind == end:
                return number - (1 << 64) if number >> 63 else number
        elif tag == DOUBLE and size == 9:
            return unpack_double(encoded, start + 1)[0]
        elif tag == _BOOL and size == 2 and encoded[start + 1] < 0x80:
            return encoded[start + 1] != 0
    except IndexError:
        pass  # protobuf says below what is wrong
    any_value = read(lenient("opentelemetry.proto.common.v1.AnyValue"), encoded[start:end], "AnyValue")
    return _python_value(any_value)


def _python_value(any_value: Any) -> Any:
    # Recursion is bounded: protobuf refuses messages nested more than a hundred deep.
    match any_value.WhichOneof("value"):
        case "string_value":
            return any_value.string_value.decode("utf-8", "replace")
        case "array_value":
            return tuple(_python_value(each) for each in any_value.array_value.values)
        case "kvlist_value":
            pairs = reversed(any_value.kvlist_value.values)
            return {each.key.decode("utf-8", "replace"): _python_value(each.value) for each in pairs}
        case "bool_value" | "int_value" | "double_value" | "bytes_value" as kind:
            return getattr(any_value, kind)
        case _:
            return None
