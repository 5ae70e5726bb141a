"""`otel-carbon dead-letters`: what destinations did not take: look at it, send it again, drop it."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from otel_carbon.gateway.config import GatewayConfig
    from otel_carbon.journal.dead_letters import DeadLetter, DeadLetters

__all__ = ["EXAMPLE", "HELP", "add_arguments", "run"]

HELP = "Look at what destinations did not take, send it again, or drop it."
EXAMPLE = "example:\n  otel-carbon dead-letters replay --config gateway.yaml --exporter otlp_grpc/tempo"

_REASON_CHARS = 100


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the actions of `dead-letters` and their options."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    _action(actions, "list", "show what is kept, oldest first", "").add_argument(
        "--format", choices=["table", "json"], default="table", help="json: one object per line; default: table"
    )
    replay = _action(
        actions,
        "replay",
        "send it again, and forget what is taken; a gateway may run meanwhile",
        " --config gateway.yaml --exporter otlp_grpc/tempo",
    )
    replay.add_argument("--to", metavar="ID", help="exporter of the config to send to; default: that of --exporter")
    drop = _action(actions, "drop", "forget it for good", " --id 17")
    drop.add_argument("--id", type=int, action="append", metavar="N", help="a letter; may be repeated")
    drop.add_argument("--all", action="store_true", help="everything, or everything of --exporter")


def run(args: argparse.Namespace) -> int:
    """Do what was asked for; 1 when something was not taken.

    Raises:
        ConfigError: the options or the config are wrong.
        StorageError: the store cannot be used.
    """
    from otel_carbon.cli.serve import data_dir, gateway_config

    config = gateway_config(args.config, {})
    folder = data_dir(args.data_dir, config)
    _name_workers(folder)
    with _store(folder, config) as store:
        match args.action:
            case "list":
                return _list(store, args)
            case "replay":
                return _replay(store, args, config, folder)
            case _:
                return _drop(store, args)


def _action(
    actions: argparse._SubParsersAction[argparse.ArgumentParser], name: str, text: str, example: str
) -> argparse.ArgumentParser:
    action = actions.add_parser(
        name,
        help=text,
        description=f"{text[0].upper()}{text[1:]}.",
        epilog=f"example:\n  otel-carbon dead-letters {name}{example}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    action.add_argument("--exporter", metavar="ID", help="only what this exporter did not get rid of")
    action.add_argument(
        "--data-dir", type=Path, metavar="DIR", help="of the gateway; default $OTEL_CARBON_DATA_DIR or the data home"
    )
    action.add_argument("--config", type=Path, metavar="FILE", help="gateway config")
    return action


def _name_workers(folder: Path) -> None:
    """Say which workers keep letters apart, so that nobody takes a part for all there is."""
    from otel_carbon.journal.dead_letters import DEAD_LETTERS_NAME

    for path in sorted(folder.glob(f"workers/*/{DEAD_LETTERS_NAME}")):
        print(f"worker {path.parent.name} keeps its dead letters apart: see --data-dir {path.parent}", file=sys.stderr)


@contextmanager
def _store(folder: Path, config: GatewayConfig) -> Generator[DeadLetters | None]:
    """Give the store, None where there is none: looking makes no file."""
    from otel_carbon.journal.dead_letters import DEAD_LETTERS_NAME, DeadLetters

    path = folder / DEAD_LETTERS_NAME
    if not path.exists():
        yield None
        return
    store = DeadLetters(path, config.service.dead_letters.max_bytes)
    try:
        yield store
    finally:
        store.close()


def _pages(store: DeadLetters | None, exporter_id: str | None) -> Iterator[DeadLetter]:
    after = 0
    while store is not None and (letters := store.letters(exporter_id, after)):
        yield from letters
        after = letters[-1].id


def _list(store: DeadLetters | None, args: argparse.Namespace) -> int:
    import json

    from otel_carbon.cli.columns import aligned

    letters = _pages(store, args.exporter)
    if args.format == "json":
        for letter in letters:
            print(json.dumps(_document(letter)))
        return 0
    rows = [
        (str(one.id), _time(one.kept_unix_nano), one.exporter_id, one.signal.value, f"{one.items:,}", _line(one.reason))
        for one in letters
    ]
    if not rows:
        print("no dead letters")
        return 0
    print(aligned([("id", "kept", "exporter", "signal", "items", "reason"), *rows], right=(0, 4)))
    return 0


def _line(reason: str) -> str:
    """Return a reason, which may be the page of a proxy, as the end of a line."""
    text = " ".join(reason.split())
    return text if len(text) <= _REASON_CHARS else f"{text[:_REASON_CHARS]}…"


def _document(letter: DeadLetter) -> dict[str, str | int | None]:
    return {
        "id": letter.id,
        "kept_at": _time(letter.kept_unix_nano),
        "received_at": _time(letter.received_unix_nano),
        "exporter": letter.exporter_id,
        "signal": letter.signal.value,
        "items": letter.items,
        "bytes": letter.bytes,
        "tenant": letter.tenant,
        "reason": letter.reason,
    }


def _time(unix_nano: int) -> str:
    from datetime import UTC, datetime

    return datetime.fromtimestamp(unix_nano // 1_000_000_000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _replay(store: DeadLetters | None, args: argparse.Namespace, config: GatewayConfig, folder: Path) -> int:
    import asyncio
    import sys

    from otel_carbon.errors import ConfigError
    from otel_carbon.gateway.replay import Replayed, replay, replay_exporter

    if args.exporter is None:
        raise ConfigError("--exporter: name whose letters to send, as `otel-carbon dead-letters list` shows them")
    exporter = replay_exporter(config, args.to or args.exporter, folder, source=str(args.config or "default config"))
    done = Replayed(0, 0) if store is None else asyncio.run(replay(exporter, store, args.exporter))
    print(f"taken: {done.taken:,}, refused again: {done.refused:,}")
    if done.last_refusal is not None:
        print(f"otel-carbon: refused: {done.last_refusal}", file=sys.stderr)
    if done.stopped is not None:
        print(f"otel-carbon: stopped, the rest is still there: {done.stopped}", file=sys.stderr)
    return 1 if done.refused or done.stopped is not None else 0


def _drop(store: DeadLetters | None, args: argparse.Namespace) -> int:
    from otel_carbon.errors import ConfigError

    if bool(args.id) == args.all:
        raise ConfigError("name the letters with --id, or say --all")
    ids = args.id or [letter.id for letter in _pages(store, args.exporter)]
    dropped = 0 if store is None else store.remove(ids)
    print(f"dropped: {dropped:,}")
    return 0
