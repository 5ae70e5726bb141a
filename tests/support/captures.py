"""Recorded spans of real libraries, and what the provider served meanwhile."""

from __future__ import annotations

import base64
import gzip
import json
import lzma
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from otel_carbon.pipeline import otlp_json
from otel_carbon.pipeline.pdata import Signal

__all__ = ["COUNTS", "FOLDER", "Capture", "captures", "logs_requests", "one_per_family", "served_nothing"]

FOLDER = Path(__file__).parent.parent / "captures"
COUNTS = ("calls", "input", "output", "cache_read", "cache_write", "reasoning")
"""`calls` are the requests that were served, the others are tokens."""
_DRIVER = "scenario "


@dataclass(frozen=True)
class Capture:
    """One library, or several together, in one set-up."""

    name: str
    language: str
    versions: Mapping[str, str]
    bodies: list[bytes] = field(default_factory=list[bytes])
    """Traces requests in protobuf, in the order of arrival."""
    served: dict[str, dict[str, int]] = field(default_factory=dict[str, dict[str, int]])
    """By case, what the provider served."""
    case_of: dict[str, str] = field(default_factory=dict[str, str])
    """By trace id, the case that it belongs to."""


def served_nothing() -> dict[str, int]:
    """Return counts that are all zero."""
    return dict.fromkeys(COUNTS, 0)


@cache
def captures() -> tuple[Capture, ...]:
    """Return every capture there is."""
    return (*_python(), *_javascript())


@cache
def one_per_family() -> tuple[dict[str, Any], ...]:
    """Return the cases of one set-up per family of Python libraries, as they are written."""
    return tuple(map(json.loads, gzip.decompress((FOLDER / "python.jsonl.gz").read_bytes()).splitlines()))


@cache
def logs_requests() -> Mapping[str, list[bytes]]:
    """Return the logs requests, in protobuf, of every capture that has some."""
    lines = map(json.loads, lzma.decompress((FOLDER / "logs.jsonl.xz").read_bytes()).splitlines())
    return {line["capture"]: [_protobuf(body, Signal.LOGS) for body in line["bodies"]] for line in lines}


def _python() -> Iterator[Capture]:
    cases = list(one_per_family())
    for more in ("python-more.jsonl.xz", "python-frameworks.jsonl.xz"):
        cases += map(json.loads, lzma.decompress((FOLDER / more).read_bytes()).splitlines())
    found: dict[str, Capture] = {}
    for case in cases:
        capture = found.setdefault(case["capture"], Capture(case["capture"], "Python", case["versions"]))
        served = capture.served[case["case"]] = served_nothing()
        for request in case["truth"]:
            if request["status"] == 200:
                served["calls"] += 1
                for kind in COUNTS[1:]:
                    served[kind] += request[kind]
        for body in map(base64.b64decode, case["bodies"]):
            capture.bodies.append(body)
            for span in _spans(body):
                capture.case_of[span.trace_id.hex()] = case["case"]
    yield from found.values()


def _javascript() -> Iterator[Capture]:
    truth = tomllib.loads((FOLDER / "javascript.toml").read_text(encoding="utf-8"))
    for line in lzma.decompress((FOLDER / "javascript.jsonl.xz").read_bytes()).splitlines():
        written = json.loads(line)
        capture = Capture(written["capture"], "JavaScript", written["versions"])
        capture.bodies.extend(_protobuf(body) for body in written["bodies"])
        for body in capture.bodies:
            for span in _spans(body):
                name = span.name.removeprefix(_DRIVER)
                if name != span.name:
                    capture.case_of[span.trace_id.hex()] = name
                    capture.served[name] = _usage(truth["scenarios"][name], truth["usage"])
        if not capture.served:
            capture.served["app"] = _usage(truth["captures"][capture.name], truth["usage"])
        yield capture


def _protobuf(body: Mapping[str, str], signal: Signal = Signal.TRACES) -> bytes:
    ((encoding, text),) = body.items()
    decoded = base64.b64decode(text)
    return decoded if encoding == "pb" else otlp_json.decode(signal, decoded)


def _spans(body: bytes) -> Iterator[Any]:
    for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
        for scope in resource.scope_spans:
            yield from scope.spans


def _usage(requests: Mapping[str, int], usage: Mapping[str, Mapping[str, int]]) -> dict[str, int]:
    served = served_nothing()
    for provider, number in requests.items():
        served["calls"] += number
        for kind in COUNTS[1:]:
            served[kind] += number * usage[provider][kind]
    return served
