"""CPU per span of parse and enrich, with and without redaction, on spans with and without content.

    python benchmarks/redact.py [--seconds 3]

The spans are those of `enrich.py`. With content, every GenAI span also carries a prompt of 2 kB, an answer of 1 kB and
the definition of a tool, as the conventions name them.
"""

from __future__ import annotations

import argparse
import os
import platform
import random
from collections.abc import Callable

from enrich import SPANS, attribute, microseconds_per_span, request
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from otel_carbon.pipeline.component import Settings
from otel_carbon.pipeline.otlp import parse
from otel_carbon.pipeline.pdata import Payload, Signal
from otel_carbon.processors import carbon, redact

_REQUESTS = 8
_WORDS = ("energy", "is", "what", "a", "model", "uses", "while", "it", "answers", "carbon")


def with_content(body: bytes, seed: int) -> bytes:
    """Return the request with prompts and answers on its GenAI spans."""
    rng = random.Random(seed)
    message = ExportTraceServiceRequest.FromString(body)
    for span in message.resource_spans[0].scope_spans[0].spans:
        if span.name == "chat":
            texts = (" ".join(rng.choices(_WORDS, k=size)) for size in (360, 180, 40))
            keys = ("gen_ai.input.messages", "gen_ai.output.messages", "gen_ai.tool.definitions")
            span.attributes.extend(attribute(key, text) for key, text in zip(keys, texts, strict=True))
    return message.SerializeToString()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=3.0, help="CPU seconds per figure")
    options = parser.parse_args()
    enrich = carbon.CarbonProcessor(carbon.Config(), Settings("carbon", {}, {}))
    modes = {
        mode: redact.RedactProcessor(redact.Config(content=mode), Settings("redact", {}, {}))
        for mode in redact.ContentMode
    }

    def path(mode: redact.ContentMode) -> Callable[[bytes], Payload]:
        return lambda body: enrich.process(modes[mode].process(parse(Signal.TRACES, body)))

    python = f"{platform.python_implementation()} {platform.python_version()}"
    print(f"{python}, {os.cpu_count()} CPUs, {SPANS} spans a request")
    print("| GenAI share | content | keep µs | drop µs | hash µs | keep spans/s | drop spans/s | hash spans/s |")
    print("|---|---|---|---|---|---|---|---|")
    for share, content in ((1.0, True), (1.0, False), (0.1, True), (0.1, False), (0.0, False)):
        bodies = [request(seed, share) for seed in range(_REQUESTS)]
        if content:
            bodies = [with_content(body, seed) for seed, body in enumerate(bodies)]
        order = (redact.ContentMode.KEEP, redact.ContentMode.DROP, redact.ContentMode.HASH)
        micros = [microseconds_per_span(path(mode), bodies, options.seconds) for mode in order]
        cells = [f"{each:.2f}" for each in micros] + [f"{1e6 / each:,.0f}" for each in micros]
        print(f"| {share:.0%} | {'3 kB' if content else 'none'} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
