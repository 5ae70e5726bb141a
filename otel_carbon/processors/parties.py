"""Settings of who calls are accounted to: arguments of `install`, or their environment variables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

from otel_carbon.errors import ConfigError
from otel_carbon.pipeline.parties import check_parties
from otel_carbon.spans import AttributionRules

__all__ = ["ATTRIBUTION", "BAGGAGE_KEYS", "METRICS_ATTRIBUTES", "METRICS_ATTRIBUTE_LIMIT", "PartySettings"]

ATTRIBUTION = "OTEL_CARBON_ATTRIBUTION"
BAGGAGE_KEYS = "OTEL_CARBON_BAGGAGE_KEYS"
METRICS_ATTRIBUTES = "OTEL_CARBON_METRICS_ATTRIBUTES"
METRICS_ATTRIBUTE_LIMIT = "OTEL_CARBON_METRICS_ATTRIBUTE_LIMIT"

_PARTIES = tuple(field.name for field in fields(AttributionRules))


@dataclass(frozen=True, slots=True)
class PartySettings:
    """Which keys name whom, and who is told apart in the metrics."""

    rules: AttributionRules
    baggage_keys: tuple[str, ...] | None
    metrics_attributes: tuple[str, ...]
    metrics_attribute_limit: int | None

    @classmethod
    def of(
        cls,
        environ: Mapping[str, str],
        attribution: Mapping[str, Sequence[str]] | None = None,
        baggage_keys: Sequence[str] | None = None,
        metrics_attributes: Sequence[str] | None = None,
    ) -> PartySettings:
        """Return the settings that are given, and those of the environment for what is not.

        Raises:
            ConfigError: a party is not known, or is not for metrics; the limit is no number.
        """
        named = tuple(_listed(environ, METRICS_ATTRIBUTES) if metrics_attributes is None else metrics_attributes)
        check_parties(named)
        return cls(
            rules=_rules(_attribution(environ) if attribution is None else attribution),
            baggage_keys=tuple(_listed(environ, BAGGAGE_KEYS) if baggage_keys is None else baggage_keys) or None,
            metrics_attributes=named,
            metrics_attribute_limit=_limit(environ),
        )


def _rules(keys_of: Mapping[str, Any]) -> AttributionRules:
    given: dict[str, Any] = {}
    for party, keys in keys_of.items():
        if party not in _PARTIES:
            raise ConfigError(f"attribution: unknown party {party!r}, known are {', '.join(_PARTIES)}")
        if not isinstance(keys, list | tuple) or not all(isinstance(key, str) and key for key in keys):
            raise ConfigError(f"attribution: {party} must be a list of attribute keys, best first")
        given[party] = tuple(keys)
    return replace(AttributionRules(), **given)


def _attribution(environ: Mapping[str, str]) -> dict[str, list[str]]:
    keys_of: dict[str, list[str]] = {}
    for item in _listed(environ, ATTRIBUTION):
        party, separator, key = (part.strip() for part in item.partition("="))
        if not (party and separator and key):
            raise ConfigError(f"{ATTRIBUTION}: {item!r} is not party=key; write for example tenant=app.tenant")
        keys_of.setdefault(party, []).append(key)
    return keys_of


def _listed(environ: Mapping[str, str], name: str) -> list[str]:
    return [item.strip() for item in environ.get(name, "").split(",") if item.strip()]


def _limit(environ: Mapping[str, str]) -> int | None:
    written = environ.get(METRICS_ATTRIBUTE_LIMIT, "").strip()
    if not written:
        return None
    if not written.isdecimal() or int(written) < 1:
        raise ConfigError(f"{METRICS_ATTRIBUTE_LIMIT}: {written!r} is not a number from 1 on")
    return int(written)
