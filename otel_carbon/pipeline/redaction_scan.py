"""Gets over what most of a span is: fields as all SDKs write them, under keys that are known to be no content."""

from __future__ import annotations

from collections.abc import Container, Mapping

from otel_carbon.spans.content import Content

__all__ = ["first_to_edit"]

_ATTRIBUTES = 0x4A  # tag of Span.attributes
_KEY, _VALUE = 0x0A, 0x12  # tags of KeyValue
_COUNTS = frozenset((0x30, 0x50, 0x60, 0x70))  # kind and the dropped counts: numbers, of one byte as a rule
_SIZES = {0x39: 9, 0x41: 9, **dict.fromkeys(_COUNTS, 2)}  # with the two times, of eight bytes
_OTHERS = frozenset((0x0A, 0x12, 0x1A, 0x22, 0x2A, 0x5A, 0x6A, 0x7A))  # the other fields of a span, with a length


def first_to_edit(  # noqa: C901, PLR0912 - one loop without calls: it runs once per attribute
    body: bytes, start: int, end: int, known: Mapping[bytes, Content], edited: Container[int]
) -> int:
    """Return the offset of the first field of a span that may have to be edited, or its end where there is none.

    `edited` are the tags that are edited. In doubt, and where bytes are no protobuf message, a field may have to be.
    """
    at = stop = start
    try:
        while at < end:
            tag = body[at]
            if tag in _SIZES:
                if tag in _COUNTS and body[at + 1] >= 0x80:
                    break
                stop = at + _SIZES[tag]
            elif tag != _ATTRIBUTES and (tag not in _OTHERS or tag in edited):
                break
            else:
                size, content = body[at + 1], at + 2
                if size >= 0x80:
                    if body[content] >= 0x80:
                        break
                    size, content = size & 0x7F | body[content] << 7, content + 1
                stop = content + size
                if tag == _ATTRIBUTES:
                    key_size = body[content + 1]
                    key_end = content + 2 + key_size
                    size, value = body[key_end + 1], key_end + 2
                    if size >= 0x80:
                        if body[value] >= 0x80:
                            break
                        size, value = size & 0x7F | body[value] << 7, value + 1
                    if body[content] != _KEY or key_size >= 0x80 or body[key_end] != _VALUE or value + size != stop:
                        break
                    if known.get(body[content + 2 : key_end]) is not Content.NONE:
                        break
            if stop > end:
                break
            at = stop
    except IndexError:
        pass  # whoever reads on says what is wrong
    return at
