"""`otel-carbon ingest`: stored OTLP into the ledger."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from otel_carbon.cli.options import directory

if TYPE_CHECKING:
    from otel_carbon.gateway.ingest import Ingested
    from otel_carbon.pipeline.pdata import Payload

__all__ = ["EXAMPLE", "HELP", "add_arguments", "run"]

HELP = "Bring stored OTLP into the ledger; what is there already is not counted again."
EXAMPLE = "example:\n  otel-carbon ingest traces-2026-11-01.jsonl.zst traces-2026-11-02.jsonl.zst"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `ingest`."""
    parser.add_argument(
        "files", nargs="+", type=Path, metavar="FILE", help=".pb, .json or .jsonl, each also with .gz or .zst"
    )
    parser.add_argument(
        "--data-dir",
        type=directory,
        metavar="DIR",
        help="where the ledger is; default $OTEL_CARBON_DATA_DIR or the data home",
    )
    parser.add_argument(
        "--config",
        type=Path,
        metavar="FILE",
        help="gateway config, for its processors and ledger; nothing is forwarded",
    )


def run(args: argparse.Namespace) -> int:
    """Bring the files into the ledger and say what came of it."""
    import asyncio

    from otel_carbon.cli.serve import data_dir, gateway_config
    from otel_carbon.gateway.ingest import ingest, ingest_config
    from otel_carbon.gateway.stored import check_paths, read_requests

    check_paths(args.files)
    config = gateway_config(args.config, {})
    with _progress(args.files) as advance:

        def payloads() -> Iterator[Payload]:
            for path in args.files:
                for request in read_requests(path):
                    advance(path, request.read_bytes)
                    yield request.payload
                advance(path, path.stat().st_size)

        done = asyncio.run(ingest(ingest_config(config), data_dir(args.data_dir, config), payloads()))
    print(_summary(done, len(args.files)))
    return 0


def _summary(done: Ingested, files: int) -> str:
    read = f"{_some(files, 'file')}, {_some(done.requests, 'request')}, {_some(done.spans, 'span')}"
    said = (
        f"{read}: {_some(done.seen, 'GenAI span')} seen, {_some(done.counted, 'call')} counted, "
        f"{_some(done.duplicates, 'duplicate')}, {done.replayed:,} recorded before"
    )
    conflicts = (
        f"; {done.conflicts:,} came with different content than before: the first stays" if done.conflicts else ""
    )
    unaccountable = f"; GenAI spans without a valid id left out: {done.unaccountable:,}" if done.unaccountable else ""
    skipped = f"; requests of metrics or logs skipped: {done.skipped:,}" if done.skipped else ""
    return f"{said}{conflicts}{unaccountable}{skipped}"


def _some(number: int, one: str) -> str:
    return f"{number:,} {one}{'' if number == 1 else 's'}"


@contextmanager
def _progress(paths: list[Path]) -> Generator[Callable[[Path, int], None]]:
    """Give a function that shows how far each file has been read; without a terminal it shows nothing."""
    import sys

    if not sys.stdout.isatty():
        yield lambda _path, _read_bytes: None
        return
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, transient=True) as bars:
        tasks = {path: bars.add_task(path.name, total=path.stat().st_size) for path in dict.fromkeys(paths)}
        yield lambda path, read_bytes: bars.update(tasks[path], completed=read_bytes)
