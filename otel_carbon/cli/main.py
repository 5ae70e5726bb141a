"""The command line: one file per command, imported when it is asked for."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from types import ModuleType

from otel_carbon._version import __version__
from otel_carbon.cli.options import HelpFormatter
from otel_carbon.errors import CarbonError, ConfigError, FactorError, InvalidDataError, MissingExtraError

__all__ = ["main"]


@dataclass(frozen=True, slots=True)
class _Command:
    """A module with `HELP`, `EXAMPLE`, `add_arguments(parser)` and `run(args) -> int`, and the extra it needs."""

    module: str
    extra: str | None = None


_COMMANDS = {
    "demo": _Command("otel_carbon.demo.command", "demo"),
    "serve": _Command("otel_carbon.cli.serve", "gateway"),
    "validate": _Command("otel_carbon.cli.validate", "gateway"),
    "ingest": _Command("otel_carbon.cli.ingest", "gateway"),
    "estimate": _Command("otel_carbon.cli.estimate"),
    "factors": _Command("otel_carbon.cli.factors"),
    "report": _Command("otel_carbon.cli.report", "report"),
    "ledger": _Command("otel_carbon.cli.ledger", "report"),
    "dead-letters": _Command("otel_carbon.cli.dead_letters", "gateway"),
    "collector-config": _Command("otel_carbon.cli.collector_config"),
    "components": _Command("otel_carbon.cli.components", "gateway"),
    "doctor": _Command("otel_carbon.cli.doctor", "report"),
}
_WRONG_INPUT = (ConfigError, FactorError, InvalidDataError)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code: 0 done, 1 it failed, 2 wrong usage or input."""
    parser = _parser()
    args, unknown = parser.parse_known_args(argv)
    if unknown:  # argparse would show the usage of `otel-carbon` and not that of the command
        command = " ".join(filter(None, ("otel-carbon", args.command, getattr(args, "action", None))))
        parser.exit(2, f"{command}: unknown arguments: {' '.join(unknown)}; `{command} --help` lists what there is\n")
    try:
        return _run(args)
    except CarbonError as error:
        print(f"otel-carbon: {error}", file=sys.stderr)
        return 2 if isinstance(error, _WRONG_INPUT) else 1
    except BrokenPipeError:  # `otel-carbon report | head`: nobody reads on, so there is nobody to tell
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        return 130


def _run(args: argparse.Namespace) -> int:
    try:
        return int(args.run(args))
    except (ModuleNotFoundError, MissingExtraError) as error:
        # A part names its own extra; the command's has all that the command needs, in one go.
        extra = _COMMANDS[args.command].extra
        ours = isinstance(error, ModuleNotFoundError) and (error.name or "").startswith("otel_carbon")
        if extra is None or ours:
            raise
        raise MissingExtraError(f"otel-carbon {args.command}", extra) from error


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="otel-carbon",
        description="Energy, gCO2e and region for OpenTelemetry GenAI telemetry.",
        epilog="example:\n  otel-carbon estimate --model gpt-4o --input-tokens 1200 --output-tokens 345",
        formatter_class=HelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"otel-carbon {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, command in _COMMANDS.items():
        _add(commands, name, importlib.import_module(command.module))
    return parser


def _add(commands: argparse._SubParsersAction[argparse.ArgumentParser], name: str, module: ModuleType) -> None:
    parser = commands.add_parser(
        name,
        help=module.HELP,
        description=module.HELP,
        epilog=module.EXAMPLE,
        formatter_class=HelpFormatter,
    )
    module.add_arguments(parser)
    parser.set_defaults(run=module.run)
