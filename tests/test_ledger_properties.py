"""Exactly once: whatever the order, the batches and the replays, the sums are the same."""

from __future__ import annotations

import itertools
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ledger_cases import open_ledger, parent_sighting, rows, sighting

from otel_carbon.ledger import Ledger
from otel_carbon.ledger.verify import verify
from otel_carbon.model import Sighting, Usage

_SUMS = (
    "SELECT COALESCE(SUM(calls), 0), COALESCE(SUM(input_tokens), 0), COALESCE(SUM(output_tokens), 0),"
    " COALESCE(SUM(co2e_grams_low), 0.0), COALESCE(SUM(co2e_grams_central), 0.0), COALESCE(SUM(energy_wh_high), 0.0)"
    " FROM lines"
)
_models = st.sampled_from(["gpt-4o", "gpt-4o-mini-2024-07-18", "claude-sonnet-4-5", "nobody-knows-me", None])
_usages = st.none() | st.builds(
    Usage,
    uncached_input_tokens=st.integers(0, 5000),
    cache_read_tokens=st.integers(0, 5000),
    visible_output_tokens=st.integers(0, 5000),
    reasoning_tokens=st.integers(0, 500),
)


@st.composite
def _calls(draw: st.DrawFn) -> list[Sighting]:
    """Return sightings as they happen: distinct spans, some of them two or three views of one call."""
    seen: list[Sighting] = [parent_sighting(number) for number in range(900, 900 + draw(st.integers(0, 2)))]
    number = 0
    for _ in range(draw(st.integers(1, 6))):
        response_id = draw(st.none() | st.sampled_from(["r1", "r2", "r3"]))
        depth = draw(st.integers(1, 3)) if response_id else 1
        parent = None
        start_s = draw(st.integers(0, 7200))
        usage, model, failed = draw(_usages), draw(_models), draw(st.booleans())
        for level in range(depth):
            number += 1
            seen.append(
                sighting(
                    number,
                    usage=usage if failed else draw(st.sampled_from([usage, None])),
                    model=model,
                    response_id=response_id,
                    failed=failed,
                    parent=parent,
                    start_s=start_s + level * 0.1,
                    duration_s=10 - level,
                    adjusted_count=draw(st.sampled_from([1.0, 1.0, 4.0, 9.99998])),
                    service=draw(st.sampled_from(["api", "worker"])),
                )
            )
            parent = number
    return seen


def _recorded(batches: list[list[Sighting]]) -> tuple[tuple[float, ...], list[tuple[str, int]], tuple[str, ...]]:
    with tempfile.TemporaryDirectory() as folder:
        ledger: Ledger = open_ledger(Path(folder) / "ledger.db")
        for batch in batches:
            ledger.record(batch)
        (sums,) = rows(ledger, _SUMS)
        statuses = rows(ledger, "SELECT status, COUNT(*) FROM observations GROUP BY 1 ORDER BY 1")
        problems = verify(ledger).problems
        ledger.close()
    return sums, statuses, problems


@settings(max_examples=60)
@given(data=st.data(), calls=_calls())
def test_order_batches_and_replays_do_not_change_the_sums(data: st.DataObject, calls: list[Sighting]) -> None:
    expected, expected_statuses, problems = _recorded([calls])
    assert problems == ()

    replayed = calls + data.draw(st.lists(st.sampled_from(calls), max_size=8))
    shuffled = data.draw(st.permutations(replayed))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(shuffled)), max_size=6)))
    edges = [0, *cuts, len(shuffled)]
    batches = [shuffled[start:end] for start, end in itertools.pairwise(edges)]
    sums, statuses, problems = _recorded(batches)

    # Roll-ups, sequence, hashes and reversals are checked against the lines here, too.
    assert problems == ()
    assert statuses == expected_statuses
    assert sums == pytest.approx(expected, rel=1e-9, abs=1e-9)
