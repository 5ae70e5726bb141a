"""`otel-carbon dead-letters`: what a destination refused is seen, sent again once it is mended, and forgotten."""

from __future__ import annotations

import json
import sqlite3
import time
import urllib.request
from contextlib import closing
from pathlib import Path
from typing import Protocol

import pytest
from gateway_process import GatewayProcess
from otlp_sink import OtlpSink
from spans import traces

from otel_carbon.cli.main import main
from otel_carbon.journal.dead_letters import DEAD_LETTERS_NAME, DeadLetter, DeadLetters
from otel_carbon.pipeline.component import JournalEntry
from otel_carbon.pipeline.pdata import Payload, Signal
from otel_carbon.pipeline.undelivered import Undelivered


def config(folder: Path, url: str) -> Path:
    path = folder / "gateway.yaml"
    path.write_text(
        f"""\
receivers:
  otlp: {{protocols: {{grpc: {{endpoint: 127.0.0.1:0}}, http: {{endpoint: 127.0.0.1:0}}}}}}
processors: {{carbon: }}
exporters:
  otlp_http/backend: {{endpoint: "{url}"}}
  ledger: {{}}
  debug: {{}}
service:
  pipelines:
    traces: {{receivers: [otlp], processors: [carbon], exporters: [otlp_http/backend, ledger, debug]}}
"""
    )
    return path


def put(data_dir: Path, exporter: str, *bodies: bytes, kept_s: int = 1_790_000_000) -> None:
    data_dir.mkdir(parents=True, exist_ok=True)
    with closing(DeadLetters(data_dir / DEAD_LETTERS_NAME, 1 << 30)) as store:
        entries = [JournalEntry(5, 0, Payload(Signal.TRACES, body, 1)) for body in bodies]
        store.keep(exporter, [Undelivered(entry, "answered 400:\n bad") for entry in entries], kept_s * 1_000_000_000)


class Run(Protocol):
    """Runs `otel-carbon dead-letters` and returns exit code, stdout and stderr."""

    def __call__(self, action: str, *arguments: str | Path) -> tuple[int, str, str]: ...


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    def run(action: str, *arguments: str | Path) -> tuple[int, str, str]:
        code = main(["dead-letters", action, *(str(argument) for argument in arguments)])
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


def letters(data_dir: Path) -> list[DeadLetter]:
    with closing(DeadLetters(data_dir / DEAD_LETTERS_NAME, 1 << 30)) as store:
        return store.letters()


def test_what_was_refused_is_sent_again_beside_a_running_gateway(tmp_path: Path, run: Run) -> None:
    data_dir = tmp_path / "data"
    with OtlpSink(status=400) as sink, GatewayProcess(data_dir, "--config", str(config(tmp_path, sink.url))) as gateway:
        request = urllib.request.Request(
            f"{gateway.ready['http']}/v1/traces", traces(1, 3), {"Content-Type": "application/x-protobuf"}
        )
        urllib.request.urlopen(request, timeout=10).close()
        deadline_s = time.monotonic() + 20
        while not (found := letters(data_dir)):
            assert time.monotonic() < deadline_s
            time.sleep(0.05)
        sink.status = 200
        code, out, err = run(
            "replay", "--config", tmp_path / "gateway.yaml", "--data-dir", data_dir, "--exporter", "otlp_http/backend"
        )

        assert (code, out, err) == (0, "taken: 1, refused again: 0\n", "")
        assert [(one.exporter_id, one.signal, one.items) for one in found] == [("otlp_http/backend", "traces", 3)]
        assert "answered 400" in found[0].reason
        assert [b"otel_carbon.co2e_grams" in body for body in sink.taken] == [True]
        assert letters(data_dir) == []


def test_what_is_refused_again_stays_and_the_rest_is_taken_later(tmp_path: Path, run: Run) -> None:
    data_dir = tmp_path / "data"
    put(data_dir, "otlp_http/backend", traces(1, 1), traces(2, 1))
    with OtlpSink(status=422) as sink:
        arguments = ("--config", config(tmp_path, sink.url), "--data-dir", data_dir, "--exporter", "otlp_http/backend")
        refused = run("replay", *arguments)
        sink.status = 503
        stopped = run("replay", *arguments)

    assert refused[:2] == (1, "taken: 0, refused again: 2\n")
    assert "refused: http://127.0.0.1" in refused[2]
    assert stopped[:2] == (1, "taken: 0, refused again: 0\n")
    assert "stopped, the rest is still there: http://127.0.0.1" in stopped[2]
    assert len(letters(data_dir)) == 2


def test_the_ledger_counts_a_call_once_however_often_its_letter_is_replayed(tmp_path: Path, run: Run) -> None:
    data_dir = tmp_path / "data"
    put(data_dir, "ledger", traces(1, 2), traces(1, 2))
    arguments = ("--config", config(tmp_path, "http://127.0.0.1:1"), "--data-dir", data_dir, "--exporter", "ledger")

    first = run("replay", *arguments)
    put(data_dir, "ledger", traces(1, 3))
    second = run("replay", *arguments)

    assert (first[:2], second[:2]) == ((0, "taken: 2, refused again: 0\n"), (0, "taken: 1, refused again: 0\n"))
    with closing(sqlite3.connect(data_dir / "ledger.db")) as db:
        assert db.execute("SELECT count(*), count(DISTINCT span_id) FROM lines").fetchone() == (3, 3)


def test_letters_can_be_sent_to_another_exporter(tmp_path: Path, run: Run) -> None:
    data_dir = tmp_path / "data"
    put(data_dir, "otlp_http/gone", traces(1, 1))
    with OtlpSink() as sink:
        where = ("--config", config(tmp_path, sink.url), "--data-dir", data_dir)
        code, _, err = run("replay", *where, "--exporter", "otlp_http/gone")
        assert (code, "no pipeline ends in otlp_http/gone; name one that does with --to" in err) == (2, True)

        assert run("replay", *where, "--exporter", "otlp_http/gone", "--to", "otlp_http/backend")[0] == 0
    assert sink.taken == [traces(1, 1)]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("replay",), "--exporter: name whose letters to send"),
        (("replay", "--exporter", "debug"), "exporters::debug: only ledger, otlp_grpc, otlp_http can be replayed to"),
        (("drop",), "name the letters with --id, or say --all"),
        (("drop", "--all", "--id", "0/1"), "name the letters with --id, or say --all"),
    ],
)
def test_wrong_options_are_refused(tmp_path: Path, run: Run, arguments: tuple[str, ...], message: str) -> None:
    path = config(tmp_path, "http://127.0.0.1:1")

    code, _, err = run(*arguments, "--config", path, "--data-dir", tmp_path)

    assert code == 2
    assert message in err


def test_the_table_shows_letters_and_drop_forgets_them(tmp_path: Path, run: Run) -> None:
    put(tmp_path, "a", b"1")
    put(tmp_path, "b", b"2", b"3")

    assert run("list", "--data-dir", tmp_path)[1].splitlines() == [
        "worker/id  kept                  exporter  signal  items  reason",
        "      0/1  2026-09-21T14:13:20Z  a         traces      1  answered 400: bad",
        "      0/2  2026-09-21T14:13:20Z  b         traces      1  answered 400: bad",
        "      0/3  2026-09-21T14:13:20Z  b         traces      1  answered 400: bad",
    ]
    assert run("drop", "--data-dir", tmp_path, "--id", "0/2") == (0, "dropped: 1\n", "")
    assert run("drop", "--data-dir", tmp_path, "--exporter", "b", "--all")[1] == "dropped: 1\n"
    (left,) = run("list", "--data-dir", tmp_path, "--format", "json")[1].splitlines()
    assert json.loads(left) == {
        "id": "0/1",
        "worker": 0,
        "kept_at": "2026-09-21T14:13:20Z",
        "received_at": "1970-01-01T00:00:00Z",
        "exporter": "a",
        "signal": "traces",
        "items": 1,
        "bytes": 1,
        "tenant": None,
        "reason": "answered 400:\n bad",
    }


def test_letters_of_all_workers_are_listed_by_time_and_dropped_by_worker(tmp_path: Path, run: Run) -> None:
    for worker, kept_s in ((tmp_path, 20), (tmp_path / "workers" / "1", 10), (tmp_path / "workers" / "12", 30)):
        put(worker, "otlp_http/backend", b"1", kept_s=kept_s)
    put(tmp_path, "otlp_http/backend", b"2", kept_s=40)

    listed = [json.loads(line) for line in run("list", "--data-dir", tmp_path, "--format", "json")[1].splitlines()]
    assert [(one["id"], one["worker"]) for one in listed] == [("1/1", 1), ("0/1", 0), ("12/1", 12), ("0/2", 0)]

    assert run("drop", "--data-dir", tmp_path, "--id", "1/1", "--id", "0/2", "--id", "3/1")[1] == "dropped: 2\n"
    assert len(letters(tmp_path)) == 1
    assert letters(tmp_path / "workers" / "1") == []
    assert run("drop", "--data-dir", tmp_path, "--all") == (0, "dropped: 2\n", "")
    assert letters(tmp_path / "workers" / "12") == []


def test_letters_of_all_workers_are_replayed(tmp_path: Path, run: Run) -> None:
    data_dir = tmp_path / "data"
    put(data_dir, "otlp_http/backend", traces(1, 1))
    put(data_dir / "workers" / "1", "otlp_http/backend", traces(2, 1), traces(3, 1))
    with OtlpSink() as sink:
        where = ("--config", config(tmp_path, sink.url), "--data-dir", data_dir)
        done = run("replay", *where, "--exporter", "otlp_http/backend")

    assert done == (0, "taken: 3, refused again: 0\n", "")
    assert sum(body.count(traces(number, 1)) for body in sink.taken for number in (1, 2, 3)) == 3
    assert letters(data_dir) == letters(data_dir / "workers" / "1") == []


def test_a_letter_that_is_not_there_is_named(tmp_path: Path, run: Run) -> None:
    put(tmp_path, "a", b"1", b"2")

    done = run("drop", "--data-dir", tmp_path, "--id", "0/1", "--id", "0/9", "--id", "3/1")
    assert done == (1, "dropped: 1\n", "otel-carbon: --id: there is no letter 0/9, 3/1\n")

    done = run("drop", "--data-dir", tmp_path, "--exporter", "b", "--id", "0/2")
    assert done == (1, "dropped: 0\n", "otel-carbon: --id: there is no letter 0/2 of b\n")


@pytest.mark.parametrize("wrong", ["17", "1/", "-1/2", "a/1"])
def test_a_number_without_its_worker_is_refused(
    tmp_path: Path, run: Run, capsys: pytest.CaptureFixture[str], wrong: str
) -> None:
    with pytest.raises(SystemExit) as ended:
        run("drop", "--data-dir", tmp_path, f"--id={wrong}")

    assert ended.value.code == 2
    assert f"'{wrong}' is no WORKER/NUMBER; `otel-carbon dead-letters list` shows the ids" in capsys.readouterr().err


def test_a_store_that_cannot_be_opened_hides_no_other(tmp_path: Path, run: Run) -> None:
    put(tmp_path, "a", b"1")
    broken = tmp_path / "workers" / "1" / DEAD_LETTERS_NAME
    broken.parent.mkdir(parents=True)
    broken.write_text("a text, and no database of any kind", encoding="utf-8")

    code, out, errors = run("list", "--data-dir", tmp_path)
    assert (code, "0/1" in out) == (1, True)
    assert errors.startswith(f"otel-carbon: dead letters {broken} cannot be used: file is not a database; ")
    code, out, errors = run("drop", "--data-dir", tmp_path, "--all")
    assert (code, out, "file is not a database" in errors) == (1, "dropped: 1\n", True)


def test_a_data_directory_that_is_not_there_is_no_empty_one(tmp_path: Path, run: Run) -> None:
    code, _, errors = run("list", "--data-dir", tmp_path / "typo")
    assert (code, errors) == (2, f"otel-carbon: --data-dir: there is no directory {tmp_path / 'typo'}\n")

    with pytest.raises(SystemExit):
        run("list", "--data-dir", "")


def test_looking_where_there_are_none_makes_no_file(tmp_path: Path, run: Run) -> None:
    assert run("list", "--data-dir", tmp_path) == (0, "no dead letters\n", "")
    assert list(tmp_path.iterdir()) == []
