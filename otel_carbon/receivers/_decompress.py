"""Undo `Content-Encoding`, with the size limit enforced while the bytes come out."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from types import MappingProxyType

import zstandard

from otel_carbon.errors import InvalidDataError, TooLargeError

__all__ = ["CONTENT_ENCODINGS", "decompress", "too_large"]

_GZIP_WBITS = 31  # zlib: a gzip header and trailer around the stream
_ZLIB_WBITS = 15
_MAX_PARTS = 256  # members or frames; senders write one, and millions of empty ones would be an attack
_TOO_MANY_PARTS = f"the compressed body has more than {_MAX_PARTS} parts; compress it as one"
_ZSTD_MOST_UNFOLDING = (128 << 10) // 4  # a block of 4 bytes may stand for 128 KiB
_ZSTD_STEP_BYTES = (64, 64 << 10)  # the smallest comes out as 2 MiB at most
_ZSTD_MAX_WINDOW_BYTES = 8 << 20  # RFC 9659: the largest window of the HTTP content coding


def decompress(body: bytes, encoding: str, limit_bytes: int) -> bytes:
    """Return the content of a body. Encodings are those of `CONTENT_ENCODINGS`, in lower case.

    Raises:
        InvalidDataError: the body is broken or ends too early.
        TooLargeError: the content is larger than the limit; at most a little more than that was decompressed.
    """
    return CONTENT_ENCODINGS[encoding](body, limit_bytes)


def too_large(limit_bytes: int) -> TooLargeError:
    """Return the error for a request beyond the limit."""
    return TooLargeError(f"the request is larger than the limit of {limit_bytes} bytes; send smaller batches")


def _identity(body: bytes, limit_bytes: int) -> bytes:
    _check_size(len(body), limit_bytes)
    return body


def _gzip(body: bytes, limit_bytes: int) -> bytes:
    return _inflate(body, limit_bytes, _GZIP_WBITS)


def _deflate(body: bytes, limit_bytes: int) -> bytes:
    return _inflate(body, limit_bytes, _ZLIB_WBITS)


def _inflate(body: bytes, limit_bytes: int, wbits: int) -> bytes:
    content, rest = bytearray(), body
    for _ in range(_MAX_PARTS):  # one turn per gzip member
        stream = zlib.decompressobj(wbits)
        try:
            content += stream.decompress(rest, limit_bytes + 1 - len(content))
        except zlib.error as error:
            raise InvalidDataError(f"the compressed body is broken: {error}") from error
        _check_size(len(content), limit_bytes)
        if not stream.eof:
            raise InvalidDataError("the compressed body ends too early")
        rest = stream.unused_data
        if not rest:
            return bytes(content)
    raise InvalidDataError(_TOO_MANY_PARTS)


def _zstd(body: bytes, limit_bytes: int) -> bytes:
    content, stream, at = bytearray(), _ZstdFrames(), 0
    while at < len(body):
        step = _zstd_step(limit_bytes - len(content))
        rest = body[at : at + step]
        at += step
        while rest:
            piece, rest = stream.feed(rest)
            content += piece
            _check_size(len(content), limit_bytes)
    if not stream.complete:
        raise InvalidDataError("the compressed body ends too early")
    return bytes(content)


def _zstd_step(room_bytes: int) -> int:
    """Return how much to decompress at once, so that no more can come out than there is room for, or little more."""
    least, most = _ZSTD_STEP_BYTES
    return min(max(room_bytes // _ZSTD_MOST_UNFOLDING, least), most)


class _ZstdFrames:
    """One zstd frame after another: RFC 8878 allows several."""

    def __init__(self) -> None:
        self._context = zstandard.ZstdDecompressor(max_window_size=_ZSTD_MAX_WINDOW_BYTES)
        self._frame = self._context.decompressobj()
        self._frames = 1

    @property
    def complete(self) -> bool:
        return self._frame.eof

    def feed(self, data: bytes) -> tuple[bytes, bytes]:
        """Return what came out, and the input that belongs to the next frame."""
        if self._frame.eof:
            self._frames += 1
            self._frame = self._context.decompressobj()
        if self._frames > _MAX_PARTS:
            raise InvalidDataError(_TOO_MANY_PARTS)
        try:
            content = self._frame.decompress(data)
        except zstandard.ZstdError as error:
            raise InvalidDataError(f"the compressed body is broken: {error}") from error
        return content, self._frame.unused_data if self._frame.eof else b""


def _check_size(size_bytes: int, limit_bytes: int) -> None:
    if size_bytes > limit_bytes:
        raise too_large(limit_bytes)


CONTENT_ENCODINGS: Mapping[str, Callable[[bytes, int], bytes]] = MappingProxyType(
    {"": _identity, "identity": _identity, "gzip": _gzip, "zstd": _zstd, "deflate": _deflate, "zlib": _deflate}
)
"""What may stand in `Content-Encoding`: the codings of HTTP, and the Collector's name for one of them."""
