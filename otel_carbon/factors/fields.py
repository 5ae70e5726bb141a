"""Checked values of one table of a factor file. Each raises a `FactorError` that begins with where it stands."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from datetime import date
from enum import StrEnum
from typing import Any, TypeVar

from otel_carbon.errors import FactorError

__all__ = ["day", "member", "refuse_doubles", "refuse_unknown", "text", "texts"]

E = TypeVar("E", bound=StrEnum)


def text(where: str, table: Mapping[str, Any], key: str) -> str:
    """Return a text that is not empty."""
    value = table.get(key)
    if not isinstance(value, str) or not value:
        raise FactorError(f"{where}: {key} is missing or not a text")
    return value


def texts(where: str, table: Mapping[str, Any], key: str) -> tuple[str, ...]:
    """Return a list of texts, not empty."""
    value = table.get(key)
    if not isinstance(value, list) or not value or not all(isinstance(item, str) for item in value):
        raise FactorError(f"{where}: {key} must be a list of texts")
    return tuple(value)


def day(where: str, key: str, value: object) -> date:
    """Return a date."""
    try:
        return value if isinstance(value, date) else date.fromisoformat(str(value))
    except ValueError:
        raise FactorError(f"{where}: {key} is not a date such as 2026-11-01: {value!r}") from None


def member(where: str, kind: type[E], value: str) -> E:
    """Return a member of an enumeration, written with hyphens or underscores."""
    try:
        return kind(value.replace("-", "_"))
    except ValueError:
        known = ", ".join(member.value for member in kind)
        raise FactorError(f"{where}: {value!r} is not one of {known}") from None


def refuse_unknown(where: str, table: Mapping[str, Any], known: Container[str]) -> None:
    """Refuse a key that the table does not have."""
    unknown = sorted(key for key in table if key not in known)
    if unknown:
        raise FactorError(f"{where}: unknown key {unknown[0]!r}")


def refuse_doubles(where: str, names: Iterable[str]) -> None:
    """Refuse a name that stands there twice."""
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise FactorError(f"{where}: {name!r} stands there twice")
        seen.add(name)
