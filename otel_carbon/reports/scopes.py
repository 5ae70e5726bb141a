"""Which libraries sent the calls of a ledger, and which of them without usage."""

from __future__ import annotations

from otel_carbon.ledger import Ledger

__all__ = ["calls_by_scope"]

_QUERY = """
    SELECT COALESCE(scope, ''),
           SUM(CASE WHEN status <> 'failed' THEN 1 ELSE 0 END),
           SUM(CASE WHEN status = 'no_usage' THEN 1 ELSE 0 END),
           SUM(CASE WHEN status = 'failed' THEN 1 ELSE 0 END)
    FROM observations WHERE role = 'call' AND status <> 'duplicate' GROUP BY 1 ORDER BY 1
"""


def calls_by_scope(ledger: Ledger) -> dict[str, dict[str, int]]:
    """Return, by instrumentation scope, how many calls count, and how many of them have no usage or failed."""
    with ledger.snapshot() as connection:
        rows = connection.execute(_QUERY).fetchall()
    return {row[0]: {"calls": row[1], "no_usage": row[2], "failed": row[3]} for row in rows}
