"""Who a call is accounted to, as far as the W3C baggage of the context that its span began in says so."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Any

from opentelemetry import baggage
from opentelemetry.context import Context

from otel_carbon.errors import ConfigError
from otel_carbon.semconv.carbon import OTEL_CARBON_PROJECT, OTEL_CARBON_TENANT, OTEL_CARBON_WORKLOAD
from otel_carbon.spans import AttributionRules

__all__ = ["DEFAULT_BAGGAGE_KEYS", "BaggageParties"]

DEFAULT_BAGGAGE_KEYS = (OTEL_CARBON_TENANT, OTEL_CARBON_PROJECT, OTEL_CARBON_WORKLOAD)
"""Our own names only: whoever sets them means us."""

_LONGEST_VALUE = 256
_MOST_SPANS = 8192  # spans with such baggage that began and have not ended


class BaggageParties:
    """Keeps entries of the baggage from the start of a span to its end, which may come in another context.

    Args:
        rules: which attribute keys name which party.
        keys: those of them that are taken from the baggage; by default our own names, where the rules have them.

    Raises:
        ConfigError: a key names no party.
    """

    def __init__(self, rules: AttributionRules, keys: tuple[str, ...] | None = None) -> None:
        named = DEFAULT_BAGGAGE_KEYS if keys is None else keys
        self._parties = [(party, wanted) for party in rules.parties() if (wanted := [k for k in party if k in named])]
        self._keys = tuple(key for _, wanted in self._parties for key in wanted)
        unknown = [key for key in keys or () if key not in self._keys]
        if unknown:
            raise ConfigError(f"baggage_keys: {unknown[0]!r} names nobody; name it in attribution too")
        self.noted: dict[int, dict[str, str]] = {}
        """What was noted of spans that have not ended, by their ids."""

    def note(self, span: Any, context: Context) -> None:
        """Note what the baggage of the context says in which a span begins."""
        entries = baggage.get_all(context)
        found = {key: value for key in self._keys if isinstance(value := entries.get(key), str) and value}
        if found:
            if len(self.noted) >= _MOST_SPANS:  # spans that never end must not fill the memory
                with contextlib.suppress(StopIteration, KeyError, RuntimeError):
                    del self.noted[next(iter(self.noted))]
            self.noted[span.context.span_id] = found

    def attributes(self, found: Mapping[str, str], values: Mapping[str, Any]) -> dict[str, str]:
        """Return the best entry per party that the span itself says nothing of."""
        return {
            best: found[best][:_LONGEST_VALUE]
            for party, wanted in self._parties
            if not any(isinstance(values.get(key), str) for key in party)
            and (best := next((key for key in wanted if key in found), None)) is not None
        }
