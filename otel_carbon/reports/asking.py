"""From what a person types to a question to the ledger."""

from __future__ import annotations

from collections.abc import Iterable

from otel_carbon.errors import ConfigError
from otel_carbon.reports.period import end_of, start_of
from otel_carbon.reports.query import BY, Question

__all__ = ["question_of"]


def question_of(
    start: str | None,
    end: str | None,
    as_of: str | None,
    *,
    tenant: str | None,
    by: Iterable[str],
    where: Iterable[str],
) -> Question:
    """Return the question.

    Raises:
        ConfigError: a date, a dimension or a condition is not one; the message names the option.
    """
    question = Question(
        start=None if start is None else start_of(start, "--from"),
        end=None if end is None else end_of(end, "--to"),
        as_of=None if as_of is None else end_of(as_of, "--as-of"),
        tenant=tenant,
        by=tuple(dict.fromkeys(_dimension(name, "--by") for name in by if name.strip())),
        where=tuple(map(_condition, where)),
    )
    if question.start is not None and question.end is not None and question.end <= question.start:
        raise ConfigError(f"--to: {end} is not after --from {start}")
    return question


def _condition(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise ConfigError(f"--where: {text!r} is not DIMENSION=VALUE, such as category=1 (nothing after = is unknown)")
    return _dimension(name, "--where"), value.strip()


def _dimension(name: str, option: str) -> str:
    name = name.strip()
    if name not in BY:
        raise ConfigError(f"{option}: {name!r} is not a dimension; choose from {', '.join(BY)}")
    return name
