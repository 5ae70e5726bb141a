"""The command line: one file per command, loaded when it is asked for."""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Sequence

from otel_carbon._version import __version__
from otel_carbon.errors import CarbonError, ConfigError, FactorError, InvalidDataError

__all__ = ["main"]

# name -> module with `HELP`, `add_arguments(parser)` and `run(args) -> int`
_COMMANDS = {
    "demo": "otel_carbon.demo.command",
    "serve": "otel_carbon.cli.serve",
    "validate": "otel_carbon.cli.validate",
    "ingest": "otel_carbon.cli.ingest",
    "estimate": "otel_carbon.cli.estimate",
    "factors": "otel_carbon.cli.factors",
    "report": "otel_carbon.cli.report",
    "ledger": "otel_carbon.cli.ledger",
    "components": "otel_carbon.cli.components",
}
_WRONG_INPUT = (ConfigError, FactorError, InvalidDataError)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code: 0 done, 1 it failed, 2 wrong usage or input."""
    args = _parser().parse_args(argv)
    try:
        return int(args.run(args))
    except CarbonError as error:
        print(f"otel-carbon: {error}", file=sys.stderr)
        return 2 if isinstance(error, _WRONG_INPUT) else 1
    except BrokenPipeError:  # `otel-carbon report | head`
        sys.stderr.close()
        return 0
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="otel-carbon", description="Energy and carbon of GenAI telemetry.")
    parser.add_argument("--version", action="version", version=f"otel-carbon {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, module_name in _COMMANDS.items():
        module = importlib.import_module(module_name)
        command = commands.add_parser(
            name,
            help=module.HELP,
            description=module.HELP,
            epilog=module.EXAMPLE,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        module.add_arguments(command)
        command.set_defaults(run=module.run)
    return parser
