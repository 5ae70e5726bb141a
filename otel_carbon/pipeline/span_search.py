"""Finds the spans of a request that may be GenAI-related. Receiver and processor ask for the same request in turn."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from otel_carbon.pipeline.wire import Extent, ResourceSpans, ScopeSpans, resource_spans
from otel_carbon.pipeline.wire_search import containing, words_in

__all__ = ["Found", "SpanSearch", "span_search"]

Found = tuple[Sequence[ResourceSpans], Sequence[tuple[ResourceSpans, ScopeSpans, Sequence[Extent]]]]
"""The layout of a request, and the scopes of it that have spans in which a word stands, with these spans."""

_LONGEST_REMEMBERED = 8 << 20


class SpanSearch:
    """Looks for spans in whose bytes one of the words stands, and remembers what it found in the last request.

    Thread-safe: what is remembered is replaced as a whole.
    """

    def __init__(self, words: Sequence[bytes]) -> None:
        self._words = words
        self._last: tuple[bytes, Found] = (b"", ((), ()))

    def find(self, body: bytes) -> Found:
        """Return what a traces request holds; nothing where none of the words stands in it.

        Raises:
            InvalidDataError: the bytes are not a traces request.
        """
        searched, found = self._last
        if searched is not body:
            found = self._find(body)
            if len(body) <= _LONGEST_REMEMBERED:
                self._last = (body, found)
        return found

    def _find(self, body: bytes) -> Found:
        words = words_in(body, self._words)
        if not words:
            return (), ()
        layout = resource_spans(body)
        scopes = [(resource, scope) for resource in layout for scope in resource.scope_spans]
        found = [(*each, containing(body, each[1].spans, words)) for each in scopes]
        return layout, [each for each in found if each[2]]


@lru_cache(maxsize=16)
def span_search(words: tuple[bytes, ...]) -> SpanSearch:
    """Return the one search for these words, so that what it remembers is of use to all."""
    return SpanSearch(words)
