"""`otel-carbon estimate`: energy and carbon of one call, or of a table of calls."""

from __future__ import annotations

import argparse
import csv
import json
import os
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from otel_carbon.errors import ConfigError

if TYPE_CHECKING:
    from otel_carbon.estimator.api import Estimate
    from otel_carbon.estimator.arguments import Arguments
    from otel_carbon.estimator.overrides import Override

__all__ = ["EXAMPLE", "HELP", "add_arguments", "run"]

HELP = "Estimate energy, gCO2e and water of one call, or of every row of a CSV file."
EXAMPLE = "example:\n  otel-carbon estimate --model gpt-4o --input-tokens 1200 --output-tokens 345 --explain"

_OPTIONS = {
    "model": ("M", "model name, as any instrumentation or provider writes it"),
    "provider": ("P", "gen_ai.provider.name: openai, anthropic, aws.bedrock, azure.ai.openai, gcp.vertex_ai, ..."),
    "region": ("R", "cloud region where inference runs"),
    "zone": ("Z", "grid zone: ISO 3166 alpha-3 code (FRA) or Electricity Maps key (US-CAL-CISO)"),
    "input_tokens": ("N", "all input tokens, the cached ones included"),
    "cache_read_tokens": ("N", "input tokens read from the provider's prompt cache"),
    "cache_write_tokens": ("N", "input tokens written to it"),
    "output_tokens": ("N", "all output tokens, the reasoning ones included"),
    "reasoning_tokens": ("N", "output tokens that were not shown"),
    "images": ("N", "images that the call made"),
    "videos": ("N", "video clips that the call made"),
    "audio_seconds": ("S", "seconds of audio that the call spoke or heard"),
    "factor_set": ("ID", "factor set (see `otel-carbon factors list`)"),
    "grid_intensity": ("G", "grid intensity in g/kWh, where you know it"),
    "pue": ("X", "facility energy over IT energy, where you know it"),
    "latency_s": ("S", "duration of the call in seconds; only ecologits-0.11.3 uses it"),
    "at": ("TIME", "when the call was made (2026-11-30, UTC): chooses the version of the factor set"),
}


_COLUMNS = (*_OPTIONS, "media_outside_input")
_TOO_MANY = "cells beyond the header"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    for name, (metavar, text) in _OPTIONS.items():
        parser.add_argument(f"--{name.replace('_', '-')}", metavar=metavar, help=text)
    parser.add_argument(
        "--media-outside-input",
        action="store_const",
        const="true",
        help="the request held images or audio that --input-tokens does not include: 1.2 (1.0 to 1.5) times as much",
    )
    parser.add_argument(
        "--factor-set-file",
        metavar="FILE",
        dest="factor_set_files",
        action="append",
        default=[],
        help="a factor set of your own, to select by its id; may be repeated (also: OTEL_CARBON_FACTOR_SETS)",
    )
    parser.add_argument(
        "--overrides",
        metavar="FILE",
        help="your own PUE, WUE, g/kWh and energy per model, provider and region (also: OTEL_CARBON_OVERRIDES)",
    )
    parser.add_argument("--file", metavar="CSV", type=Path, help="estimate every row; columns are named as the options")
    parser.add_argument("--format", choices=["table", "json"], default="table", help="default: table")
    parser.add_argument("--equivalents", choices=["epa", "seed"], default="epa", help="what grams are compared with")
    parser.add_argument("--explain", action="store_true", help="show the working, line by line, with sources")
    parser.add_argument(
        "--compare", action="store_true", help="show the call under every factor set, and why they differ"
    )


def run(args: argparse.Namespace) -> int:
    """Estimate and print.

    Raises:
        ConfigError: an option or a cell cannot be used.
    """
    from otel_carbon.cli.estimate_text import estimate_text, estimates_text

    if args.compare:
        _compare(args)
        return 0
    if args.file is not None:
        estimates = _of_file(args)
        if args.format == "json":
            for estimate in estimates:
                _print_json(estimate, explain=args.explain)
        else:
            print(estimates_text(list(estimates)))
        return 0
    estimate = _of_options(args)
    if args.format == "json":
        _print_json(estimate, explain=args.explain)
    else:
        print(estimate_text(estimate, explain=args.explain))
    return 0


def _compare(args: argparse.Namespace) -> None:
    from otel_carbon.cli.estimate_compare_text import compare_text
    from otel_carbon.estimator.compare import compare, comparison_document

    if args.file is not None:
        raise ConfigError("--compare: takes one call; leave --file away")
    overrides = _overrides(args)
    with _naming_the_option():
        comparisons = compare(_arguments(args), _factor_sets(args), overrides)
    if args.format == "json":
        print(json.dumps([comparison_document(comparison) for comparison in comparisons], allow_nan=False))
    else:
        print(compare_text(comparisons))


def _of_options(args: argparse.Namespace) -> Estimate:
    from otel_carbon.estimator.api import estimate_arguments

    overrides = _overrides(args)
    with _naming_the_option():
        return estimate_arguments(_arguments(args), args.equivalents, _factor_sets(args), overrides)


def _arguments(args: argparse.Namespace) -> Arguments:
    from otel_carbon.estimator.arguments import ARGUMENT_NAMES, read_arguments

    return read_arguments({name: getattr(args, name) for name in ARGUMENT_NAMES})


def _factor_sets(args: argparse.Namespace) -> tuple[str, ...]:
    from otel_carbon.estimator.settings import factor_sets_from_environment

    return (*factor_sets_from_environment(os.environ), *args.factor_set_files)


def _overrides(args: argparse.Namespace) -> tuple[Override, ...]:
    from otel_carbon.estimator.overrides_file import read_overrides
    from otel_carbon.estimator.settings import overrides_from_environment

    return overrides_from_environment(os.environ) if args.overrides is None else read_overrides(args.overrides)


@contextmanager
def _naming_the_option() -> Generator[None]:
    """Name the option as it is typed where an argument cannot be used."""
    try:
        yield
    except ConfigError as error:
        name, _, problem = str(error).partition(": ")
        raise ConfigError(f"--{name.replace('_', '-')}: {problem}") from error


def _of_file(args: argparse.Namespace) -> Iterator[Estimate]:
    """Estimate every row; an option given beside the file holds where the row's cell is empty."""
    from otel_carbon.estimator.api import estimate_arguments
    from otel_carbon.estimator.arguments import ARGUMENT_NAMES, read_arguments

    defaults = {name: getattr(args, name) for name in ARGUMENT_NAMES}
    overrides = _overrides(args)
    for line, row in _rows(args.file, with_model=args.model is not None):
        try:
            yield estimate_arguments(read_arguments(defaults | row), args.equivalents, _factor_sets(args), overrides)
        except ConfigError as error:
            name, _, problem = str(error).partition(": ")
            raise ConfigError(f"{args.file}, line {line}, column {name}: {problem}") from error


def _rows(path: Path, *, with_model: bool) -> Iterator[tuple[int, dict[str, str]]]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ConfigError(f"--file: {path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"--file: {path} is not UTF-8 text; save it as CSV in UTF-8") from error
    reader = csv.DictReader(text.splitlines(keepends=True), restkey=_TOO_MANY)
    try:
        _check_header(path, reader.fieldnames or ())
        for row in reader:
            if _TOO_MANY in row:
                raise ConfigError(f"{path}, line {reader.line_num}: has more cells than the header")
            yield (
                reader.line_num,
                {name: cell for name, cell in row.items() if cell or (name == "model" and not with_model)},
            )
    except csv.Error as error:
        raise ConfigError(f"{path}, line {reader.line_num + 1}: not readable as CSV: {error}") from error


def _check_header(path: Path, names: Sequence[str]) -> None:
    if not names:
        raise ConfigError(f"--file: {path} is empty; its first line names the columns, such as model,output_tokens")
    for position, name in enumerate(names):
        if name not in _COLUMNS:
            raise ConfigError(f"{path}, line 1, column {name}: no such column; columns are {', '.join(_COLUMNS)}")
        if name in names[:position]:
            raise ConfigError(f"{path}, line 1, column {name}: stands twice; leave one out")


def _print_json(estimate: Estimate, *, explain: bool) -> None:
    from otel_carbon.estimator.explain import working_document

    document = estimate.to_dict()
    if explain:
        document["working"] = working_document(estimate.working)
    print(json.dumps(document, allow_nan=False))
