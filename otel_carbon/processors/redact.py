"""The `redact` processor of the gateway: takes prompts and answers out before anything is written or forwarded."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path

from otel_carbon.errors import ConfigError
from otel_carbon.pipeline.component import Factory, Kind, Settings, Stability, Telemetry
from otel_carbon.pipeline.pdata import Payload, Signal
from otel_carbon.pipeline.redacted_values import keyed_hash
from otel_carbon.pipeline.redaction import Redactor
from otel_carbon.spans.content import ContentKeys

__all__ = ["FACTORY", "Config", "ContentMode", "RedactProcessor"]

_SHORTEST_KEY = 16
_RANDOM_KEY_BYTES = 32


class ContentMode(StrEnum):
    """What becomes of content."""

    DROP = "drop"
    HASH = "hash"
    KEEP = "keep"


@dataclass(frozen=True, slots=True)
class Config:
    """Configuration of the processor.

    Raises:
        ConfigError: a key of content is wrong, or the key of the hash is too short or given twice.
    """

    content: ContentMode = ContentMode.DROP
    """`drop` leaves content out, `hash` puts a keyed hash in its place, `keep` lets everything pass."""
    keys: tuple[str, ...] = ()
    """Attributes of your own that hold content; one that ends in a dot is a prefix, a star stands for one name."""
    hash_key: str | None = field(default=None, repr=False)
    """Key of the hash; without one it is drawn at every start and never leaves the process."""
    hash_key_file: str | None = None
    """File that holds the key of the hash."""

    def __post_init__(self) -> None:
        """Refuse what cannot be used, before anything is started."""
        ContentKeys.bundled(self.keys)
        if self.hash_key is not None and self.hash_key_file is not None:
            raise ConfigError("hash_key and hash_key_file are both set; take one out")
        if self.hash_key is not None:
            _checked(self.hash_key, "hash_key")


class RedactProcessor:
    """Takes content out of traces and logs. Everything else passes byte for byte. Thread-safe."""

    def __init__(self, config: Config, settings: Settings) -> None:
        self._id = settings.id
        self._telemetry: Telemetry | None = settings.shared.get("telemetry")
        self._redactor: Redactor | None = None
        if config.content is not ContentMode.KEEP:
            substitute = keyed_hash(_key(config)) if config.content is ContentMode.HASH else None
            self._redactor = Redactor(ContentKeys.bundled(config.keys), substitute)

    def process(self, payload: Payload) -> Payload:
        """Return the payload without its content.

        Raises:
            InvalidDataError: the body is not a request of its signal.
        """
        if self._redactor is None:
            return payload
        body, items = self._redactor.redact(payload.signal, payload.body)
        if not items:
            return payload
        if self._telemetry is not None:
            signal = payload.signal.value
            self._telemetry.count("processor_redacted_items", items, processor=self._id, otel_signal=signal)
        return replace(payload, body=body)


def _key(config: Config) -> bytes:
    if config.hash_key is not None:
        return config.hash_key.encode()
    if config.hash_key_file is None:
        return os.urandom(_RANDOM_KEY_BYTES)
    try:
        written = Path(config.hash_key_file).read_text(encoding="utf-8").strip()
    except OSError as error:
        raise ConfigError(f"hash_key_file: {config.hash_key_file} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"hash_key_file: {config.hash_key_file} is not UTF-8 text") from error
    return _checked(written, "hash_key_file").encode()


def _checked(key: str, name: str) -> str:
    if len(key) < _SHORTEST_KEY:
        raise ConfigError(f"{name}: a key has at least {_SHORTEST_KEY} characters; `openssl rand -hex 32` makes one")
    return key


FACTORY = Factory(
    type="redact",
    kind=Kind.PROCESSOR,
    stability=Stability.BETA,
    signals=frozenset(Signal),
    config=Config,
    create=RedactProcessor,
)
