"""Finds the spans of an `ExportTraceServiceRequest` in its protobuf encoding, and adds to them in place.

Only tags and lengths are read, so the cost of a span does not depend on what it carries, and whatever is not added to
leaves byte for byte as it came: unknown fields, foreign spans, unusual encodings. A message is found by walking from
field to field and never by searching for bytes, which may stand in a prompt as well.

The wire format is https://protobuf.dev/programming-guides/encoding/. Both levels of nesting use the same numbers:

    ExportTraceServiceRequest: resource_spans = 1
    ResourceSpans:             resource = 1, scope_spans = 2
    ScopeSpans:                scope = 1,    spans = 2
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from otel_carbon.errors import InvalidDataError

__all__ = [
    "Extent",
    "ResourceSpans",
    "ScopeSpans",
    "append_to_spans",
    "field_end",
    "joined",
    "read_varint",
    "resource_spans",
    "varint",
]

Extent = tuple[int, int, int]
"""Where a length-delimited field stands: offset of its tag, of its first content byte, and past its last one."""

_HEAD_TAG = 0x0A  # field 1, length-delimited
_ITEM_TAG = 0x12  # field 2, length-delimited
_MAX_VARINT_BITS = 63
_MAX_TAG = 0xFFFFFFFF
_VARINT, _FIXED64, _DELIMITED, _GROUP_START, _GROUP_END, _FIXED32 = range(6)


@dataclass(frozen=True, slots=True)
class ScopeSpans:
    """One `ScopeSpans`: its own extent, the parts of its scope, and its spans in order."""

    extent: Extent
    scope: Sequence[Extent]
    spans: Sequence[Extent]


@dataclass(frozen=True, slots=True)
class ResourceSpans:
    """One `ResourceSpans`: its own extent, the parts of its resource, and its scopes in order."""

    extent: Extent
    resource: Sequence[Extent]
    scope_spans: Sequence[ScopeSpans]


def resource_spans(body: bytes) -> list[ResourceSpans]:
    """Return the layout of an `ExportTraceServiceRequest`.

    Raises:
        InvalidDataError: the bytes are not a protobuf message of this shape.
    """
    found: list[ResourceSpans] = []
    try:
        for extent in _children(body, 0, len(body))[0]:
            resource, scopes = _children(body, extent[1], extent[2])
            scope_spans = [ScopeSpans(each, *_children(body, each[1], each[2])) for each in scopes]
            found.append(ResourceSpans(extent, resource, scope_spans))
    except IndexError:
        raise InvalidDataError("not a protobuf message: it ends inside a field") from None
    return found


def joined(body: bytes, parts: Sequence[Extent]) -> bytes:
    """Return the content of a message field. A field that occurs several times is merged by joining its parts."""
    if len(parts) == 1:
        return body[parts[0][1] : parts[0][2]]
    return b"".join([body[start:end] for _, start, end in parts])


def append_to_spans(body: bytes, layout: Sequence[ResourceSpans], additions: Mapping[int, bytes]) -> bytes:
    """Return the request with encoded fields appended to some of its spans.

    `additions` maps the offset of a span's tag to the fields. The lengths of the spans added to and of the two
    messages around each are written anew; every other byte is copied.
    """
    if not additions:
        return body
    parts: list[bytes] = []
    copied = 0
    for resource in layout:
        scopes = [_Edited.of(scope, additions) for scope in resource.scope_spans]
        grown = sum(scope.grown for scope in scopes)
        if not grown:
            continue
        at, start, end = resource.extent
        parts += (body[copied:at], b"\x0a", varint(end - start + grown))
        copied = start
        for scope in scopes:
            if scope.grown:
                copied = _write_scope(body, scope, copied, parts)
    parts.append(body[copied:])
    return b"".join(parts)


def varint(value: int) -> bytes:
    """Return a non-negative number as a varint."""
    if value < 0x80:
        return _ONE_BYTE[value]
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


def read_varint(body: bytes, at: int) -> tuple[int, int]:
    """Return the varint at an offset, and the offset behind it.

    Raises:
        IndexError: the bytes end inside it.
        InvalidDataError: it is longer than ten bytes.
    """
    value = shift = 0
    while True:
        byte = body[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & 0xFFFFFFFFFFFFFFFF, at
        shift += 7
        if shift > _MAX_VARINT_BITS:
            raise InvalidDataError(f"not a protobuf message: the number at byte {at - 10} is too long")


def field_end(body: bytes, tag: int, at: int) -> int:
    """Return the offset behind a field whose tag has been read, `at` being the offset behind the tag.

    Groups are walked without recursion, whatever their nesting.

    Raises:
        IndexError: the bytes end inside it.
        InvalidDataError: it is not a field.
    """
    open_groups: list[int] = []
    while True:
        kind = tag & 7
        # Field 0 is refused where fields are read; protobuf does not look for it in a group that it skips.
        if (tag < 8 and not open_groups) or tag > _MAX_TAG:
            raise InvalidDataError(f"not a protobuf message: no field has the tag {tag} at byte {at}")
        if kind == _VARINT:
            at = read_varint(body, at)[1]
        elif kind == _FIXED64:
            at += 8
        elif kind == _FIXED32:
            at += 4
        elif kind == _DELIMITED:
            size, at = read_varint(body, at)
            at += size
        elif kind == _GROUP_START:
            open_groups.append(tag >> 3)
        elif kind != _GROUP_END or not open_groups or open_groups.pop() != tag >> 3:
            raise InvalidDataError(f"not a protobuf message: a field of unknown kind {kind} before byte {at}")
        if not open_groups:
            return at
        tag, at = read_varint(body, at)


@dataclass(frozen=True, slots=True)
class _Edited:
    """A `ScopeSpans` with what is appended to its spans. `grown` is by how many bytes its content grows."""

    extent: Extent
    spans: Sequence[tuple[Extent, bytes, bytes]]
    grown: int
    header: bytes

    @classmethod
    def of(cls, scope: ScopeSpans, additions: Mapping[int, bytes]) -> _Edited:
        """Return the spans of a scope that are added to, each with its new header."""
        spans: list[tuple[Extent, bytes, bytes]] = []
        content = 0
        for extent in scope.spans:
            added = additions.get(extent[0])
            if added:
                at, start, end = extent
                header = b"\x12" + varint(end - start + len(added))
                content += len(header) - (start - at) + len(added)
                spans.append((extent, header, added))
        at, start, end = scope.extent
        header = b"\x12" + varint(end - start + content)
        return cls(scope.extent, spans, content and content + len(header) - (start - at), header)


def _write_scope(body: bytes, scope: _Edited, copied: int, parts: list[bytes]) -> int:
    at, start, _ = scope.extent
    parts += (body[copied:at], scope.header)
    copied = start
    for (span_at, span_start, span_end), header, added in scope.spans:
        parts += (body[copied:span_at], header, body[span_start:span_end], added)
        copied = span_end
    return copied


def _children(body: bytes, start: int, end: int) -> tuple[list[Extent], list[Extent]]:
    """Return the extents of the length-delimited fields 1 and 2 of a message."""
    heads: list[Extent] = []
    items: list[Extent] = []
    at = start
    while at < end:
        tag = body[at]
        if tag in (_ITEM_TAG, _HEAD_TAG):
            # One or two bytes of length are the rule, and this line runs once per span.
            size = body[at + 1]
            content = at + 2
            if size >= 0x80:
                high = body[content]
                if high < 0x80:
                    size, content = size & 0x7F | high << 7, content + 1
                else:
                    size, content = read_varint(body, at + 1)
            stop = content + size
        else:
            tag, content = read_varint(body, at)
            stop = field_end(body, tag, content)
            if tag in (_ITEM_TAG, _HEAD_TAG):
                content = read_varint(body, content)[1]
        if stop > end:
            raise InvalidDataError(f"not a protobuf message: the field at byte {at} is longer than what is around it")
        if tag == _ITEM_TAG:
            items.append((at, content, stop))
        elif tag == _HEAD_TAG:
            heads.append((at, content, stop))
        at = stop
    return heads, items


_ONE_BYTE = tuple(bytes((value,)) for value in range(0x80))
