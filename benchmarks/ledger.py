"""Lines per second and CPU per line of the ledger: estimate, line, hash, observation, roll-up, commit.

    python benchmarks/ledger.py [--calls 100000] [--batch 256 2048]

Calls have distinct trace, span and response ids; they begin within four hours, three models, two services. `in front`
is how many lines the file already has: the ids are random, so indexes cost more in a larger file.
"""

from __future__ import annotations

import argparse
import gc
import os
import random
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from otel_carbon.estimator import Estimator
from otel_carbon.factors import FactorTables
from otel_carbon.ledger import Ledger
from otel_carbon.model import Attribution, Call, Sighting, SpanIdentity, Usage

_START_UNIX_NANO = 1_795_464_000_000_000_000
_SECOND = 1_000_000_000
_MODELS = (("openai", "gpt-4o-mini-2024-07-18"), ("openai", "gpt-4o-2024-08-06"), ("anthropic", "claude-sonnet-4-5"))
_WHO = (Attribution(service="api", environment="prod"), Attribution(service="batch", environment="prod"))


def sightings(count: int) -> Iterator[Sighting]:
    """Yield calls in the order of their time."""
    for number in range(count):
        provider, model = random.choice(_MODELS)
        started = _START_UNIX_NANO + number * 4 * 3600 * _SECOND // count
        cached = random.choice((0, 512))
        usage = Usage(random.randrange(2000), cached, 0, random.randrange(900), random.choice((0, 256)))
        call = Call(
            provider=provider,
            model=model,
            request_model=model,
            usage=usage,
            at_unix_nano=started,
            response_id=f"chatcmpl-{os.urandom(12).hex()}",
        )
        span = SpanIdentity(os.urandom(16).hex(), os.urandom(8).hex())
        yield Sighting(span, started, started + _SECOND, random.choice(_WHO), call)


def measure(ledger: Ledger, calls: int, batch: int) -> str:
    """Return a row of the table."""
    seen = list(sightings(calls))
    with ledger.snapshot() as connection:
        in_front = connection.execute("SELECT COUNT(*) FROM lines").fetchone()[0]
    gc.collect()
    gc.freeze()  # the calls of this benchmark are no work of the ledger
    began_s, cpu_s = time.monotonic(), time.process_time()
    for start in range(0, calls, batch):
        ledger.record(seen[start : start + batch])
    wall_s, cpu_s = time.monotonic() - began_s, time.process_time() - cpu_s
    return f"| {batch} | {in_front:,} | {calls / wall_s:,.0f} | {cpu_s / calls * 1e6:.1f} |"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=100_000)
    parser.add_argument("--batch", type=int, nargs="+", default=[256, 2048])
    args = parser.parse_args()
    estimator = Estimator(FactorTables.bundled())
    print("| calls per transaction | lines in front | lines/s | CPU µs per line |\n|---|---|---|---|")
    for batch in args.batch:
        with (
            tempfile.TemporaryDirectory(dir=".") as folder,
            closing(Ledger.open(Path(folder) / "ledger.db", estimator=estimator)) as ledger,
        ):
            ledger.record(list(sightings(1000)))
            print(measure(ledger, args.calls, batch))
            print(measure(ledger, args.calls, batch))


if __name__ == "__main__":
    main()
