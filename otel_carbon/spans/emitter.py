"""What is known of the emitters of one scope: what their counts contain, and what of theirs is not to be believed."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from fnmatch import translate
from typing import Any

from otel_carbon.spans.rules import Accounting, Guess, HardCodedHost, Wrapper

__all__ = ["Emitter", "Get", "Habits", "Test", "globs"]

Get = Callable[[str], Any]
Test = Callable[[str], object]


class Emitter:
    """What is known of the counts of one scope and provider: settled answers, and rows that look further at a span."""

    __slots__ = ("_conditional", "_settled")

    def __init__(self, rows: Iterable[Accounting]) -> None:
        cache: bool | None = None
        reasoning: str | None = None
        conditional: list[tuple[Test | None, Accounting]] = []
        for row in rows:
            # A row speaks only of what no row before it has settled.
            row_cache = row.cache_in_input if cache is None else None
            row_reasoning = row.reasoning if reasoning is None else None
            if row_cache is None and row_reasoning is None:
                continue
            if row.models or row.keys:
                undecided = replace(row, cache_in_input=row_cache, reasoning=row_reasoning)
                conditional.append((globs(row.models), undecided))
                continue
            cache = row_cache if cache is None else cache
            reasoning = row_reasoning if reasoning is None else reasoning
        self._settled = (cache, reasoning or "inside")
        self._conditional = tuple(reversed(conditional))

    def accounting(self, model: str | None, get: Get) -> tuple[bool | None, str]:
        """Return whether the cache is inside the input (None: nothing tells) and where the reasoning is."""
        cache, reasoning = self._settled
        for models, row in self._conditional:  # the best row comes last and has the last word
            if models is not None and (model is None or not models(model.lower())):
                continue
            if all(get(key) is not None for key in row.keys):
                cache = cache if row.cache_in_input is None else row.cache_in_input
                reasoning = reasoning if row.reasoning is None else row.reasoning
        return cache, reasoning


class Habits:
    """The rows about wrappers, guesses and hosts that apply to one scope."""

    __slots__ = ("_guesses", "_hosts", "_wrappers", "any_host", "guesses", "wraps")

    def __init__(
        self, wrappers: Iterable[Wrapper], guesses: Iterable[Guess], hard_coded: Sequence[HardCodedHost]
    ) -> None:
        self._wrappers = tuple(wrappers)
        self._guesses = tuple(guesses)
        self._hosts = frozenset[str]().union(*(row.hosts for row in hard_coded))
        self.any_host = any(not row.hosts for row in hard_coded)
        """Whether no host of this scope says anything."""
        self.wraps = bool(self._wrappers)
        self.guesses = bool(self._guesses)

    def is_hard_coded(self, address: str) -> bool:
        """Return whether the emitter writes this host whatever was called."""
        return self.any_host or address in self._hosts

    def is_wrapper(self, operation: str, get: Get) -> bool:
        """Return whether a span only contains the call that it calls itself."""
        return any(
            (not row.operations or operation in row.operations) and all(get(key) is None for key in row.without)
            for row in self._wrappers
        )

    def is_guess(self, operation: str, provider: str | None, get: Get) -> bool:
        """Return whether the counts are the emitter's own."""
        return any(
            (not row.operations or operation in row.operations)
            and (not row.providers or provider in row.providers)
            and all(get(key) == value for key, value in (row.values or {}).items())
            and all(get(key) is None for key in row.without)
            for row in self._guesses
        )


def globs(patterns: Sequence[str]) -> Test | None:
    """Return a test whether a text matches one of the globs, or None where there are none."""
    return re.compile("|".join(translate(pattern) for pattern in patterns)).match if patterns else None
