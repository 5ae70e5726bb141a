"""How often calls that two libraries watch are counted wrong, where nothing on the wire can tell for sure.

    python benchmarks/one_call.py [--calls 400] [--seeds 5]

Half of the calls are seen by both libraries and half by one of them, without ids, in one trace or in two. What tells
calls apart then is their model, their counts and their time: the fewer different counts there are and the more calls
run at once, the more often two calls are taken for one, or one for two.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from random import Random

from otel_carbon.pipeline.duplicates import duplicates

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "support"))
from watched_calls import Layout, Watch, watched

_MEAN_DURATION_S = 4.1
_MEAN_DURATION_S = 4.1
_LAYOUTS: tuple[Layout, ...] = ("nested", "one trace", "two traces")


def main() -> None:
    """Print the share of calls that are counted too few or too many."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=400)
    parser.add_argument("--seeds", type=int, default=5)
    arguments = parser.parse_args()
    print("| layout | seen by both | different counts | calls at once | wrong, % of calls |")
    print("|---|---|---|---|---|")
    for layout in _LAYOUTS:
        for share in (1.0, 0.5):
            for token_choices in (1000, 50, 1):
                for at_once in (1, 10, 100):
                    watch = Watch(
                        layout=layout,
                        inner_knows_id=False,
                        seen_by_both=share,
                        token_choices=token_choices,
                        span_s=arguments.calls * _MEAN_DURATION_S / at_once,
                    )
                    wrong = sum(_miscounted(watch, arguments.calls, seed) for seed in range(arguments.seeds))
                    percent = 100 * wrong / (arguments.calls * arguments.seeds)
                    print(f"| {layout} | {share:.0%} | {token_choices} | {at_once} | {percent:+.2f} |")


def _miscounted(watch: Watch, calls: int, seed: int) -> int:
    """Return how many calls are counted too many, or, negative, too few."""
    spans = watched(calls, watch, Random(seed))
    found = duplicates(spans)
    return sum(each.call is not None for each in spans) - len(found) - calls


if __name__ == "__main__":
    main()
