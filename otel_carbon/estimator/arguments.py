"""The arguments of one estimate, read from texts or numbers. Errors begin with the argument's name and a colon."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta

from otel_carbon.errors import ConfigError
from otel_carbon.model import Usage

__all__ = ["ARGUMENT_NAMES", "Arguments", "read_arguments", "usage_of"]

_MOST_TOKENS = 10**15  # a thousand times what the largest provider serves in a day
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Arguments:
    """What can be said about one call. `input_tokens` includes the cached ones, `output_tokens` the reasoning ones."""

    model: str | None = None
    provider: str | None = None
    region: str | None = None
    zone: str | None = None
    input_tokens: int | None = None
    cache_read_tokens: int | None = None
    cache_write_tokens: int | None = None
    output_tokens: int | None = None
    reasoning_tokens: int | None = None
    factor_set: str | None = None
    grid_intensity: float | None = None
    pue: float | None = None
    latency_s: float | None = None
    at: int | None = None
    """Nanoseconds since 1970 (UTC)."""


_TEXTS = ("model", "provider", "region", "zone", "factor_set")
_TOKENS = ("input_tokens", "cache_read_tokens", "cache_write_tokens", "output_tokens", "reasoning_tokens")
_NUMBERS = {
    "grid_intensity": (0.0, "a number of g/kWh from 0 up, such as 41"),
    "pue": (1.0, "a ratio from 1 up, such as 1.15 (facility over IT energy)"),
    "latency_s": (0.0, "a number of seconds from 0 up, such as 2.5"),
}
ARGUMENT_NAMES: tuple[str, ...] = tuple(field.name for field in fields(Arguments))


def read_arguments(values: Mapping[str, object]) -> Arguments:
    """Return the arguments. None and empty texts count as not given, but for the model: one without a name is unknown.

    Raises:
        ConfigError: an argument is unknown or cannot be used. The message is `name: what is wrong and the fix`.
    """
    given = {name: value for name, value in values.items() if value is not None and (value != "" or name == "model")}
    unknown = sorted(set(given) - set(ARGUMENT_NAMES))
    if unknown:
        raise ConfigError(f"{unknown[0]}: there is no such argument; there are {', '.join(ARGUMENT_NAMES)}")
    return Arguments(
        **{name: _text(given[name]) for name in _TEXTS if name in given},
        **{name: _tokens(name, given[name]) for name in _TOKENS if name in given},
        **{name: _at_least(name, given[name], *_NUMBERS[name]) for name in _NUMBERS if name in given},
        at=_time("at", given["at"]) if "at" in given else None,
    )


def usage_of(arguments: Arguments) -> Usage | None:
    """Return the token counts by kind; None where no count was given.

    Cached tokens are part of the input and reasoning tokens part of the output, as the GenAI convention says. Where
    the part is larger than the whole, it cannot be a part of it, and both count.
    """
    counts = (
        arguments.input_tokens,
        arguments.cache_read_tokens,
        arguments.cache_write_tokens,
        arguments.output_tokens,
        arguments.reasoning_tokens,
    )
    if all(count is None for count in counts):
        return None
    inputs, read, write, outputs, reasoning = (count or 0 for count in counts)
    return Usage(
        uncached_input_tokens=inputs - read - write if inputs >= read + write else inputs,
        cache_read_tokens=read,
        cache_write_tokens=write,
        visible_output_tokens=outputs - reasoning if outputs >= reasoning else outputs,
        reasoning_tokens=reasoning,
    )


def _text(value: object) -> str:
    return str(value).strip()


def _tokens(name: str, value: object) -> int:
    expected = "a whole number of tokens from 0 up"
    number = _at_least(name, value, 0.0, expected)
    if not number.is_integer():
        raise ConfigError(f"{name}: must be {expected}, not {_shown(value)}")
    if number > _MOST_TOKENS:
        raise ConfigError(f"{name}: {_shown(value)} tokens are more than one call can have")
    return int(number)


def _at_least(name: str, value: object, least: float, expected: str) -> float:
    number = _number(name, value, expected)
    if number < least:
        raise ConfigError(f"{name}: must be {expected}, not {_shown(value)}")
    return number


def _number(name: str, value: object, expected: str) -> float:
    try:
        number = float(value) if isinstance(value, str | int | float) and not isinstance(value, bool) else math.nan
    except (ValueError, OverflowError):
        number = math.nan
    if not math.isfinite(number):
        raise ConfigError(f"{name}: must be {expected}, not {_shown(value)}")
    return number


def _time(name: str, value: object) -> int:
    moment = value if isinstance(value, datetime) else None
    if moment is None:
        try:
            moment = datetime.fromisoformat(str(value).strip())
        except ValueError:
            raise ConfigError(
                f"{name}: must be a date or time such as 2026-11-30 or 2026-11-30T12:00:00Z, not {_shown(value)}"
            ) from None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return (moment - _EPOCH) // timedelta(microseconds=1) * 1000


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
