"""The age of what waits, by a clock that nobody can set; and an order that no clock can change."""

from __future__ import annotations

import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from otel_carbon.errors import UnavailableError
from otel_carbon.journal import CursorSpec, Journal, JournalSettings, committer, room
from otel_carbon.pipeline.pdata import Payload, Signal

_TEMPO = CursorSpec("tempo:traces", frozenset({"traces"}))
_LEDGER = CursorSpec("ledger:traces", frozenset({"traces"}))
_YEAR_NS = 365 * 86400 * 10**9


@dataclass
class _Clocks:
    """The time of day, which anybody can set, and the time that passes."""

    unix_ns: int = 1_795_464_000_000_000_000
    monotonic_s: float = 1000.0

    def time_ns(self) -> int:
        return self.unix_ns

    def monotonic(self) -> float:
        return self.monotonic_s


@pytest.fixture
def clocks(monkeypatch: pytest.MonkeyPatch) -> _Clocks:
    clocks = _Clocks()
    monkeypatch.setattr(committer, "time", clocks)
    monkeypatch.setattr(room, "time", clocks)
    return clocks


def _opened(folder: Path, max_age_s: float = 60.0) -> Journal:
    opened = Journal(folder / "journal.db", JournalSettings(max_age_s=max_age_s))
    opened.register([_TEMPO, _LEDGER])
    return opened


def _append(opened: Journal, body: bytes) -> int:
    return opened.append("traces", Payload(Signal.TRACES, body, 1)).result(10)


def _wait_until_deleted(opened: Journal) -> None:
    while opened.live_bytes:
        time.sleep(0.001)


def test_what_waits_too_long_refuses_more_until_it_is_delivered(tmp_path: Path, clocks: _Clocks) -> None:
    with closing(_opened(tmp_path)) as opened:
        _append(opened, b"old")
        clocks.monotonic_s += 60.0
        _append(opened, b"in time")
        opened.advance("ledger:traces", 2)
        clocks.monotonic_s += 0.5

        message = r"the journal is full \(what waits longest could not be delivered for 60 of at most 60 s\)"
        with pytest.raises(UnavailableError, match=message) as refused:
            _append(opened, b"too late")
        assert refused.value.retry_after_s == 5.0
        assert opened.oldest_s == 60.5

        opened.advance("tempo:traces", 1)
        while opened.refusal() is not None:
            time.sleep(0.001)
        assert opened.oldest_s == 0.5
        assert _append(opened, b"again") == 3


def test_without_a_limit_data_may_wait_for_ever(tmp_path: Path, clocks: _Clocks) -> None:
    with closing(_opened(tmp_path, max_age_s=0.0)) as opened:
        _append(opened, b"old")
        clocks.monotonic_s += 1e9
        assert _append(opened, b"new") == 2


@pytest.mark.parametrize("jump_ns", [50 * _YEAR_NS, -50 * _YEAR_NS])
def test_setting_the_time_of_day_changes_neither_age_nor_order(tmp_path: Path, clocks: _Clocks, jump_ns: int) -> None:
    with closing(_opened(tmp_path)) as opened:
        _append(opened, b"1")
        clocks.unix_ns += jump_ns
        clocks.monotonic_s += 10.0
        _append(opened, b"2")
        assert opened.oldest_s == 10.0

    clocks.unix_ns -= 3 * jump_ns // 2
    clocks.monotonic_s = 5.0  # another boot
    with closing(_opened(tmp_path)) as opened:
        assert opened.oldest_s == 10.0
        _append(opened, b"3")
        assert [entry.payload.body for entry in opened.read("tempo:traces")] == [b"1", b"2", b"3"]


def test_time_for_which_the_gateway_was_stopped_is_no_age(tmp_path: Path, clocks: _Clocks) -> None:
    with closing(_opened(tmp_path)) as opened:
        _append(opened, b"friday")
    clocks.monotonic_s += 3 * 86400.0

    with closing(_opened(tmp_path)) as opened:
        assert _append(opened, b"monday") == 2
        assert opened.oldest_s == 0.0


def test_an_empty_journal_has_no_age(tmp_path: Path, clocks: _Clocks) -> None:
    with closing(_opened(tmp_path)) as opened:
        _append(opened, b"1")
        clocks.monotonic_s += 30.0
        opened.advance("tempo:traces", 1)
        opened.advance("ledger:traces", 1)
        _wait_until_deleted(opened)

        assert opened.oldest_s == 0.0
        _append(opened, b"2")
        clocks.monotonic_s += 1.0
        assert opened.oldest_s == 1.0
