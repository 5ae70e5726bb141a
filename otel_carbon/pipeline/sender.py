"""Who sent a request, where the receiver knows it for certain, is who its calls are accounted to."""

from __future__ import annotations

from dataclasses import replace

from otel_carbon.model import Sighting

__all__ = ["sent_by"]


def sent_by(tenant: str | None, sighting: Sighting) -> Sighting:
    """Return the sighting as one of this tenant's, whatever its span says; unchanged where the sender is not known."""
    if tenant is None or sighting.attribution.tenant == tenant:
        return sighting
    return replace(sighting, attribution=replace(sighting.attribution, tenant=tenant))
