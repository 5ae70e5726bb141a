"""Time of one estimate, of a first sight of a model name, and of loading the factor tables.

    python benchmarks/estimate.py [--calls 200000]

CPU time, best of several rounds. The time of loading includes every table that an application needs.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Callable

from otel_carbon.estimator import Estimator
from otel_carbon.factors import FactorTables
from otel_carbon.model import Call, Usage

_ROUNDS = 7
_LOADING = """
import time
import opentelemetry.sdk.trace
started = time.process_time()
from otel_carbon.estimator import Estimator
from otel_carbon.factors import FactorTables
imported = time.process_time()
Estimator(FactorTables.bundled())
print((imported - started) * 1e3, (time.process_time() - imported) * 1e3)
"""


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=200_000, help="estimates per round")
    calls = parser.parse_args().calls
    estimator = Estimator(FactorTables.bundled())
    usage = Usage(uncached_input_tokens=1000, cache_read_tokens=200, visible_output_tokens=300, reasoning_tokens=50)
    seen = Call(
        model="gpt-4o-2024-08-06",
        request_model="gpt-4o",
        provider="openai",
        server_address="api.openai.com",
        usage=usage,
        at_unix_nano=1_795_000_000_000_000_000,
    )
    new = [Call(model=f"acme-{number}-chat", provider="openai", usage=usage) for number in range(2000)]

    print(f"estimate, model seen before   {_best(lambda: _each(estimator, [seen] * calls), calls):8.2f} µs")
    print(f"estimate, model not seen      {_best(lambda: _each(Estimator(estimator.tables), new), len(new)):8.2f} µs")
    imports, tables = zip(*(_loading() for _ in range(_ROUNDS)), strict=True)
    print(f"import beside the SDK         {min(imports):8.2f} ms")
    print(f"tables and estimator          {min(tables):8.2f} ms")


def _each(estimator: Estimator, calls: list[Call]) -> None:
    for call in calls:
        estimator.estimate(call)


def _best(work: Callable[[], None], count: int) -> float:
    """Return the least time of one of `count` parts of some work, in µs."""
    times = []
    for _ in range(_ROUNDS):
        started = time.process_time()
        work()
        times.append(time.process_time() - started)
    return min(times) / count * 1e6


def _loading() -> tuple[float, float]:
    done = subprocess.run([sys.executable, "-c", _LOADING], capture_output=True, text=True, check=True)
    imports, tables = done.stdout.split()
    return float(imports), float(tables)


if __name__ == "__main__":
    main()
