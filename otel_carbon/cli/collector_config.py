"""`otel-carbon collector-config`: a stock Collector that enriches by itself."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from otel_carbon.collector.hours import Hours
    from otel_carbon.collector.telling import Telling
    from otel_carbon.grid import GridIntensityConfig

__all__ = ["EXAMPLE", "HELP", "add_arguments", "run"]

HELP = "Write a config with which a stock OpenTelemetry Collector puts carbon on GenAI spans, without a gateway."
EXAMPLE = """examples:
  otel-carbon collector-config --models gpt-4o,claude-sonnet-4-5 --output collector.yaml
  otel-carbon collector-config --output collector.yaml --watch --grid-provider csv --grid-file trace.csv --pid 4711"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `collector-config`."""
    parser.add_argument("--models", default="all", metavar="NAME,…", help="models to cover; default: all")
    parser.add_argument("--regions", default="all", metavar="NAME,…", help="cloud regions to cover; default: all")
    parser.add_argument("--factor-set", default="otel-carbon-2026.11", metavar="ID", help="default: %(default)s")
    grids = ("electricity-maps", "ember")
    parser.add_argument("--grid", choices=grids, default=grids[0], help="grid intensities; default: %(default)s")
    parser.add_argument("--output", type=Path, metavar="FILE", help="default: standard output")
    hours = parser.add_argument_group(
        "intensities by the hour", "All other settings: $OTEL_CARBON_GRID_…, as in an app."
    )
    hours.add_argument(
        "--grid-provider",
        metavar="NAME",
        help="electricity_maps_v4, uk_carbon_intensity or csv; default $OTEL_CARBON_GRID_PROVIDER, or none",
    )
    hours.add_argument("--grid-file", metavar="FILE", help="of csv; default $OTEL_CARBON_GRID_FILE")
    hours.add_argument("--watch", action="store_true", help="stay, and write the file anew when hours change")
    hours.add_argument("--interval", default="5m", metavar="TIME", help="how often to look; default: %(default)s")
    hours.add_argument("--pid", type=int, metavar="ID", help="process that gets SIGHUP when the file has changed")
    hours.add_argument("--pid-file", type=Path, metavar="FILE", help="the same, with its id in a file")
    hours.add_argument("--on-change", metavar="COMMAND", help="what to run when the file has changed")


def run(args: argparse.Namespace) -> int:
    """Write the config, once or until SIGTERM."""
    import os
    import sys

    from otel_carbon.collector.telling import Telling
    from otel_carbon.collector.whole_file import write_whole

    telling = Telling(args.pid, args.pid_file, args.on_change)
    source = _source(args, os.environ | _given(args))
    if source.provider is not None:
        return _with_hours(args, source, telling)
    config = _generator(args)(None)
    if args.output is None:
        sys.stdout.write(config)
    elif write_whole(args.output, config):
        telling.tell()
    return 0


def _given(args: argparse.Namespace) -> dict[str, str]:
    """Return the options that go before a variable of the environment."""
    given = {"OTEL_CARBON_GRID_PROVIDER": args.grid_provider, "OTEL_CARBON_GRID_FILE": args.grid_file}
    return {name: value for name, value in given.items() if value}


def _source(args: argparse.Namespace, environ: dict[str, str]) -> GridIntensityConfig:
    from otel_carbon.errors import ConfigError
    from otel_carbon.grid import config_from_environment

    source = config_from_environment(environ)
    if args.watch and source.provider is None:
        raise ConfigError("--watch: nothing to watch without hourly intensities; name a source with --grid-provider")
    if args.grid_file and source.provider != "csv":
        raise ConfigError("--grid-file is the trace of --grid-provider csv, which is not named")
    for option in ("watch", "pid", "pid_file", "on_change"):
        if getattr(args, option) and args.output is None:
            raise ConfigError(f"--{option.replace('_', '-')} needs the file that it is about: --output")
    return source


def _with_hours(args: argparse.Namespace, config: GridIntensityConfig, telling: Telling) -> int:
    import logging
    import os
    import sys
    import time

    from otel_carbon.cli.collector_watch import Watch, until_stopped
    from otel_carbon.collector.claim import Claim
    from otel_carbon.collector.places import grids_of
    from otel_carbon.errors import ConfigError
    from otel_carbon.factors import FactorTables
    from otel_carbon.grid.followed import FollowedSource
    from otel_carbon.pipeline.duration import duration_s

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", stream=sys.stderr)
    interval_s = duration_s(args.interval, "--interval")
    if interval_s <= 0:
        raise ConfigError("--interval must be longer than no time at all")
    generate = _generator(args)
    grids = grids_of(FactorTables.bundled(), _names(args.regions))
    source = FollowedSource(config, os.environ | _given(args))
    try:
        watch = Watch(source, grids, generate, args.output, telling, time.time_ns)
        if args.watch:
            with Claim(args.output):
                until_stopped(watch, interval_s)
        elif args.output is None:
            sys.stdout.write(generate(watch.hours()))
        else:
            watch.write(watch.hours())
            watch.tell()
    finally:
        source.close()
    return 0


def _generator(args: argparse.Namespace) -> Callable[[Hours | None], str]:
    """Return what makes the config for hours."""
    from otel_carbon.collector.document import collector_config
    from otel_carbon.factors import FactorTables, GridFamily

    models, regions = _names(args.models), _names(args.regions)

    def generate(hours: Hours | None) -> str:
        return collector_config(
            FactorTables.bundled(),
            factor_set=args.factor_set,
            grid=GridFamily(args.grid),
            models=models,
            regions=regions,
            hours=hours,
        )

    return generate


def _names(given: str) -> tuple[str, ...] | None:
    """Return the names in a list with commas; None for all."""
    names = tuple(dict.fromkeys(name.strip() for name in given.split(",") if name.strip()))
    return None if names in {("all",), ()} else names
