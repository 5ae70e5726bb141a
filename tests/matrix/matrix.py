"""The live matrix: real libraries against the mock provider, and both ledgers against the truth.

    make matrix                        all of it; results.json and docs/matrix.md are written anew
    scripts/matrix --subset            every set once, on the newest SDK: what every change is checked by
    scripts/matrix --only litellm      the sets whose id contains this; with --write they replace theirs in results.json
    scripts/matrix --lock              resolve every environment anew, and write locks.jsonl

Every result is written as soon as its program has ended.
The exit status is 1 where a verdict differs from exact and known.toml does not explain it.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import known
from campaign import Result, run_all
from environments import lock_all
from plan import FOLDER, all_sdks, read_sets, runs_of

RESULTS = FOLDER / "results.json"
_AT_ONCE = 2
_MORE_SDKS = ("1.44.0",)
"""Versions that only some sets name."""


def main(arguments: Sequence[str]) -> int:
    """Run what is asked for, and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", metavar="ID")
    parser.add_argument("--sdk", action="append", metavar="VERSION")
    parser.add_argument("--subset", action="store_true")
    parser.add_argument("--lock", action="store_true")
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="keep ledgers and outputs there")
    parser.add_argument("--jobs", type=int, default=_AT_ONCE)
    args = parser.parse_args(arguments)
    sets = read_sets(args.only)
    if args.lock:
        lock_all(sets)
        return 0
    sdks = args.sdk or (["newest"] if args.subset else [*all_sdks(), *_MORE_SDKS])
    runs = [one for each in sets for one in runs_of(each, sdks) if one.mode == "both" or not args.subset]
    writes = args.write or not (args.only or args.sdk or args.subset)
    with tempfile.TemporaryDirectory() as temporary:
        results = run_all(runs, args.keep or Path(temporary), args.jobs, keep=write if writes else lambda _: None)
    return known.report(results)


def write(result: Result) -> None:
    """Put a result in the place of that of the same run, in the order of the plan."""
    kept = json.loads(RESULTS.read_text(encoding="utf-8"))["runs"] if RESULTS.exists() else []
    found = {(each["set"], each["sdk"], each["mode"]): each for each in [*kept, result]}
    plan = [one for each in read_sets() for one in runs_of(each, [*all_sdks(), *_MORE_SDKS])]
    ordered = [found[key] for one in plan if (key := (one.set.id, one.sdk, one.mode)) in found]
    RESULTS.write_text(json.dumps({"runs": ordered}, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
