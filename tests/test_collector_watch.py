"""`collector-config` with intensities by the hour, and `--watch`. Real Collectors run it in tests/e2e."""

from __future__ import annotations

import os
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml
from watching import watching

from otel_carbon.cli.collector_watch import Watch, until_stopped
from otel_carbon.cli.main import main
from otel_carbon.collector.claim import Claim
from otel_carbon.collector.hours import Hours, newest_readings
from otel_carbon.collector.telling import Telling
from otel_carbon.collector.whole_file import write_whole
from otel_carbon.errors import CarbonError, ConfigError
from otel_carbon.grid import GridIntensityConfig
from otel_carbon.grid.csv_trace import CsvTrace
from otel_carbon.grid.followed import FollowedSource
from otel_carbon.model import GridReading

_INTENSITY = '"otel_carbon.grid.intensity_g_per_kwh"'
_PARIS = ("aws:eu-west-3", "FR")
_CSV = ("--grid-provider", "csv", "--grid-file", "trace.csv", "--output", "c.yaml")
_FEW = ("--regions", "eu-west-3", "--models", "gpt-4o")
_CATCHER = """\
import signal, sys, pathlib, time
signal.signal(signal.SIGHUP, lambda *_: pathlib.Path(sys.argv[1]).write_text("told"))
print("ready", flush=True)
while not pathlib.Path(sys.argv[1]).exists():
    time.sleep(0.02)
"""


def _trace(path: Path, *rows: tuple[int, int, float]) -> Path:
    """Write a trace of France: hours from now, hours from now, g/kWh."""
    now = datetime.now(UTC)
    lines = ["zone,start,end,g_per_kwh"]
    for start, end, g_per_kwh in rows:
        times = (f"{now + timedelta(hours=hours):%Y-%m-%dT%H:%M:%SZ}" for hours in (start, end))
        lines.append(f"FR,{','.join(times)},{g_per_kwh}")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def _until(holds: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + 60.0
    while not holds():
        assert time.monotonic() < deadline_s
        time.sleep(0.02)


def test_a_config_has_the_newest_period_and_the_one_before_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trace = _trace(tmp_path / "trace.csv", (-5, -4, 10.0), (-4, -1, 20.5), (-1, 1, 30.0), (1, 2, 40.0))

    assert main(["collector-config", *_FEW, "--grid-provider", "csv", "--grid-file", str(trace)]) == 0

    written = capsys.readouterr().out
    (region,) = [line for line in written.splitlines() if '"eu-west-3": {' in line]
    assert [f"{_INTENSITY}: {each}" in region for each in (10.0, 20.5, 30.0, 40.0)] == [False, True, True, False]
    assert "the two newest periods of csv:trace\n#   for 1 of 1 grids" in written
    assert yaml.safe_load(written)["processors"]["transform/otel_carbon"]


def test_a_period_holds_until_the_next_one_or_a_while_longer() -> None:
    first = GridReading("FR", 10.0, 100, 200, "csv:trace")
    second = GridReading("FR", 20.0, 230, 300, "csv:trace")

    hours = Hours("csv:trace", 50, {_PARIS: (second, first)})

    assert list(hours.periods(_PARIS)) == [(second, 350), (first, 230)]
    assert list(hours.periods(("IE",))) == []


def test_what_a_source_knows_is_asked_for_the_time_and_for_what_was_before(tmp_path: Path) -> None:
    trace = tmp_path / "trace.csv"
    hours = "".join(f"FR,2026-01-01T0{hour}:00Z,2026-01-01T0{hour + 1}:00Z,{hour}\n" for hour in range(4))
    trace.write_text("zone,start,end,g_per_kwh\n" + hours, encoding="utf-8")
    at_unix_nano = int(datetime(2026, 1, 1, 2, 30, tzinfo=UTC).timestamp()) * 10**9

    found = newest_readings(CsvTrace(trace), [_PARIS, ("IE",)], at_unix_nano)

    assert {keys: [each.g_per_kwh for each in readings] for keys, readings in found.items()} == {_PARIS: [2.0, 1.0]}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--watch", "--output", "c.yaml"], "--watch: nothing to watch"),
        (["--watch", "--grid-provider", "csv", "--grid-file", "no.csv", "--output", "c.yaml"], "no.csv"),
        (["--grid-file", "trace.csv"], "--grid-file is the trace of --grid-provider csv"),
        (["--grid-provider", "csv"], "OTEL_CARBON_GRID_FILE is missing"),
        (["--grid-provider", "tarot"], "OTEL_CARBON_GRID_PROVIDER must be one of"),
        (["--watch", "--interval", "0s", *_CSV], "--interval must be longer"),
        (["--pid", "4711"], "--pid needs the file that it is about: --output"),
        (["--on-change", "true"], "--on-change needs the file"),
        (["--pid", "0", "--output", "c.yaml"], "--pid must be the id of a process, not 0"),
        (["--on-change", "'", "--output", "c.yaml"], "--on-change"),
        (["--on-change", " ", "--output", "c.yaml"], "--on-change: the command is empty"),
    ],
)
def test_what_cannot_work_is_refused_with_the_option(
    options: list[str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)

    assert main(["collector-config", *_FEW, *options]) == 2
    assert message in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_a_watch_follows_the_file_and_survives_what_is_wrong_with_it(tmp_path: Path) -> None:
    trace, output, told = _trace(tmp_path / "trace.csv", (-1, 1, 30.0)), tmp_path / "c.yaml", tmp_path / "told"
    command = f"{sys.executable} -c \"open('{told}', 'a').write('x')\""
    with watching(output, *_FEW, "--grid-file", str(trace), "--on-change", command) as watch:
        _until(lambda: told.exists() and told.read_text(encoding="utf-8") == "x")
        first = output.read_bytes()
        trace.write_text("zone,start,end,g_per_kwh\nFR,today,tomorrow,1\n", encoding="utf-8")
        _until(lambda: "c.yaml: not up to date" in watch.log() and "line 2: start must be a time" in watch.log())
        assert output.read_bytes() == first
        _trace(trace, (-1, 1, 31.5))
        _until(lambda: told.read_text(encoding="utf-8") == "xx")
        _until(lambda: "c.yaml: up to date again" in watch.log())

    assert f"{_INTENSITY}: 31.5".encode() in output.read_bytes()
    assert watch.returncode == 0
    assert {path.name for path in tmp_path.iterdir()} == {"trace.csv", "c.yaml", "told", "watch.log"}


def test_a_collector_that_is_not_there_yet_is_told_when_it_is(tmp_path: Path) -> None:
    trace, output = _trace(tmp_path / "trace.csv", (-1, 1, 30.0)), tmp_path / "c.yaml"
    pid_file, told = tmp_path / "pid", tmp_path / "told"
    with watching(output, *_FEW, "--grid-file", str(trace), "--pid-file", str(pid_file)) as watch:
        _until(lambda: "c.yaml: written, but its Collector does not know: --pid-file" in watch.log())
        assert "is the Collector running?" in watch.log()
        with subprocess.Popen([sys.executable, "-c", _CATCHER, str(told)], stdout=subprocess.PIPE) as collector:
            assert collector.stdout is not None
            collector.stdout.readline()
            pid_file.write_text(f"{collector.pid}\n", encoding="utf-8")
            _until(told.exists)
            assert collector.wait(30) == 0


def test_a_process_that_sighup_would_end_is_not_sent_it() -> None:
    with subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE) as other:
        with pytest.raises(CarbonError, match=f"--pid: process {other.pid} has no handler for SIGHUP"):
            Telling(pid=other.pid).tell()
        assert other.poll() is None


def test_a_process_that_is_gone_is_named_with_what_to_do() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as gone:
        gone.wait(30)

    with pytest.raises(CarbonError, match=rf"--pid: there is no process {gone.pid}; .* --pid-file follows one"):
        Telling(pid=gone.pid).tell()


@pytest.mark.parametrize("text", ["", "nginx", "-1", "0"])
def test_a_pid_file_must_hold_the_id_of_a_process(text: str, tmp_path: Path) -> None:
    file = tmp_path / "pid"
    file.write_text(text, encoding="utf-8")

    with pytest.raises(CarbonError, match="must hold the id of a process"):
        Telling(pid_file=file).tell()


@pytest.mark.parametrize(("command", "message"), [("false", "ended with status 1"), ("/no/such", "did not work")])
def test_a_command_that_fails_is_named(command: str, message: str) -> None:
    with pytest.raises(CarbonError, match=f"--on-change: '{command}' {message}"):
        Telling(command=command).tell()


def test_a_command_must_be_one() -> None:
    with pytest.raises(ConfigError, match="--on-change"):
        Telling(command="'")


def test_a_file_is_replaced_in_one_step_and_keeps_its_permissions_and_its_link(tmp_path: Path) -> None:
    real, link = tmp_path / "real.yaml", tmp_path / "link.yaml"
    real.write_text("old", encoding="utf-8")
    real.chmod(0o640)
    link.symlink_to(real)
    with real.open(encoding="utf-8") as reader:
        assert write_whole(link, "new")
        assert reader.read() == "old"

    assert (link.is_symlink(), real.read_text(encoding="utf-8")) == (True, "new")
    assert stat.S_IMODE(real.stat().st_mode) == 0o640
    assert not write_whole(link, "new")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link.yaml", "real.yaml"]


def test_a_file_that_cannot_be_replaced_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "c.yaml"
    target.write_text("old", encoding="utf-8")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(CarbonError, match=r"--output: .*c\.yaml cannot be written: No space left"):
        write_whole(target, "new")

    assert [(path.name, path.read_text(encoding="utf-8")) for path in tmp_path.iterdir()] == [("c.yaml", "old")]


def test_a_new_file_can_be_read_by_who_the_umask_lets(tmp_path: Path) -> None:
    earlier = os.umask(0o022)
    try:
        write_whole(tmp_path / "c.yaml", "new")
    finally:
        os.umask(earlier)

    assert stat.S_IMODE((tmp_path / "c.yaml").stat().st_mode) == 0o644


def test_a_pipe_gets_the_text(tmp_path: Path) -> None:
    assert write_whole(Path("/dev/null"), "text")
    assert not list(tmp_path.iterdir())


def test_a_watch_ends_while_it_waits_for_a_provider(tmp_path: Path) -> None:
    environ = {**os.environ, "OTEL_CARBON_GRID_ENDPOINT": "http://127.0.0.1:9", "XDG_CACHE_HOME": str(tmp_path)}
    command = [sys.executable, "-m", "otel_carbon", "collector-config", *_FEW, "--regions", "eu-west-2", "--watch"]
    output = tmp_path / "c.yaml"
    with subprocess.Popen(
        [*command, "--output", str(output), "--grid-provider", "uk_carbon_intensity"],
        env=environ,
        stderr=subprocess.PIPE,
    ) as watch:
        assert watch.stderr is not None
        watch.stderr.readline()  # its first failure to reach the provider
        watch.send_signal(signal.SIGTERM)
        assert watch.wait(30) == 0
        watch.stderr.read()

    # What it had was written: the average of the year, and that it is no more than that.
    assert '"otel_carbon.grid.quality": "yearly"' in output.read_text(encoding="utf-8")


def test_a_second_watch_on_one_file_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    _trace(tmp_path / "trace.csv", (-1, 1, 30.0))
    with Claim(Path("c.yaml")):
        assert main(["collector-config", *_FEW, *_CSV, "--watch"]) == 1

    assert f"--output: c.yaml is kept by process {os.getpid()} already" in capsys.readouterr().err
    with Claim(Path("c.yaml")):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["trace.csv"]


def test_a_lock_that_its_owner_removes_meanwhile_is_not_taken_for_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened, first = os.open, Claim(tmp_path / "c.yaml")

    def slow(path: Path, flags: int, mode: int) -> int:
        descriptor = opened(path, flags, mode)
        monkeypatch.setattr(os, "open", opened)
        first.__exit__(None, None, None)
        return descriptor

    first.__enter__()
    monkeypatch.setattr(os, "open", slow)
    with Claim(tmp_path / "c.yaml"), pytest.raises(CarbonError, match="is kept by process"), Claim(tmp_path / "c.yaml"):
        pass


def test_a_folder_that_is_not_there_is_named_before_a_provider_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as provider:
        monkeypatch.setenv("OTEL_CARBON_GRID_ENDPOINT", f"http://127.0.0.1:{provider.getsockname()[1]}")
        options = ["--regions", "eu-west-2", "--watch", "--grid-provider", "uk_carbon_intensity"]
        assert main(["collector-config", *options, "--output", str(tmp_path / "no" / "c.yaml")]) == 1
        provider.setblocking(False)
        with pytest.raises(BlockingIOError):
            provider.accept()

    assert "c.yaml cannot be written: No such file" in capsys.readouterr().err


def test_a_signal_while_the_config_is_made_does_not_cut_it_short(tmp_path: Path) -> None:
    config = GridIntensityConfig(provider="csv", file=str(_trace(tmp_path / "trace.csv", (-1, 1, 30.0))))

    def generate(hours: Hours) -> str:
        signal.raise_signal(signal.SIGTERM)
        return f"{len(hours.by_grid)} grid"

    source = FollowedSource(config, {})
    watch = Watch(source, [_PARIS], generate, tmp_path / "c.yaml", Telling(), time.time_ns)
    until_stopped(watch, 60.0)

    assert (tmp_path / "c.yaml").read_text(encoding="utf-8") == "1 grid"
