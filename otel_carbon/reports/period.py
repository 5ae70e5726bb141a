"""Dates and times as people type them."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from otel_carbon.errors import ConfigError
from otel_carbon.ledger.clock import utc_text

__all__ = ["end_of", "hour_of_bound", "start_of"]

_DATE_CHARACTERS = len("2026-11-23")
_LAST_DAY = datetime(9999, 12, 31, tzinfo=UTC)


def start_of(text: str, option: str) -> str:
    """Return the first moment that a date or time names, as the ledger writes it.

    Raises:
        ConfigError: it is neither; the message names the option.
    """
    return utc_text(_moment(text, option))


def end_of(text: str, option: str) -> str:
    """Return the moment after a date (a whole day) or a time, as the ledger writes it.

    Raises:
        ConfigError: it is neither; the message names the option.
    """
    moment = _moment(text, option)
    if not _is_date(text):
        return utc_text(moment)
    return utc_text(moment + timedelta(days=1) if moment < _LAST_DAY else datetime.max.replace(tzinfo=UTC))


def hour_of_bound(moment: str | None) -> str | None:
    """Return the hour as the roll-ups write it where the moment is a whole hour, else None."""
    if moment is not None and moment.endswith(":00:00.000000Z"):
        return moment.replace(":00:00.000000Z", ":00Z")
    return None


def _is_date(text: str) -> bool:
    return len(text.strip()) == _DATE_CHARACTERS


def _moment(text: str, option: str) -> datetime:
    text = text.strip()
    try:
        if _is_date(text):
            day = date.fromisoformat(text)
            return datetime(day.year, day.month, day.day, tzinfo=UTC)
        moment = datetime.fromisoformat(text)
        return moment.astimezone(UTC) if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError) as error:
        raise ConfigError(
            f"{option}: {text!r} is not a date or time; write 2026-11-23 or 2026-11-23T14:00:00Z (UTC)"
        ) from error
