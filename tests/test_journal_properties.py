"""Whatever is appended and acknowledged, in whatever order: every reader gets its own once and in order."""

from __future__ import annotations

import tempfile
from contextlib import closing
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from otel_carbon.journal import CursorSpec, Journal, ReadLimits
from otel_carbon.journal.tail import Tail
from otel_carbon.pipeline.component import JournalEntry
from otel_carbon.pipeline.pdata import Payload, Signal

_READERS = {"a": frozenset({"x"}), "b": frozenset({"x", "y"}), "c": frozenset({"y"})}
_SPECS = [CursorSpec(name, pipelines) for name, pipelines in _READERS.items()]

_steps = st.lists(
    st.one_of(
        st.tuples(st.just("append"), st.sampled_from(["x", "y", "z"]), st.integers(0, 9)),
        st.tuples(st.just("take"), st.sampled_from(sorted(_READERS)), st.integers(1, 4)),
        st.tuples(st.just("reopen"), st.none(), st.none()),
    ),
    max_size=40,
)


@settings(max_examples=25)
@given(_steps)
def test_every_reader_gets_its_own_once_and_in_order(steps: list[tuple[str, str, int]]) -> None:
    appended: list[tuple[str, bytes]] = []
    got: dict[str, list[bytes]] = {name: [] for name in _READERS}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "journal.db"
        journal = _open(path)
        try:
            for step, name, number in steps:
                if step == "append":
                    body = b"%d:" % len(appended) + b"." * number
                    journal.append(name, Payload(Signal.TRACES, body, 1)).result(10)
                    appended.append((name, body))
                elif step == "take":
                    got[name] += _take(journal, name, number)
                else:
                    journal.close()
                    journal = _open(path)
            for name in _READERS:
                while found := _take(journal, name, 3):
                    got[name] += found
            assert {journal.position(name) for name in _READERS} <= {*range(len(appended) + 1)}
        finally:
            journal.close()
        with closing(_open(path)) as empty:
            assert empty.live_bytes == 0
    for name, pipelines in _READERS.items():
        assert got[name] == [body for pipeline, body in appended if pipeline in pipelines]


def _open(path: Path) -> Journal:
    journal = Journal(path)
    journal.register(_SPECS)
    return journal


def _take(journal: Journal, name: str, number: int) -> list[bytes]:
    entries = journal.read(name, ReadLimits(max_entries=number))
    if entries:
        journal.advance(name, entries[-1].position)
    return [entry.payload.body for entry in entries]


@given(st.lists(st.tuples(st.sampled_from(["x", "y"]), st.integers(0, 8)), max_size=30), st.integers(0, 40))
def test_the_tail_gives_what_follows_or_says_that_it_does_not_know(
    entries: list[tuple[str, int]], position: int
) -> None:
    tail = Tail(start=0, max_bytes=20)
    for number, (pipeline, size) in enumerate(entries, 1):
        tail.append(pipeline, JournalEntry(number, 0, Payload(Signal.TRACES, bytes(size), 1)))

    found = tail.after(position, {"x"}, ReadLimits(max_entries=100, max_bytes=1000))

    expected = [number for number, (pipeline, _) in enumerate(entries, 1) if pipeline == "x" and number > position]
    kept = [number for number, _ in enumerate(entries, 1) if sum(size for _, size in entries[number - 1 :]) <= 20]
    if found is None:
        assert position < len(entries) - len(kept)
    else:
        assert [entry.position for entry in found] == expected
