"""Several instrumentations of one call, seen inside one process: the span that ends first and has counts counts."""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable, Sequence
from typing import Any, TypeVar

from otel_carbon.model import Call, Usage
from otel_carbon.spans import Tokens
from otel_carbon.spans.one_call import (
    CallSpan,
    Counts,
    Kinship,
    beginning_of,
    counts_of,
    kinship,
    model_stem,
    observer_of,
)

__all__ = ["CountedCalls", "EndedCall"]

_REMEMBERED = 2048
_NEAREST = 16
_Key = TypeVar("_Key", bound=Hashable)


class EndedCall:
    """What tells whether two spans of this process are one call; little is worked out before two are compared."""

    __slots__ = ("_span", "absorbed", "call", "counted", "parent_span_id", "response_id", "scope", "span_id", "tokens")

    def __init__(self, span: Any, call: Call, tokens: Tokens | None, response_id: str | None) -> None:
        parent, scope, context = span.parent, span.instrumentation_scope, span.context
        self.span_id: int = context.span_id
        self.parent_span_id: int | None = None if parent is None else parent.span_id
        self.scope = observer_of(None if scope is None else scope.name, call)
        self.call = call
        self.tokens = tokens
        self.response_id = response_id
        self.counted = self
        """The span that counts for this call."""
        self.absorbed: tuple[str | None, ...] = ()
        """Libraries that have a duplicate of this call already: another span of theirs is another call."""
        self._span: tuple[int, int, int] | CallSpan = (context.trace_id, span.start_time or 0, span.end_time or 0)

    @property
    def has_counts(self) -> bool:
        """Whether the span says what the call used."""
        return self.tokens is not None or self.call.items is not None

    def input_tokens(self) -> int | None:
        """Return all input tokens, cached ones included; None where the provider's count is not known."""
        if self.tokens is None or self.call.guessed:
            return None
        return self.tokens[0] + self.tokens[1] + self.tokens[2]

    def compared(self) -> CallSpan:
        """Return the span in the terms of the rule."""
        if isinstance(self._span, CallSpan):
            return self._span
        (trace_id, started, ended), call, counts = self._span, self.call, None
        if self.tokens is not None:
            counts = None if call.guessed else counts_of(Usage(*self.tokens))
        elif call.items is not None:
            counts = Counts(0, 0, 0, 0, 0)
        self._span = CallSpan(
            f"{trace_id:032x}",
            f"{self.span_id:016x}",
            "" if self.parent_span_id is None else f"{self.parent_span_id:016x}",
            self.scope,
            None,
            beginning_of(started, call),
            ended,
            self.response_id,
            frozenset(model_stem(name) for name in (call.model, call.request_model) if name),
            counts,
            call.failed and not self.has_counts,
            call.guessed,
        )
        return self._span


_NOBODY: list[EndedCall] = []


class CountedCalls:
    """Remembers the calls of a process that have ended, the latest few thousand.

    A framework's span and a client's span of the same call end one after the other, the inner one first. What has
    ended cannot be recalled, so the outer one is the duplicate, unless only it has counts. This is best effort: the
    ledger sees spans of other processes, and decides anew.

    Safe to share between threads and with a forked child: it has no lock, and every step is one operation on a
    dictionary or a list.
    """

    def __init__(self, remembered: int = _REMEMBERED) -> None:
        self._latest: deque[EndedCall] = deque(maxlen=remembered)
        self._until_next_generation = self._generation = remembered // 2
        self._recent, self._older = _Index(), _Index()
        self._scope: str | None = None
        self._several_scopes = False

    def repeats(self, ended: EndedCall) -> bool:
        """Return whether the call of this span was counted already, and remember the span."""
        if ended.scope != self._scope:
            self._see_scope(ended.scope)
        recent, older, span_id, response_id = self._recent, self._older, ended.span_id, ended.response_id
        # Most calls have no rivals, and what is done for them is done for every call.
        rivals = recent.children.get(span_id, _NOBODY) + older.children.get(span_id, _NOBODY)
        if response_id is not None:
            rivals += recent.answers.get(response_id, _NOBODY) + older.answers.get(response_id, _NOBODY)
        if self._several_scopes:
            rivals += self._alike(ended)
        repeated = bool(rivals) and _is_repeat(ended, rivals)
        self._remember(ended)
        return repeated

    def _see_scope(self, scope: str | None) -> None:
        """Note a library; once there are several, spans side by side can be one call."""
        if self._latest and not self._several_scopes:
            self._several_scopes = True
            for each in tuple(self._latest):
                _put(self._recent.inputs, each.input_tokens(), each)
        self._scope = scope

    def _alike(self, ended: EndedCall) -> list[EndedCall]:
        """Return the latest spans that may be of the same call though nothing links them."""
        given = ended.input_tokens()
        if given is None:
            return list(self._latest)[-_NEAREST:]
        indexes = (self._recent.inputs, self._older.inputs)
        return [each for index in indexes for key in (given, None) for each in index.get(key, _NOBODY)]

    def _remember(self, ended: EndedCall) -> None:
        self._latest.append(ended)
        recent = self._recent
        if ended.parent_span_id is not None:
            _put(recent.children, ended.parent_span_id, ended)
        if ended.response_id is not None:
            _put(recent.answers, ended.response_id, ended)
        if self._several_scopes:
            _put(recent.inputs, ended.input_tokens(), ended)
        self._until_next_generation -= 1
        if self._until_next_generation <= 0:
            self._older, self._recent = recent, _Index()
            self._until_next_generation = self._generation


class _Index:
    """The calls of one generation: by their parent, by the response that they name, and by their input tokens."""

    __slots__ = ("answers", "children", "inputs")

    def __init__(self) -> None:
        self.children: dict[int, list[EndedCall]] = {}
        self.answers: dict[str, list[EndedCall]] = {}
        self.inputs: dict[int | None, list[EndedCall]] = {}


def _is_repeat(ended: EndedCall, rivals: Sequence[EndedCall]) -> bool:
    kin, found = Kinship.NONE, ended
    for rival in rivals:
        of_rival = _kinship(ended, rival)
        if of_rival > kin:
            kin, found = of_rival, rival
    if kin is Kinship.NONE:
        return False
    found.counted.absorbed += (ended.scope,)
    if ended.has_counts and not found.counted.has_counts:
        return False
    ended.counted = found.counted
    return True


def _put(found: dict[_Key, list[EndedCall]], key: _Key, ended: EndedCall) -> None:
    bucket = found.get(key)
    if bucket is None:
        found[key] = [ended]
        return
    bucket.append(ended)
    if len(bucket) > 2 * _NEAREST:
        del bucket[:_NEAREST]


def _kinship(ended: EndedCall, rival: EndedCall) -> Kinship:
    nested = rival.parent_span_id == ended.span_id
    if not nested and (ended.scope == rival.scope or ended.scope in rival.counted.absorbed):
        return Kinship.NONE
    return kinship(ended.compared(), rival.compared(), nested=nested)
