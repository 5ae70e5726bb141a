"""Who a call is accounted to, as attributes of the metrics."""

from __future__ import annotations

from collections.abc import Mapping

from otel_carbon.errors import ConfigError
from otel_carbon.semconv.carbon import OTEL_CARBON_PROJECT, OTEL_CARBON_TENANT, OTEL_CARBON_WORKLOAD
from otel_carbon.semconv.gen_ai import DEPLOYMENT_ENVIRONMENT_NAME, GEN_AI_AGENT_NAME, SERVICE_NAME

__all__ = ["METRIC_PARTIES", "check_parties"]

METRIC_PARTIES: Mapping[str, str] = {
    "service": SERVICE_NAME,
    "environment": DEPLOYMENT_ENVIRONMENT_NAME,
    "tenant": OTEL_CARBON_TENANT,
    "project": OTEL_CARBON_PROJECT,
    "workload": OTEL_CARBON_WORKLOAD,
    "agent": GEN_AI_AGENT_NAME,
}
"""Parties that may be an attribute of the metrics, and its key. Users and conversations may not: they have no end."""


def check_parties(parties: tuple[str, ...]) -> None:
    """Refuse what cannot be an attribute of the metrics.

    Raises:
        ConfigError: a party is not known, or is not for metrics.
    """
    for party in parties:
        if party not in METRIC_PARTIES:
            raise ConfigError(f"metrics_attributes: {party!r} is none of {', '.join(METRIC_PARTIES)}")
