"""Several instrumentations of one call, seen inside one process: the span that ends first and has counts counts."""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable, Sequence
from typing import TypeVar

from otel_carbon.model import Call, Usage
from otel_carbon.processors.ended_span import SpanFacts
from otel_carbon.spans import Tokens
from otel_carbon.spans.one_call import (
    CallSpan,
    Kinship,
    beginning_of,
    call_counts,
    kinship,
    model_stem,
)

__all__ = ["CountedCalls", "EndedCall"]

_REMEMBERED = 2048
_NEAREST = 16
_Key = TypeVar("_Key", bound=Hashable)


class EndedCall:
    """What tells whether two spans of this process are one call; little is worked out before two are compared."""

    __slots__ = (
        "_counted",
        "_ended_unix_nano",
        "_span",
        "_started_unix_nano",
        "_trace_id",
        "absorbed",
        "call",
        "observer",
        "parent_span_id",
        "response_id",
        "span_id",
        "tokens",
    )

    def __init__(
        self, facts: SpanFacts, observer: str | None, call: Call, tokens: Tokens | None, response_id: str | None
    ) -> None:
        context, parent, _, _, _, _, _, self._started_unix_nano, self._ended_unix_nano = facts
        self._trace_id = context.trace_id
        self.span_id = context.span_id
        self.parent_span_id = None if parent is None else parent.span_id
        self.observer = observer
        self.call = call
        self.tokens = tokens
        self.response_id = response_id
        self.absorbed: tuple[str | None, ...] = ()
        """Libraries that have a duplicate of this call already: another span of theirs is another call."""
        self._counted: EndedCall | None = None  # a reference to itself would leave it to the garbage collector
        self._span: CallSpan | None = None

    @property
    def counted(self) -> EndedCall:
        """The span that counts for this call."""
        return self if self._counted is None else self._counted

    def repeat(self, other: EndedCall) -> None:
        """Be counted as the call of another span."""
        self._counted = other.counted

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
        if self._span is None:
            call = self.call
            self._span = CallSpan(
                f"{self._trace_id:032x}",
                f"{self.span_id:016x}",
                "" if self.parent_span_id is None else f"{self.parent_span_id:016x}",
                self.observer,
                None,
                beginning_of(self._started_unix_nano or 0, call),
                self._ended_unix_nano or 0,
                self.response_id,
                frozenset(model_stem(name) for name in (call.model, call.request_model) if name),
                call_counts(call, None if self.tokens is None else Usage(*self.tokens)),
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
        self._observer: str | None = None
        self._several_observers = False

    def repeats(self, ended: EndedCall) -> bool:
        """Return whether the call of this span was counted already, and remember the span."""
        if ended.observer != self._observer:
            self._see(ended.observer)
        span_id, repeated = ended.span_id, False
        # Most calls have no rivals, and what is done for them is done for every call.
        if self._several_observers or span_id in self._recent.children or span_id in self._older.children:
            rivals = self._rivals(ended)
            repeated = bool(rivals) and _is_repeat(ended, rivals)
        self._remember(ended)
        return repeated

    def _see(self, observer: str | None) -> None:
        """Note a library; once there are several, spans side by side can be one call, and so can equal answers."""
        if self._latest and not self._several_observers:
            self._several_observers = True
            for each in list(self._latest)[-self._generation :]:
                self._older.add_beside(each)
        self._observer = observer

    def _rivals(self, ended: EndedCall) -> list[EndedCall]:
        recent, older, span_id, response_id = self._recent, self._older, ended.span_id, ended.response_id
        rivals = recent.children.get(span_id, _NOBODY) + older.children.get(span_id, _NOBODY)
        if self._several_observers:
            if response_id is not None:
                rivals += recent.answers.get(response_id, _NOBODY) + older.answers.get(response_id, _NOBODY)
            rivals += self._alike(ended)
        return rivals

    def _alike(self, ended: EndedCall) -> list[EndedCall]:
        """Return the latest spans that may be of the same call though nothing links them."""
        given = ended.input_tokens()
        if given is None:
            return list(self._latest)[-_NEAREST:]
        indexes = (self._recent.inputs, self._older.inputs)
        return [each for index in indexes for key in (given, None) for each in index.get(key, _NOBODY)]

    def _remember(self, ended: EndedCall) -> None:
        self._latest.append(ended)
        if ended.parent_span_id is not None:
            _put(self._recent.children, ended.parent_span_id, ended)
        if self._several_observers:
            self._recent.add_beside(ended)
        self._until_next_generation -= 1
        if self._until_next_generation <= 0:
            self._older, self._recent = self._recent, _Index()
            self._until_next_generation = self._generation


class _Index:
    """The calls of one generation: by their parent and, once they matter, by response and by input tokens."""

    __slots__ = ("answers", "children", "inputs")

    def __init__(self) -> None:
        self.children: dict[int, list[EndedCall]] = {}
        self.answers: dict[str, list[EndedCall]] = {}
        self.inputs: dict[int | None, list[EndedCall]] = {}

    def add_beside(self, ended: EndedCall) -> None:
        """Add a call by what another library may have seen of it, too."""
        if ended.response_id is not None:
            _put(self.answers, ended.response_id, ended)
        _put(self.inputs, ended.input_tokens(), ended)


def _is_repeat(ended: EndedCall, rivals: Sequence[EndedCall]) -> bool:
    kin, found = Kinship.NONE, ended
    for rival in rivals:
        of_rival = _kinship(ended, rival)
        if of_rival > kin:
            kin, found = of_rival, rival
    if kin is Kinship.NONE:
        return False
    found.counted.absorbed += (ended.observer,)
    if ended.has_counts and not found.counted.has_counts:
        return False
    ended.repeat(found)
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
    if not nested and (ended.observer == rival.observer or ended.observer in rival.counted.absorbed):
        return Kinship.NONE
    return kinship(ended.compared(), rival.compared(), nested=nested)
