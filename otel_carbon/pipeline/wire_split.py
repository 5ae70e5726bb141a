"""Cuts one export request into several, for a destination that does not take as much at once.

What holds the pieces (resource, scope, metric) is repeated in every request that needs it, byte for byte, so that
fields nobody here knows go along. Nothing is dropped: what holds no piece of the known kinds is a piece itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from otel_carbon.errors import InvalidDataError
from otel_carbon.pipeline.pdata import Payload, Signal
from otel_carbon.pipeline.wire import field_end, read_varint, varint

__all__ = ["cut"]

_DELIMITED = 2
_MAX_HEADER_BYTES = 16  # tag and length of a field, with room for a length that grows
_Path = Sequence[frozenset[int]]
_ITEMS = (frozenset({1}), frozenset({2}), frozenset({2}))  # resource, scope, span or log record
_PATHS: Mapping[Signal, _Path] = MappingProxyType(
    {
        Signal.TRACES: _ITEMS,
        Signal.LOGS: _ITEMS,
        # gauge, sum, histogram, exponential_histogram, summary; then its data points
        Signal.METRICS: (*_ITEMS, frozenset({5, 7, 9, 10, 11}), frozenset({1})),
    }
)


@dataclass(slots=True)
class _Holder:
    """A message with what it holds. `tag` is its own; `head` are its other fields, as they came."""

    tag: int
    head: bytes
    holds: list[_Holder | _Piece] = field(default_factory=list["_Holder | _Piece"])


@dataclass(frozen=True, slots=True)
class _Piece:
    """What is not cut any further, with its tag. `items` is 0 where it is none of what is counted."""

    encoded: bytes
    items: int


def cut(payload: Payload, *, max_bytes: int, max_items: int) -> list[Payload]:
    """Return requests that together say what this one says, each within both limits where its pieces allow.

    A single span, data point or log record that is over the limit has a request to itself.

    Raises:
        InvalidDataError: the body is not a request of the signal.
    """
    if len(payload.body) <= max_bytes and payload.items <= max_items:
        return [payload]
    try:
        root = _parsed(payload.body, 0, 0, len(payload.body), _PATHS[payload.signal])
    except IndexError:
        raise InvalidDataError("not a protobuf message: it ends inside a field") from None
    if not isinstance(root, _Holder):  # it holds nothing
        return [payload]
    bodies = _Cutter(max_bytes, max_items).bodies(root)
    return [Payload(payload.signal, body, items, tenant=payload.tenant) for body, items in bodies]


def _parsed(body: bytes, tag: int, start: int, end: int, path: _Path) -> _Holder | _Piece:
    """Return the message between two offsets, taken apart along the path."""
    holder, heads, at = _Holder(tag, b""), list[bytes](), start
    while at < end:
        begin = at
        child_tag, at = read_varint(body, at)
        stop = field_end(body, child_tag, at)
        if stop > end:
            raise InvalidDataError(
                f"not a protobuf message: the field at byte {begin} is longer than what is around it"
            )
        if child_tag & 7 == _DELIMITED and child_tag >> 3 in path[0]:
            content = read_varint(body, at)[1]
            one = (
                _parsed(body, child_tag, content, stop, path[1:])
                if len(path) > 1
                else _Piece(body[begin:stop], items=1)
            )
            holder.holds.append(one)
        else:
            heads.append(body[begin:stop])
        at = stop
    holder.head = b"".join(heads)
    if holder.holds or not tag:
        return holder
    return _Piece(varint(tag) + varint(end - start) + body[start:end], items=0)


class _Cutter:
    """Fills one request after the other, in order."""

    def __init__(self, max_bytes: int, max_items: int) -> None:
        self._max_bytes = max_bytes
        self._max_items = max_items

    def bodies(self, root: _Holder) -> Iterator[tuple[bytes, int]]:
        """Yield body and items of each request. What the request itself has beside its pieces goes with the first."""
        run: list[tuple[Sequence[_Holder], _Piece]] = []
        head, size, items = root.head, len(root.head), 0
        for chain, piece in _pieces(root, ()):
            size += _added_bytes(chain, piece, run[-1][0] if run else ())
            items += piece.items
            if run and (size > self._max_bytes or items > self._max_items):
                yield head + _encoded(run), items - piece.items
                run, head, items = [], b"", piece.items
                size = _added_bytes(chain, piece, ())
            run.append((chain, piece))
        yield head + _encoded(run), items


def _pieces(holder: _Holder, chain: tuple[_Holder, ...]) -> Iterator[tuple[Sequence[_Holder], _Piece]]:
    for one in holder.holds:
        if isinstance(one, _Piece):
            yield chain, one
        else:
            yield from _pieces(one, (*chain, one))


def _added_bytes(chain: Sequence[_Holder], piece: _Piece, before: Sequence[_Holder]) -> int:
    """Return by how much a request grows at most."""
    new = [holder for holder in chain if not any(holder is known for known in before)]
    return len(piece.encoded) + sum(len(holder.head) + _MAX_HEADER_BYTES for holder in new)


def _encoded(run: Sequence[tuple[Sequence[_Holder], _Piece]], depth: int = 0) -> bytes:
    """Return pieces in their holders, each holder once."""
    parts: list[bytes] = []
    at = 0
    while at < len(run):
        chain, piece = run[at]
        if len(chain) == depth:
            parts.append(piece.encoded)
            at += 1
            continue
        holder, first = chain[depth], at
        while at < len(run) and len(run[at][0]) > depth and run[at][0][depth] is holder:
            at += 1
        content = holder.head + _encoded(run[first:at], depth + 1)
        parts += (varint(holder.tag), varint(len(content)), content)
    return b"".join(parts)
