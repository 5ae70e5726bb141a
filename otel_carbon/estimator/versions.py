"""Which version of a factor set holds for a call, and whether it can be estimated with."""

from __future__ import annotations

from datetime import UTC, datetime, time

from otel_carbon.errors import ConfigError
from otel_carbon.factors import Basis, FactorSet, FactorTables
from otel_carbon.units import NANOSECONDS_PER_SECOND

__all__ = ["check_usable", "valid_from_unix_nano", "validity_note"]


def valid_from_unix_nano(factor_set: FactorSet) -> int:
    """Return the moment from which a factor set holds, in ns since 1970 (UTC)."""
    midnight = datetime.combine(factor_set.valid_from, time(), tzinfo=UTC)
    return int(midnight.timestamp()) * NANOSECONDS_PER_SECOND


def validity_note(factor_set: FactorSet) -> str:
    """Return what to say of a call from before the first version."""
    return (
        f"the call is older than every version of the factor set: {factor_set.id} is valid from "
        f"{factor_set.valid_from.isoformat()}"
    )


def check_usable(tables: FactorTables, factor_set: FactorSet) -> None:
    """Refuse a factor set whose fallback cannot answer.

    Raises:
        ConfigError: the set that it falls back to is not known, or has no classes per token.
    """
    if factor_set.fallback_id is None:
        return
    fallback = tables.factor_set(factor_set.fallback_id)
    if fallback.basis is not Basis.PER_TOKEN or not fallback.classes:
        raise ConfigError(
            f"factor_set: {factor_set.id!r} falls back to {fallback.id!r}, which has no classes per token to answer "
            "with; let it fall back to a set that has"
        )
