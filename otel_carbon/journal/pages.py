"""Reading records out of the pages of an SQLite file without asking SQLite, which gives up at the first damaged page.

Formats: https://www.sqlite.org/fileformat2.html, sections 1.6 (b-tree pages), 2.1 (records), 4.1 (the write-ahead log).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import BinaryIO, NamedTuple

from otel_carbon.journal.format import PAGE_BYTES

__all__ = ["Pages", "Record", "Value"]

Value = int | str | bytes | None

_TABLE_LEAF, _INDEX_LEAF, _INDEX_INTERIOR = 0x0D, 0x0A, 0x02
_HEADER_BYTES = {_TABLE_LEAF: 8, _INDEX_LEAF: 8, _INDEX_INTERIOR: 12}
_INTEGER_BYTES = {1: 1, 2: 2, 3: 3, 4: 4, 5: 6, 6: 8}
_FILE_HEADER_BYTES = 100
_WAL_HEADER_BYTES, _FRAME_HEADER_BYTES = 32, 24
_MIN_LOCAL_BYTES = (PAGE_BYTES - 12) * 32 // 255 - 23
_MAX_LOCAL_BYTES = {
    _TABLE_LEAF: PAGE_BYTES - 35,
    _INDEX_LEAF: (PAGE_BYTES - 12) * 64 // 255 - 23,
    _INDEX_INTERIOR: (PAGE_BYTES - 12) * 64 // 255 - 23,
}
_UNREADABLE = (IndexError, ValueError, KeyError)


class Record(NamedTuple):
    """What a cell holds: a row of a table, or, without `rowid`, of an index."""

    rowid: int | None
    values: tuple[Value, ...]


class Pages:
    """The pages of a file as they are in it and, where `wal` holds newer ones, in its write-ahead log."""

    def __init__(self, file: BinaryIO, size: int, wal: BinaryIO | None = None) -> None:
        self._file = file
        self._wal = wal
        self._in_wal: Mapping[int, int] = {} if wal is None else _committed(wal)
        self._last = max([size // PAGE_BYTES, *self._in_wal])

    def records(self) -> Iterator[Record]:
        """Yield every record that can be made out, on pages that are in use and on those that no longer are."""
        for number in range(1, self._last + 1):
            page = self._page(number)
            yield from self._cells(page, _FILE_HEADER_BYTES if number == 1 else 0)

    def _page(self, number: int) -> bytes:
        if number in self._in_wal and self._wal is not None:
            self._wal.seek(self._in_wal[number])
            return self._wal.read(PAGE_BYTES)
        self._file.seek((number - 1) * PAGE_BYTES)
        return self._file.read(PAGE_BYTES)

    def _cells(self, page: bytes, start: int) -> Iterator[Record]:
        kind = page[start] if start < len(page) else 0
        if kind not in _HEADER_BYTES:
            return
        pointers = start + _HEADER_BYTES[kind]
        for number in range(min(_integer(page, start + 3, 2), (PAGE_BYTES - pointers) // 2)):
            try:
                yield self._cell(page, kind, _integer(page, pointers + 2 * number, 2))
            except _UNREADABLE:
                continue

    def _cell(self, page: bytes, kind: int, at: int) -> Record:
        rowid = None
        at += 4 if kind == _INDEX_INTERIOR else 0
        length, at = _varint(page, at)
        if kind == _TABLE_LEAF:
            rowid, at = _varint(page, at)
        return Record(rowid, _values(self._payload(page, kind, at, length)))

    def _payload(self, page: bytes, kind: int, at: int, length: int) -> bytes:
        local = _local_bytes(kind, length)
        found = bytearray(page[at : at + local])
        overflow = _integer(page, at + local, 4) if local < length else 0
        while len(found) < length:
            if not 0 < overflow <= self._last:
                raise ValueError("the chain of pages is broken")
            following = self._page(overflow)
            overflow = _integer(following, 0, 4)
            found += following[4 : 4 + length - len(found)]
        return bytes(found)


def _local_bytes(kind: int, length: int) -> int:
    """Return how much of a record lies on its b-tree page; the rest is in a chain of overflow pages."""
    if length <= _MAX_LOCAL_BYTES[kind]:
        return length
    wanted = _MIN_LOCAL_BYTES + (length - _MIN_LOCAL_BYTES) % (PAGE_BYTES - 4)
    return wanted if wanted <= _MAX_LOCAL_BYTES[kind] else _MIN_LOCAL_BYTES


def _values(record: bytes) -> tuple[Value, ...]:
    header_bytes, at = _varint(record, 0)
    serials: list[int] = []
    while at < header_bytes:
        serial, at = _varint(record, at)
        serials.append(serial)
    values: list[Value] = []
    for serial in serials:
        value, at = _value(record, at, serial)
        values.append(value)
    return tuple(values)


def _value(record: bytes, at: int, serial: int) -> tuple[Value, int]:
    if serial in {0, 8, 9}:
        return (None, 0, 1)[(0, 8, 9).index(serial)], at
    if serial >= 12:
        end = at + (serial - 12) // 2
        raw = record[at:end]
        if len(raw) != end - at:
            raise IndexError(end)
        return (raw.decode() if serial % 2 else raw), end
    end = at + _INTEGER_BYTES[serial]
    return int.from_bytes(record[at:end], "big", signed=True), end


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    for place in range(8):
        byte = data[at + place]
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            return value, at + place + 1
    return value << 8 | data[at + 8], at + 9


def _integer(data: bytes, at: int, size: int) -> int:
    return int.from_bytes(data[at : at + size], "big")


def _committed(wal: BinaryIO) -> dict[int, int]:
    """Return where in the log the newest committed version of each page is.

    The checksums of the frames are not looked at: rows have one of their own, over just what matters here.
    """
    salts = wal.read(_WAL_HEADER_BYTES)[16:24]
    newest: dict[int, int] = {}
    pending: dict[int, int] = {}
    at = _WAL_HEADER_BYTES
    while True:
        wal.seek(at)
        header = wal.read(_FRAME_HEADER_BYTES)
        if len(header) < _FRAME_HEADER_BYTES or header[8:16] != salts:
            return newest
        pending[_integer(header, 0, 4)] = at + _FRAME_HEADER_BYTES
        if _integer(header, 4, 4):  # the last frame of a transaction has the size of the file in it
            newest |= pending
            pending = {}
        at += _FRAME_HEADER_BYTES + PAGE_BYTES
