"""What no destination would take is kept, bounded, and can be taken out again."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from otel_carbon.errors import StorageError
from otel_carbon.journal.dead_letters import DEAD_LETTERS_NAME, DeadLetter, DeadLetters, Kept, Shelf
from otel_carbon.pipeline.component import JournalEntry
from otel_carbon.pipeline.pdata import Payload, Signal
from otel_carbon.pipeline.undelivered import Undelivered


def letter(body: bytes, items: int = 1, signal: Signal = Signal.TRACES, reason: str = "no") -> Undelivered:
    return Undelivered(JournalEntry(99, 7, Payload(signal, body, items, tenant="acme")), reason)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / DEAD_LETTERS_NAME


def test_a_letter_comes_back_as_it_was_kept(path: Path) -> None:
    store = DeadLetters(path, 1000)

    store.keep("otlp_grpc/tempo", [letter(b"body", 3, reason="answered INVALID_ARGUMENT")], 11)

    (found,) = store.letters()
    reason = "answered INVALID_ARGUMENT"
    assert found == DeadLetter(1, 11, 7, "otlp_grpc/tempo", Signal.TRACES, 3, 4, "acme", reason)
    assert store.entry(found) == JournalEntry(1, 7, Payload(Signal.TRACES, b"body", 3, tenant="acme"))


def test_letters_outlive_the_process_and_are_their_owners_alone(path: Path) -> None:
    store = DeadLetters(path, 1000)
    store.keep("a", [letter(b"1")], 1)
    store.close()
    store.close()

    assert [one.bytes for one in DeadLetters(path, 1000).letters()] == [1]
    assert path.stat().st_mode & 0o777 == 0o600


def test_the_oldest_make_room_and_are_counted(path: Path) -> None:
    store = DeadLetters(path, 10)

    kept = [store.keep("a", [letter(b"1234", items=2)], number) for number in range(4)]

    assert kept == [Kept(), Kept(), Kept(1, 2), Kept(1, 2)]
    assert [one.kept_unix_nano for one in store.letters()] == [2, 3]


def test_the_newest_stays_however_large_it_is(path: Path) -> None:
    store = DeadLetters(path, 10)

    store.keep("a", [letter(b"1"), letter(bytes(100))], 1)

    assert [one.bytes for one in store.letters()] == [100]


def test_letters_are_counted_by_exporter_and_signal(path: Path) -> None:
    store = DeadLetters(path, 1000)
    store.keep("b", [letter(b"1", 2), letter(b"22", 3)], 1)
    store.keep("a", [letter(b"1", 1, Signal.LOGS)], 1)

    assert store.shelves() == [Shelf("a", Signal.LOGS, 1, 1, 1), Shelf("b", Signal.TRACES, 2, 5, 3)]


def test_letters_are_listed_by_exporter_in_pages(path: Path) -> None:
    store = DeadLetters(path, 1000)
    store.keep("a", [letter(b"1"), letter(b"2"), letter(b"3")], 1)
    store.keep("b", [letter(b"4")], 1)

    assert [one.id for one in store.letters("a", limit=2)] == [1, 2]
    assert [one.id for one in store.letters("a", after=2)] == [3]
    assert [one.id for one in store.letters()] == [1, 2, 3, 4]


def test_what_is_removed_is_gone_and_its_id_is_not_given_again(path: Path) -> None:
    store = DeadLetters(path, 1000)
    store.keep("a", [letter(b"1"), letter(b"2")], 1)
    first, second = store.letters()

    assert store.remove([first.id, second.id, 77]) == 2
    assert store.entry(first) is None
    store.keep("a", [letter(b"3")], 1)
    assert [one.id for one in store.letters()] == [3]


def test_two_processes_may_use_one_file(path: Path) -> None:
    gateway, command = DeadLetters(path, 1000), DeadLetters(path, 1000)

    gateway.keep("a", [letter(b"1")], 1)
    command.remove([command.letters()[0].id])
    gateway.keep("a", [letter(b"2")], 1)

    assert [one.id for one in command.letters()] == [2]


def test_a_file_of_somebody_else_is_named_and_left_alone(path: Path) -> None:
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA application_id = 42")
    before = path.read_bytes()

    with pytest.raises(StorageError, match=r"dead letters .*dead_letters.db cannot be used: it is another program's"):
        DeadLetters(path, 1000)
    assert path.read_bytes() == before


def test_a_disk_that_does_not_take_it_keeps_nothing(path: Path) -> None:
    store = DeadLetters(path, 1 << 30)
    store._db.execute("PRAGMA max_page_count = 20")

    with pytest.raises(StorageError, match="database or disk is full"):
        store.keep("a", [letter(b"1"), letter(bytes(1 << 20))], 1)
    assert store.letters() == []
