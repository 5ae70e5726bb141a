"""Whether this installation can keep a ledger."""

from __future__ import annotations

import importlib.util

from otel_carbon.errors import MissingExtraError

__all__ = ["require_ledger_extra"]


def require_ledger_extra(part: str) -> None:
    """Refuse at once what could not work later.

    Raises:
        MissingExtraError: sqlite-utils is not installed; the message names the part and the extra.
    """
    if importlib.util.find_spec("sqlite_utils") is None:
        raise MissingExtraError(part, "ledger")
