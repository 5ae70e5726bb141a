"""OTLP attribute values as text."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable
from typing import Any

from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

__all__ = ["attribute_texts"]


def attribute_texts(attributes: Iterable[KeyValue]) -> tuple[tuple[str, str], ...]:
    """Return keys and values: text as it is, everything else as JSON, bytes as base64 in it."""
    return tuple((attribute.key, _text(attribute.value)) for attribute in attributes)


def _text(value: AnyValue) -> str:
    plain = _plain(value)
    if isinstance(plain, str):
        return plain
    return "" if plain is None else json.dumps(plain, separators=(",", ":"))


def _plain(value: AnyValue) -> Any:
    kind = value.WhichOneof("value")
    match kind:
        case None:
            return None
        case "array_value":
            return [_plain(item) for item in value.array_value.values]
        case "kvlist_value":
            return {item.key: _plain(item.value) for item in value.kvlist_value.values}
        case "bytes_value":
            return base64.b64encode(value.bytes_value).decode()
        case _:
            return getattr(value, kind)
