"""Where the token counts of a kind of span stand, and what they contain."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from operator import itemgetter
from typing import Any

from otel_carbon.spans.compiled import CompiledDialect
from otel_carbon.spans.usage import Tokens, disjoint_tokens
from otel_carbon.spans.values import MAX_TOKENS, text

__all__ = ["Counting", "Tokens"]


class Counting:
    """Reads counts and the response id of spans that have the same keys, library, provider and model."""

    __slots__ = (
        "_cache_read",
        "_cache_write",
        "_contained",
        "_input",
        "_output",
        "_plain",
        "_reasoning",
        "_response_ids",
    )

    def __init__(
        self, dialect: CompiledDialect, contained: tuple[bool | None, bool], attributes: Mapping[str, Any]
    ) -> None:
        self._contained = contained
        self._input = _first(dialect.input_tokens, attributes)
        self._output = _first(dialect.output_tokens, attributes)
        self._cache_read = _first(dialect.cache_read_tokens, attributes)
        self._cache_write = _first(dialect.cache_write_tokens, attributes)
        self._reasoning = _first(dialect.reasoning_tokens, attributes)
        self._plain: Callable[[Mapping[str, Any]], Any] | None = None
        if self._input and self._output and not (self._cache_read or self._cache_write or self._reasoning):
            self._plain = itemgetter(self._input, self._output)
        self._response_ids = tuple(key for key in dialect.response_id if key in attributes)

    def tokens(self, values: Mapping[str, Any]) -> Tokens | None:
        """Return what a `SpanReader` makes of the counts; None where they are not plain or it sees more than that."""
        if self._plain is not None:
            given, output = self._plain(values)
            plain = type(given) is type(output) is int and 0 < given | output <= MAX_TOKENS
            return (given, 0, 0, output, 0) if plain else None
        given = 0 if self._input is None else values[self._input]
        output = 0 if self._output is None else values[self._output]
        read = 0 if self._cache_read is None else values[self._cache_read]
        write = 0 if self._cache_write is None else values[self._cache_write]
        reasoning = 0 if self._reasoning is None else values[self._reasoning]
        if not (type(given) is type(output) is type(read) is type(write) is type(reasoning) is int):
            return None
        if not 0 < given | output | read | write | reasoning <= MAX_TOKENS:  # negative if one is
            return None
        if not (read or write or reasoning):
            return given, 0, 0, output, 0
        tokens, alternative = disjoint_tokens(given, output, read, write, reasoning, *self._contained)
        return tokens if alternative is None else None

    def response_id(self, values: Mapping[str, Any]) -> str | None:
        """Return the id of the provider's answer."""
        for key in self._response_ids:
            found = text(values[key])
            if found is not None:
                return found
        return None


def _first(keys: tuple[str, ...], attributes: Mapping[str, Any]) -> str | None:
    return next((key for key in keys if key in attributes), None)
