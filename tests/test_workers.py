from __future__ import annotations

import asyncio
import signal
import socket
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from otel_carbon.errors import CarbonError, PermanentExportError, RetryableExportError, StorageError
from otel_carbon.gateway.telemetry import Family
from otel_carbon.gateway.workers import link, process
from otel_carbon.gateway.workers.folders import check_free, journal_dir, left_over, remove
from otel_carbon.gateway.workers.link import Link, LinkError, UnansweredError
from otel_carbon.gateway.workers.ports import ReservedPorts
from otel_carbon.gateway.workers.process import WorkerProcess
from otel_carbon.gateway.workers.relay import RelayedExporter
from otel_carbon.gateway.workers.role import WorkerRole
from otel_carbon.gateway.workers.sums import as_families, as_plain, counters, described_together, own_ratio, summed
from otel_carbon.journal import DataDirectory
from otel_carbon.pipeline.component import JournalEntry
from otel_carbon.pipeline.endpoint import Endpoint
from otel_carbon.pipeline.pdata import Payload, Signal

_GRPC = (("transport", "grpc"),)
_HTTP = (("transport", "http"),)


def test_metrics_of_workers_are_added_up_by_labels() -> None:
    first = [Family("requests", "counter", {_GRPC: 3.0, _HTTP: 1.0}), Family("queue", "gauge", {(): 10.0})]
    second = [Family("requests", "counter", {_GRPC: 4.0}), Family("process_uptime", "counter", {(): 7.0})]

    assert summed([first, second]) == [
        Family("queue", "gauge", {(): 10.0}),
        Family("requests", "counter", {_GRPC: 7.0, _HTTP: 1.0}),
    ]
    assert counters(first) == first[:1]
    assert as_families(as_plain(first)) == first


def test_the_oldest_data_of_any_worker_counts() -> None:
    both = [[Family("journal_oldest_age_seconds", "gauge", {(): value})] for value in (3.0, 40.0)]

    assert summed(both) == both[1]


def test_one_worker_that_did_not_take_a_config_over_is_enough_to_be_told() -> None:
    both = [[Family("config_last_reload_successful", "gauge", {(): value})] for value in (1.0, 0.0)]

    assert summed(both) == both[1]


def _described(waiting: int, failing: str | None = None) -> dict[str, Any]:
    cursor = {
        "exporter": "otlp_grpc",
        "signal": "traces",
        "position": 5,
        "waiting": {"payloads": waiting, "items": waiting * 2, "bytes": waiting * 100},
        "in_flight": 1,
        "last_error": "down" if failing else None,
        "failing_since": failing,
    }
    journal = {"id": "one", "head": 5, "live_bytes": waiting * 100, "max_bytes": 1000, "failure": None}
    return {"pipelines": {"traces": {}}, "receivers": {}, "journal": journal, "cursors": {"otlp_grpc:traces": cursor}}


def test_the_oldest_failure_stands_for_a_cursor_and_what_waits_is_added_up() -> None:
    workers = {"0": _described(1), "1": _described(2, "2026-11-24T08:00:00+00:00"), "2": {"pid": 5}}

    together = described_together(workers)

    assert together["journal"] == {"live_bytes": 300, "max_bytes": 2000}
    assert together["cursors"]["otlp_grpc:traces"] == {
        "exporter": "otlp_grpc",
        "signal": "traces",
        "waiting": {"payloads": 3, "items": 6, "bytes": 300},
        "in_flight": 2,
        "last_error": "down",
        "failing_since": "2026-11-24T08:00:00+00:00",
    }
    assert together["workers"] == workers


def test_what_workers_emit_is_added_up_and_set_against_what_they_measured_together() -> None:
    place = {"method": "cpu_time", "zone": "FR", "intensity_g_per_kwh": 41.0, "pue_ratio": 1.2}

    def worker(own: tuple[float, float, float], measured: tuple[float, float, float]) -> dict[str, Any]:
        def bounds(of: tuple[float, float, float]) -> dict[str, float]:
            return dict(zip(("low", "central", "high"), of, strict=True))

        figures = {"energy_joules": bounds(own), "co2e_grams": bounds(own), "measured_co2e_grams": bounds(measured)}
        return {**_described(0), "own": {**place, **figures}}

    idle, busy = worker((1.0, 2.0, 4.0), (0.0, 0.0, 0.0)), worker((1.0, 3.0, 6.0), (10.0, 20.0, 100.0))

    assert described_together({"0": idle, "1": busy})["own"] == {
        **place,
        "energy_joules": {"low": 2.0, "central": 5.0, "high": 10.0},
        "co2e_grams": {"low": 2.0, "central": 5.0, "high": 10.0},
        "measured_co2e_grams": {"low": 10.0, "central": 20.0, "high": 100.0},
        "ratio": {"low": 0.02, "central": 0.25, "high": 1.0},
    }
    assert "ratio" not in described_together({"0": idle})["own"]
    assert "own" not in described_together({"0": _described(0)})
    assert described_together({"0": busy}, idle["own"])["own"] == described_together({"0": idle, "1": busy})["own"]


def test_the_ratio_of_all_workers_is_that_of_their_sums() -> None:
    def by_bound(name: str, low: float, central: float, high: float) -> Family:
        values = {(("bound", bound),): value for bound, value in (("low", low), ("central", central), ("high", high))}
        return Family(name, "gauge", values)

    idle = [by_bound("process_co2e_grams", 1.0, 2.0, 4.0), by_bound("measured_co2e_grams", 0.0, 0.0, 0.0)]
    busy = [
        by_bound("process_co2e_grams", 1.0, 3.0, 6.0),
        by_bound("measured_co2e_grams", 10.0, 20.0, 100.0),
        by_bound("process_co2e_ratio", 0.01, 0.15, 0.6),
    ]

    assert list(own_ratio(summed([idle, busy]))) == [by_bound("process_co2e_ratio", 0.02, 0.25, 1.0)]
    assert list(own_ratio(summed([idle]))) == []
    assert list(own_ratio([])) == []


def test_dead_letters_are_added_up_by_exporter_and_signal() -> None:
    def shelf(exporter: str, payloads: int) -> dict[str, Any]:
        return {"exporter": exporter, "signal": "traces", "payloads": payloads, "items": payloads * 4, "bytes": 10}

    workers = {
        "0": {**_described(0), "dead_letters": [shelf("a", 1), shelf("b", 2)]},
        "1": {**_described(0), "dead_letters": [shelf("a", 5)]},
    }

    assert described_together(workers)["dead_letters"] == [
        {"exporter": "a", "signal": "traces", "payloads": 6, "items": 24, "bytes": 20},
        {"exporter": "b", "signal": "traces", "payloads": 2, "items": 8, "bytes": 10},
    ]


async def test_a_folder_of_another_gateway_is_one_clear_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("otel_carbon.gateway.workers.folders._ENDS_WITHIN_S", 0.0)
    with (
        DataDirectory(journal_dir(tmp_path, 1), 4711),
        pytest.raises(StorageError, match=r"workers/1 is in use by process 4711; stop that process or choose"),
    ):
        await check_free(tmp_path, range(2))


async def test_workers_that_are_just_ending_are_waited_for(tmp_path: Path) -> None:
    ending = DataDirectory(tmp_path)
    checking = asyncio.create_task(check_free(tmp_path, range(1)))
    await asyncio.sleep(0)
    assert not checking.done()

    ending.close()
    await checking


def test_journals_of_workers_beyond_the_wanted_ones_are_left_over(tmp_path: Path) -> None:
    for number in (1, 2, 3):
        journal_dir(tmp_path, number).mkdir(parents=True)
        (journal_dir(tmp_path, number) / "journal.db").touch()

    assert journal_dir(tmp_path, 0) == tmp_path
    assert left_over(tmp_path, 2) == [2, 3]
    assert left_over(tmp_path / "new", 1) == []


def test_a_journal_is_removed_but_not_what_was_put_aside(tmp_path: Path) -> None:
    for number in (1, 2):
        journal_dir(tmp_path, number).mkdir(parents=True)
        for name in ("journal.db", "journal.db-wal", "lock"):
            (journal_dir(tmp_path, number) / name).touch()
    (journal_dir(tmp_path, 2) / "damaged").mkdir()

    remove(tmp_path, 1)
    remove(tmp_path, 2)

    assert left_over(tmp_path, 1) == []
    assert list((tmp_path / "workers").rglob("*")) == [
        tmp_path / "workers" / "2",
        tmp_path / "workers" / "2" / "damaged",
    ]


@pytest.mark.parametrize("role", [WorkerRole(0, 17, 18), WorkerRole(3, 5, 6, only_drains=True)])
def test_a_role_survives_the_command_line(role: WorkerRole) -> None:
    assert WorkerRole.of(str(role)) == role


def test_a_port_is_reserved_for_those_who_share_it_only() -> None:
    ports = ReservedPorts({("otlp", "grpc"): Endpoint("127.0.0.1", 0)})
    address = ("127.0.0.1", ports.addresses["otlp", "grpc"].port)
    with socket.socket() as worker, socket.socket() as other:
        worker.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        worker.bind(address)
        worker.listen()
        with pytest.raises(OSError, match="in use"):
            other.bind(address)
    assert list(ports.overrides()) == [("grpc", f"127.0.0.1:{address[1]}")]
    ports.close()


def test_a_program_that_shares_its_port_with_anybody_is_noticed() -> None:
    with socket.socket() as stranger:
        stranger.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        stranger.bind(("127.0.0.1", 0))
        stranger.listen()
        with pytest.raises(CarbonError, match="receivers::otlp: protocols::grpc::endpoint: cannot listen on"):
            ReservedPorts({("otlp", "grpc"): Endpoint("127.0.0.1", stranger.getsockname()[1])})


async def _linked(**answers: Any) -> tuple[Link, Link, list[asyncio.Task[None]]]:
    ours, theirs = socket.socketpair()
    links = (await Link.over(ours, {}), await Link.over(theirs, answers))
    return *links, [asyncio.create_task(each.run()) for each in links]


async def test_questions_are_answered_whatever_their_order() -> None:
    release = asyncio.Event()

    async def slow(about: Any) -> Any:
        await release.wait()
        return about

    async def quick(about: Any) -> Any:
        release.set()
        return about

    asking, _, tasks = await _linked(slow=slow, quick=quick)

    assert await asyncio.gather(asking.ask("slow", 1), asking.ask("quick", 2)) == [1, 2]
    asking.close()
    await asyncio.gather(*tasks)


async def test_a_question_to_a_process_that_ends_or_fails_is_an_error() -> None:
    waiting = asyncio.Event()

    async def fails(_about: Any) -> None:
        raise ValueError("no such thing")

    async def never(_about: Any) -> None:
        waiting.set()
        await asyncio.sleep(60)

    asking, asked, tasks = await _linked(fails=fails, never=never)
    with pytest.raises(LinkError, match="ValueError: no such thing"):
        await asking.ask("fails")
    unanswered = asyncio.create_task(asking.ask("never"))
    await waiting.wait()
    asked.close()
    with pytest.raises(LinkError, match="has ended"):
        await unanswered
    with pytest.raises(LinkError, match="has ended"):
        await asking.ask("fails")
    await asyncio.gather(*tasks)


async def test_questions_do_not_pile_up_for_a_process_that_does_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link, "_MOST_UNREAD_BYTES", 1 << 20)
    ours, theirs = socket.socketpair()
    asking = await Link.over(ours, {})

    async def asks() -> None:
        for _ in range(20):
            with suppress(UnansweredError):
                await asking.ask("export", "x" * (1 << 18), timeout_s=0.001)

    with theirs, pytest.raises(LinkError, match=r"does not read \(export\)"):
        await asks()
    asking.close()
    await asking.run()


async def test_a_relayed_exporter_fails_as_the_one_behind_it() -> None:
    answers: list[Any] = [None, ["never", 3], LinkError("gone")]
    asked: list[Any] = []

    async def ask(what: str, about: Any) -> Any:
        asked.append((what, about))
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    exporter = RelayedExporter("prometheus", ask)
    entries = [JournalEntry(7, 1000, Payload(Signal.METRICS, b"\xff", 2))]

    await exporter.export(entries)
    with pytest.raises(PermanentExportError, match="never") as refused:
        await exporter.export(entries)
    with pytest.raises(RetryableExportError, match="prometheus: gone"):
        await exporter.export(entries)

    assert refused.value.failed_items == 3
    assert asked[0] == ("export", ["prometheus", [[7, 1000, "metrics", 2, "/w=="]]])


_READY = "import json, socket, sys, time\nlink = socket.socket(fileno=int(sys.argv[1].split(':')[1]))\n"
_READY += "link.sendall(json.dumps({'number': 1, 'ask': 'ready', 'about': [{}, 'id']}).encode() + b'\\n')\n"
_HANGS = _READY + "time.sleep(600)"
_IS_BUSY = _READY + "for line in link.makefile():\n"
_IS_BUSY += "    asked = json.loads(line)\n"
_IS_BUSY += "    if 'ask' in asked and asked['number'] % 3 == 0:\n"
_IS_BUSY += "        answer = {'number': asked['number'], 'answer': {'families': [], 'unready': None}}\n"
_IS_BUSY += "        link.sendall(json.dumps(answer).encode() + b'\\n')\n"


async def test_a_worker_that_hangs_is_ended_and_one_that_is_slow_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "_SILENT_LOOKS", 5)
    codes: list[int] = []
    for program in (_HANGS, _IS_BUSY):
        monkeypatch.setattr(process, "_STATE_WITHIN_S", 0.01)
        worker = await WorkerProcess.start(
            1, lambda role, program=program: [sys.executable, "-c", program, role], {}, lambda _message: None
        )
        assert await worker.started()  # the first question
        for number in range(2, 10):
            is_answered = program == _IS_BUSY and number % 3 == 0
            monkeypatch.setattr(process, "_STATE_WITHIN_S", 30.0 if is_answered else 0.01)
            await worker.look()
        await worker.stop(within_s=30.0)
        codes.append((await worker.ended())[0])

    assert codes == [-signal.SIGKILL, -signal.SIGTERM]
