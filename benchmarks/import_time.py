"""Time and modules that importing and starting the in-app path adds to the bare SDK.

    python benchmarks/import_time.py [--rounds 20]

Every figure is of a fresh interpreter; statements take turns. The median is what to expect, the least is what the
import itself costs on an undisturbed core.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys

_TIMED = """
import sys, time
import opentelemetry.sdk.trace
before, started = len(sys.modules), time.perf_counter()
{statement}
print(time.perf_counter() - started, len(sys.modules) - before)
"""
_STATEMENTS = {
    "nothing": "pass",
    "import otel_carbon": "import otel_carbon",
    "import otel_carbon.processors": "import otel_carbon.processors",
    "otel_carbon.install()": (
        "import otel_carbon; otel_carbon.install(opentelemetry.sdk.trace.TracerProvider(shutdown_on_exit=False))"
    ),
}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=20, help="interpreters per statement")
    rounds = parser.parse_args().rounds
    runs: dict[str, list[tuple[float, int]]] = {name: [] for name in _STATEMENTS}
    for _ in range(rounds):
        for name, statement in _STATEMENTS.items():
            runs[name].append(_once(statement))
    print(f"{'statement, after import opentelemetry.sdk.trace':<50}{'median ms':>10}{'least ms':>10}{'modules':>9}")
    for name, results in runs.items():
        times_ms = [seconds * 1e3 for seconds, _ in results]
        print(f"{name:<50}{statistics.median(times_ms):10.1f}{min(times_ms):10.1f}{results[0][1]:9}")


def _once(statement: str) -> tuple[float, int]:
    command = [sys.executable, "-c", _TIMED.format(statement=statement)]
    seconds, modules = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    return float(seconds), int(modules)


if __name__ == "__main__":
    main()
