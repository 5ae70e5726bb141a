"""Bytes that change on the disk: what they hit is named and set aside, everything else is delivered."""

from __future__ import annotations

import logging
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from random import Random

import pytest

from otel_carbon.errors import StorageError, UnavailableError
from otel_carbon.journal import CursorSpec, Journal, ReadLimits
from otel_carbon.journal.damage import Damage
from otel_carbon.journal.format import PAGE_BYTES
from otel_carbon.journal.store import Store
from otel_carbon.pipeline.pdata import Payload, Signal

_TRACES = frozenset({"traces"})
_FAST, _SLOW = CursorSpec("fast:traces", _TRACES), CursorSpec("slow:traces", _TRACES)
_LIMITS = ReadLimits(max_entries=7)


def _body(number: int) -> bytes:
    """Every third one is longer than a page, and all can be told by their first byte."""
    return bytes([number]) * (40_000 if number % 3 == 0 else 900)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return a journal of 40 payloads, of which one reader has 10 and the other none."""
    path = tmp_path / "journal.db"
    with closing(Journal(path)) as journal:
        journal.register([_FAST, _SLOW])
        for future in [journal.append("traces", _payload(number)) for number in range(1, 41)]:
            future.result(10)
        journal.advance("fast:traces", 10)
    return path


def _payload(number: int) -> Payload:
    return Payload(Signal.TRACES, _body(number), items=number)


def _flip(path: Path, at: int) -> None:
    with path.open("r+b") as file:
        file.seek(at)
        (before,) = file.read(1)
        file.seek(at)
        file.write(bytes([before ^ 0x41]))


def _read(journal: Journal, cursor: str) -> list[tuple[int, bytes]]:
    found: list[tuple[int, bytes]] = []
    while entries := journal.read(cursor, _LIMITS):
        found += [(entry.position, entry.payload.body) for entry in entries]
        journal.advance(cursor, entries[-1].position)
    return found


def _expected(first: int, *gone: int) -> list[tuple[int, bytes]]:
    return [(number, _body(number)) for number in range(first, 41) if number not in gone]


def _page_of_type(path: Path, table: str) -> int:
    """Return the number of the first page of a table or an index."""
    with closing(sqlite3.connect(path)) as db:
        return int(db.execute("SELECT rootpage FROM sqlite_schema WHERE name = ?", (table,)).fetchone()[0])


def test_a_changed_body_is_not_delivered_and_the_rest_is(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    _flip(path, path.read_bytes().index(_body(12)[:4000]) + 2000)

    with closing(Journal(path)) as journal:
        journal.register([_FAST, _SLOW])
        assert _read(journal, "slow:traces") == _expected(1, 12)
        assert _read(journal, "fast:traces") == _expected(11, 12)
        assert (journal.damage.payloads, journal.damage.items) == (1, 12)
        (kept_in,) = journal.damage.kept_in

    assert "entry 12 (12 items of traces, pipeline traces) is damaged" in caplog.text
    assert kept_in in caplog.text
    assert Path(kept_in).stat().st_mode & 0o777 == 0o600
    assert sum(a != b for a, b in zip(Path(kept_in).read_bytes(), _body(12), strict=True)) == 1


def test_nothing_but_damage_at_the_end_does_not_hold_a_reader_up(path: Path) -> None:
    _flip(path, path.read_bytes().index(_body(40)) + 100)

    with closing(Journal(path)) as journal:
        journal.register([_FAST, _SLOW])
        assert _read(journal, "slow:traces") == _expected(1, 40)
        assert not journal.has_unread("slow:traces")


def test_a_repair_that_fails_is_tried_again(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with closing(Journal(path)) as journal:
        journal.register([_FAST, _SLOW])
        start = (_page_of_type(path, "entry") - 1) * PAGE_BYTES
        _flip(path, start)
        _flip(path, start + 3)
        with monkeypatch.context() as patch:
            patch.setattr(Damage, "open", _no_room)
            with pytest.raises(StorageError):
                journal.read("slow:traces", _LIMITS)
            with pytest.raises(UnavailableError):
                journal.append("traces", _payload(1)).result(10)
        assert _read_at_last(journal, "slow:traces") == _expected(1)


def _no_room(_damage: Damage) -> Store:
    raise StorageError("there is no room for a copy")


def _read_at_last(journal: Journal, cursor: str) -> list[tuple[int, bytes]]:
    """Read as the gateway does, which tries again until it works; the time limit of the test is the longest wait."""
    while True:
        try:
            return _read(journal, cursor)
        except StorageError:
            time.sleep(0.1)


@pytest.mark.parametrize("table", ["entry", "entry_by_pipeline", "cursor", "sqlite_sequence", "journal"])
def test_a_damaged_root_page_loses_no_payload(path: Path, table: str, caplog: pytest.LogCaptureFixture) -> None:
    start = (_page_of_type(path, table) - 1) * PAGE_BYTES
    _flip(path, start)  # the type of the page
    _flip(path, start + 3)  # how much is on it

    with caplog.at_level(logging.ERROR), closing(Journal(path)) as journal:
        journal.register([_FAST, _SLOW])
        assert _read(journal, "slow:traces") == _expected(1)
        assert _read(journal, "fast:traces") == _expected(1 if table == "cursor" else 11)
        (kept_in,) = journal.damage.kept_in
        assert journal.append("traces", _payload(1)).result(10) == 41

    assert f"journal {path} is damaged" in caplog.text
    assert kept_in in caplog.text
    assert Path(kept_in).read_bytes() != path.read_bytes()


def test_the_first_page_can_be_lost(path: Path) -> None:
    with path.open("r+b") as file:
        file.write(bytes(PAGE_BYTES))

    with closing(Journal(path)) as journal:
        journal.register([_FAST, _SLOW])
        assert _read(journal, "slow:traces") == _expected(1)
        assert _read(journal, "fast:traces") == _expected(11)


def test_what_is_only_in_the_log_of_a_killed_gateway_is_saved_too(path: Path, tmp_path: Path) -> None:
    killed = tmp_path / "killed"
    killed.mkdir()
    with closing(Journal(path)) as journal:
        journal.register([_FAST, _SLOW])
        journal.append("traces", Payload(Signal.TRACES, b"newest", 1)).result(10)
        for suffix in ("", "-wal"):
            (killed / f"journal.db{suffix}").write_bytes(Path(f"{path}{suffix}").read_bytes())
    with (killed / "journal.db").open("r+b") as file:
        file.write(bytes(PAGE_BYTES))
    log = killed / "journal.db-wal"
    log.write_bytes(log.read_bytes().replace(b"SQLite format 3", bytes(15)))

    with closing(Journal(killed / "journal.db")) as journal:
        journal.register([_FAST, _SLOW])
        assert _read(journal, "slow:traces") == [*_expected(1), (41, b"newest")]


def test_damage_that_is_found_while_running_is_repaired_while_running(path: Path) -> None:
    with closing(Journal(path)) as journal:
        journal.register([_FAST, _SLOW])
        _flip(path, (_page_of_type(path, "entry") - 1) * PAGE_BYTES)

        assert _read(journal, "slow:traces") == _expected(1)
        assert journal.append("traces", _payload(1)).result(10) == 41
        assert len(journal.damage.kept_in) == 1


def test_a_salvage_that_was_cut_off_is_finished(path: Path) -> None:
    sound = path.read_bytes()
    path.with_name("journal.db.salvaged").write_bytes(sound)
    path.write_bytes(b"half of it was moved away")

    with closing(Journal(path)) as journal:
        journal.register([_FAST, _SLOW])
        assert _read(journal, "slow:traces") == _expected(1)


def test_whatever_changes_everything_that_is_intact_is_delivered_once(path: Path, tmp_path: Path) -> None:
    chance, sound = Random(20261124), path.read_bytes()
    for number in range(40):
        copy = tmp_path / f"{number}" / "journal.db"
        copy.parent.mkdir()
        copy.write_bytes(sound)
        changed = [chance.randrange(len(sound)) for _ in range(chance.choice([1, 1, 30]))]
        for at in changed:
            _flip(copy, at)

        with closing(Journal(copy)) as journal:
            journal.register([_FAST, _SLOW])
            got = _read(journal, "slow:traces")
            assert len(got) == len(set(got))
            assert set(got) <= set(_expected(1))
            assert len(got) >= 40 - len(changed)
            assert journal.damage.payloads <= len(changed)


def test_a_file_that_nothing_shows_to_be_a_journal_is_left_alone(path: Path) -> None:
    path.write_bytes(Random(1).randbytes(PAGE_BYTES * 4))

    with pytest.raises(StorageError, match=r"is damaged .* move it away and start again"):
        Journal(path)
    assert path.read_bytes() == Random(1).randbytes(PAGE_BYTES * 4)
