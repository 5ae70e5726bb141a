"""Azure Monitor's ingestion endpoint on loopback: `POST /v2.1/track` with a list of envelopes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from plan import Mode

__all__ = ["PATH", "acknowledged", "problem"]

PATH = "/v2.1/track"

Envelope = dict[str, Any]


def acknowledged(envelopes: Sequence[Envelope]) -> dict[str, Any]:
    """Return the answer to envelopes that are all accepted."""
    return {"itemsReceived": len(envelopes), "itemsAccepted": len(envelopes), "errors": []}


def problem(envelopes: Sequence[Envelope], mode: Mode, cases: int) -> str:
    """Return what is wrong with the calls that arrived: each has to carry our attributes, unless they are off."""
    properties = [envelope["data"]["baseData"].get("properties", {}) for envelope in envelopes]
    calls = [each for each in properties if "gen_ai.request.model" in each]
    expected = 0 if mode == "unsampled" else cases
    if len(calls) != expected:
        return f"Azure Monitor got {len(calls)} calls, not {expected}"
    marked = sum("otel_carbon.co2e_grams" in each for each in calls)
    expected = 0 if mode == "gateway" else expected
    return "" if marked == expected else f"Azure Monitor got {marked} calls with gCO2e, not {expected}"
