"""Random OTLP messages, and the OTLP/JSON that the specification gives for them."""

from __future__ import annotations

import base64
import math
from functools import cache
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.descriptor_pb2 import DescriptorProto, FieldDescriptorProto
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from hypothesis import strategies as st

__all__ = ["as_json", "messages"]

_SMALL = st.integers(0, 3)
_RANGES = {
    FieldDescriptor.TYPE_INT32: (-(2**31), 2**31 - 1),
    FieldDescriptor.TYPE_SINT32: (-(2**31), 2**31 - 1),
    FieldDescriptor.TYPE_UINT32: (0, 2**32 - 1),
    FieldDescriptor.TYPE_FIXED32: (0, 2**32 - 1),
    FieldDescriptor.TYPE_INT64: (-(2**63), 2**63 - 1),
    FieldDescriptor.TYPE_SFIXED64: (-(2**63), 2**63 - 1),
    FieldDescriptor.TYPE_UINT64: (0, 2**64 - 1),
    FieldDescriptor.TYPE_FIXED64: (0, 2**64 - 1),
    FieldDescriptor.TYPE_ENUM: (0, 40),
}
_INTEGERS_64 = (
    FieldDescriptor.TYPE_INT64,
    FieldDescriptor.TYPE_UINT64,
    FieldDescriptor.TYPE_FIXED64,
    FieldDescriptor.TYPE_SFIXED64,
)
_IDS = ("trace_id", "span_id", "parent_span_id")


def _scalars(field: FieldDescriptor) -> st.SearchStrategy[Any]:
    if field.type in _RANGES:
        low, high = _RANGES[field.type]
        return st.one_of(_SMALL, st.sampled_from((low, high)), st.integers(low, high))
    return {
        FieldDescriptor.TYPE_BOOL: st.booleans(),
        # JSON writes every NaN as "NaN": sign and payload bits of one cannot come back.
        FieldDescriptor.TYPE_DOUBLE: st.floats(allow_nan=False) | st.just(math.nan),
        FieldDescriptor.TYPE_STRING: st.sampled_from(("", "gen_ai.system", 'é😀\0"\\', "x" * 200)),
        FieldDescriptor.TYPE_BYTES: st.binary(max_size=17),
    }[field.type]


@cache
def _repeated(message_type: type[Message]) -> frozenset[str]:
    declared = DescriptorProto()
    message_type.DESCRIPTOR.CopyToProto(declared)
    return frozenset(each.name for each in declared.field if each.label == FieldDescriptorProto.LABEL_REPEATED)


def is_repeated(field: FieldDescriptor) -> bool:
    return field.name in _repeated(GetMessageClass(field.containing_type))


@st.composite
def messages(draw: st.DrawFn, message_type: type[Message], depth: int = 0) -> Message:
    message = message_type()
    fields = list(message_type.DESCRIPTOR.fields)
    for field in draw(st.lists(st.sampled_from(fields), max_size=5, unique_by=lambda each: each.number)):
        if field.message_type is not None:
            if depth < 7:
                inner = messages(GetMessageClass(field.message_type), depth + 1)
                if is_repeated(field):
                    getattr(message, field.name).extend(draw(st.lists(inner, max_size=2)))
                else:
                    getattr(message, field.name).CopyFrom(draw(inner))
        elif is_repeated(field):
            getattr(message, field.name).extend(draw(st.lists(_scalars(field), max_size=3)))
        else:
            setattr(message, field.name, draw(_scalars(field)))
    return message


def as_json(message: Message, draw: st.DrawFn) -> dict[str, Any]:
    """Return the message as OTLP/JSON, with a random choice wherever the specification leaves one."""
    found: dict[str, Any] = {}
    for field, value in message.ListFields():
        if is_repeated(field):
            found[field.json_name] = [_json_value(field, each, draw) for each in value]
        else:
            found[field.json_name] = _json_value(field, value, draw)
    match draw(_SMALL):
        case 0:
            found["futureField"] = {"traceId": [None, {"nested": 1}]}
        case 1:
            absent = [field.json_name for field in message.DESCRIPTOR.fields if field.json_name not in found]
            found.update(dict.fromkeys(absent[:1]))
        case 2:
            found.update({field.name: "snake" for field in message.DESCRIPTOR.fields if "_" in field.name})
    return found


def _json_value(field: FieldDescriptor, value: Any, draw: st.DrawFn) -> Any:
    if field.name in _IDS:
        return draw(st.sampled_from((value.hex(), value.hex().upper())))
    if field.type == FieldDescriptor.TYPE_BYTES:
        return base64.b64encode(value).decode()
    if field.type == FieldDescriptor.TYPE_DOUBLE:
        words = {math.inf: "Infinity", -math.inf: "-Infinity"}
        return "NaN" if math.isnan(value) else words.get(value, value)
    if field.type in _INTEGERS_64 and draw(st.booleans()):
        return str(value)
    return value if field.message_type is None else as_json(value, draw)
