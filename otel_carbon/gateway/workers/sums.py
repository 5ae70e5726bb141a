"""What the workers tell of themselves, added up. Pure functions over plain values."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from otel_carbon.gateway.telemetry import Family, Labels

__all__ = ["as_families", "as_plain", "counters", "described_together", "own_ratio", "summed"]

_LEAST = frozenset({"config_last_reload_successful", "config_last_reload_success_timestamp_seconds"})
_MOST = frozenset({"journal_oldest_age_seconds"})
_OWN_RATIO = "process_co2e_ratio"
_OF_ONE_PROCESS = frozenset({"process_uptime", _OWN_RATIO})  # of which there is no sum

_RATIO = (("low", "high"), ("central", "central"), ("high", "low"))  # the least of one over the most of the other


def as_plain(families: Iterable[Family]) -> list[Any]:
    """Return metrics as values that JSON can hold."""
    return [[one.name, one.type, [[list(labels), value] for labels, value in one.values.items()]] for one in families]


def as_families(plain: Iterable[Any]) -> list[Family]:
    """Return what `as_plain` was given."""
    return [
        Family(name, type_, {tuple((key, text) for key, text in labels): value for labels, value in values})
        for name, type_, values in plain
    ]


def summed(of_each: Iterable[Iterable[Family]]) -> list[Family]:
    """Return the sums over processes, by name; of some gauges, the worst. What has no sum is left out."""
    types: dict[str, str] = {}
    sums: dict[str, dict[Labels, float]] = {}
    for families in of_each:
        for family in families:
            types.setdefault(family.name, family.type)
            values = sums.setdefault(family.name, {})
            for labels, value in family.values.items():
                values[labels] = _together(family.name, values[labels], value) if labels in values else value
    return [Family(name, types[name], values) for name, values in sorted(sums.items()) if name not in _OF_ONE_PROCESS]


def own_ratio(sums: Iterable[Family]) -> Iterator[Family]:
    """Yield what the processes emit together over what they measured, once they measured something."""
    values = {family.name: {dict(labels).get("bound", ""): v for labels, v in family.values.items()} for family in sums}
    own, measured = values.get("process_co2e_grams", {}), values.get("measured_co2e_grams", {})
    if ratio := _ratio(own, measured):
        yield Family(_OWN_RATIO, "gauge", {(("bound", bound),): value for bound, value in ratio.items()})


def _ratio(own: Mapping[str, float], measured: Mapping[str, float]) -> dict[str, float]:
    return {bound: own[bound] / measured[other] for bound, other in _RATIO if measured.get("low", 0.0) > 0}


def _together(name: str, one: float, other: float) -> float:
    if name in _LEAST:
        return min(one, other)
    return max(one, other) if name in _MOST else one + other


def counters(families: Iterable[Family]) -> list[Family]:
    """Return what must not go down when a process ends."""
    return [family for family in families if family.type == "counter"]


def described_together(
    workers: Mapping[str, Mapping[str, Any]], own: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Return one description of several gateways of one config: sums where a sum makes sense, and each by itself.

    `own` is what the process emits that keeps them running.
    """
    running = [each for each in workers.values() if each.get("cursors") is not None]
    if not running:
        return {"workers": dict(workers)}
    journals = [each["journal"] for each in running]
    names = dict.fromkeys(name for each in running for name in each["cursors"])
    return {
        "pipelines": running[0]["pipelines"],
        "receivers": next((each["receivers"] for each in running if each["receivers"]), {}),
        "journal": {key: sum(each[key] for each in journals) for key in ("live_bytes", "max_bytes")},
        "cursors": {
            name: _cursor([each["cursors"][name] for each in running if name in each["cursors"]]) for name in names
        },
        "dead_letters": _shelves(shelf for each in running for shelf in each.get("dead_letters", ())),
        **_own([it for it in (*(each.get("own") for each in running), own) if it]),
        "workers": dict(workers),
    }


def _own(of_each: list[Mapping[str, Any]]) -> dict[str, Any]:
    """Return what the processes emit together; the ratio is that of the sums. All stand in one place."""
    if not of_each:
        return {}
    sums = {
        name: {bound: sum(each[name][bound] for each in of_each) for bound in ("low", "central", "high")}
        for name in ("energy_joules", "co2e_grams", "measured_co2e_grams")
    }
    ratio = _ratio(sums["co2e_grams"], sums["measured_co2e_grams"])
    place = {name: of_each[0][name] for name in ("method", "zone", "intensity_g_per_kwh", "pue_ratio")}
    return {"own": {**place, **sums, **({"ratio": ratio} if ratio else {})}}


def _shelves(shelves: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return dead letters by exporter and signal."""
    together: dict[tuple[str, str], dict[str, Any]] = {}
    for shelf in shelves:
        key = (shelf["exporter"], shelf["signal"])
        before = together.get(key, {"payloads": 0, "items": 0, "bytes": 0})
        sums = {name: before[name] + shelf[name] for name in ("payloads", "items", "bytes")}
        together[key] = {"exporter": key[0], "signal": key[1], **sums}
    return list(together.values())


def _cursor(cursors: list[Mapping[str, Any]]) -> dict[str, Any]:
    failing = sorted((each for each in cursors if each["failing_since"]), key=lambda each: str(each["failing_since"]))
    return {
        "exporter": cursors[0]["exporter"],
        "signal": cursors[0]["signal"],
        "waiting": {key: sum(each["waiting"][key] for each in cursors) for key in cursors[0]["waiting"]},
        "in_flight": sum(each["in_flight"] for each in cursors),
        "last_error": failing[0]["last_error"] if failing else None,
        "failing_since": failing[0]["failing_since"] if failing else None,
    }
