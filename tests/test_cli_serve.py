"""`otel-carbon serve` as a process: the ready line, the ports, the signals, and what it says when it cannot start."""

from __future__ import annotations

import json
import resource
import socket
import sqlite3
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from gateway_process import GatewayProcess, run_cli
from spans import traces

_CONFIG = """\
receivers: {otlp: {protocols: {http: {endpoint: 127.0.0.1:0}}}}
processors: {carbon: }
exporters:
  ledger: {}
  otlp_http/dead: {endpoint: "http://127.0.0.1:9", retry_on_failure: {initial_interval: 10ms}}
service:
  web: {endpoint: 127.0.0.1:0}
  pipelines: {traces: {receivers: [otlp], processors: [carbon], exporters: [otlp_http/dead, ledger]}}
"""


def _post(url: str, body: bytes) -> int:
    request = urllib.request.Request(f"{url}/v1/traces", body, {"Content-Type": "application/x-protobuf"})
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def _get(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=30) as answer:
        return json.loads(answer.read())


def _calls(data_dir: Path) -> int:
    with closing(sqlite3.connect(data_dir / "ledger.db")) as db:
        return int(db.execute("SELECT count(*) FROM calls").fetchone()[0])


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "gateway.yaml"
    path.write_text(_CONFIG, encoding="utf-8")
    return path


def test_the_ready_line_says_where_everything_listens_and_sigterm_drains(tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    with GatewayProcess(data_dir) as gateway:
        ready = gateway.ready
        assert list(ready) == ["event", "grpc", "http", "web", "pid"]
        assert (ready["event"], ready["pid"]) == ("ready", gateway.process.pid)
        for address in (ready["grpc"], *(ready[name].removeprefix("http://") for name in ("http", "web"))):
            host, port = address.rsplit(":", 1)
            socket.create_connection((host, int(port)), timeout=10).close()
        for first in range(0, 200, 20):
            assert _post(ready["http"], traces(first, 20)) == 200

        assert gateway.stop() == 0
    assert _calls(data_dir) == 200


def test_a_client_that_does_not_speak_http_gets_400_and_one_line_in_the_log(tmp_path: Path) -> None:
    with GatewayProcess(tmp_path / "data") as gateway:
        host, port = gateway.ready["http"].removeprefix("http://").rsplit(":", 1)
        with socket.create_connection((host, int(port)), timeout=10) as client:
            client.sendall(b"POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Length: -4\r\n\r\n")
            assert client.recv(12) == b"HTTP/1.0 400"
        gateway.stop()

        (line,) = [each for each in gateway.log().splitlines() if "prometheus" not in each]
    assert line.split(" ", 1)[1] == (
        "WARNING aiohttp.server Error handling request from 127.0.0.1: "
        "Invalid character in Content-Length: b'Content-Length: -4' ^"
    )


def test_the_web_endpoint_answers_for_the_ledger_and_the_pipelines(tmp_path: Path) -> None:
    with GatewayProcess(tmp_path / "data", addresses=("grpc", "http", "web")) as gateway:
        web = gateway.ready["web"]
        _post(gateway.ready["http"], traces(0, 7))
        while _get(f"{web}/debug/pipelines")["cursors"]["ledger:traces"]["position"] < 1:
            pass

        report = _get(f"{web}/api/v1/report?by=model")
        with urllib.request.urlopen(f"{web}/", timeout=30) as answer:
            page = answer.read().decode()

        assert report["totals"]["calls"] == 7
        assert [group["calls"] for group in report["groups"]] == [7]
        assert _get(f"{web}/readyz") == {"status": "ready"}
        assert "Destinations" in page


def test_parts_can_be_switched_off(tmp_path: Path) -> None:
    with GatewayProcess(tmp_path / "data", "--web", "off", "--http", "off", addresses=("grpc",)) as gateway:
        assert gateway.ready["grpc"].startswith("127.0.0.1:")
        assert (gateway.ready["http"], gateway.ready["web"]) == (None, None)


def test_the_data_directory_comes_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_CARBON_DATA_DIR", str(tmp_path / "chosen"))
    done = run_cli("serve", "--config", str(tmp_path / "missing.yaml"))
    assert done.returncode == 2

    taken = socket.create_server(("127.0.0.1", 0))
    with taken:
        run_cli("serve", "--grpc", f"127.0.0.1:{taken.getsockname()[1]}", "--http", "127.0.0.1:0")
    assert (tmp_path / "chosen" / "journal.db").exists()


@pytest.mark.parametrize("option", ["grpc", "http", "web"])
def test_a_taken_port_is_one_clear_line_and_exit_1(tmp_path: Path, option: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        addresses = {"grpc": "127.0.0.1:0", "http": "127.0.0.1:0", "web": "127.0.0.1:0", option: f"127.0.0.1:{port}"}
        listen = [part for name, address in addresses.items() for part in (f"--{name}", address)]

        done = run_cli("serve", "--data-dir", str(tmp_path), *listen)

    (line,) = [line for line in done.stderr.splitlines() if " INFO " not in line]
    assert done.returncode == 1
    assert done.stdout == ""
    assert line.startswith("otel-carbon: ")
    assert f"cannot listen on 127.0.0.1:{port}" in line
    assert "stop the program that has this port, or set another one" in line


def test_a_wrong_config_is_exit_2_before_anything_is_touched(tmp_path: Path, config: Path) -> None:
    config.write_text(_CONFIG.replace("endpoint: 127.0.0.1:0", "endpont: x"), encoding="utf-8")

    done = run_cli("serve", "--config", str(config), "--data-dir", str(tmp_path / "data"))

    assert done.returncode == 2
    assert "receivers::otlp::protocols::http::endpont: unknown key; did you mean 'endpoint'?" in done.stderr
    assert not (tmp_path / "data").exists()


def test_a_data_directory_that_cannot_be_written_is_one_clear_line(tmp_path: Path) -> None:
    tmp_path.chmod(0o555)
    try:
        done = run_cli("serve", "--data-dir", str(tmp_path), "--grpc", "127.0.0.1:0", bound=True)
    finally:
        tmp_path.chmod(0o700)

    assert done.returncode == 1
    assert done.stderr == (
        f"otel-carbon: data directory {tmp_path} cannot be written: Permission denied; "
        "make it writable or choose another one with --data-dir\n"
    )


def test_a_second_gateway_on_the_same_data_directory_is_told_who_has_it(tmp_path: Path) -> None:
    with GatewayProcess(tmp_path / "data") as gateway:
        done = run_cli("serve", "--data-dir", str(tmp_path / "data"), "--grpc", "127.0.0.1:0")

    assert done.returncode == 1
    assert done.stderr == (
        f"otel-carbon: data directory {tmp_path / 'data'} is in use by process {gateway.ready['pid']}; "
        "stop that process or choose another directory with --data-dir\n"
    )


def test_a_dead_destination_does_not_keep_the_ledger_waiting_nor_the_end(tmp_path: Path, config: Path) -> None:
    data_dir = tmp_path / "data"
    with GatewayProcess(data_dir, "--config", str(config), addresses=()) as gateway:
        for first in range(0, 60, 20):
            assert _post(gateway.ready["http"], traces(first, 20)) == 200
        pipelines = f"{gateway.ready['web']}/debug/pipelines"
        while _get(pipelines)["cursors"]["ledger:traces"]["position"] < 3:
            pass
        dead = _get(pipelines)["cursors"]["otlp_http/dead:traces"]
        assert gateway.stop() == 0

    assert _calls(data_dir) == 60
    assert dead["waiting"]["items"] == 60
    assert "not everything is delivered; it stays in the journal for the next start" in gateway.log()


def test_a_full_disk_refuses_and_recovers_and_loses_nothing_acknowledged(tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    with GatewayProcess(data_dir) as gateway:
        url, web, pid = gateway.ready["http"], gateway.ready["web"], gateway.process.pid
        assert _post(url, traces(0, 10)) == 200
        with _no_more_room(pid):
            assert _post(url, traces(10, 20_000)) == 503
            with pytest.raises(urllib.error.HTTPError, match="503"):
                _get(f"{web}/readyz")
        while _post(url, traces(20_010, 10)) != 200:
            pass
        assert gateway.stop() == 0

    with closing(sqlite3.connect(data_dir / "ledger.db")) as db:
        spans = {span for (span,) in db.execute("SELECT span_id FROM calls")}
    assert {f"{number + 1:016x}" for number in (*range(10), *range(20_010, 20_020))} <= spans


@contextmanager
def _no_more_room(pid: int) -> Iterator[None]:
    """Let the kernel refuse the process every write beyond half a megabyte, as a full disk does."""
    before = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (512 << 10, before[1]))
    try:
        yield
    finally:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, before)
