"""What the carbon processor found stays with an entry in memory, and is never on disk."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from ledger_cases import estimator, sighting

from otel_carbon.journal import CursorSpec, Journal, ReadLimits
from otel_carbon.journal.tail import Tail
from otel_carbon.pipeline.component import JournalEntry
from otel_carbon.pipeline.pdata import Enriched, Payload, Signal

_LEDGER = CursorSpec("ledger:traces", frozenset({"traces"}))
_LIMITS = ReadLimits()


def _enriched(*numbers: int) -> tuple[Enriched, ...]:
    seen = [sighting(number) for number in numbers]
    return tuple(Enriched(each, estimator().estimate(each.call)) for each in seen if each.call is not None)


def test_a_reader_that_keeps_up_gets_what_the_processor_found(tmp_path: Path) -> None:
    payload = Payload(Signal.TRACES, b"spans", 2, _enriched(1, 2))
    with closing(Journal(tmp_path / "journal.db")) as journal:
        journal.register([_LEDGER])
        journal.append("traces", payload).result(10)

        assert [entry.payload for entry in journal.read(_LEDGER.name)] == [payload]


def test_after_a_restart_only_the_bytes_are_left(tmp_path: Path) -> None:
    with closing(Journal(tmp_path / "journal.db")) as journal:
        journal.register([_LEDGER])
        journal.append("traces", Payload(Signal.TRACES, b"spans", 2, _enriched(1, 2))).result(10)

    with closing(Journal(tmp_path / "journal.db")) as again:
        again.register([_LEDGER])

        assert [entry.payload for entry in again.read(_LEDGER.name)] == [Payload(Signal.TRACES, b"spans", 2)]


def test_what_is_kept_counts_against_the_memory_of_the_tail() -> None:
    tail = Tail(0, max_bytes=5000)
    tail.append("traces", JournalEntry(1, 0, Payload(Signal.TRACES, b"x" * 100, 1, _enriched(1))))
    tail.append("traces", JournalEntry(2, 0, Payload(Signal.TRACES, b"y" * 100, 1, _enriched(2))))
    assert tail.after(0, {"traces"}, _LIMITS) is not None

    tail.append("traces", JournalEntry(3, 0, Payload(Signal.TRACES, b"z" * 1000, 1)))

    assert tail.after(0, {"traces"}, _LIMITS) is None
    kept = tail.after(1, {"traces"}, _LIMITS)
    assert kept is not None
    assert [entry.position for entry in kept] == [2, 3]
