"""What the estimator asks of a call before it looks anything up, and of an outcome before it gives it back."""

from __future__ import annotations

from dataclasses import replace

from otel_carbon.estimator.derivation import Names
from otel_carbon.factors.names import MAX_NAME_CHARACTERS, cut
from otel_carbon.model import GUESSED_USAGE, Call, Confidence, Footprint, NotEstimated, Outcome, Status, Usage

__all__ = [
    "CHEAPER_TIERS",
    "cut_short",
    "has_tokens",
    "is_zero",
    "names_of",
    "of_guess",
    "says_nothing",
    "with_note",
    "without_usage",
]

CHEAPER_TIERS = frozenset({"batch", "flex"})
"""Service tiers that cost less money; no provider has published what they do to energy."""

_NO_COUNTS = NotEstimated(Status.NO_USAGE, "the call carries no token counts")
_ALL_ZERO = NotEstimated(Status.NO_USAGE, "all token counts are zero")
_FAILED = NotEstimated(Status.FAILED, "the call failed and carries no token counts")


def says_nothing(outcome: Outcome) -> bool:
    """Return whether the figure that the set gives, energy or else emissions, is zero: it has none for these tokens."""
    if not isinstance(outcome, Footprint):
        return False
    given = outcome.energy_wh or outcome.co2e_grams
    return given is not None and given.central == 0.0


def recurs(call: Call) -> bool:
    """Return whether a call with other tokens is estimated as this one, by its card alone."""
    if call.usage_alternative is not None or call.guessed or call.service_tier in CHEAPER_TIERS:
        return False
    if call.continues or call.guessed:
        return False  # began at another time than its span; has counts of which more must be said
    if call.items is not None or call.media_outside_input:
        return False
    if call.media_input_tokens is not None or call.media_output_tokens is not None:
        return False  # counts that are not among the tokens of a `Usage`
    names = (call.model, call.request_model, call.provider, call.region, call.server_address, call.caller_region)
    return all(name is None or len(name) <= MAX_NAME_CHARACTERS for name in names)


def without_usage(call: Call) -> NotEstimated:
    """Return why a call that has no token counts, or only zeros, has no estimate."""
    if call.failed:
        return _FAILED
    return _NO_COUNTS if call.usage is None else _ALL_ZERO


def of_guess(outcome: Outcome) -> Outcome:
    """Return an outcome whose token counts the emitter guessed: nothing that rests on them is better than low."""
    if not isinstance(outcome, Footprint):
        return outcome
    return replace(outcome, confidence=Confidence.LOW, notes=(*outcome.notes, GUESSED_USAGE))


def with_note(outcome: Outcome, note: str) -> Outcome:
    """Return an outcome with one more note, where it is an estimate."""
    return replace(outcome, notes=(*outcome.notes, note)) if isinstance(outcome, Footprint) else outcome


def has_tokens(call: Call) -> bool:
    """Return whether a call has token counts that are not all zero."""
    return call.usage is not None and not is_zero(call.usage)


def is_zero(usage: Usage) -> bool:
    """Return whether no kind of token was counted."""
    return not (
        usage.uncached_input_tokens
        or usage.visible_output_tokens
        or usage.cache_read_tokens
        or usage.cache_write_tokens
        or usage.reasoning_tokens
    )


def cut_short(call: Call) -> Call:
    """Return a call with its names cut to the length that decides."""
    return replace(
        call,
        model=cut(call.model),
        request_model=cut(call.request_model),
        provider=cut(call.provider),
        region=cut(call.region),
        server_address=cut(call.server_address),
        caller_region=cut(call.caller_region),
    )


def names_of(call: Call) -> Names:
    """Return the texts of a call that decide its factors, cut to the length that decides."""
    short = cut_short(call)
    return Names(
        short.model,
        short.request_model,
        short.provider,
        short.region,
        short.server_address,
        short.caller_region,
        items=None if call.items is None else call.items.kind,
    )
