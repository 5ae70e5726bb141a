"""The arguments of one estimate, read from texts or numbers. Errors begin with the argument's name and a colon."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from otel_carbon.errors import ConfigError
from otel_carbon.estimator.settings import MOST_PUE_RATIO
from otel_carbon.model import MOST_INTENSITY_G_PER_KWH, ItemKind, Items, Usage

__all__ = ["ARGUMENT_NAMES", "Arguments", "items_of", "notes_of", "read_arguments", "usage_of"]

_LONGEST_S = 1e7  # four months
_MOST_ITEMS = 1e9
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
    images: int | None = None
    videos: int | None = None
    audio_seconds: float | None = None
    media_outside_input: bool = False
    factor_set: str | None = None
    grid_intensity_g_per_kwh: float | None = None
    pue_ratio: float | None = None
    latency_s: float | None = None
    at_unix_nano: int | None = None


_A_COUNT = "a whole number of tokens from 0 up"
ARGUMENT_NAMES = (
    *("model", "provider", "region", "zone"),
    *("input_tokens", "cache_read_tokens", "cache_write_tokens", "output_tokens", "reasoning_tokens"),
    *("images", "videos", "audio_seconds", "media_outside_input"),
    *("factor_set", "grid_intensity", "pue", "latency_s", "at"),
)
"""The names as a user writes them: options without dashes, columns of a file, keywords."""


def read_arguments(values: Mapping[str, object]) -> Arguments:
    """Return the arguments. None and empty texts count as not given, but for the model: one without a name is unknown.

    Raises:
        ConfigError: an argument is unknown or cannot be used. The message is `name: what is wrong and the fix`.
    """
    given = {name: value for name, value in values.items() if value is not None and (value != "" or name == "model")}
    unknown = sorted(set(given) - set(ARGUMENT_NAMES))
    if unknown:
        raise ConfigError(f"{unknown[0]}: there is no such argument; there are {', '.join(ARGUMENT_NAMES)}")
    return _Reader(given).arguments()


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


def notes_of(arguments: Arguments) -> tuple[str, ...]:
    """Return what was made of counts that contradict each other, a sentence each."""
    cached = [count for count in (arguments.cache_read_tokens, arguments.cache_write_tokens) if count is not None]
    parts = (
        ("input", arguments.input_tokens, "cached", sum(cached)),
        ("output", arguments.output_tokens, "reasoning", arguments.reasoning_tokens or 0),
    )
    return tuple(
        f"{part} {name} tokens cannot be part of {whole} {of} tokens: both count, {part + whole} {of} tokens in all"
        for of, whole, name, part in parts
        if whole is not None and part > whole
    )


def items_of(arguments: Arguments) -> Items | None:
    """Return what the call made or heard; None where nothing was given.

    Raises:
        ConfigError: more than one kind is given, and a call makes one kind of thing.
    """
    given = [kind for kind in ItemKind if getattr(arguments, kind) is not None]
    if len(given) > 1:
        raise ConfigError(
            f"{given[1]}: one call makes one kind of thing, and {given[0]} is given too; estimate two calls"
        )
    return Items(given[0], float(getattr(arguments, given[0]))) if given else None


class _Reader:
    """Reads the given values, each by the name of its argument."""

    def __init__(self, given: Mapping[str, object]) -> None:
        self._given = given

    def arguments(self) -> Arguments:
        return Arguments(
            model=self._text("model"),
            provider=self._text("provider"),
            region=self._text("region"),
            zone=self._text("zone"),
            input_tokens=self._tokens("input_tokens"),
            cache_read_tokens=self._tokens("cache_read_tokens"),
            cache_write_tokens=self._tokens("cache_write_tokens"),
            output_tokens=self._tokens("output_tokens"),
            reasoning_tokens=self._tokens("reasoning_tokens"),
            images=self._whole("images", "a whole number of images from 0 up"),
            videos=self._whole("videos", "a whole number of video clips from 0 up"),
            audio_seconds=self._between(
                "audio_seconds", 0.0, _LONGEST_S, "a number of seconds from 0 up, such as 12.5"
            ),
            media_outside_input=self._switch("media_outside_input"),
            factor_set=self._text("factor_set"),
            grid_intensity_g_per_kwh=self._between(
                "grid_intensity", 0.0, MOST_INTENSITY_G_PER_KWH, "from 0 to 10000 g/kWh, such as 41"
            ),
            pue_ratio=self._between(
                "pue", 1.0, MOST_PUE_RATIO, "a ratio from 1 to 10, such as 1.15 (facility over IT energy)"
            ),
            latency_s=self._between("latency_s", 0.0, _LONGEST_S, "a number of seconds from 0 up, such as 2.5"),
            at_unix_nano=self._time("at"),
        )

    def _text(self, name: str) -> str | None:
        return str(self._given[name]).strip() if name in self._given else None

    def _tokens(self, name: str) -> int | None:
        number = self._whole(name, _A_COUNT, sys.float_info.max)
        if number is not None and number > _MOST_TOKENS:
            raise ConfigError(f"{name}: {_shown(self._given[name])} tokens are more than one call can have")
        return number

    def _whole(self, name: str, expected: str, most: float = _MOST_ITEMS) -> int | None:
        number = self._between(name, 0.0, most, expected)
        if number is not None and not number.is_integer():
            raise _unusable(name, expected, self._given[name])
        return None if number is None else int(number)

    def _switch(self, name: str) -> bool:
        value = self._given.get(name, False)
        known = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
        found = known.get(str(value).strip().lower())
        if found is None:
            raise _unusable(name, "true or false", value)
        return found

    def _between(self, name: str, least: float, most: float, expected: str) -> float | None:
        if name not in self._given:
            return None
        value = self._given[name]
        try:
            number = float(value) if isinstance(value, str | int | float) and not isinstance(value, bool) else math.nan
        except (ValueError, OverflowError):
            number = math.nan
        if not least <= number <= most:
            raise _unusable(name, expected, value)
        return number

    def _time(self, name: str) -> int | None:
        if name not in self._given:
            return None
        value = self._given[name]
        try:
            moment = value if isinstance(value, datetime) else datetime.fromisoformat(str(value).strip())
        except ValueError:
            raise _unusable(name, "a date or time such as 2026-11-30 or 2026-11-30T12:00:00Z", value) from None
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return (moment - _EPOCH) // timedelta(microseconds=1) * 1000


def _unusable(name: str, expected: str, value: object) -> ConfigError:
    return ConfigError(f"{name}: must be {expected}, not {_shown(value)}")


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
