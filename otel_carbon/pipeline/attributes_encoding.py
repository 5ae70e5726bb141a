"""Attributes in their protobuf encoding: writing new ones."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from functools import lru_cache

from otel_carbon.pipeline.wire import varint

__all__ = ["encode_double_head", "encode_key_value", "encode_span_attributes"]

_SPAN_ATTRIBUTES = b"\x4a"  # tag of Span.attributes, field 9
_pack_double = struct.Struct("<d").pack


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


def _encoded_key(key: str) -> bytes:
    raw_key = key.encode()
    return b"\x0a" + varint(len(raw_key)) + raw_key
