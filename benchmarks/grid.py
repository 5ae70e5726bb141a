"""Time of looking up an hourly grid intensity, and of an estimate that does, beside one that does not.

    python benchmarks/grid.py [--calls 200000]

CPU time, best of several rounds. The store holds 40 days of 50 zones.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence

from otel_carbon.estimator import Estimator, EstimatorSettings
from otel_carbon.factors import FactorTables
from otel_carbon.grid import GridRefresher
from otel_carbon.model import Call, GridReading, Usage

_ROUNDS = 7
_HOUR_S = 3600
_NS = 1_000_000_000
_NOW_S = 1_795_168_800
_KEYS = ("aws:eu-west-1", "IE")
_USAGE = Usage(uncached_input_tokens=1000, cache_read_tokens=200, visible_output_tokens=300, reasoning_tokens=50)


class _Publisher:
    source_id = "benchmark-hourly"
    period_s = _HOUR_S
    longest_span_s = 40 * 24 * _HOUR_S

    def place(self, grid_keys: tuple[str, ...]) -> str | None:
        return grid_keys[-1]

    def fetch(self, place: str, start_unix_s: int, end_unix_s: int) -> Sequence[GridReading]:
        starts = range(start_unix_s, end_unix_s, _HOUR_S)
        return [GridReading(place, 300.0, at * _NS, (at + _HOUR_S) * _NS, self.source_id) for at in starts]


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=200_000, help="look-ups per round")
    calls = parser.parse_args().calls
    source = _filled()
    known, unknown = (_NOW_S - _HOUR_S) * _NS, (_NOW_S - 60 * 24 * _HOUR_S) * _NS
    hour = Call(provider="aws.bedrock", model="claude-sonnet-4-5", region="eu-west-1", usage=_USAGE, at_unix_nano=known)
    yearly = Estimator(FactorTables.bundled())
    hourly = Estimator(FactorTables.bundled(), EstimatorSettings(), source)

    print(f"look-up, hour known           {_best(lambda: _look_up(source, known, calls), calls):8.2f} µs")
    print(f"look-up, hour not known       {_best(lambda: _look_up(source, unknown, calls), calls):8.2f} µs")
    print(f"estimate by the year          {_best(lambda: _estimate(yearly, hour, calls), calls):8.2f} µs")
    print(f"estimate by the hour          {_best(lambda: _estimate(hourly, hour, calls), calls):8.2f} µs")
    source.close()


def _filled() -> GridRefresher:
    source = GridRefresher(_Publisher(), clock_ns=lambda: _NOW_S * _NS)
    for zone in ["IE", *(f"Z{number}" for number in range(49))]:
        source.reading((zone,), (_NOW_S - 40 * 24 * _HOUR_S + 1) * _NS)
        source.reading((zone,), (_NOW_S - 1) * _NS)
    source.refresh()
    source.settle(60.0)
    return source


def _look_up(source: GridRefresher, at_unix_nano: int, calls: int) -> None:
    for _ in range(calls):
        source.reading(_KEYS, at_unix_nano)


def _estimate(estimator: Estimator, call: Call, calls: int) -> None:
    for _ in range(calls):
        estimator.estimate(call)


def _best(work: Callable[[], None], calls: int) -> float:
    """Return the CPU time per call, in µs."""
    best_s = float("inf")
    for _ in range(_ROUNDS):
        started = time.thread_time()
        work()
        best_s = min(best_s, time.thread_time() - started)
    return best_s / calls * 1e6


if __name__ == "__main__":
    main()
