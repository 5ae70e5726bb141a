"""Attributes in their protobuf encoding: reading the wanted ones, writing new ones.

KeyValue: key = 1, value = 2
AnyValue: string_value = 1, bool_value = 2, int_value = 3, double_value = 4, array_value = 5, kvlist_value = 6,
          bytes_value = 7
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from otel_carbon.pipeline.otlp_schema import lenient, read
from otel_carbon.pipeline.wire import read_varint, varint

__all__ = [
    "AttributeReader",
    "encode_double_head",
    "encode_key_value",
    "encode_span_attributes",
    "key_and_value",
    "read_any_value",
    "usual_parts",
]

_KEY, _VALUE = 0x0A, 0x12  # tags of KeyValue
_STRING, _BOOL, _INT, _DOUBLE = 0x0A, 0x10, 0x18, 0x21  # tags of AnyValue
_SPAN_ATTRIBUTES = b"\x4a"  # tag of Span.attributes, field 9
_LONGEST_REMEMBERED = 128  # bytes of an encoded attribute: names and short words, which repeat; not prompts
_MOST_REMEMBERED = 8192

_Pair = tuple[str, Any]
_UNWANTED: tuple[()] = ()


class AttributeReader:
    """Reads the attributes whose keys are wanted, and skips the others without decoding their values.

    A key that occurs twice on a span has the value of its first occurrence, as in the Collector's `pcommon.Map`.
    Values become str, bool, int, float, bytes, tuple, dict, or None where the value is empty. Bytes that are not UTF-8
    become U+FFFD.

    Texts and small numbers repeat from span to span, so whole attributes are remembered; token counts and quantities
    do not, so of them only what comes before the digits is, with the key (empty: not wanted), the size of the whole and
    the number of digits. Thread-safe: the two dicts are only ever replaced or added to.
    """

    def __init__(self, keys: Iterable[str], prefixes: Iterable[str] = ()) -> None:
        self._keys = {key.encode(): key for key in keys}
        self._prefixes = tuple(prefix.encode() for prefix in prefixes)
        self._known: dict[bytes, _Pair | tuple[()]] = {}
        self._heads: dict[bytes, tuple[str, int, int]] = {}

    @classmethod
    def of_everything(cls) -> AttributeReader:
        """Return a reader that wants every key."""
        return cls((), ("",))

    def read(self, encoded: Sequence[bytes]) -> dict[str, Any]:
        """Return the wanted ones of these `KeyValue` messages.

        Raises:
            InvalidDataError: one of them is not a protobuf message.
        """
        found: dict[str, Any] = {}
        known, heads = self._known.get, self._heads.get
        for each in encoded:
            pair = known(each)
            if pair is None:
                head = heads(each[: each[1] + 5]) if len(each) > 6 else None
                if head is None or head[1] != len(each):
                    pair = self._learn(each)
                else:
                    key, size, width = head
                    if not key or key in found:
                        continue
                    if width == 8:
                        found[key] = _unpack_double(each, size - 8)[0]
                        continue
                    number = _number(each, size, width)
                    pair = self._pair(each) if number < 0 else (key, number)
            if pair:
                key, value = pair
                if key not in found:
                    found[key] = value
        return found

    def wants(self, body: bytes, start: int, end: int) -> bool:
        """Tell whether the `KeyValue` between two offsets is to be read. In doubt, it is."""
        try:
            key_end, _, value_end = usual_parts(body, start)
        except IndexError:
            return True
        return value_end != end or self._name(body[start + 2 : key_end]) is not None

    def _learn(self, encoded: bytes) -> _Pair | tuple[()]:
        """Return what an attribute not met before stands for, and remember what of it is likely to come again."""
        pair = self._pair(encoded)
        if len(encoded) > _LONGEST_REMEMBERED:
            return pair
        if len(self._known) + len(self._heads) >= _MOST_REMEMBERED:
            self._known, self._heads = {}, {}
        head = _numeric_head(encoded)
        if head is None:
            self._known[encoded] = pair
        else:
            self._heads[head] = (pair[0] if pair else "", len(encoded), len(encoded) - len(head))
        return pair

    def _pair(self, encoded: bytes) -> _Pair | tuple[()]:
        try:
            key_end, value, end = usual_parts(encoded, 0)
        except IndexError:
            key_end = value = end = -1
        if end != len(encoded):
            key_value = read(lenient("opentelemetry.proto.common.v1.KeyValue"), encoded, "KeyValue")
            key = self._name(key_value.key)
            return _UNWANTED if key is None else (key, _python_value(key_value.value))
        key = self._name(encoded[2:key_end])
        return _UNWANTED if key is None else (key, read_any_value(encoded, value, end))

    def _name(self, raw_key: bytes) -> str | None:
        key = self._keys.get(raw_key)
        if key is None and self._prefixes and raw_key.startswith(self._prefixes):
            key = raw_key.decode("utf-8", "replace")
        return key


def encode_span_attributes(attributes: Mapping[str, str | float]) -> bytes:
    """Return attributes as fields of a `Span`. Numbers are written as doubles."""
    parts: list[bytes] = []
    for key, value in attributes.items():
        if isinstance(value, str):
            parts.append(_string_attribute(key, value))
        else:
            parts += (encode_double_head(key), _pack_double(value))
    return b"".join(parts)


@lru_cache(maxsize=256)
def encode_double_head(key: str) -> bytes:
    """Return the encoding of a span attribute up to its value, which has to be a double of 8 bytes."""
    head = _encoded_key(key) + b"\x12\x09\x21"
    return _SPAN_ATTRIBUTES + varint(len(head) + 8) + head


_pack_double = struct.Struct("<d").pack
_unpack_double = struct.Struct("<d").unpack_from


@lru_cache(maxsize=4096)
def _string_attribute(key: str, value: str) -> bytes:
    # A lone surrogate cannot come out of UTF-8, but it can come out of a configuration file.
    text = value.encode("utf-8", "replace")
    key_value = encode_key_value(key.encode(), text)
    return _SPAN_ATTRIBUTES + varint(len(key_value)) + key_value


def encode_key_value(raw_key: bytes, text: bytes) -> bytes:
    """Return a `KeyValue` of a text, both in UTF-8."""
    any_value = b"\x0a" + varint(len(text)) + text
    return b"\x0a" + varint(len(raw_key)) + raw_key + b"\x12" + varint(len(any_value)) + any_value


def key_and_value(encoded: bytes) -> tuple[bytes, Any]:
    """Return the key and the value of a `KeyValue` in whatever encoding.

    Raises:
        InvalidDataError: it is not a protobuf message.
    """
    key_value = read(lenient("opentelemetry.proto.common.v1.KeyValue"), encoded, "KeyValue")
    return key_value.key, _python_value(key_value.value)


def _encoded_key(key: str) -> bytes:
    raw_key = key.encode()
    return b"\x0a" + varint(len(raw_key)) + raw_key


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


def _numeric_head(encoded: bytes) -> bytes | None:
    """Return what comes before the digits of a number: key, length and type, in their usual form.

    None for anything else, and for numbers of one byte, of which there are few.
    """
    try:
        key_end, value, end = usual_parts(encoded, 0)
    except IndexError:
        return None
    if end != len(encoded) or value != key_end + 2:
        return None
    width = end - value - 1
    tag = encoded[value] if width > 1 else 0
    if (tag == _INT and width <= 3) or (tag == _DOUBLE and width == 8):
        return encoded[: value + 1]
    return None


def _number(encoded: bytes, size: int, width: int) -> int:
    """Return the varint of two or three bytes at the end of an attribute, or -1 where it is none."""
    low, high = encoded[size - width], encoded[size - 1]
    if low < 0x80 or high >= 0x80:
        return -1
    if width == 2:
        return low & 0x7F | high << 7
    middle = encoded[size - 2]
    return -1 if middle < 0x80 else low & 0x7F | (middle & 0x7F) << 7 | high << 14


def read_any_value(encoded: bytes, start: int, end: int) -> Any:
    """Return the `AnyValue` between two offsets, the second of which is the end of the bytes.

    Raises:
        InvalidDataError: it is not a protobuf message.
    """
    size = end - start
    tag = encoded[start] if size >= 2 else 0
    try:
        if tag == _STRING:
            text_size, text = encoded[start + 1], start + 2
            if text_size >= 0x80:
                text_size, text = read_varint(encoded, start + 1)
            if text + text_size == end:
                return encoded[text:end].decode("utf-8", "replace")
        elif tag == _INT:
            number, behind = read_varint(encoded, start + 1)
            if behind == end:
                return number - (1 << 64) if number >> 63 else number
        elif tag == _DOUBLE and size == 9:
            return _unpack_double(encoded, start + 1)[0]
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
