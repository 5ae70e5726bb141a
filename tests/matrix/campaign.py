"""Many programs side by side, before one provider and one gateway; each is compared as soon as it has ended."""

from __future__ import annotations

import json
import threading
import time
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import azure_monitor
from compare import Seen, counted, served, verdict
from environments import Lock, build_wheel, python_of, read_locks
from gateway_process import GatewayProcess
from plan import Run
from program import Finished, Place, run
from provider import Provider, serve

__all__ = ["Result", "run_all"]

Result = dict[str, Any]
"""A run as it stands in results.json."""

_LEDGER = "ledger:traces"
_COUNTED_WITHIN_S = 60.0


def run_all(runs: Sequence[Run], folder: Path, at_once: int, *, keep: Callable[[Result], None]) -> list[Result]:
    """Run the programs, hand every result to `keep` when it is there, and return all in the order of the runs."""
    folder.mkdir(parents=True, exist_ok=True)
    locks, wheel = read_locks(), build_wheel(folder / "wheel")
    keeping = threading.Lock()
    with serve() as (provider, url), GatewayProcess(folder / "gateway") as gateway:
        place = Place(url, gateway.ready["http"], gateway.ready["grpc"], folder / "runs")
        books = _Books(provider, folder / "gateway" / "ledger.db", gateway.ready["web"])

        def result_of(one: Run) -> Result:
            result = _result(one, locks[one.set.id, one.sdk], wheel, place, books)
            with keeping:
                keep(result)
                print(f"{one.id}: {result.get('error') or len(result.get('cases', ()))}", flush=True)
            return result

        with ThreadPoolExecutor(at_once) as threads:
            results = list(threads.map(result_of, runs))
        assert gateway.stop() == 0, gateway.log()
    return results


@dataclass(frozen=True, slots=True)
class _Books:
    """What the provider served, and where the gateway counts."""

    provider: Provider
    ledger: Path
    web: str

    def wait_until_counted(self) -> None:
        """Wait until the gateway has counted all that it has taken so far."""
        head = self._pipelines()["journal"]["head"]
        until_s = time.monotonic() + _COUNTED_WITHIN_S
        while (cursor := self._pipelines()["cursors"][_LEDGER])["waiting"]["payloads"] and cursor["position"] < head:
            if time.monotonic() > until_s:
                raise TimeoutError(f"the gateway has not counted position {head} in {_COUNTED_WITHIN_S:g} s: {cursor}")
            time.sleep(0.05)

    def compared(self, one: Run, case: Mapping[str, Any], done: Finished) -> dict[str, Any]:
        """Return a case with the verdicts on it."""
        period = (case["started"], case["ended"])
        truth = served(self.provider.truth[one.id], *period)
        books = {} if one.mode == "gateway" else {"app": counted(done.ledger, one.id, *period)}
        unexpected = case["unexpected"]
        if one.mode != "unsampled":
            books["gateway"] = counted(self.ledger, one.id, *period)
        elif counted(self.ledger, one.id, *period) != Seen():
            unexpected = "exported although it was sampled out"
        verdicts = {name: verdict(truth, seen) for name, seen in books.items()}
        compared: dict[str, Any] = {"case": case["case"], "verdicts": verdicts}
        if unexpected:
            compared["unexpected"] = unexpected
        if set(verdicts.values()) != {"exact"}:
            compared["truth"] = truth.as_dict()
            compared["books"] = {name: seen.as_dict() for name, seen in books.items()}
        return compared

    def _pipelines(self) -> dict[str, Any]:
        with urllib.request.urlopen(f"{self.web}/debug/pipelines", timeout=60) as answer:
            found: dict[str, Any] = json.loads(answer.read())
        return found


def _result(one: Run, lock: Lock, wheel: Path, place: Place, books: _Books) -> Result:
    head = {"set": one.set.id, "sdk": one.sdk, "mode": one.mode, "date": f"{datetime.now(UTC):%Y-%m-%d}"}
    if "refused" in lock:
        return {**head, "refused": str(lock["refused"])}
    done = run(one, python_of(lock, wheel), place)
    if "azure" in one.set.id and not done.error:
        told = azure_monitor.problem(books.provider.ingested[one.id], one.mode, len(done.cases))
        done = replace(done, error=told)
    books.wait_until_counted()
    cases = [books.compared(one, case, done) for case in done.cases]
    return {**head, "versions": _versions(one, lock), "error": done.error, "cases": cases}


def _versions(one: Run, lock: Lock) -> dict[str, str]:
    pins = dict(pin.split("==") for pin in lock["pins"])
    return {name: pins[name] for name in ("opentelemetry-sdk", *one.set.shows)}
