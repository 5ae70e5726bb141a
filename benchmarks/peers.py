"""What otel-carbon, EcoLogits and llm-eco-tracker add to one call of the real OpenAI client, in the same run.

    python benchmarks/peers.py [--rounds 5] [--calls 1000] [--streams 60]

Every figure is of a process of its own in an environment of its own (made by uv in `.cache/peers`), with the client
answered in memory instead of by the network. Configurations take turns, round by round, so that a busy machine slows
all of them alike. Times are CPU time of the calling thread; what is added is over the client alone in the same
environment. otel-carbon is compared with OpenLLMetry's instrumentation, which an application that has traces pays
already: its processor is there for every second call of one process, because the instrumentation's own spread from
process to process is larger than what is to be measured.
"""

from __future__ import annotations

import argparse
import gc
import itertools
import json
import os
import statistics
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

_ROOT = Path(__file__).parent.parent
_CACHE = _ROOT / ".cache" / "peers"
_CLIENT = "openai==2.54.0"
_REQUIREMENTS = {
    "otel": [_CLIENT, "opentelemetry-sdk", "opentelemetry-instrumentation-openai==0.62.4", str(_ROOT)],
    "ecologits": [_CLIENT, "ecologits==0.11.3"],
    "llm-eco-tracker": [_CLIENT, "llm-eco-tracker==0.1.0"],
}
# Configuration: its environment, and the configuration that it is compared with.
_CONFIGURATIONS = {
    "client": ("otel", None),
    "openllmetry": ("otel", "client"),
    "openllmetry, carbon away": ("otel", "client"),
    "openllmetry, carbon there": ("otel", "openllmetry, carbon away"),
    "client beside ecologits": ("ecologits", None),
    "ecologits": ("ecologits", "client beside ecologits"),
    "client beside llm-eco-tracker": ("llm-eco-tracker", None),
    "llm-eco-tracker": ("llm-eco-tracker", "client beside llm-eco-tracker"),
}
_AWAY, _THERE = "openllmetry, carbon away", "openllmetry, carbon there"
_CHUNKS = 200
_MODEL = "gpt-4o-mini"
_MESSAGES: list[Any] = [{"role": "user", "content": "hello"}]
_USAGE = {"prompt_tokens": 120, "completion_tokens": 250, "total_tokens": 370}


def main() -> None:
    """Measure, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--calls", type=int, default=1000)
    parser.add_argument("--streams", type=int, default=60)
    parser.add_argument("--worker", help="what one process measures; not for you")
    given = parser.parse_args()
    if given.worker:
        print(json.dumps(_measure(given.worker, given.calls, given.streams)), flush=True)
        os._exit(0)
    pythons = {name: _environment(name, requirements) for name, requirements in _REQUIREMENTS.items()}
    load, results = [os.getloadavg()[0]], defaultdict[str, list[dict[str, float]]](list)
    for _ in range(given.rounds):
        for name, (environment, _compared) in _CONFIGURATIONS.items():
            if name == _AWAY:
                continue
            numbers = ["--calls", str(given.calls), "--streams", str(given.streams)]
            measured = _run(pythons[environment], name, numbers)
            results[name].append(measured)
            if name == _THERE:
                away = {key.removeprefix("away_"): value for key, value in measured.items() if key.startswith("away_")}
                results[_AWAY].append({**results["openllmetry"][-1], **away})
            load.append(os.getloadavg()[0])
    print(f"{datetime.now(UTC):%Y-%m-%d}, {_CLIENT}, {given.rounds} rounds, load {min(load):.1f} to {max(load):.1f}")
    for title, keys in _TABLES.items():
        _print(title, keys, results)


_TABLES = {
    "one call, CPU us": ("call_median_us", "call_p99_us"),
    f"stream of {_CHUNKS} chunks, CPU us": ("stream_median_us", "stream_p99_us"),
    "import and start, ms; first call, ms": ("start_ms", "first_call_ms"),
    "memory after start and after calls, MiB": ("start_mib", "calls_mib"),
}


def _print(title: str, keys: tuple[str, str], results: dict[str, list[dict[str, float]]]) -> None:
    print(f"\n{title:<44}{keys[0]:>18}{keys[1]:>18}{'added':>10}{'added':>10}")
    for name, (_, compared) in _CONFIGURATIONS.items():
        own = [statistics.median(run[key] for run in results[name]) for key in keys]
        row = f"{name:<44}{own[0]:18.1f}{own[1]:18.1f}"
        if compared is not None and "first_call_ms" not in keys:
            row += "".join(
                f"{value - statistics.median(run[key] for run in results[compared]):10.1f}"
                for value, key in zip(own, keys, strict=True)
            )
        print(row)


def _environment(name: str, requirements: list[str]) -> str:
    python = _CACHE / name / "bin" / "python"
    if not python.exists():
        uv = [sys.executable, "-m", "uv"]
        subprocess.run([*uv, "venv", "--quiet", "--python", sys.executable, str(_CACHE / name)], check=True)
        subprocess.run([*uv, "pip", "install", "--quiet", "--python", str(python), *requirements], check=True)
    return str(python)


def _run(python: str, name: str, numbers: list[str]) -> dict[str, float]:
    command = [python, str(Path(__file__)), "--worker", name, *numbers]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=_CACHE)
    if done.returncode:
        raise SystemExit(f"{name}: {done.stderr}")
    measured: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return measured


def _measure(name: str, calls: int, streams: int) -> dict[str, float]:
    client = _client()
    before, before_mib = time.perf_counter(), _resident_mib()
    wrap = _STARTS[name]()
    started, started_mib = time.perf_counter(), _resident_mib()
    call, stream = wrap(lambda: _call(client)), wrap(lambda: _stream(client))
    call()
    first = time.perf_counter()
    measured = {
        "start_ms": (started - before) * 1e3,
        "first_call_ms": (first - started) * 1e3,
        "start_mib": started_mib - before_mib,
    }
    switch = _without_carbon if name == _THERE else nullcontext
    for kind, work, times in (("call", call, calls), ("stream", stream, streams)):
        there, away = _times_us(work, times, switch)
        measured |= {f"{kind}_{quantile}_us": value for quantile, value in there.items()}
        measured |= {f"away_{kind}_{quantile}_us": value for quantile, value in away.items()}
    return measured | {"calls_mib": _resident_mib() - before_mib}


_Times = dict[str, float]


def _times_us(
    work: Callable[[], Any], times: int, switch: Callable[[], AbstractContextManager[None]]
) -> tuple[_Times, _Times]:
    """Return the CPU time of the work, and of as much work that was done with something switched off."""
    for _ in range(max(10, times // 10)):
        work()
    gc.collect()
    there_ns: list[int] = []
    away_ns: list[int] = []
    for _ in range(times):
        there_ns.append(_taken_ns(work))
        if switch is not nullcontext:
            with switch():
                away_ns.append(_taken_ns(work))
    return _quantiles(there_ns), _quantiles(away_ns)


def _taken_ns(work: Callable[[], Any]) -> int:
    began_ns = time.thread_time_ns()
    work()
    return time.thread_time_ns() - began_ns


def _quantiles(taken_ns: list[int]) -> _Times:
    if not taken_ns:
        return {}
    return {"median": statistics.median(taken_ns) / 1e3, "p99": statistics.quantiles(taken_ns, n=100)[98] / 1e3}


@contextmanager
def _without_carbon() -> Iterator[None]:
    from opentelemetry import trace  # noqa: PLC0415

    provider: Any = trace.get_tracer_provider()
    composite = provider._active_span_processor  # noqa: SLF001 - the SDK takes no processor away
    every = composite._span_processors  # noqa: SLF001
    composite._span_processors = tuple(each for each in every if "Carbon" not in type(each).__name__)  # noqa: SLF001
    try:
        yield
    finally:
        composite._span_processors = every  # noqa: SLF001


def _call(client: Any) -> Any:
    return client.chat.completions.create(model=_MODEL, messages=_MESSAGES)


def _stream(client: Any) -> int:
    options = {"include_usage": True}
    chunks = client.chat.completions.create(model=_MODEL, messages=_MESSAGES, stream=True, stream_options=options)
    return sum(1 for _ in chunks)


def _client() -> Any:
    """Return a real client whose requests are answered in memory."""
    import httpx  # noqa: PLC0415 - the measuring process has it, not the one that prints
    from openai import OpenAI  # noqa: PLC0415

    choice = {"index": 0, "message": {"role": "assistant", "content": "hi"}, "finish_reason": "stop"}
    base = {"id": "chatcmpl-00000000", "created": 1_710_000_000, "model": _MODEL}
    answer = json.dumps({**base, "object": "chat.completion", "choices": [choice], "usage": _USAGE}).encode()
    delta = {"index": 0, "delta": {"content": "tok "}, "finish_reason": None}
    chunk = json.dumps({**base, "object": "chat.completion.chunk", "choices": [delta]})
    last = json.dumps({**base, "object": "chat.completion.chunk", "choices": [], "usage": _USAGE})
    events = "".join(f"data: {text}\n\n" for text in (*[chunk] * _CHUNKS, last, "[DONE]")).encode()

    numbers = itertools.count(1)

    def respond(request: httpx.Request) -> httpx.Response:
        own = b"%08d" % next(numbers)  # a provider gives every answer an id of its own
        if b'"stream":true' in request.content.replace(b" ", b""):
            return httpx.Response(
                200, content=events.replace(b"00000000", own), headers={"content-type": "text/event-stream"}
            )
        return httpx.Response(
            200, content=answer.replace(b"00000000", own), headers={"content-type": "application/json"}
        )

    http_client = httpx.Client(transport=httpx.MockTransport(respond))
    return OpenAI(api_key="none", base_url="http://127.0.0.1:9/v1", http_client=http_client)


_Wrap = Callable[[Callable[[], Any]], Callable[[], Any]]


def _start_nothing() -> _Wrap:
    return lambda work: work


def _start_openllmetry(*, carbon: bool = False) -> _Wrap:
    from opentelemetry import metrics, trace  # noqa: PLC0415 - what it takes to import is measured
    from opentelemetry.instrumentation.openai import OpenAIInstrumentor  # noqa: PLC0415
    from opentelemetry.sdk.metrics import MeterProvider  # noqa: PLC0415
    from opentelemetry.sdk.metrics.export import InMemoryMetricReader  # noqa: PLC0415
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
    from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult  # noqa: PLC0415

    class Nowhere(SpanExporter):
        def export(self, spans: Any) -> SpanExportResult:  # noqa: ARG002 - the signature is the SDK's
            return SpanExportResult.SUCCESS

    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(Nowhere()))
    trace.set_tracer_provider(provider)
    metrics.set_meter_provider(MeterProvider([InMemoryMetricReader()]))
    if carbon:
        import otel_carbon  # noqa: PLC0415

        otel_carbon.install()
    OpenAIInstrumentor().instrument()
    return lambda work: work


def _start_ecologits() -> _Wrap:
    from ecologits import EcoLogits  # noqa: PLC0415

    EcoLogits.init(providers=["openai"])
    return lambda work: work


def _start_llm_eco_tracker() -> _Wrap:
    from llm_eco_tracker import carbon_aware  # noqa: PLC0415
    from llm_eco_tracker.telemetry import NoOpTelemetrySink  # noqa: PLC0415

    decorate: _Wrap = carbon_aware(max_delay_hours=0, telemetry_sink=NoOpTelemetrySink())
    return decorate


_STARTS: dict[str, Callable[[], _Wrap]] = {
    "client": _start_nothing,
    "openllmetry": _start_openllmetry,
    _THERE: lambda: _start_openllmetry(carbon=True),
    "client beside ecologits": _start_nothing,
    "ecologits": _start_ecologits,
    "client beside llm-eco-tracker": _start_nothing,
    "llm-eco-tracker": _start_llm_eco_tracker,
}


def _resident_mib() -> float:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


if __name__ == "__main__":
    main()
