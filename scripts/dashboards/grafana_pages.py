"""All dashboards."""

from __future__ import annotations

from grafana_operation import HEALTH, SAMPLING
from grafana_overview import OVERVIEW
from grafana_shares import BY_MODEL, BY_REGION, BY_TENANT, CACHE

__all__ = ["PAGES"]

PAGES = (OVERVIEW, BY_MODEL, BY_TENANT, BY_REGION, CACHE, SAMPLING, HEALTH)
