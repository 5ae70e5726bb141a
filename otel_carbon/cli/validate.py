"""`otel-carbon validate`: check a config without starting anything."""

from __future__ import annotations

import argparse
from pathlib import Path

__all__ = ["EXAMPLE", "HELP", "add_arguments", "run"]

HELP = "Check a gateway config; every problem is named with its YAML path and the fix."
EXAMPLE = "example:\n  otel-carbon validate gateway.yaml"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `validate`."""
    parser.add_argument(
        "--without-files",
        action="store_true",
        help="do not read the certificates, keys and tokens of what listens: they are not on this machine",
    )
    parser.add_argument("file", type=Path, metavar="FILE", help="config in the Collector's shape")


def run(args: argparse.Namespace) -> int:
    """Check the file; 0 when a gateway would start with it, 2 (through ConfigError) when not."""
    import os
    import sys

    from otel_carbon.gateway.check import check_config
    from otel_carbon.gateway.components import Catalogue
    from otel_carbon.gateway.config import read_config

    config = read_config(args.file, os.environ, Catalogue.bundled())
    check_config(config, source=str(args.file), with_files=not args.without_files)
    for warning in config.warnings:
        print(f"warning: {warning}", file=sys.stderr)
    pipelines = ", ".join(config.service.pipelines)
    print(f"{args.file}: valid, with the pipelines {pipelines}")
    return 0
