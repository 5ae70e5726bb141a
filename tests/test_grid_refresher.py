"""What calls asked for is fetched in the background: no call waits, nothing is asked twice, a failure is survived."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from grid_servers import Answer, Asked, GridServer, grid_server

from otel_carbon.errors import GridPlaceError, GridSourceError
from otel_carbon.estimator import Estimator, EstimatorSettings
from otel_carbon.factors import FactorTables
from otel_carbon.grid.cache import ReadingCache
from otel_carbon.grid.electricity_maps import ElectricityMaps
from otel_carbon.grid.refresher import GridRefresher
from otel_carbon.model import Call, Footprint, GridReading, Usage

NS = 10**9
HOUR_S = 3600
TEN_S = int(datetime.fromisoformat("2026-11-20T10:00Z").timestamp())
NOW_NS = (TEN_S + 1800) * NS
KEYS = ("aws:eu-west-1", "IE")


class Hours:
    """A publisher that knows every hour but those that are named."""

    source_id = "test-hourly"
    period_s = HOUR_S
    longest_span_s = 24 * HOUR_S

    def __init__(self, *unknown_s: int) -> None:
        self.unknown_s = unknown_s
        self.asked: list[tuple[str, int, int]] = []
        self.fails: GridSourceError | None = None

    def place(self, grid_keys: tuple[str, ...]) -> str | None:
        return next((key for key in grid_keys if len(key) == 2), None)

    def fetch(self, place: str, start_unix_s: int, end_unix_s: int) -> Sequence[GridReading]:
        self.asked.append((place, start_unix_s, end_unix_s))
        if self.fails is not None:
            raise self.fails
        starts = (each for each in range(start_unix_s, end_unix_s, HOUR_S) if each not in self.unknown_s)
        return [hour(place, start, self.source_id) for start in starts]


def hour(place: str, start_s: int, source_id: str = "test-hourly", *, fetched_s: int = TEN_S) -> GridReading:
    return GridReading(
        place, 100.0 + start_s // HOUR_S % 24, start_s * NS, (start_s + HOUR_S) * NS, source_id, False, fetched_s * NS
    )


def refresher(provider: Any, **options: Any) -> GridRefresher:
    return GridRefresher(provider, clock_ns=lambda: NOW_NS, gather_s=0.0, **options)


def looked_up(source: GridRefresher, at_s: int, keys: tuple[str, ...] = KEYS) -> GridReading | None:
    """Return what is known after the hour was asked for."""
    source.reading(keys, at_s * NS)
    assert source.settle(10.0)
    return source.reading(keys, at_s * NS)


def test_the_first_call_gets_nothing_and_the_next_one_its_hour() -> None:
    provider = Hours()
    source = refresher(provider)

    assert source.reading(KEYS, TEN_S * NS) is None
    assert source.settle(10.0)
    assert source.reading(KEYS, TEN_S * NS) == hour("IE", TEN_S)
    assert source.reading(KEYS, NOW_NS) == hour("IE", TEN_S)
    assert provider.asked == [("IE", TEN_S, TEN_S + HOUR_S)]
    source.close()


def test_a_call_never_waits_for_a_publisher_that_hangs() -> None:
    release = threading.Event()
    began = threading.Event()

    class Hanging(Hours):
        def fetch(self, place: str, start_unix_s: int, end_unix_s: int) -> Sequence[GridReading]:
            began.set()
            release.wait(60.0)
            return super().fetch(place, start_unix_s, end_unix_s)

    source = refresher(Hanging())
    estimator = Estimator(FactorTables.bundled(), EstimatorSettings(), source)
    call = Call(
        "chat", "aws.bedrock", "claude-sonnet-4-5", usage=Usage(10, 0, 0, 10), region="eu-west-1", at_unix_nano=NOW_NS
    )

    estimator.estimate(call)
    assert began.wait(10.0)
    outcomes = [estimator.estimate(call) for _ in range(1000)]
    still_hanging = not release.is_set()
    release.set()

    assert still_hanging
    assert all(
        isinstance(each, Footprint) and each.grid.source == "electricitymaps-yearly-via-co2js" for each in outcomes
    )
    assert source.settle(10.0)
    after = estimator.estimate(call)
    assert isinstance(after, Footprint)
    assert after.grid.source == "test-hourly"
    source.close()


def test_late_spans_of_many_hours_become_few_requests() -> None:
    provider = Hours()
    source = GridRefresher(provider, clock_ns=lambda: NOW_NS, gather_s=0.5)
    for back in range(30):
        source.reading(KEYS, (TEN_S - back * HOUR_S) * NS)
    assert source.settle(10.0)

    assert provider.asked == [
        ("IE", TEN_S - 29 * HOUR_S, TEN_S - 5 * HOUR_S),
        ("IE", TEN_S - 5 * HOUR_S, TEN_S + HOUR_S),
    ]
    assert source.reading(KEYS, (TEN_S - 29 * HOUR_S) * NS) == hour("IE", TEN_S - 29 * HOUR_S)
    source.close()


def test_the_hour_before_stands_in_for_one_that_is_not_published_yet() -> None:
    source = refresher(Hours(TEN_S), max_gap_s=HOUR_S)

    before = looked_up(source, TEN_S - 1)
    assert before == hour("IE", TEN_S - HOUR_S)
    assert looked_up(source, TEN_S + 1) == before
    assert looked_up(source, TEN_S + HOUR_S - 1) == before
    source.close()


def test_without_a_gap_only_the_hour_itself_counts() -> None:
    source = refresher(Hours(TEN_S), max_gap_s=0.0)

    assert looked_up(source, TEN_S - 1) == hour("IE", TEN_S - HOUR_S)
    assert looked_up(source, TEN_S) is None
    source.close()


def test_an_hour_that_the_publisher_does_not_have_is_not_asked_for_again_at_once() -> None:
    provider = Hours(TEN_S - 5 * HOUR_S)
    source = refresher(provider)
    for _ in range(50):
        assert looked_up(source, TEN_S - 5 * HOUR_S) is None

    assert len(provider.asked) == 1
    source.close()


@pytest.mark.parametrize("at_s", [TEN_S + HOUR_S, TEN_S + 365 * 24 * HOUR_S, 2**33])
def test_a_time_in_the_future_is_never_asked_for(at_s: int) -> None:
    provider = Hours()
    source = refresher(provider)

    looked_up(source, at_s)
    source.refresh()
    assert {(start, end) for _, start, end in provider.asked} <= {(TEN_S, TEN_S + HOUR_S)}
    source.close()


def test_a_grid_that_the_publisher_does_not_cover_is_never_asked_for() -> None:
    provider = Hours()
    source = refresher(provider)

    assert looked_up(source, TEN_S, ("SE-SE3",)) is None
    assert provider.asked == []


def test_a_place_without_data_does_not_keep_others_from_theirs() -> None:
    class Choosy(Hours):
        def fetch(self, place: str, start_unix_s: int, end_unix_s: int) -> Sequence[GridReading]:
            found = super().fetch(place, start_unix_s, end_unix_s)
            if place == "XX":
                raise GridPlaceError("HTTP 404")
            return found

    provider = Choosy()
    source = refresher(provider)
    source.reading(("XX",), TEN_S * NS)
    source.reading(KEYS, TEN_S * NS)
    assert source.settle(10.0)

    assert source.reading(KEYS, TEN_S * NS) == hour("IE", TEN_S)
    assert looked_up(source, TEN_S, ("XX",)) is None
    assert [place for place, _, _ in provider.asked].count("XX") == 1
    source.close()


def test_a_source_that_fails_is_left_alone_and_warns_once(caplog: pytest.LogCaptureFixture) -> None:
    provider = Hours()
    provider.fails = GridSourceError("HTTP 429", 3600.0)
    source = refresher(provider)
    with caplog.at_level(logging.WARNING, "otel_carbon.grid"):
        for back in range(20):
            source.reading(KEYS, (TEN_S - back * HOUR_S) * NS)
            source.refresh()

    assert len(provider.asked) == 1
    assert [record.getMessage() for record in caplog.records] == [
        "test-hourly gave no intensities, next try in 3600 s, yearly ones until then: HTTP 429"
    ]
    source.close()


def test_waits_double_up_to_a_quarter_of_an_hour() -> None:
    provider = Hours()
    provider.fails = GridSourceError("HTTP 500")
    source = refresher(provider)
    waits: list[float] = []
    for _ in range(12):
        source._rest(provider.fails)
        waits.append(source._rest_until_s - time.monotonic())

    longest = [min(5.0 * 2**index, 900.0) for index in range(12)]
    assert all(most / 2 - 0.1 <= wait <= most for wait, most in zip(waits, longest, strict=True))


def test_a_source_that_recovers_is_asked_again() -> None:
    provider = Hours()
    provider.fails = GridSourceError("HTTP 503", 0.0)
    source = refresher(provider)
    source.reading(KEYS, TEN_S * NS)
    source.refresh()
    provider.fails = None
    source.refresh()

    assert source.reading(KEYS, TEN_S * NS) == hour("IE", TEN_S)
    source.close()


def test_a_closed_source_still_answers_and_asks_nothing() -> None:
    provider = Hours()
    source = refresher(provider)
    known = looked_up(source, TEN_S)
    source.close()
    source.close()

    assert source.reading(KEYS, TEN_S * NS) == known
    assert source.reading(KEYS, (TEN_S - 9 * HOUR_S) * NS) is None
    source.refresh()
    assert len(provider.asked) == 1


def test_a_forked_process_fetches_for_itself() -> None:
    script = """
        import os, sys
        sys.path[:0] = [sys.argv[1]]
        from test_grid_refresher import Hours, KEYS, NS, TEN_S, looked_up, refresher, hour
        source = refresher(Hours())
        assert looked_up(source, TEN_S) is not None
        child = os.fork()
        if child == 0:
            found = looked_up(source, TEN_S - 9 * 3600)
            os._exit(0 if found == hour("IE", TEN_S - 9 * 3600) else 1)
        sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    """
    folder = Path(__file__).parent
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join([str(folder.parent), str(folder / "support")])}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", textwrap.dedent(script), str(folder)],
        env=environ,
        capture_output=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 0, done.stderr.decode()


# ---- on disk ---------------------------------------------------------------------------------------------------------


def test_a_restart_knows_what_was_fetched_before_without_asking(tmp_path: Path) -> None:
    path = tmp_path / "grid" / "test-hourly.json"
    first = refresher(Hours(), cache=ReadingCache(path, "test-hourly"))
    known = looked_up(first, TEN_S)
    first.refresh()  # begins when the one under way has written its file
    first.close()
    provider = Hours()
    second = refresher(provider, cache=ReadingCache(path, "test-hourly"))

    assert second.reading(KEYS, NOW_NS) == known
    assert provider.asked == []
    assert list(path.parent.iterdir()) == [path]


def test_processes_that_share_a_file_keep_each_others_hours(tmp_path: Path) -> None:
    path = tmp_path / "hours.json"
    one, other = ReadingCache(path, "test-hourly"), ReadingCache(path, "test-hourly")
    one.save([("IE", hour("IE", TEN_S))])
    other.save([("DE", hour("DE", TEN_S)), ("IE", hour("IE", TEN_S - HOUR_S))])

    assert sorted(one.load(), key=lambda each: (each[0], each[1].start_unix_nano)) == [
        ("DE", hour("DE", TEN_S)),
        ("IE", hour("IE", TEN_S - HOUR_S)),
        ("IE", hour("IE", TEN_S)),
    ]


def test_an_hour_fetched_again_replaces_the_older_figure(tmp_path: Path) -> None:
    cache = ReadingCache(tmp_path / "hours.json", "test-hourly")
    newer = GridReading("IE", 55.5, TEN_S * NS, (TEN_S + HOUR_S) * NS, "test-hourly", False, (TEN_S + 10) * NS)
    cache.save([("IE", newer)])
    cache.save([("IE", hour("IE", TEN_S))])

    assert cache.load() == [("IE", newer)]


def test_hours_long_past_leave_the_file(tmp_path: Path) -> None:
    cache = ReadingCache(tmp_path / "hours.json", "test-hourly", keep_s=2 * HOUR_S)
    cache.save([("IE", hour("IE", TEN_S - back * HOUR_S)) for back in range(5)])

    assert [reading.start_unix_nano // NS for _, reading in cache.load()] == [TEN_S, TEN_S - HOUR_S]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b'{"schema": 1, "source": "test-hourly", "places": {"IE": [["IE", 1',
        b'{"schema": 2, "source": "test-hourly", "places": {}}',
        b'{"schema": 1, "source": "another", "places": {}}',
        b'{"schema": 1, "source": "test-hourly", "places": {"IE": [["IE", NaN, 0, 3600, 0, 0]]}}',
        b'{"schema": 1, "source": "test-hourly", "places": {"IE": [["IE", 5, 3600, 0, 0, 0]]}}',
        b'{"schema": 1, "source": "test-hourly", "places": {"IE": 5}}',
        b'{"schema": 1, "source": "test-hourly", "places": {"IE": [[]]}}',
        b"[]",
        b"\xff\xfe\x00",
        b"[" * 100_000,
    ],
)
def test_a_damaged_file_counts_as_none_and_is_replaced(
    tmp_path: Path, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "hours.json"
    path.write_bytes(content)
    cache = ReadingCache(path, "test-hourly")

    assert cache.load() == []
    assert "cannot be read" in caplog.text
    cache.save([("IE", hour("IE", TEN_S))])
    assert cache.load() == [("IE", hour("IE", TEN_S))]


def test_a_directory_that_cannot_be_written_is_logged_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").write_text("")
    source = refresher(Hours(), cache=ReadingCache(tmp_path / "file" / "hours.json", "test-hourly"))

    assert looked_up(source, TEN_S) == hour("IE", TEN_S)
    assert looked_up(source, TEN_S - 9 * HOUR_S) == hour("IE", TEN_S - 9 * HOUR_S)
    source.refresh()
    source.close()
    assert [record.levelname for record in caplog.records if "cannot be written" in record.getMessage()] == ["WARNING"]


def test_a_process_that_is_killed_while_it_writes_leaves_a_whole_file(tmp_path: Path) -> None:
    path = tmp_path / "hours.json"
    ReadingCache(path, "test-hourly").save([("IE", hour("IE", TEN_S))])
    script = """
        import sys
        sys.path[:0] = [sys.argv[1]]
        from pathlib import Path
        from test_grid_refresher import HOUR_S, TEN_S, ReadingCache, hour
        cache = ReadingCache(Path(sys.argv[2]), "test-hourly")
        print("ready", flush=True)
        back = 0
        while True:
            back += 1
            cache.save([("IE", hour("IE", TEN_S - (back * 50 + each) % 900 * HOUR_S)) for each in range(50)])
    """
    folder = Path(__file__).parent
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join([str(folder.parent), str(folder / "support")])}
    for wait_s in (0.0, 0.003, 0.011, 0.05):
        command = [sys.executable, "-c", textwrap.dedent(script), str(folder), str(path)]
        with subprocess.Popen(command, env=environ, stdout=subprocess.PIPE) as writer:
            assert writer.stdout is not None
            assert writer.stdout.readline() == b"ready\n"
            time.sleep(wait_s)
            writer.kill()
        assert json.loads(path.read_text())["schema"] == 1
        assert ("IE", hour("IE", TEN_S)) in ReadingCache(path, "test-hourly").load()


def test_what_a_killed_process_left_is_swept_and_what_another_is_writing_is_not(tmp_path: Path) -> None:
    left, current = tmp_path / "hours.json.7-7.tmp", tmp_path / "hours.json.8-8.tmp"
    for path in (left, current):
        path.write_text("{")
    os.utime(left, (0, 0))
    ReadingCache(tmp_path / "hours.json", "test-hourly").save([("IE", hour("IE", TEN_S))])

    assert sorted(path.name for path in tmp_path.iterdir()) == ["hours.json", "hours.json.8-8.tmp"]


# ---- against a server ------------------------------------------------------------------------------------------------


def electricity_maps(server: GridServer) -> ElectricityMaps:
    return ElectricityMaps("key", url=server.url, clock_ns=lambda: NOW_NS, timeout_s=5.0)


def answering(status: int, headers: dict[str, str]) -> Callable[[Asked], Answer]:
    """Refuse the first request, then answer."""
    answers = [Answer({"error": "no"}, status, headers)]
    body = {
        "zone": "IE",
        "carbonIntensity": 123,
        "datetime": "2026-11-20T10:00:00.000Z",
        "emissionFactorType": "lifecycle",
        "isEstimated": False,
    }
    return lambda _: answers.pop() if answers else Answer(body)


@pytest.mark.parametrize(("status", "headers"), [(429, {"Retry-After": "0"}), (503, {"Retry-After": "0"})])
def test_a_refusal_is_followed_by_another_try_when_the_server_says_so(status: int, headers: dict[str, str]) -> None:
    with grid_server(answering(status, headers)) as server:
        source = refresher(electricity_maps(server))
        source.reading(KEYS, NOW_NS)
        source.refresh()
        assert source.reading(KEYS, NOW_NS) is None or len(server.asked) == 2
        source.refresh()
        found = source.reading(KEYS, NOW_NS)
        source.close()

    assert found is not None
    assert found.g_per_kwh == 123.0
    assert len(server.asked) == 2


def test_a_key_that_is_refused_is_not_sent_again(caplog: pytest.LogCaptureFixture) -> None:
    with grid_server(lambda _: Answer({"error": "Invalid auth-token"}, 401)) as server:
        source = refresher(electricity_maps(server))
        for back in range(5):
            source.reading(KEYS, (TEN_S - back * HOUR_S) * NS)
            source.refresh()
        source.close()

    assert len(server.asked) == 1
    assert "HTTP 401: the key is not accepted" in caplog.text
    assert "auth-token" not in caplog.text
