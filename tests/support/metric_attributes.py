"""Which attributes the registry gives a metric."""

from __future__ import annotations

from pathlib import Path

import yaml

__all__ = ["metric_attributes"]

_FILE = Path(__file__).parents[2] / "semconv" / "model" / "metrics.yaml"


def metric_attributes() -> dict[str, set[str]]:
    """Return the attributes of every metric."""
    registry = yaml.safe_load(_FILE.read_text(encoding="utf-8"))
    groups = {each["id"]: {one["ref"] for one in each["attributes"]} for each in registry["attribute_groups"]}
    return {
        metric["name"]: {
            name
            for each in metric["attributes"]
            for name in (groups[each["ref_group"]] if "ref_group" in each else {each["ref"]})
        }
        for metric in registry["metrics"]
    }
