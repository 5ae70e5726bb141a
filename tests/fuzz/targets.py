"""What is fuzzed: every parser that takes bytes from outside. A target returns, or something is wrong.

Each takes any bytes. Where the first byte chooses among variants, it is taken modulo their number.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import TypeVar

from otel_carbon.errors import ConfigError, InvalidDataError, TooLargeError
from otel_carbon.gateway.components import Catalogue
from otel_carbon.gateway.config import parse_config
from otel_carbon.pipeline.component import Settings
from otel_carbon.pipeline.otlp import parse, rejections
from otel_carbon.pipeline.otlp_json import decode_with_warning
from otel_carbon.pipeline.pdata import Signal
from otel_carbon.pipeline.redacted_values import keyed_hash
from otel_carbon.pipeline.redaction import Redactor
from otel_carbon.pipeline.wire import resource_spans
from otel_carbon.processors.carbon import FACTORY, CarbonProcessor, Config
from otel_carbon.receivers._decompress import CONTENT_ENCODINGS, decompress
from otel_carbon.security.tokens import AuthConfig, Tokens
from otel_carbon.spans.content import ContentKeys

__all__ = ["TARGETS"]

T = TypeVar("T")

_LIMIT_BYTES = 1 << 20
_SIGNALS = tuple(Signal)
_ENCODINGS = tuple(sorted(CONTENT_ENCODINGS))


def protobuf(data: bytes) -> None:
    """Take a request as the receiver and the processors do, and check that none of them sees another one."""
    signal, body = _choice(data, _SIGNALS)
    try:
        payload = parse(signal, body)
    except InvalidDataError:
        _walk_what_is_no_message(body)
        return
    if signal is Signal.TRACES:
        layout = resource_spans(body)
        assert sum(len(scope.spans) for resource in layout for scope in resource.scope_spans) == payload.items
        rejected, message = rejections(body)
        assert 0 <= rejected <= payload.items
        assert message or not rejected
        enriched = _carbon().process(payload)
        assert parse(signal, enriched.body).items == payload.items
        assert len(enriched.body) >= len(body)
    for redactor in _redactors():
        redacted, items = redactor.redact(signal, body)
        assert items or redacted == body
        assert parse(signal, redacted).items == payload.items


def _walk_what_is_no_message(body: bytes) -> None:
    for walk in (resource_spans, rejections):
        try:
            walk(body)
        except InvalidDataError:
            continue


def otlp_json(data: bytes) -> None:
    """Read JSON; what comes out is a request."""
    signal, body = _choice(data, _SIGNALS)
    try:
        decoded, warning = decode_with_warning(signal, body)
    except InvalidDataError as error:
        assert str(error).isprintable()
        return
    parse(signal, decoded)
    assert len(warning) < 4096


def compressed(data: bytes) -> None:
    """Undo a Content-Encoding; never more comes out than the limit."""
    encoding, body = _choice(data, _ENCODINGS)
    try:
        assert len(decompress(body, encoding, _LIMIT_BYTES)) <= _LIMIT_BYTES
    except (InvalidDataError, TooLargeError):
        return


def config(data: bytes) -> None:
    """Read a config; what is wrong with it is told."""
    text = data.decode("utf-8", "replace").replace("${file:", "${env:")  # files of this machine are not for a fuzzer
    try:
        parse_config(text, {"SET": "value", "EMPTY": ""}, _catalogue(), source="fuzz.yaml")
    except ConfigError as error:
        assert str(error).startswith("fuzz.yaml")


def tokens(data: bytes) -> None:
    """Read a file of tokens, and ask with each of its lines."""
    path = _folder() / "tokens"
    path.write_bytes(data)
    known = Tokens(AuthConfig(filename=str(path)), "auth")
    try:
        known.load()
    except ConfigError as error:
        assert str(error).startswith("auth::filename: ")
        return
    for line in data.decode().splitlines():
        token = line.strip().partition(" ")[0]
        if token and not token.startswith("#"):
            known.tenant([f"Bearer {token}"])


TARGETS: Mapping[str, Callable[[bytes], None]] = {
    "protobuf": protobuf,
    "otlp_json": otlp_json,
    "compressed": compressed,
    "config": config,
    "tokens": tokens,
}


def _choice(data: bytes, variants: tuple[T, ...]) -> tuple[T, bytes]:
    return variants[data[0] % len(variants) if data else 0], data[1:]


@cache
def _carbon() -> CarbonProcessor:
    return FACTORY.create(Config(), Settings("carbon", {}, {}))


@cache
def _redactors() -> tuple[Redactor, ...]:
    keys = ContentKeys.bundled()
    return Redactor(keys, None), Redactor(keys, keyed_hash(b"0123456789abcdef"))


@cache
def _catalogue() -> Catalogue:
    return Catalogue.bundled()


@cache
def _folder() -> Path:
    return Path(tempfile.mkdtemp(prefix="otel-carbon-fuzz-"))
