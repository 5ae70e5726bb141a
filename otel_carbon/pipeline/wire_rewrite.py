"""Takes fields out of messages, or puts others in their place; every other byte is copied as it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from otel_carbon.errors import InvalidDataError
from otel_carbon.pipeline.wire import Extent, ResourceSpans, field_end, read_varint, varint

__all__ = ["Editor", "delimited", "delimited_fields", "message_editor", "replace_items", "rewritten"]

Editor = Callable[[bytes, int, int], bytes | None]
"""Looks at the content of a length-delimited field between two offsets. Returns the field that stands in its place,
tag included; no bytes where there is to be none; None where it stays."""


def rewritten(
    body: bytes, start: int, end: int, editors: Mapping[int, Editor], first: int | None = None
) -> bytes | None:
    """Return the message between two offsets with the fields of some tags edited, or None where all stay.

    `first` is the offset of the first field that is to be looked at, where those before it are known to stay.

    Raises:
        InvalidDataError: it is not a protobuf message.
    """
    parts: list[bytes] = []
    copied, at = start, start if first is None else first
    try:
        while at < end:
            tag, content, stop = _field(body, at)
            if stop > end:
                raise InvalidDataError(f"not a protobuf message: the field at byte {at} is longer than its message")
            editor = editors.get(tag)
            if editor is not None:
                edited = editor(body, content, stop)
                if edited is not None:
                    parts += (body[copied:at], edited)
                    copied = stop
            at = stop
    except IndexError:
        raise InvalidDataError("not a protobuf message: it ends inside a field") from None
    if not parts:
        return None
    parts.append(body[copied:end])
    return b"".join(parts)


def message_editor(tag: int, editors: Mapping[int, Editor]) -> Editor:
    """Return an editor of a field that is a message, by editors of its fields."""

    def edit(body: bytes, start: int, end: int) -> bytes | None:
        edited = rewritten(body, start, end, editors)
        return None if edited is None else delimited(tag, edited)

    return edit


def delimited_fields(body: bytes, start: int, end: int, wanted: Mapping[int, list[tuple[int, int]]]) -> None:
    """Add the offsets of the contents of length-delimited fields to the list that is wanted of their tag.

    Raises:
        InvalidDataError: it is not a protobuf message.
    """
    at = start
    try:
        while at < end:
            tag, content, stop = _field(body, at)
            if stop > end:
                raise InvalidDataError(f"not a protobuf message: the field at byte {at} is longer than its message")
            if tag in wanted:
                wanted[tag].append((content, stop))
            at = stop
    except IndexError:
        raise InvalidDataError("not a protobuf message: it ends inside a field") from None


def delimited(tag: int, content: bytes) -> bytes:
    """Return a length-delimited field."""
    return varint(tag) + varint(len(content)) + content


def replace_items(body: bytes, layout: Sequence[ResourceSpans], contents: Mapping[int, bytes]) -> bytes:
    """Return the request with other contents of some of its spans or log records, by the offsets of their tags."""
    resources: list[tuple[Extent, bytes]] = []
    for resource in layout:
        scopes: list[tuple[Extent, bytes]] = []
        for scope in resource.scope_spans:
            items = [(extent, contents[extent[0]]) for extent in scope.spans if extent[0] in contents]
            if items:
                scopes.append((scope.extent, _with(body, scope.extent[1], scope.extent[2], items, b"\x12")))
        if scopes:
            extent = resource.extent
            resources.append((extent, _with(body, extent[1], extent[2], scopes, b"\x12")))
    return _with(body, 0, len(body), resources, b"\x0a") if resources else body


def _with(body: bytes, start: int, end: int, fields: Sequence[tuple[Extent, bytes]], tag: bytes) -> bytes:
    parts: list[bytes] = []
    copied = start
    for (at, _, stop), content in fields:
        parts += (body[copied:at], tag, varint(len(content)), content)
        copied = stop
    parts.append(body[copied:end])
    return b"".join(parts)


def _field(body: bytes, at: int) -> tuple[int, int, int]:
    """Return the tag of a field, the offset of its content, and the one behind it."""
    tag = body[at]
    if tag < 0x80 and tag & 7 == 2 and tag > 7:
        # A tag of one byte and a length of one or two are the rule, and this runs once per attribute.
        size, content = body[at + 1], at + 2
        if size >= 0x80:
            high = body[content]
            if high < 0x80:
                size, content = size & 0x7F | high << 7, content + 1
            else:
                size, content = read_varint(body, at + 1)
        return tag, content, content + size
    tag, content = read_varint(body, at)
    stop = field_end(body, tag, content)
    if tag & 7 == 2:
        content = read_varint(body, content)[1]
    return tag, content, stop
