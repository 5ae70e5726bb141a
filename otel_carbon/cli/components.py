"""`otel-carbon components`: what a config can name."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

__all__ = ["EXAMPLE", "HELP", "add_arguments", "run"]

HELP = "List receivers, processors, exporters and connectors with their signals and stability."
EXAMPLE = "example:\n  otel-carbon components --format json"

_COLUMNS = ("kind", "type", "signals", "stability")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `components`."""
    parser.add_argument("--format", choices=("table", "json"), default="table", help="default: table")


def run(args: argparse.Namespace) -> int:
    """Print the list."""
    import json

    from otel_carbon.gateway.components import factories

    rows: list[dict[str, Any]] = [
        {
            "kind": factory.kind.value,
            "type": factory.type,
            "signals": sorted(factory.signals),
            "produces": sorted(factory.produces),
            "stability": factory.stability.value,
            "deprecated_names": list(factory.aliases),
        }
        for factory in factories()
    ]
    print(json.dumps(rows, indent=2) if args.format == "json" else _table(rows))
    return 0


def _table(rows: Sequence[dict[str, Any]]) -> str:
    cells = [_COLUMNS, *((row["kind"], row["type"], _signals(row), row["stability"]) for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(_COLUMNS))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells
    )


def _signals(row: dict[str, Any]) -> str:
    takes = ", ".join(row["signals"])
    return f"{takes} -> {', '.join(row['produces'])}" if row["produces"] else takes
