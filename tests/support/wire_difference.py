"""What two encodings of a message differ in, field by field, read without any code of the package.

Fields are compared as they stand in the bytes: unknown ones, those in odd order, and varints longer than necessary.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from google.protobuf.descriptor import Descriptor
from opentelemetry.proto.common.v1.common_pb2 import KeyValue

__all__ = ["Field", "added_fields", "changed_fields", "fields", "inflated"]


@dataclass(frozen=True)
class Field:
    """One field as it stands in a message: where it is, its bytes with the tag, and its content."""

    path: str
    number: int
    kind: int
    raw: bytes
    content: bytes


def fields(message: bytes, path: str = "") -> list[Field]:
    """Return the fields of a message in the order of its bytes. Groups are one field."""
    found: list[Field] = []
    at = 0
    while at < len(message):
        start = at
        tag, at = _varint(message, at)
        content_at, at = _end(message, tag, at)
        found.append(Field(path, tag >> 3, tag & 7, message[start:at], message[content_at:at]))
    return found


def added_fields(message_type: Descriptor, before: bytes, after: bytes) -> list[Field]:
    """Return the fields at the ends of messages of `after` that `before` does not have. Nothing else may differ.

    A message without an addition inside is the same to the last byte, its own length included.
    """
    return list(_added(message_type, before, after, message_type.name))


def changed_fields(message_type: Descriptor, before: bytes, after: bytes) -> list[Field]:
    """Return the outermost fields of `before` that `after` does not have as they were, but for those around them.

    A field of `after` that is in none of their places fails.
    """
    return list(_changed(message_type, before, after, message_type.name))


def _added(message_type: Descriptor, before: bytes, after: bytes, path: str) -> Iterator[Field]:
    old, new = fields(before, path), fields(after, path)
    assert len(new) >= len(old), f"{path} has lost a field"
    for one, other in zip(old, new, strict=False):
        if one.raw != other.raw:
            inner = _message_type(message_type, one)
            assert (one.number, one.kind) == (other.number, other.kind), f"{path}: fields changed places"
            assert inner is not None, f"{path}: field {one.number} was changed"
            inside = list(_added(inner, one.content, other.content, f"{path}.{inner.name}"))
            assert inside, f"{path}: a message was written anew without a change"
            yield from inside
    yield from new[len(old) :]


def _changed(message_type: Descriptor, before: bytes, after: bytes, path: str) -> Iterator[Field]:
    rest = fields(after, path)
    for one in fields(before, path):
        if rest and rest[0].raw == one.raw:
            rest.pop(0)
            continue
        inner = _message_type(message_type, one)
        repeated_place = rest and (rest[0].number, rest[0].kind) == (one.number, one.kind)
        if inner is not None and repeated_place and inner.name not in _LEAVES:
            yield from _changed(inner, one.content, rest.pop(0).content, f"{path}.{inner.name}")
            continue
        yield one
        if repeated_place and (inner is None or _key(inner, one) == _key(inner, rest[0]) != ""):
            rest.pop(0)  # the same field or attribute with another value
    assert rest == [], f"{path} has fields that were not there"


_LEAVES = {"KeyValue", "AnyValue"}


def _key(message_type: Descriptor, one: Field) -> str:
    return KeyValue.FromString(one.content).key if message_type.name == "KeyValue" else ""


def inflated(message_type: Descriptor, message: bytes, unknown: Iterator[bytes]) -> bytes:
    """Return the message with unknown bytes at the end of every message in it, and with lengths of five bytes."""
    parts: list[bytes] = []
    for one in fields(message):
        inner = _message_type(message_type, one)
        if inner is None:
            parts.append(one.raw)
        else:
            content = inflated(inner, one.content, unknown)
            parts += (_long_varint(one.number << 3 | 2, 2), _long_varint(len(content), 5), content)
    return b"".join([*parts, next(unknown)])


def _message_type(message_type: Descriptor, one: Field) -> Descriptor | None:
    known = message_type.fields_by_number.get(one.number)
    return None if known is None or one.kind != 2 else known.message_type


def _varint(message: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[at]
        value |= (byte & 0x7F) << shift
        shift, at = shift + 7, at + 1
        if byte < 0x80:
            return value, at


def _end(message: bytes, tag: int, at: int) -> tuple[int, int]:
    """Return the offset of a field's content, and the one behind it."""
    match tag & 7:
        case 0:
            return at, _varint(message, at)[1]
        case 1:
            return at, at + 8
        case 5:
            return at, at + 4
        case 2:
            size, at = _varint(message, at)
            return at, at + size
        case 3:
            start = at
            while True:
                inner, at = _varint(message, at)
                if inner & 7 == 4:
                    return start, at
                at = _end(message, inner, at)[1]
    raise AssertionError(f"no such wire type in tag {tag}")


def _long_varint(value: int, size: int) -> bytes:
    digits = [value >> 7 * place & 0x7F for place in range(size)]
    return bytes([*(digit | 0x80 for digit in digits[:-1]), digits[-1]])
