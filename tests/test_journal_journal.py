"""The journal: what is acknowledged is on disk, readers follow, and nothing stays longer than it must."""

from __future__ import annotations

import resource
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from otel_carbon.errors import StorageError, UnavailableError
from otel_carbon.journal import Backlog, CursorSpec, Dropped, Journal, JournalSettings, ReadLimits
from otel_carbon.pipeline.pdata import Payload, Signal

_TEMPO = CursorSpec("tempo:traces", frozenset({"traces"}))
_LEDGER = CursorSpec("ledger:traces", frozenset({"traces"}))


def _payload(body: bytes, items: int = 1, signal: Signal = Signal.TRACES) -> Payload:
    return Payload(signal, body, items)


@contextmanager
def _opened(path: Path, *specs: CursorSpec, max_bytes: int = 1 << 20) -> Iterator[Journal]:
    with closing(Journal(path, JournalSettings(max_bytes=max_bytes))) as journal:
        journal.register(specs)
        yield journal


def _append(journal: Journal, *bodies: bytes, pipeline: str = "traces") -> list[int]:
    return [journal.append(pipeline, _payload(body)).result(10) for body in bodies]


def _bodies(journal: Journal, cursor: str) -> list[bytes]:
    return [entry.payload.body for entry in journal.read(cursor)]


def _stored(path: Path) -> list[bytes]:
    with closing(sqlite3.connect(path)) as db:
        return [body for (body,) in db.execute("SELECT body FROM entry ORDER BY position")]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.db"


def test_an_acknowledged_payload_is_in_the_file_and_can_be_read(path: Path) -> None:
    with _opened(path, _TEMPO) as journal:
        position = journal.append("traces", _payload(b"spans", items=3)).result(10)
        (entry,) = journal.read("tempo:traces")

        assert _stored(path) == [b"spans"]
        assert (entry.position, entry.payload) == (position, Payload(Signal.TRACES, b"spans", 3))


def test_positions_grow_by_one_and_are_not_reused_after_everything_was_deleted(path: Path) -> None:
    with _opened(path, _TEMPO) as journal:
        assert _append(journal, b"a", b"b", b"c") == [1, 2, 3]
        journal.advance("tempo:traces", 3)
    assert _stored(path) == []

    with _opened(path, _TEMPO) as journal:
        assert _append(journal, b"d") == [4]


def test_a_cursor_is_where_it_was_after_the_journal_was_opened_again(path: Path) -> None:
    with _opened(path, _TEMPO, _LEDGER) as journal:
        _append(journal, b"a", b"b", b"c")
        journal.advance("tempo:traces", 2)

    with _opened(path, _TEMPO, _LEDGER) as journal:
        assert _bodies(journal, "tempo:traces") == [b"c"]
        assert _bodies(journal, "ledger:traces") == [b"a", b"b", b"c"]


def test_a_payload_is_deleted_when_the_last_of_its_readers_has_it(path: Path) -> None:
    with _opened(path, _TEMPO, _LEDGER) as journal:
        _append(journal, b"a", b"b")
        journal.advance("tempo:traces", 2)
        journal.advance("ledger:traces", 1)

    assert _stored(path) == [b"b"]


def test_what_is_deleted_is_cut_into_pieces_and_goes_without_new_data(path: Path) -> None:
    with _opened(path, _TEMPO, max_bytes=1 << 30) as journal:
        _append(journal, *[bytes(5 << 20)] * 5)
        journal.advance("tempo:traces", 4)
        seen = {journal.live_bytes}
        while journal.live_bytes > 5 << 20:
            seen.add(journal.live_bytes)

        assert seen >= {25 << 20, 15 << 20}
        assert _bodies(journal, "tempo:traces") == [bytes(5 << 20)]


def test_a_reader_of_another_signal_does_not_hold_a_payload_back(path: Path) -> None:
    slow = CursorSpec("prometheus:metrics", frozenset({"metrics"}))
    with _opened(path, _TEMPO, slow) as journal:
        journal.append("metrics", _payload(b"m", signal=Signal.METRICS)).result(10)
        _append(journal, b"a")
        journal.advance("tempo:traces", 2)

        assert _bodies(journal, "tempo:traces") == []
        assert _bodies(journal, "prometheus:metrics") == [b"m"]
    assert _stored(path) == [b"m"]


def test_a_payload_that_nobody_reads_is_acknowledged_but_not_written(path: Path) -> None:
    with _opened(path, _TEMPO) as journal:
        assert journal.append("logs", _payload(b"log", signal=Signal.LOGS)).result(10) == 0
        assert journal.live_bytes == 0

    assert _stored(path) == []


def test_a_reader_of_two_pipelines_gets_both_in_order_of_arrival(path: Path) -> None:
    both = CursorSpec("tempo:traces", frozenset({"traces", "traces/web"}))
    with _opened(path, both) as journal:
        _append(journal, b"a")
        _append(journal, b"b", pipeline="traces/web")
        _append(journal, b"c")
        in_memory = _bodies(journal, "tempo:traces")

    with _opened(path, both) as journal:
        assert in_memory == _bodies(journal, "tempo:traces") == [b"a", b"b", b"c"]


def test_a_read_keeps_to_its_limits_but_gives_at_least_one_payload(path: Path) -> None:
    with _opened(path, _TEMPO) as journal:
        _append(journal, b"aaaa", b"bb", b"cc", b"d")
        in_memory = [len(journal.read("tempo:traces", limits)) for limits in _LIMITS]

    with _opened(path, _TEMPO) as journal:
        from_disk = [len(journal.read("tempo:traces", limits)) for limits in _LIMITS]

    assert in_memory == from_disk == [3, 1, 2]


_LIMITS = (
    ReadLimits(max_entries=3, max_bytes=100),
    ReadLimits(max_entries=3, max_bytes=1),
    ReadLimits(max_entries=4, max_bytes=7),
)


def test_a_full_journal_refuses_before_it_writes_and_takes_again_when_a_reader_made_room(path: Path) -> None:
    with _opened(path, _TEMPO, max_bytes=10) as journal:
        _append(journal, b"12345678")

        assert journal.refusal(2) is None
        assert journal.refusal(3) is not None
        with pytest.raises(UnavailableError, match=r"the journal is full \(8 of 10 bytes wait to be delivered\)"):
            journal.append("traces", _payload(b"123"))

        freed = journal.append("traces", _payload(b"1"))
        freed.result(10)
        journal.advance("tempo:traces", 2)
        while journal.refusal(10) is not None:
            assert journal.failure is None
        assert _append(journal, b"1234567890") == [3]
    assert _stored(path) == [b"1234567890"]


def test_the_backlog_of_a_cursor_counts_what_it_has_not_got(path: Path) -> None:
    with _opened(path, _TEMPO) as journal:
        journal.append("traces", _payload(b"abc", items=5)).result(10)
        journal.append("traces", _payload(b"de", items=7)).result(10)
        journal.advance("tempo:traces", 1)

        assert journal.backlog("tempo:traces") == Backlog(payloads=1, items=7, bytes=2)


def test_a_new_cursor_starts_at_the_end(path: Path) -> None:
    with _opened(path, _TEMPO) as journal:
        _append(journal, b"before")

    with _opened(path, _TEMPO, _LEDGER) as journal:
        _append(journal, b"after")

        assert _bodies(journal, "ledger:traces") == [b"after"]
        assert _bodies(journal, "tempo:traces") == [b"before", b"after"]


def test_a_cursor_that_keeps_its_own_position_resumes_there(path: Path) -> None:
    with _opened(path, _LEDGER) as journal:
        _append(journal, b"a", b"b", b"c")

    with _opened(path, CursorSpec("ledger:traces", frozenset({"traces"}), resume=2)) as journal:
        assert _bodies(journal, "ledger:traces") == [b"c"]


def test_new_data_is_not_skipped_when_an_older_copy_of_the_file_was_put_back(path: Path) -> None:
    with _opened(path, _LEDGER) as journal:
        _append(journal, b"a")

    with _opened(path, CursorSpec("ledger:traces", frozenset({"traces"}), resume=40)) as journal:
        assert _append(journal, b"new") == [41]
        assert _bodies(journal, "ledger:traces") == [b"new"]


def test_the_cursor_of_a_removed_exporter_is_dropped_with_what_only_it_held(path: Path) -> None:
    with _opened(path, _TEMPO, _LEDGER) as journal:
        _append(journal, b"a", b"b", b"c")
        journal.advance("ledger:traces", 3)
        journal.advance("tempo:traces", 1)

    with closing(Journal(path)) as journal:
        assert journal.register([_LEDGER]) == [Dropped("tempo:traces", undelivered=2)]
    assert _stored(path) == []


def test_what_a_removed_pipeline_held_goes(path: Path) -> None:
    with _opened(path, _TEMPO) as journal:
        _append(journal, b"a")

    with _opened(path, CursorSpec("tempo:logs", frozenset({"logs"}))) as journal:
        assert journal.live_bytes == 0
    assert _stored(path) == []


def test_the_id_stays_with_the_file_and_is_new_with_a_new_one(path: Path, tmp_path: Path) -> None:
    with closing(Journal(path)) as first:
        pass
    with closing(Journal(path)) as again, closing(Journal(tmp_path / "other.db")) as other:
        assert first.id == again.id != other.id


def test_the_file_and_what_belongs_to_it_can_be_read_by_its_owner_alone(path: Path) -> None:
    with _opened(path, _TEMPO) as journal:
        _append(journal, b"prompt")

        modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
        assert modes == {"journal.db": 0o600, "journal.db-wal": 0o600, "journal.db-shm": 0o600}


def test_a_closed_journal_has_written_everything_and_refuses_more(path: Path) -> None:
    with _opened(path, _TEMPO) as journal:
        futures = [journal.append("traces", _payload(b"%d" % number)) for number in range(100)]

    assert [future.result(0) for future in futures] == list(range(1, 101))
    with pytest.raises(UnavailableError, match="the journal is closed"):
        journal.append("traces", _payload(b"late"))
    journal.close()


def test_a_listener_hears_of_new_entries(path: Path) -> None:
    with _opened(path, _TEMPO) as journal:
        heard: list[int] = []
        journal.on_commit(lambda: heard.append(journal.head))
        _append(journal, b"a")
        _append(journal, b"b")
    assert heard == [1, 2]


@contextmanager
def _no_more_room(bytes_per_file: int) -> Iterator[None]:
    """Let the kernel refuse every write beyond this offset, as a full disk does."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (bytes_per_file, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_disk_without_room_refuses_that_payload_and_takes_the_next_when_there_is_room(path: Path) -> None:
    with _opened(path, _TEMPO, max_bytes=1 << 30) as journal:
        _append(journal, b"first")
        with _no_more_room(1 << 20):
            refused = journal.append("traces", _payload(bytes(4 << 20)))
            with pytest.raises(UnavailableError, match="the journal cannot be written: "):
                refused.result(10)
            assert journal.refusal() is not None
            assert journal.failure is not None

        assert _append(journal, b"second") == [2]
        assert journal.failure is None
        assert _bodies(journal, "tempo:traces") == [b"first", b"second"]
    assert _stored(path) == [b"first", b"second"]


def test_a_disk_that_has_room_again_is_noticed_without_new_data(path: Path) -> None:
    with _opened(path, _TEMPO, max_bytes=1 << 30) as journal:
        with _no_more_room(1 << 20), pytest.raises(UnavailableError):
            journal.append("traces", _payload(bytes(4 << 20))).result(10)
        while journal.refusal() is not None:
            pass
        assert journal.live_bytes == 0


def test_a_damaged_file_is_named_with_the_fix(path: Path) -> None:
    path.write_bytes(b"this is not a database, whatever its name says" * 100)

    with pytest.raises(
        StorageError, match=r"journal .*journal\.db is damaged \(file is not a database\); move it away"
    ):
        Journal(path)


def test_another_database_is_left_alone(path: Path) -> None:
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE photos (name)")

    with pytest.raises(StorageError, match="is not a journal of otel-carbon"):
        Journal(path)
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("SELECT name FROM sqlite_schema").fetchall() == [("photos",)]


def test_a_file_of_a_newer_version_is_left_alone(path: Path) -> None:
    with closing(Journal(path)):
        pass
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA user_version = 99")

    with pytest.raises(StorageError, match="was written by a newer otel-carbon"):
        Journal(path)


def test_a_path_that_cannot_be_a_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"journal .*missing/journal\.db cannot be used: .*No such file"):
        Journal(tmp_path / "missing" / "journal.db")


def test_the_tenant_of_a_payload_is_there_again_after_a_restart(path: Path) -> None:
    with _opened(path, _TEMPO) as journal:
        journal.append("traces", Payload(Signal.TRACES, b"1", 1, tenant="acme")).result(10)
        journal.append("traces", _payload(b"2")).result(10)
        assert [entry.payload.tenant for entry in journal.read("tempo:traces")] == ["acme", None]

    with _opened(path, _TEMPO) as journal:
        assert [entry.payload.tenant for entry in journal.read("tempo:traces")] == ["acme", None]
