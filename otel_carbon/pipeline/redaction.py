"""Takes prompts, answers, tool arguments and results, and instructions out of traces and logs, on the wire.

What is not content passes byte for byte. Fields are found by walking, never by searching: a search only tells which
spans cannot have any of the keys.
"""

from __future__ import annotations

from collections.abc import Sequence

from otel_carbon.pipeline.otlp_schema import lenient, read
from otel_carbon.pipeline.pdata import Signal
from otel_carbon.pipeline.redacted_values import Substitute
from otel_carbon.pipeline.redaction_fields import ScopeEditor
from otel_carbon.pipeline.wire import Extent, ScopeSpans, joined, resource_spans
from otel_carbon.pipeline.wire_rewrite import replace_items
from otel_carbon.pipeline.wire_search import containing, words_in, words_of
from otel_carbon.spans.content import ContentKeys

__all__ = ["Redactor"]

_SCOPE = "opentelemetry.proto.common.v1.InstrumentationScope"
_MOST_REMEMBERED = 256


class Redactor:
    """Edits requests of traces and logs. Without a `substitute` content is left out. Thread-safe."""

    def __init__(self, keys: ContentKeys, substitute: Substitute | None) -> None:
        self._keys = keys
        self._substitute = substitute
        self._words = words_of(keys.keys | {keys.table.event_prefix})
        self._scopes: dict[bytes, ScopeEditor] = {}

    def redact(self, signal: Signal, body: bytes) -> tuple[bytes, int]:
        """Return a request without its content, and from how many spans or log records something was taken.

        Data points have no content.

        Raises:
            InvalidDataError: the bytes are not such a request.
        """
        if signal is Signal.METRICS:
            return body, 0
        words = words_in(body, self._words)
        layout = resource_spans(body)  # logs have the same numbers
        contents: dict[int, bytes] = {}
        for resource in layout:
            for scope in resource.scope_spans:
                editor = self._scope(joined(body, scope.scope))
                if not words and not editor.looks_at_all:
                    continue
                edit = editor.span if signal is Signal.TRACES else editor.record
                for at, start, end in _candidates(body, scope, editor, words):
                    edited = edit(body, start, end)
                    if edited is not None:
                        contents[at] = edited
        return replace_items(body, layout, contents), len(contents)

    def _scope(self, encoded: bytes) -> ScopeEditor:
        editor = self._scopes.get(encoded)
        if editor is None:
            if len(self._scopes) >= _MOST_REMEMBERED:
                self._scopes = {}
            name = read(lenient(_SCOPE), encoded, "InstrumentationScope").name.decode("utf-8", "replace")
            editor = ScopeEditor(self._keys, self._keys.in_scope(name), self._substitute)
            self._scopes[encoded] = editor
        return editor


def _candidates(body: bytes, scope: ScopeSpans, editor: ScopeEditor, words: Sequence[bytes]) -> Sequence[Extent]:
    return scope.spans if editor.looks_at_all else containing(body, scope.spans, words)
