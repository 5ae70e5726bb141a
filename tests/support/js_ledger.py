"""What a ledger should hold of the calls that a provider served, and what it holds."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gateway_process import run_cli

from otel_carbon.demo.provider import Served

__all__ = ["Line", "counted", "expected", "ledger_lines"]

Line = tuple[str, str, str, int, int, int, int, int]
"""Tenant, model, operation; tokens: input, cache read, cache write, output, reasoning."""

_KINDS = ("input_tokens", "cache_read_tokens", "cache_write_tokens", "output_tokens", "reasoning_tokens")
_ARRIVES_WITHIN_S = 60.0
_LATECOMERS_S = 2.0


def expected(tenant: str, served: Served) -> Line:
    """Return the line of a call that was served."""
    cache_write = 100 if served.model.startswith("claude") else 0  # as tests/support/genai_provider.py has it
    cached = (served.cache_read_tokens, cache_write)
    head = (tenant, served.model, served.operation)
    return (*head, served.input_tokens, *cached, served.output_tokens, served.reasoning_tokens)


def counted(line: Mapping[str, Any]) -> Line:
    """Return what is compared of a line of the ledger."""
    model = line.get("model") or line["request_model"]  # an embedding of the AI SDK names only what was asked for
    head = (line.get("tenant", ""), model, line["operation"])
    taken, cache_read, cache_write, given, reasoning = (line.get(kind, 0) for kind in _KINDS)
    return (*head, taken, cache_read, cache_write, given, reasoning)


def ledger_lines(data_dir: Path, count: int) -> list[dict[str, Any]]:
    """Return the lines of the ledger once there are `count`, and a moment later, in case there are more."""
    deadline = time.monotonic() + _ARRIVES_WITHIN_S
    while len(_exported(data_dir)) < count and time.monotonic() < deadline:
        time.sleep(0.5)
    time.sleep(_LATECOMERS_S)
    return _exported(data_dir)


def _exported(data_dir: Path) -> list[dict[str, Any]]:
    done = run_cli("ledger", "export", "--data-dir", str(data_dir))
    return [json.loads(line) for line in done.stdout.splitlines()]
