"""`otel-carbon demo`: the whole path on this machine, and a check of its books."""

from __future__ import annotations

import argparse
from pathlib import Path

__all__ = ["EXAMPLE", "HELP", "add_arguments", "run"]

HELP = "Run the whole path on real input: client, instrumentation, gateway, ledger, report. No keys, no network."
EXAMPLE = "example:\n  otel-carbon demo --once"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--once", action="store_true", help="end after the report instead of staying up until Ctrl-C")
    parser.add_argument(
        "--data-dir", type=Path, help="keep journal and ledger here (default: a folder that is removed)"
    )


def run(args: argparse.Namespace) -> int:
    """Run the demo. Returns 1 when the books do not agree with what was served."""
    import asyncio

    from otel_carbon.demo.stage import play

    return asyncio.run(play(data_dir=args.data_dir, once=args.once))
