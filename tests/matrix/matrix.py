"""The live matrix: real libraries against the mock provider, and both ledgers against the truth.

    make matrix                        all of it; results.json and docs/matrix.md are written anew
    scripts/matrix --subset            every set once, on the newest SDK: what every change is checked by
    scripts/matrix --only litellm      the sets whose id contains this; with --write they replace theirs in results.json
    scripts/matrix --lock              resolve every environment anew, and write locks.jsonl

The exit status is 1 where a verdict differs from exact and known.toml does not explain it.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import azure_monitor
import known
from compare import Seen, counted, served, verdict
from environments import Lock, build_wheel, lock_all, python_of, read_locks
from gateway_process import GatewayProcess
from plan import FOLDER, Run, all_sdks, read_sets, runs_of
from program import Finished, Place, run
from provider import serve

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
    with tempfile.TemporaryDirectory() as temporary:
        results = run_all(runs, args.keep or Path(temporary), args.jobs)
    if args.write or not (args.only or args.sdk or args.subset):
        write(results, runs_of_all=[one for each in read_sets() for one in runs_of(each, [*all_sdks(), *_MORE_SDKS])])
    return known.report(results)


def write(results: Sequence[dict[str, Any]], *, runs_of_all: Sequence[Run]) -> None:
    """Put these results in the place of those of the same runs, in the order of the plan."""
    kept = json.loads(RESULTS.read_text(encoding="utf-8"))["runs"] if RESULTS.exists() else []
    found = {(result["set"], result["sdk"], result["mode"]): result for result in [*kept, *results]}
    ordered = [found[key] for one in runs_of_all if (key := (one.set.id, one.sdk, one.mode)) in found]
    RESULTS.write_text(json.dumps({"runs": ordered}, indent=1) + "\n", encoding="utf-8")


def run_all(runs: Sequence[Run], folder: Path, at_once: int) -> list[dict[str, Any]]:
    """Run the programs side by side, then compare the books of each with what it was served."""
    folder.mkdir(parents=True, exist_ok=True)
    locks, wheel = read_locks(), build_wheel(folder / "wheel")
    results: list[dict[str, Any]] = []
    with serve() as (provider, url), GatewayProcess(folder / "gateway", addresses=("grpc", "http", "web")) as gateway:
        place = Place(url, gateway.ready["http"], gateway.ready["grpc"], folder / "runs")

        def finish(one: Run) -> Finished | str:
            lock = locks[one.set.id, one.sdk]
            if "refused" in lock:
                return str(lock["refused"])
            done = run(one, python_of(lock, wheel), place)
            if "azure" in one.set.id and not done.error:
                done = replace(done, error=azure_monitor.problem(provider.ingested[one.id], one.mode, len(done.cases)))
            print(f"{one.id}: {done.error or f'{len(done.cases)} cases'}", flush=True)
            return done

        with ThreadPoolExecutor(at_once) as threads:
            finished = list(threads.map(finish, runs))
        assert gateway.stop() == 0, gateway.log()
    book = folder / "gateway" / "ledger.db"
    for one, done in zip(runs, finished, strict=True):
        head = {"set": one.set.id, "sdk": one.sdk, "mode": one.mode, "date": f"{datetime.now(UTC):%Y-%m-%d}"}
        if isinstance(done, str):
            results.append({**head, "refused": done})
            continue
        versions = _versions(one, locks[one.set.id, one.sdk])
        cases = [_compared(one, case, done, book, provider.truth[one.id]) for case in done.cases]
        results.append({**head, "versions": versions, "error": done.error, "cases": cases})
    return results


def _compared(
    one: Run, case: dict[str, Any], done: Finished, book: Path, requests: list[dict[str, Any]]
) -> dict[str, Any]:
    period = (case["started"], case["ended"])
    truth = served(requests, *period)
    books = {} if one.mode == "gateway" else {"app": counted(done.ledger, one.id, *period)}
    if one.mode != "unsampled":
        books["gateway"] = counted(book, one.id, *period)
    elif counted(book, one.id, *period) != Seen():
        case = {**case, "unexpected": "exported although it was sampled out"}
    verdicts = {name: verdict(truth, seen) for name, seen in books.items()}
    compared: dict[str, Any] = {"case": case["case"], "verdicts": verdicts}
    if case["unexpected"]:
        compared["unexpected"] = case["unexpected"]
    if set(verdicts.values()) != {"exact"}:
        compared["truth"] = truth.as_dict()
        compared["books"] = {name: seen.as_dict() for name, seen in books.items()}
    return compared


def _versions(one: Run, lock: Lock) -> dict[str, str]:
    pins = dict(pin.split("==") for pin in lock["pins"])
    return {name: pins[name] for name in ("opentelemetry-sdk", *one.set.shows)}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
