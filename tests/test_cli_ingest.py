"""`otel-carbon ingest`: stored OTLP into the ledger, every call once however often it is run."""

from __future__ import annotations

import gzip
import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import zstandard
from gateway_process import GatewayProcess, run_cli
from spans import span_id, traces

_METRICS = '{"resourceMetrics":[]}'


def _json(first: int, count: int) -> str:
    """Return spans as OTLP/JSON, written by hand as the specification has it: ids in hex, 64-bit numbers as text."""
    spans: list[dict[str, Any]] = [
        {
            "traceId": f"{number + 1:032x}",
            "spanId": span_id(number),
            "name": "chat gpt-4o-mini",
            "kind": 3,
            "startTimeUnixNano": "1790000000000000000",
            "endTimeUnixNano": "1790000001000000000",
            "attributes": [
                {"key": "gen_ai.operation.name", "value": {"stringValue": "chat"}},
                {"key": "gen_ai.provider.name", "value": {"stringValue": "openai"}},
                {"key": "gen_ai.request.model", "value": {"stringValue": "gpt-4o-mini"}},
                {"key": "gen_ai.response.model", "value": {"stringValue": "gpt-4o-mini-2024-07-18"}},
                {"key": "gen_ai.response.id", "value": {"stringValue": f"chatcmpl-{number}"}},
                {"key": "gen_ai.usage.input_tokens", "value": {"intValue": "100"}},
                {"key": "gen_ai.usage.output_tokens", "value": {"intValue": 50}},
            ],
        }
        for number in range(first, first + count)
    ]
    scope = {"scope": {"name": "opentelemetry.instrumentation.openai_v2"}, "spans": spans}
    resource = {"attributes": [{"key": "service.name", "value": {"stringValue": "shop"}}]}
    return json.dumps({"resourceSpans": [{"resource": resource, "scopeSpans": [scope]}]})


def _framed(*requests: bytes) -> bytes:
    return b"".join(len(request).to_bytes(4, "big") + request for request in requests)


def _ingest(data_dir: Path, *files: Path) -> tuple[int, str, str]:
    done = run_cli("ingest", *(str(file) for file in files), "--data-dir", str(data_dir))
    return done.returncode, done.stdout.strip(), done.stderr.strip()


def _calls(data_dir: Path) -> list[str]:
    with closing(sqlite3.connect(data_dir / "ledger.db")) as db:
        return [span for (span,) in db.execute("SELECT span_id FROM calls ORDER BY span_id")]


_FORMATS: dict[str, bytes] = {
    "one.pb": traces(0, 5),
    "collector.pb": _framed(traces(0, 2), traces(2, 3)),
    "one.json": _json(0, 5).encode(),
    "lines.jsonl": f"{_json(0, 2)}\n\n{_json(2, 3)}\n".encode(),
}
_COMPRESSIONS: dict[str, Callable[[bytes], bytes]] = {
    "": bytes,
    ".gz": gzip.compress,
    ".zst": zstandard.ZstdCompressor().compress,
}


def test_every_format_and_compression_gives_the_same_calls(tmp_path: Path) -> None:
    files: list[Path] = []
    for name, content in _FORMATS.items():
        for suffix, compress in _COMPRESSIONS.items():
            files.append(tmp_path / f"{name}{suffix}")
            files[-1].write_bytes(compress(content))

    code, out, err = _ingest(tmp_path / "data", *files)

    assert (code, err) == (0, "")
    assert out == (
        "12 files, 18 requests, 60 spans: 60 GenAI spans seen, 5 calls counted, 0 duplicates, 55 recorded before"
    )
    assert _calls(tmp_path / "data") == [span_id(number) for number in range(5)]


def test_one_of_a_kind_is_said_so(tmp_path: Path) -> None:
    file = tmp_path / "span.json"
    file.write_text(_json(0, 1), encoding="utf-8")

    _, out, _ = _ingest(tmp_path / "data", file)

    assert out == "1 file, 1 request, 1 span: 1 GenAI span seen, 1 call counted, 0 duplicates, 0 recorded before"


def test_a_span_that_cannot_be_told_from_another_is_named(tmp_path: Path) -> None:
    file = tmp_path / "spans.json"
    file.write_text(_json(0, 2).replace(span_id(1), "0" * 16), encoding="utf-8")

    _, out, _ = _ingest(tmp_path / "data", file)

    assert out == (
        "1 file, 1 request, 2 spans: 1 GenAI span seen, 1 call counted, 0 duplicates, 0 recorded before; "
        "GenAI spans without a valid id left out: 1"
    )


def test_a_second_run_counts_nothing_again(tmp_path: Path) -> None:
    file = tmp_path / "spans.jsonl"
    file.write_text(f"{_json(0, 3)}\n{_METRICS}\n", encoding="utf-8")

    first = _ingest(tmp_path / "data", file)
    again = _ingest(tmp_path / "data", file)

    assert first[1] == (
        "1 file, 2 requests, 3 spans: 3 GenAI spans seen, 3 calls counted, 0 duplicates, 0 recorded before; "
        "requests of metrics or logs skipped: 1"
    )
    assert again[1].startswith(
        "1 file, 2 requests, 3 spans: 3 GenAI spans seen, 0 calls counted, 0 duplicates, 3 recorded"
    )
    assert len(_calls(tmp_path / "data")) == 3


def test_a_running_gateway_is_not_in_the_way(tmp_path: Path) -> None:
    file = tmp_path / "spans.pb"
    file.write_bytes(traces(0, 4))
    with GatewayProcess(tmp_path / "data") as gateway:
        code, _, err = _ingest(tmp_path / "data", file)
        assert gateway.stop() == 0

    assert (code, err) == (0, "")
    assert len(_calls(tmp_path / "data")) == 4


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("a.jsonl", f"{_json(0, 1)}\n\n{{not json\n".encode(), "line 3: no resourceSpans, resourceMetrics or"),
        ("a.json", b"[]", "line 1: no resourceSpans, resourceMetrics or resourceLogs: this is not OTLP/JSON"),
        ("a.pb", traces(0, 1)[:-3], "request 1: "),
        ("a.pb", _framed(traces(0, 1), traces(1, 1))[:-3], "request 2: the file ends in the middle of a request"),
        ("a.json.gz", b"not gzip", "cannot be decompressed: "),
        ("a.jsonl.gz", gzip.compress(_json(0, 1).encode())[:-20], "cannot be decompressed: "),
        ("a.json.zst", b"not zstd", "cannot be decompressed: "),
    ],
)
def test_what_cannot_be_read_is_named_with_its_place_and_exit_2(
    tmp_path: Path, name: str, content: bytes, problem: str
) -> None:
    (tmp_path / name).write_bytes(content)

    code, out, err = _ingest(tmp_path / "data", tmp_path / name)

    assert (code, out) == (2, "")
    assert err.startswith(f"otel-carbon: {tmp_path / name}: {problem}")
    assert len(err.splitlines()) == 1


def test_what_stands_before_a_bad_line_is_in_the_ledger(tmp_path: Path) -> None:
    file = tmp_path / "spans.jsonl"
    file.write_text("".join(f"{_json(number, 1)}\n" for number in range(100)) + "broken\n", encoding="utf-8")

    assert _ingest(tmp_path / "data", file)[0] == 2
    assert len(_calls(tmp_path / "data")) == 100


def test_a_missing_or_unknown_file_is_named_before_anything_is_read(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("", encoding="utf-8")

    assert _ingest(tmp_path / "data", tmp_path / "nope.pb")[::2] == (
        2,
        f"otel-carbon: {tmp_path / 'nope.pb'}: there is no such file",
    )
    assert _ingest(tmp_path / "data", tmp_path)[::2] == (
        2,
        f"otel-carbon: {tmp_path}: is a directory or a device; name a file",
    )
    assert _ingest(tmp_path / "data", tmp_path / "notes.txt")[::2] == (
        2,
        (
            f"otel-carbon: {tmp_path / 'notes.txt'}: "
            "the name must end in .pb, .json, .jsonl, and then perhaps in .gz or .zst"
        ),
    )
    assert not (tmp_path / "data").exists()


def test_a_config_without_a_ledger_is_refused(tmp_path: Path) -> None:
    config, file = tmp_path / "gateway.yaml", tmp_path / "spans.pb"
    file.write_bytes(traces(0, 1))
    config.write_text(
        "receivers: {otlp: {protocols: {grpc: }}}\nexporters: {debug: }\n"
        "service: {pipelines: {traces: {receivers: [otlp], exporters: [debug]}}}\n",
        encoding="utf-8",
    )

    done = run_cli("ingest", str(file), "--config", str(config), "--data-dir", str(tmp_path / "data"))

    assert done.returncode == 2
    assert done.stderr == "otel-carbon: no traces pipeline ends in a ledger; add `ledger` to the exporters of one\n"
