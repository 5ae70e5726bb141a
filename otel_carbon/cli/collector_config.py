"""`otel-carbon collector-config`: a stock Collector that enriches by itself."""

from __future__ import annotations

import argparse
from pathlib import Path

__all__ = ["EXAMPLE", "HELP", "add_arguments", "run"]

HELP = "Write a config with which a stock OpenTelemetry Collector puts carbon on GenAI spans, without a gateway."
EXAMPLE = "example:\n  otel-carbon collector-config --models gpt-4o,claude-sonnet-4-5 --output collector.yaml"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `collector-config`."""
    parser.add_argument("--models", default="all", metavar="NAME,…", help="models to cover; default: all")
    parser.add_argument("--regions", default="all", metavar="NAME,…", help="cloud regions to cover; default: all")
    parser.add_argument("--factor-set", default="otel-carbon-2026.11", metavar="ID", help="default: %(default)s")
    grids = ("electricity-maps", "ember")
    parser.add_argument("--grid", choices=grids, default=grids[0], help="grid intensities; default: %(default)s")
    parser.add_argument("--output", type=Path, metavar="FILE", help="default: standard output")


def run(args: argparse.Namespace) -> int:
    """Write the config."""
    import sys

    from otel_carbon.collector.document import collector_config
    from otel_carbon.errors import CarbonError
    from otel_carbon.factors import FactorTables, GridFamily

    config = collector_config(
        FactorTables.bundled(),
        factor_set=args.factor_set,
        grid=GridFamily(args.grid),
        models=_names(args.models),
        regions=_names(args.regions),
    )
    if args.output is None:
        sys.stdout.write(config)
        return 0
    try:
        args.output.write_text(config, encoding="utf-8")
    except OSError as error:
        raise CarbonError(f"--output: {args.output} cannot be written: {error.strerror}") from error
    return 0


def _names(given: str) -> tuple[str, ...] | None:
    """Return the names in a list with commas; None for all."""
    names = tuple(dict.fromkeys(name.strip() for name in given.split(",") if name.strip()))
    return None if names in {("all",), ()} else names
