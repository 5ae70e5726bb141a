"""Calls as several libraries watch them: what they emit, and how many calls there really were."""

from __future__ import annotations

from dataclasses import dataclass, replace
from random import Random
from typing import Literal

from ledger_cases import EIGHT_O_CLOCK, SECOND, identity, parent_sighting, sighting

from otel_carbon.model import Sighting, Usage

__all__ = ["Layout", "Watch", "watched"]

Layout = Literal["nested", "one trace", "two traces"]


@dataclass(frozen=True)
class Watch:
    """How the libraries of an application watch its calls."""

    layout: Layout = "nested"
    outer_knows_usage: bool = True
    outer_knows_id: bool = False
    inner_knows_id: bool = True
    inner_leaves_out_cache: bool = False
    retries: bool = False
    token_choices: int = 1
    """Of how many different token counts the calls are; 1: all look the same."""
    span_s: float = 10.0
    """Within what time the calls begin."""
    seen_by_both: float = 1.0
    """Share of the calls that both libraries see; the others are seen by one of them."""


def watched(calls: int, watch: Watch, random: Random) -> list[Sighting]:
    """Return the spans of so many calls of one application, in no order."""
    found: list[Sighting] = [parent_sighting(10**6)]
    for number in range(1, calls + 1):
        found += _call(number, watch, random)
    random.shuffle(found)
    return found


def _call(number: int, watch: Watch, random: Random) -> list[Sighting]:
    start_s, duration_s = random.uniform(0, watch.span_s), random.uniform(0.2, 8)
    lead_s, tail_s = random.uniform(0.001, 0.02), random.uniform(-0.001, 0.02)
    made = random.randrange(watch.token_choices)
    usage = Usage(700 + 3 * made, 500, 0, 281 + 40 * made, 64)
    two = watch.layout == "two traces"
    outer = sighting(
        number,
        usage=usage if watch.outer_knows_usage else None,
        response_id=f"run-{number}" if watch.outer_knows_id else None,
        scope="framework",
        trace=number if two else 1,
        start_s=start_s,
        duration_s=duration_s,
    )
    inner_usage = Usage(1200 + 3 * made, 0, 0, 345 + 40 * made, 0) if watch.inner_leaves_out_cache else usage
    inner = sighting(
        100_000 + number,
        usage=inner_usage,
        response_id=f"chatcmpl-{number}" if watch.inner_knows_id else None,
        scope="client",
        trace=500_000 + number if two else 1,
        parent=number if watch.layout == "nested" else None,
    )
    inner = replace(inner, started_unix_nano=_at(start_s + lead_s), ended_unix_nano=_at(start_s + duration_s - tail_s))
    spans = [outer, inner]
    if random.random() >= watch.seen_by_both:
        spans = [random.choice(spans)]
    if watch.retries and inner in spans:
        attempt = sighting(200_000 + number, usage=None, failed=True, scope="client", trace=1, start_s=start_s)
        spans.append(replace(attempt, span=identity(200_000 + number, 1, number if watch.layout == "nested" else None)))
    return spans


def _at(seconds: float) -> int:
    return EIGHT_O_CLOCK + int(seconds * SECOND)
