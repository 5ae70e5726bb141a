"""OTLP that lies in files: what the Collector's file exporter and other people's scripts have written."""

from __future__ import annotations

import gzip
import io
import re
import zlib
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

import zstandard

from otel_carbon.errors import ConfigError, InvalidDataError
from otel_carbon.pipeline import otlp_json
from otel_carbon.pipeline.otlp import parse
from otel_carbon.pipeline.pdata import Payload, Signal

__all__ = ["StoredRequest", "check_paths", "read_requests"]

_FORMATS = (".pb", ".json", ".jsonl")
_COMPRESSIONS = (".gz", ".zst")
_SIGNAL = re.compile(rb'"resource(Spans|Metrics|Logs)"')
_SIGNALS = {b"Spans": Signal.TRACES, b"Metrics": Signal.METRICS, b"Logs": Signal.LOGS}
_LENGTH_BYTES = 4
_PROTOBUF_START = 0x0A  # field 1, length-delimited: the first byte of every Export<Signal>ServiceRequest


@dataclass(frozen=True, slots=True)
class StoredRequest:
    """One request of a file, and how far into the file, in bytes as it lies on disk, reading has come."""

    payload: Payload
    read_bytes: int


def check_paths(paths: list[Path]) -> None:
    """Check that every path is a file of a known format.

    Raises:
        ConfigError: one is not; the message names the path and the fix.
    """
    for path in paths:
        if not path.is_file():
            what = "is a directory or a device; name a file" if path.exists() else "there is no such file"
            raise ConfigError(f"{path}: {what}")
        if _format(path) not in _FORMATS:
            raise ConfigError(
                f"{path}: the name must end in {', '.join(_FORMATS)}, and then perhaps in {' or '.join(_COMPRESSIONS)}"
            )


def read_requests(path: Path) -> Iterator[StoredRequest]:
    """Yield the requests of a file, in order, one at a time.

    `.pb` is one request, or several with four bytes of length (big-endian) before each, as the Collector's file
    exporter writes them. `.json` is one request in OTLP/JSON, `.jsonl` one per line. Protobuf is read as traces,
    since it does not say what it is.

    Raises:
        InvalidDataError: the file cannot be read; the message names it and the line or the number of the request.
    """
    format_ = _format(path)
    with path.open("rb") as raw:
        try:
            for number, chunk in _chunks(format_, _decompressed(path, raw)):
                with _named(f"{path}: {'request' if format_ == '.pb' else 'line'} {number}"):
                    signal, body = _protobuf_body(chunk) if format_ == ".pb" else _json_body(chunk)
                    payload = parse(signal, body)
                yield StoredRequest(payload, raw.tell())
        except (OSError, EOFError, zlib.error, zstandard.ZstdError) as error:
            raise InvalidDataError(f"{path}: cannot be decompressed: {error}") from error


@contextmanager
def _named(where: str) -> Generator[None]:
    try:
        yield
    except InvalidDataError as error:
        raise InvalidDataError(f"{where}: {error}") from error


def _format(path: Path) -> str:
    return Path(path.stem).suffix if path.suffix in _COMPRESSIONS else path.suffix


def _decompressed(path: Path, raw: IO[bytes]) -> io.BufferedReader:
    match path.suffix:
        case ".gz":
            return io.BufferedReader(cast("io.RawIOBase", gzip.GzipFile(fileobj=raw)))
        case ".zst":
            return io.BufferedReader(cast("io.RawIOBase", zstandard.ZstdDecompressor().stream_reader(raw)))
        case _:
            return cast("io.BufferedReader", raw)


def _chunks(format_: str, stream: io.BufferedReader) -> Iterator[tuple[int, bytes]]:
    match format_:
        case ".pb":
            yield from enumerate(_protobuf_chunks(stream), 1)
        case ".json":
            yield 1, stream.read()
        case _:
            yield from ((number, line) for number, line in enumerate(stream, 1) if line.strip())


def _json_body(text: bytes) -> tuple[Signal, bytes]:
    found = _SIGNAL.search(text)
    if found is None:
        raise InvalidDataError("no resourceSpans, resourceMetrics or resourceLogs: this is not OTLP/JSON")
    signal = _SIGNALS[found[1]]
    return signal, otlp_json.decode(signal, text)


def _protobuf_body(chunk: bytes) -> tuple[Signal, bytes]:
    if chunk and chunk[0] == _PROTOBUF_START:
        return Signal.TRACES, chunk
    wanted = int.from_bytes(chunk[:_LENGTH_BYTES], "big")
    if len(chunk) != _LENGTH_BYTES + wanted and chunk:
        raise InvalidDataError("the file ends in the middle of a request, or it is not OTLP in protobuf")
    return Signal.TRACES, chunk[_LENGTH_BYTES:]


def _protobuf_chunks(stream: io.BufferedReader) -> Iterator[bytes]:
    """Yield the whole file when it is one request, else each request with the four bytes of its length."""
    start = stream.read(1)
    if not start or start[0] == _PROTOBUF_START:
        yield start + stream.read()
        return
    length = start + stream.read(_LENGTH_BYTES - 1)
    while length:
        yield length + stream.read(int.from_bytes(length, "big"))
        length = stream.read(_LENGTH_BYTES)
