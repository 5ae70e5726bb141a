"""A real Prometheus as a process beside the test."""

from __future__ import annotations

import json
import re
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from free_ports import free_addresses

__all__ = ["RULES", "PrometheusProcess", "Series", "copy_of_rules", "running_prometheus"]

RULES = Path(__file__).parents[2] / "dashboards" / "prometheus"
_WAITS = 300

Series = dict[frozenset[tuple[str, str]], float]
"""Values by labels, the name among them as `__name__`."""


class PrometheusProcess:
    """A Prometheus that answers queries."""

    def __init__(self, address: str) -> None:
        self.url = f"http://{address}"

    def query(self, expression: str) -> Series:
        """Return an instant vector."""
        data = self._get("query", query=expression)
        return {frozenset(one["metric"].items()): float(one["value"][1]) for one in data["result"]}

    def total(self, expression: str) -> float:
        """Return the sum of an instant vector, 0 where it is empty."""
        return sum(self.query(expression).values())

    def growth(self, selector: str, *, begins_at_zero: bool = True) -> float:
        """Return by how much counters grew in the last hour, exactly; a fall is a start at zero."""
        data = self._get("query", query=f"{selector}[1h]")
        total = 0.0
        for series in data["result"]:
            values = [float(value) for _, value in series["values"]]
            assert values[0] == 0.0 or not begins_at_zero, series["metric"]
            total += values[0]
            total += sum(new - old if new >= old else new for old, new in pairwise(values))
        return total

    def exemplars(self, selector: str) -> list[dict[str, str]]:
        """Return the labels of the exemplars of a year."""
        now_s = time.time()
        data = self._get("query_exemplars", query=selector, start=str(now_s - 31_536_000), end=str(now_s + 60))
        return [one["labels"] for series in data for one in series["exemplars"]]

    def increase(self, selector: str) -> float:
        """Return what `increase()` of the last hour gives at the newest sample, where it extrapolates nothing.

        At any other time it goes on from there to that time. Before a first sample that is zero it adds nothing.
        """
        newest = max(float(series["values"][-1][0]) for series in self._get("query", query=f"{selector}[1h]")["result"])
        data = self._get("query", query=f"sum(increase({selector}[1h]))", time=repr(newest))
        return float(data["result"][0]["value"][1])

    def wait_for(self, expression: str, expected: float, *, rel: float = 1e-9) -> None:
        """Wait until an expression adds up to a value."""
        got = -1.0
        for _ in range(_WAITS):
            got = self.total(expression)
            if got == pytest.approx(expected, rel=rel):
                return
            time.sleep(0.1)
        pytest.fail(f"{expression}: {got}, not {expected}")

    def wait_for_data(self, expression: str) -> Series:
        """Wait until an expression gives something."""
        for _ in range(_WAITS):
            found = self.query(expression)
            if found:
                return found
            time.sleep(0.1)
        return pytest.fail(f"{expression} gives nothing")

    def _get(self, path: str, **parameters: str) -> Any:
        query = urllib.parse.urlencode(parameters)
        try:
            with urllib.request.urlopen(f"{self.url}/api/v1/{path}?{query}", timeout=30) as answer:
                return json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            return pytest.fail(f"{parameters}: {error.read().decode()}")


@contextmanager
def running_prometheus(
    binary: Path, folder: Path, config: str, *flags: str, address: str | None = None
) -> Iterator[PrometheusProcess]:
    """Run a Prometheus with this config until the block ends; a folder that it had before has its data."""
    folder.mkdir(exist_ok=True)
    address = address or free_addresses(1)[0]
    file, log = folder / "prometheus.yml", folder / "prometheus.log"
    file.write_text(config, encoding="utf-8")
    options = [f"--config.file={file}", f"--storage.tsdb.path={folder / 'data'}", f"--web.listen-address={address}"]
    options.append("--scrape.discovery-reload-interval=100ms")  # five seconds, before it scrapes at all
    with log.open("ab") as output:
        process = subprocess.Popen([binary, *options, *flags], stdout=output, stderr=output)
    try:
        _wait_until_ready(address, process, log)
        yield PrometheusProcess(address)
    finally:
        process.terminate()
        process.wait(60)


def copy_of_rules(folder: Path) -> list[str]:
    """Write the recording and budget rules where a test can run them every second, and return their paths."""
    found: list[str] = []
    for name in ("rules.yml", "budgets.yml"):
        text = (RULES / name).read_text(encoding="utf-8")
        (folder / name).write_text(re.sub(r"interval: \w+", "interval: 1s", text), encoding="utf-8")
        found.append(str(folder / name))
    return found


def _wait_until_ready(address: str, process: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(_WAITS):
        assert process.poll() is None, log.read_text(encoding="utf-8")
        try:
            with urllib.request.urlopen(f"http://{address}/-/ready", timeout=5):
                return
        except OSError:
            time.sleep(0.1)
    pytest.fail(log.read_text(encoding="utf-8"))
