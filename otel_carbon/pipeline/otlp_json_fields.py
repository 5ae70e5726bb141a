"""JSON messages as protobuf, driven by tables that are derived from the descriptors of OTLP."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.descriptor_pb2 import DescriptorProto, FieldDescriptorProto

from otel_carbon.pipeline.otlp_json_values import DEFAULTS, SCALARS, Encode, Mismatch, encode_hex
from otel_carbon.pipeline.otlp_schema import descriptor
from otel_carbon.pipeline.wire import varint

__all__ = ["encode_message"]

_MAX_DEPTH = 100  # messages in messages: what the decoders of protobuf allow
_DELIMITED = 2
_BEYOND_INT64 = 1 << 63
_INTEGERS_64 = (FieldDescriptor.TYPE_INT64, FieldDescriptor.TYPE_SFIXED64)
_NUMBERS = (int, float)
_IDS = frozenset(("trace_id", "span_id", "parent_span_id"))


@dataclass(frozen=True, slots=True)
class _Field:
    """How one field is written: `encode` for a scalar, else `message` is the name of the message it holds.

    An empty `tag` stands for one that `encode` writes.
    """

    tag: bytes
    encode: Encode | None
    message: str
    repeated: bool
    packed: bool
    absent: bytes | None
    """The default value, which is not written; None where it is told from absence."""


def encode_message(name: str, value: Any, unread: dict[str, str], depth: int = 1) -> bytes:
    """Return the JSON value of the OTLP message with this full name in protobuf encoding.

    Names that are ignored because they are spelled as in the `.proto` file are added to `unread`, with the right name.

    Raises:
        Mismatch: the value does not fit the message.
    """
    if type(value) is not dict:
        raise Mismatch("is not an object")
    if depth > _MAX_DEPTH:
        raise Mismatch(f"is nested more than {_MAX_DEPTH} messages deep")
    fields = _fields(name)
    parts: list[bytes] = []
    for key, member in value.items():
        field = fields.get(key)
        if field is None or member is None:
            if field is None and key in _misspelled(name):
                unread[key] = _misspelled(name)[key]
            continue
        try:
            if field.repeated:
                _write_list(field, member, unread, depth, parts)
            else:
                encoded = _encode_member(field, member, unread, depth)
                if encoded != field.absent:
                    parts += (field.tag, encoded)
        except Mismatch as mismatch:
            mismatch.inside(f".{key}")
            raise
    return b"".join(parts)


def _encode_member(field: _Field, member: Any, unread: dict[str, str], depth: int) -> bytes:
    if field.encode is not None:
        return field.encode(member)
    content = encode_message(field.message, member, unread, depth + 1)
    return varint(len(content)) + content


def _write_list(field: _Field, members: Any, unread: dict[str, str], depth: int, parts: list[bytes]) -> None:
    if type(members) is not list:
        raise Mismatch("is not an array")
    encoded: list[bytes] = []
    try:
        for member in members:
            encoded.append(_encode_member(field, member, unread, depth))  # noqa: PERF401 - its length is the index in an error
    except Mismatch as mismatch:
        mismatch.inside(f"[{len(encoded)}]")
        raise
    if field.packed:
        content = b"".join(encoded)
        if content:
            parts += (field.tag, varint(len(content)), content)
        return
    for each in encoded:
        parts += (field.tag, each)


@cache
def _fields(name: str) -> Mapping[str, _Field]:
    message = descriptor(name)
    declared = DescriptorProto()
    message.CopyToProto(declared)
    repeated = {field.name for field in declared.field if field.label == FieldDescriptorProto.LABEL_REPEATED}
    return {field.json_name: _field(field, field.name in repeated) for field in message.fields}


@cache
def _misspelled(name: str) -> Mapping[str, str]:
    fields = descriptor(name).fields
    return {field.name: field.json_name for field in fields if field.name != field.json_name}


def _field(field: FieldDescriptor, repeated: bool) -> _Field:
    if field.message_type is not None:
        return _Field(varint(field.number << 3 | _DELIMITED), None, field.message_type.full_name, repeated, False, None)
    twin = _double_twin(field)
    if twin is not None:
        return _Field(b"", _int_or_double(field, twin), "", False, False, None)
    encode, wire_type = SCALARS[field.type]
    packed = repeated and wire_type != _DELIMITED  # the default of proto3, and OTLP does not depart from it
    tag = varint(field.number << 3 | (_DELIMITED if packed else wire_type))
    absent = None if repeated or field.has_presence else DEFAULTS[wire_type]
    return _Field(tag, encode_hex if field.name in _IDS else encode, "", repeated, packed, absent)


def _double_twin(field: FieldDescriptor) -> FieldDescriptor | None:
    """Return the double that can stand in the place of a 64-bit integer, as in `AnyValue` and `NumberDataPoint`."""
    if field.type not in _INTEGERS_64 or field.containing_oneof is None:
        return None
    twins = [each for each in field.containing_oneof.fields if each.type == FieldDescriptor.TYPE_DOUBLE]
    return twins[0] if twins else None


def _int_or_double(field: FieldDescriptor, twin: FieldDescriptor) -> Encode:
    """Return an encoder that writes the tag as well.

    JavaScript has one kind of number, and its exporters call 1e20 an `intValue`. It is read as the double that their
    protobuf exporters send.
    """
    encode, wire_type = SCALARS[field.type]
    tag = varint(field.number << 3 | wire_type)
    encode_double, double_wire_type = SCALARS[twin.type]
    double_tag = varint(twin.number << 3 | double_wire_type)

    def encode_number(value: Any) -> bytes:
        if type(value) in _NUMBERS and abs(value) >= _BEYOND_INT64 and value != -_BEYOND_INT64:
            return double_tag + encode_double(value)
        return tag + encode(value)

    return encode_number
