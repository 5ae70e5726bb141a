"""Who a call is accounted to: which attributes say so, and what they say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from otel_carbon.errors import ConfigError
from otel_carbon.model import Attribution
from otel_carbon.semconv.carbon import OTEL_CARBON_PROJECT, OTEL_CARBON_TENANT, OTEL_CARBON_WORKLOAD
from otel_carbon.semconv.gen_ai import (
    DEPLOYMENT_ENVIRONMENT,
    DEPLOYMENT_ENVIRONMENT_NAME,
    GEN_AI_AGENT_ID,
    GEN_AI_AGENT_NAME,
    SERVICE_NAME,
)
from otel_carbon.spans.values import text

__all__ = ["AttributionRules", "attribution"]


@dataclass(frozen=True, slots=True)
class AttributionRules:
    """Attribute keys that name who a call is accounted to, best first.

    The span is asked for all of them, then the resource. No key leads to a person by default: name one in `user`
    (for example `enduser.pseudo.id`) or `conversation` (`gen_ai.conversation.id`) to have it in the ledger.

    Raises:
        ConfigError: a key is empty.
    """

    service: tuple[str, ...] = (SERVICE_NAME,)
    environment: tuple[str, ...] = (DEPLOYMENT_ENVIRONMENT_NAME, DEPLOYMENT_ENVIRONMENT)
    tenant: tuple[str, ...] = (OTEL_CARBON_TENANT, "tenant.id")
    project: tuple[str, ...] = (OTEL_CARBON_PROJECT, "project.id")
    workload: tuple[str, ...] = (
        OTEL_CARBON_WORKLOAD,
        "k8s.deployment.name",
        "k8s.statefulset.name",
        "k8s.daemonset.name",
        "k8s.cronjob.name",
    )
    user: tuple[str, ...] = ()
    agent: tuple[str, ...] = (GEN_AI_AGENT_NAME, GEN_AI_AGENT_ID)
    conversation: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse keys that no attribute can have."""
        for field in fields(self):
            if any(not key.strip() for key in getattr(self, field.name)):
                raise ConfigError(f"{field.name}: an attribute key is empty")

    def parties(self) -> tuple[tuple[str, ...], ...]:
        """Return the keys of each party."""
        return tuple(getattr(self, field.name) for field in fields(self))

    def keys(self) -> frozenset[str]:
        """Return every attribute key that the rules look at."""
        return frozenset(key for party in self.parties() for key in party)


def attribution(rules: AttributionRules, attributes: Mapping[str, Any], resource: Mapping[str, Any]) -> Attribution:
    """Return who a span is accounted to. A party that nothing names is None."""
    return Attribution(
        service=_first(rules.service, attributes, resource),
        environment=_first(rules.environment, attributes, resource),
        tenant=_first(rules.tenant, attributes, resource),
        project=_first(rules.project, attributes, resource),
        workload=_first(rules.workload, attributes, resource),
        user=_first(rules.user, attributes, resource),
        agent=_first(rules.agent, attributes, resource),
        conversation=_first(rules.conversation, attributes, resource),
    )


def _first(keys: tuple[str, ...], attributes: Mapping[str, Any], resource: Mapping[str, Any]) -> str | None:
    for named in (attributes, resource):
        for key in keys:
            if key in named:
                value = text(named[key])
                if value is not None:
                    return value
    return None
