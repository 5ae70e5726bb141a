"""Changing the attributes of a span that has ended, which the SDK has no public way for in any release.

`Span.end()` stops taking attributes before it calls `_on_ending`, and the specification's mutable span is not there
yet. What works in every SDK from 1.30 to the newest is to replace the span's attribute container. The new one has no
limit, so that nothing of the application's is evicted, and is immutable, as that of an ended span is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from opentelemetry.attributes import BoundedAttributes

__all__ = ["attribute_values", "replace_values", "with_attributes", "write_attributes"]

_NONE: Mapping[str, Any] = {}


def attribute_values(attributes: Any) -> Mapping[str, Any]:
    """Return the plain dictionary inside a span's attributes, which is several times faster to read, or themselves."""
    values: Mapping[str, Any] | None = getattr(attributes, "_dict", attributes)
    return values if values is not None else _NONE


def write_attributes(span: Any, added: Mapping[str, str | float]) -> None:
    """Put attributes on a span that is ending or has ended. Those that are there keep their place and value."""
    before = span._attributes
    if _takes_attributes(span, before, len(added)):
        span.set_attributes(added)
        if added.keys() <= attribute_values(span._attributes).keys():
            return
    if not replace_values(span, {**attribute_values(before), **added}):
        span._attributes = with_attributes(before, added)


def _takes_attributes(span: Any, attributes: Any, count: int) -> bool:
    """Return whether the public way works here: a live span with room, since a full one evicts what is oldest."""
    is_recording: Callable[[], bool] | None = getattr(span, "is_recording", None)
    if is_recording is None or not is_recording() or getattr(attributes, "max_value_len", None) is not None:
        return False
    limit: int | None = getattr(attributes, "maxlen", None)
    return limit is None or len(attributes) + count <= limit


def replace_values(span: Any, values: dict[str, Any]) -> bool:
    """Put these attributes on a span whose own they include, all at once. False where the SDK needs another way.

    The SDK checked its values when they were set, so its container is kept, without its limit.
    """
    attributes = span._attributes
    if not _KEEPS_VALUES_IN_DICT or type(attributes) is not BoundedAttributes or span.end_time is None:
        return False
    attributes.maxlen, attributes._immutable = None, True
    attributes._dict = values
    return True


def with_attributes(attributes: Any, added: Mapping[str, str | float]) -> BoundedAttributes:
    """Return an immutable copy with more attributes, without the limits of the original and with its dropped count."""
    merged = BoundedAttributes(None, None, immutable=True)
    values = getattr(attributes, "_dict", None)
    if _KEEPS_VALUES_IN_DICT and values is not None:
        # The values were checked when they were set; the constructor would check every one of them again.
        merged._dict = {**values, **added}
    else:
        merged = BoundedAttributes(None, {**(attributes or {}), **added}, immutable=True)
    merged.dropped = getattr(attributes, "dropped", 0)
    return merged


def _keeps_values_in_dict() -> bool:
    probe = BoundedAttributes(None, {"before": True}, immutable=True)
    if getattr(probe, "_dict", None) != {"before": True}:
        return False
    probe._dict = {"after": True}
    return dict(probe) == {"after": True}


_KEEPS_VALUES_IN_DICT = _keeps_values_in_dict()
