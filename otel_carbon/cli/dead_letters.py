"""`otel-carbon dead-letters`: what destinations did not take: look at it, send it again, drop it."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from otel_carbon.cli.options import add_action, directory

if TYPE_CHECKING:
    from otel_carbon.gateway.config import GatewayConfig
    from otel_carbon.gateway.workers.letters import HeldLetter, LetterId, LettersOfWorkers

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
    drop = _action(actions, "drop", "forget it for good", " --id 0/17")
    drop.add_argument(
        "--id", type=_letter_id, action="append", metavar="WORKER/NUMBER", help="as `list` shows it; may be repeated"
    )
    drop.add_argument("--all", action="store_true", help="everything, or everything of --exporter")


def run(args: argparse.Namespace) -> int:
    """Do what was asked for; 1 when something was not taken or not there, or a store could not be opened.

    Raises:
        ConfigError: the options or the config are wrong.
        StorageError: the store cannot be used.
    """
    from otel_carbon.cli.serve import data_dir, gateway_config
    from otel_carbon.errors import ConfigError
    from otel_carbon.gateway.workers.letters import letters_of_workers

    config = gateway_config(args.config, {})
    folder = data_dir(args.data_dir, config)
    if args.data_dir is not None and not folder.is_dir():
        raise ConfigError(f"--data-dir: there is no directory {folder}")
    with letters_of_workers(folder, config.service.dead_letters.max_bytes) as kept:
        code = _done(kept, args, config, folder)
        for error in kept.unusable:
            print(f"otel-carbon: {error}", file=sys.stderr)
    return code or int(bool(kept.unusable))


def _done(kept: LettersOfWorkers, args: argparse.Namespace, config: GatewayConfig, folder: Path) -> int:
    match args.action:
        case "list":
            return _list(kept, args)
        case "replay":
            return _replay(kept, args, config, folder)
        case _:
            return _drop(kept, args)


def _action(
    actions: argparse._SubParsersAction[argparse.ArgumentParser], name: str, text: str, example: str
) -> argparse.ArgumentParser:
    action = add_action(actions, name, text, f"otel-carbon dead-letters {name}{example}")
    action.add_argument("--exporter", metavar="ID", help="only what this exporter did not get rid of")
    action.add_argument(
        "--data-dir",
        type=directory,
        metavar="DIR",
        help="of the gateway; default $OTEL_CARBON_DATA_DIR or the data home",
    )
    action.add_argument("--config", type=Path, metavar="FILE", help="gateway config")
    return action


def _letter_id(text: str) -> LetterId:
    from otel_carbon.gateway.workers.letters import LetterId

    try:
        return LetterId.of(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{error}; `otel-carbon dead-letters list` shows the ids") from error


def _list(kept: LettersOfWorkers, args: argparse.Namespace) -> int:
    import json

    from otel_carbon.cli.columns import aligned

    letters = kept.letters(args.exporter)
    if args.format == "json":
        for held in letters:
            print(json.dumps(_document(held)))
        return 0
    rows = list(map(_row, letters))
    if not rows:
        print("no dead letters")
        return 0
    print(aligned([("worker/id", "kept", "exporter", "signal", "items", "reason"), *rows], right=(0, 4)))
    return 0


def _row(held: HeldLetter) -> tuple[str, ...]:
    one = held.letter
    kept = _time(one.kept_unix_nano)
    return (str(held.id), kept, one.exporter_id, one.signal.value, f"{one.items:,}", _line(one.reason))


def _line(reason: str) -> str:
    """Return a reason, which may be the page of a proxy, as the end of a line."""
    text = " ".join(reason.split())
    return text if len(text) <= _REASON_CHARS else f"{text[:_REASON_CHARS]}…"


def _document(held: HeldLetter) -> dict[str, str | int | None]:
    letter = held.letter
    return {
        "id": str(held.id),
        "worker": held.worker,
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


def _replay(kept: LettersOfWorkers, args: argparse.Namespace, config: GatewayConfig, folder: Path) -> int:
    import asyncio

    from otel_carbon.errors import ConfigError
    from otel_carbon.gateway.replay import Replayed, replay, replay_exporter

    if args.exporter is None:
        raise ConfigError("--exporter: name whose letters to send, as `otel-carbon dead-letters list` shows them")
    exporter = replay_exporter(config, args.to or args.exporter, folder, source=str(args.config or "default config"))
    stores = kept.stores.values()
    done = asyncio.run(replay(exporter, stores, args.exporter)) if stores else Replayed(0, 0)
    print(f"taken: {done.taken:,}, refused again: {done.refused:,}")
    if done.last_refusal is not None:
        print(f"otel-carbon: refused: {done.last_refusal}", file=sys.stderr)
    if done.stopped is not None:
        print(f"otel-carbon: stopped, the rest is still there: {done.stopped}", file=sys.stderr)
    return 1 if done.refused or done.stopped is not None else 0


def _drop(kept: LettersOfWorkers, args: argparse.Namespace) -> int:
    from otel_carbon.errors import ConfigError

    if bool(args.id) == args.all:
        raise ConfigError("name the letters with --id, or say --all")
    there = {held.id for held in kept.letters(args.exporter)}
    wanted = list(dict.fromkeys(args.id or ()))
    print(f"dropped: {kept.remove(id_ for id_ in wanted or there if id_ in there):,}")
    missing = ", ".join(str(id_) for id_ in wanted if id_ not in there)
    if missing:
        of_exporter = "" if args.exporter is None else f" of {args.exporter}"
        print(f"otel-carbon: --id: there is no letter {missing}{of_exporter}", file=sys.stderr)
    return int(bool(missing))
