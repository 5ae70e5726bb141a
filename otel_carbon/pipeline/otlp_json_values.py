"""Single JSON values as protobuf: each function takes what `json.loads` gave and returns the bytes after the tag."""

from __future__ import annotations

import binascii
import math
import re
import struct
from collections.abc import Callable, Mapping
from typing import Any

from google.protobuf.descriptor import FieldDescriptor

from otel_carbon.pipeline.wire import varint

__all__ = ["DEFAULTS", "SCALARS", "Encode", "Mismatch", "encode_hex"]

Encode = Callable[[Any], bytes]

_VARINT, _FIXED64, _DELIMITED, _FIXED32 = 0, 1, 2, 5

DEFAULTS: Mapping[int, bytes] = {_VARINT: b"\x00", _FIXED64: bytes(8), _DELIMITED: b"\x00", _FIXED32: bytes(4)}
"""The encoding of zero, false and the empty string by wire type."""

_DECIMAL = re.compile(r"-?[0-9]{1,20}")
_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_NUMBER_WORDS: Mapping[str, float] = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
_SURROGATES = re.compile("[\ud800-\udfff]")
_URL_SAFE = str.maketrans("-_", "+/")
_pack_double = struct.Struct("<d").pack


class Mismatch(Exception):  # noqa: N818 - never leaves the decoder, which raises InvalidDataError
    """A JSON value does not fit its field. `path` is where it stands, from the root `$`."""

    def __init__(self, problem: str) -> None:
        super().__init__(problem)
        self.problem = problem
        self._path: list[str] = []

    def inside(self, step: str) -> None:
        """Add the step that leads to the value from one level further out."""
        self._path.append(step)

    @property
    def path(self) -> str:
        """Return the JSON path of the value."""
        return "$" + "".join(reversed(self._path))


def encode_hex(value: Any) -> bytes:
    """Return a trace or span id, which is hexadecimal in any case."""
    try:
        return _with_size(binascii.unhexlify(_text(value)))
    except ValueError:
        raise Mismatch("is not hexadecimal") from None


def _string(value: Any) -> bytes:
    text = _text(value)
    try:
        return _with_size(text.encode())
    except UnicodeEncodeError:
        return _with_size(_SURROGATES.sub("\ufffd", text).encode())


def _base64(value: Any) -> bytes:
    text = _text(value).rstrip("=").translate(_URL_SAFE)
    try:
        return _with_size(binascii.a2b_base64(text + "=" * (-len(text) % 4), strict_mode=True))
    except ValueError:
        raise Mismatch("is not base64") from None


def _bool(value: Any) -> bytes:
    if value is True:
        return b"\x01"
    if value is False:
        return b"\x00"
    raise Mismatch("is not true or false")


def _double(value: Any) -> bytes:
    kind = type(value)
    if kind is str:
        if value in _NUMBER_WORDS:
            return _pack_double(_NUMBER_WORDS[value])
        if not _NUMBER.fullmatch(value):
            raise Mismatch("is not a number")
    elif kind is not float and kind is not int:
        raise Mismatch("is not a number")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if math.isinf(number):
        raise Mismatch("is too large for a double")
    return _pack_double(number)


def _enum(value: Any) -> bytes:
    if type(value) is str:
        raise Mismatch("is a name where OTLP/JSON has the number of an enumeration")
    return _signed_varint(_integer(value, -(1 << 31), (1 << 31) - 1))


def _varint_of(low: int, high: int) -> Encode:
    def encode(value: Any) -> bytes:
        return _signed_varint(_integer(value, low, high))

    return encode


def _zigzag32(value: Any) -> bytes:
    number = _integer(value, -(1 << 31), (1 << 31) - 1)
    return varint(number << 1 if number >= 0 else (-number << 1) - 1)


def _fixed_of(code: str, low: int, high: int) -> Encode:
    pack = struct.Struct(code).pack

    def encode(value: Any) -> bytes:
        return pack(_integer(value, low, high))

    return encode


SCALARS: Mapping[int, tuple[Encode, int]] = {
    FieldDescriptor.TYPE_STRING: (_string, _DELIMITED),
    FieldDescriptor.TYPE_BYTES: (_base64, _DELIMITED),
    FieldDescriptor.TYPE_BOOL: (_bool, _VARINT),
    FieldDescriptor.TYPE_ENUM: (_enum, _VARINT),
    FieldDescriptor.TYPE_DOUBLE: (_double, _FIXED64),
    FieldDescriptor.TYPE_INT32: (_varint_of(-(1 << 31), (1 << 31) - 1), _VARINT),
    FieldDescriptor.TYPE_INT64: (_varint_of(-(1 << 63), (1 << 63) - 1), _VARINT),
    FieldDescriptor.TYPE_UINT32: (_varint_of(0, (1 << 32) - 1), _VARINT),
    FieldDescriptor.TYPE_UINT64: (_varint_of(0, (1 << 64) - 1), _VARINT),
    FieldDescriptor.TYPE_SINT32: (_zigzag32, _VARINT),
    FieldDescriptor.TYPE_FIXED32: (_fixed_of("<I", 0, (1 << 32) - 1), _FIXED32),
    FieldDescriptor.TYPE_FIXED64: (_fixed_of("<Q", 0, (1 << 64) - 1), _FIXED64),
    FieldDescriptor.TYPE_SFIXED64: (_fixed_of("<q", -(1 << 63), (1 << 63) - 1), _FIXED64),
}
"""Encoder and wire type of every scalar type that OTLP uses."""


def _text(value: Any) -> str:
    if type(value) is not str:
        raise Mismatch("is not a string")
    return value


def _with_size(content: bytes) -> bytes:
    return varint(len(content)) + content


def _signed_varint(number: int) -> bytes:
    return varint(number if number >= 0 else number + (1 << 64))


def _integer(value: Any, low: int, high: int) -> int:
    kind = type(value)
    whole = _DECIMAL.fullmatch(value) if kind is str else kind is int or (kind is float and value.is_integer())
    if not whole:
        raise Mismatch("is not an integer")
    number = int(value)
    if not low <= number <= high:
        raise Mismatch(f"is not an integer between {low} and {high}")
    return number
