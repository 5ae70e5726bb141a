"""What one group of statements leaves to the next: groups share no cache, so that it travels on the span between them.

The group that takes it over removes it from the span. What a sender wrote under that key is removed before any of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from otel_carbon.collector.ottl import Group, attribute, cache, merge, put, text

__all__ = ["IS_HANDED_OVER", "forget_foreign", "hand_over", "take_over", "take_over_as_well"]

_KEY = "otel_carbon.handed_over"
_HANDED = attribute(_KEY)
_FORGET = f"delete_key(span.attributes, {text(_KEY)})"

IS_HANDED_OVER = f"{_HANDED} != nil"
"""The condition of a span with which a group has begun and another one has to end."""


def forget_foreign() -> Group:
    """Return the group that removes what does not come from a group."""
    return Group(IS_HANDED_OVER, (_FORGET,))


def hand_over(keys: Iterable[str], *conditions: str) -> str:
    """Return the statement that hands values of the cache over. No value is handed over as one that is not there."""
    values = ", ".join(f"{text(key)}: {cache(key)}" for key in keys)
    return put(_HANDED, f"{{{values}}}", *conditions)


def take_over() -> Iterator[str]:
    """Yield the statements that begin with what was handed over in the cache, where something is for every span."""
    yield put("span.cache", _HANDED)
    yield _FORGET


def take_over_as_well() -> Iterator[str]:
    """Yield the statements that add what was handed over to the cache, where something was."""
    yield merge("span.cache", _HANDED, IS_HANDED_OVER)
    yield f"{_FORGET} where {IS_HANDED_OVER}"
