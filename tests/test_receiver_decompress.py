"""Content-Encoding is undone with the limit enforced while the bytes come out."""

from __future__ import annotations

import gzip
import tracemalloc
import zlib
from collections.abc import Callable

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from otel_carbon.errors import InvalidDataError, TooLargeError
from otel_carbon.receivers._decompress import decompress

Compress = Callable[[bytes], bytes]
COMPRESSORS: dict[str, Compress] = {
    "identity": bytes,
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "zstd": zstandard.ZstdCompressor().compress,
}
EVERY_ENCODING = pytest.mark.parametrize("encoding", list(COMPRESSORS))
COMPRESSED = pytest.mark.parametrize("encoding", ["gzip", "deflate", "zstd"])


@given(body=st.binary(max_size=5000))
@EVERY_ENCODING
def test_what_was_compressed_comes_back(encoding: str, body: bytes) -> None:
    assert decompress(COMPRESSORS[encoding](body), encoding, 5000) == body


@EVERY_ENCODING
def test_the_limit_itself_is_allowed_and_one_byte_more_is_not(encoding: str) -> None:
    compress = COMPRESSORS[encoding]

    assert decompress(compress(b"a" * 1000), encoding, 1000) == b"a" * 1000
    with pytest.raises(TooLargeError, match="larger than the limit of 1000 bytes"):
        decompress(compress(b"a" * 1001), encoding, 1000)


@COMPRESSED
def test_a_bomb_is_not_held_in_memory(encoding: str) -> None:
    bomb = COMPRESSORS[encoding](bytes(256 << 20))

    tracemalloc.start()
    with pytest.raises(TooLargeError):
        decompress(bomb, encoding, 1 << 20)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert peak < 70 << 20  # the limit, and for zstd what one step may come out as, twice while it is appended


@COMPRESSED
def test_a_body_that_ends_too_early_is_refused(encoding: str) -> None:
    whole = COMPRESSORS[encoding](bytes(range(256)) * 8)

    for length in (0, 1, len(whole) // 2, len(whole) - 1):
        with pytest.raises(InvalidDataError, match="too early"):
            decompress(whole[:length], encoding, 1 << 20)


@COMPRESSED
@given(body=st.binary(min_size=1, max_size=200))
def test_garbage_is_refused_or_read_and_never_crashes(encoding: str, body: bytes) -> None:
    try:
        content = decompress(body, encoding, 1 << 20)
    except (InvalidDataError, TooLargeError):
        return
    assert decompress(COMPRESSORS[encoding](content), encoding, 1 << 20) == content


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
def test_several_members_are_one_body(encoding: str) -> None:
    compress = COMPRESSORS[encoding]

    assert decompress(compress(b"one,") + compress(b"two,") + compress(b"three"), encoding, 100) == b"one,two,three"


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
def test_thousands_of_empty_members_are_refused(encoding: str) -> None:
    with pytest.raises(InvalidDataError, match="more than 256 parts"):
        decompress(COMPRESSORS[encoding](b"") * 10_000, encoding, 1 << 20)


def test_a_zstd_window_beyond_that_of_http_is_refused() -> None:
    parameters = zstandard.ZstdCompressionParameters(window_log=25)
    stream = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    wide = stream.compress(b"a" * 100) + stream.flush()

    with pytest.raises(InvalidDataError, match="broken"):
        decompress(wide, "zstd", 1 << 20)
