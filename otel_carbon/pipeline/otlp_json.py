"""OTLP/JSON to OTLP/protobuf.

OTLP/JSON is not the JSON mapping of Protocol Buffers: ids are hexadecimal, enumerations are numbers, and only the
lowerCamelCase names of fields are valid (opentelemetry-proto, docs/specification.md, "JSON Protobuf Encoding").
`google.protobuf.json_format` reads the ids as base64, without an error.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import NoReturn

from otel_carbon.errors import InvalidDataError
from otel_carbon.pipeline.otlp_json_fields import encode_message
from otel_carbon.pipeline.otlp_json_values import Mismatch
from otel_carbon.pipeline.otlp_schema import REQUESTS
from otel_carbon.pipeline.pdata import Signal

__all__ = ["decode", "decode_with_warning"]

_MOST_NAMED = 5


def decode(signal: Signal, body: bytes) -> bytes:
    """Return an OTLP/JSON request in protobuf encoding.

    Unknown names are ignored and null is as absent. A name that occurs twice has its last value, and of several
    members of a `oneof` the last one counts. What JavaScript makes of its values is read as it was meant: a number too
    large for `intValue` or `asInt` as a double, a surrogate without its pair, left over where a string was cut, as
    U+FFFD.

    Raises:
        InvalidDataError: the body is not such a request; the message names the place as a JSON path.
    """
    return decode_with_warning(signal, body)[0]


def decode_with_warning(signal: Signal, body: bytes) -> tuple[bytes, str]:
    """Return the same as `decode`, and a sentence about fields that went unread for their spelling, or no text.

    The only valid names are in lowerCamelCase: `resource_spans` has to be ignored, and with it everything in it. An
    exporter that writes so would hear of a success.

    Raises:
        InvalidDataError: as for `decode`.
    """
    try:
        document = json.loads(body, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise InvalidDataError(f"not a JSON document: {_reason(error)}") from None
    unread: dict[str, str] = {}
    try:
        return encode_message(REQUESTS[signal], document, unread), _spelling(unread)
    except Mismatch as mismatch:
        raise InvalidDataError(f"not an OTLP/JSON request: {mismatch.path} {mismatch.problem}") from None


def _spelling(unread: Mapping[str, str]) -> str:
    if not unread:
        return ""
    names = ", ".join(f"'{wrong}' (it is '{right}')" for wrong, right in list(unread.items())[:_MOST_NAMED])
    more = f" and {len(unread) - _MOST_NAMED} more" if len(unread) > _MOST_NAMED else ""
    return f"ignored as unknown, since names in OTLP/JSON are lowerCamelCase: {names}{more}"


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON, it has to be written as a string")


def _reason(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return "it is nested too deep"
    if isinstance(error, UnicodeDecodeError):
        return f"it is not {error.encoding}, see byte {error.start}"
    return re.sub(r"[^ -~]", "?", str(error))
