"""The rows of the dialect table as frozen values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from otel_carbon.spans.media import MEDIA_FIELDS

__all__ = ["COUNTS", "FIELDS", "REASONINGS", "Accounting", "Dialect", "Guess", "HardCodedHost", "StreamLog", "Wrapper"]

COUNTS = (
    "input_tokens",
    "uncached_input_tokens",
    "output_tokens",
    "total_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "reasoning_tokens",
)
"""Those of the fields that are token counts."""

FIELDS = (
    "operation",
    "provider",
    "routed_model",
    "request_model",
    "response_model",
    "response_id",
    "service_tier",
    "server_address",
    "region",
    *COUNTS,
    *MEDIA_FIELDS,
)
"""What a dialect names keys for."""

REASONINGS = ("inside", "outside", "added_twice", "rest_of_total")
"""Where the reasoning tokens are: in the output count, beside it, in it twice, or only in the total of all tokens."""


@dataclass(frozen=True, slots=True)
class StreamLog:
    """How a dialect marks a span that is written when a stream has ended, and carries what the stream used."""

    key: str
    value: str
    duration_s: str
    """The key of how long the stream took, in seconds."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """How one family of emitters names things. What it extends is already appended."""

    name: str
    title: str
    extends: str
    """The dialect whose rows are appended, or empty."""
    scopes: tuple[str, ...]
    """Globs of scope names; empty for any scope."""
    markers: tuple[str, ...]
    content: tuple[str, ...]
    fields: Mapping[str, tuple[str, ...]]
    calls: Mapping[str, str]
    """Operation value in lower case, and the operation that is recorded."""
    parents: frozenset[str]
    without_operation: str
    """The operation of a span that names none; empty where such a span has to prove that it is a call."""
    stream_log: StreamLog | None = None
    marked_as_base: bool = False
    """Whether every span of it also has a marker of the dialect that it extends, so that nobody has to look twice."""


@dataclass(frozen=True, slots=True)
class Accounting:
    """What an emitter's input and output counts contain, and for which spans that is known."""

    scopes: tuple[str, ...] = ()
    dialects: frozenset[str] = frozenset()
    providers: frozenset[str] = frozenset()
    models: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()
    cache_in_input: bool | None = None
    reasoning: str | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class Wrapper:
    """Spans that call themselves a call and only contain one: those with none of some keys."""

    scopes: tuple[str, ...]
    operations: frozenset[str]
    """Recorded operations; empty for any."""
    without: tuple[str, ...]
    note: str = ""


@dataclass(frozen=True, slots=True)
class Guess:
    """Spans whose counts are not the provider's: the emitter counted words itself and does not say so."""

    scopes: tuple[str, ...]
    providers: frozenset[str] = frozenset()
    operations: frozenset[str] = frozenset()
    values: Mapping[str, str | int | bool] | None = None
    """Keys and what they have to say."""
    without: tuple[str, ...] = ()
    note: str = ""


@dataclass(frozen=True, slots=True)
class HardCodedHost:
    """Hosts that an emitter writes whatever was called."""

    scopes: tuple[str, ...]
    hosts: frozenset[str] = frozenset()
    """Empty for any host."""
    note: str = ""
