"""The committed Grafana dashboards, as a test asks for them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["FOLDER", "Query", "dashboards", "queries"]

FOLDER = Path(__file__).parents[2] / "dashboards" / "grafana"
_VARIABLES = {"$__rate_interval": "1m", "$__range": "1h"}


@dataclass(frozen=True)
class Query:
    """One query of a panel, with the variables filled in."""

    dashboard: str
    panel: str
    language: str
    """prometheus or tempo."""
    text: str
    is_range: bool


def dashboards() -> dict[str, dict[str, Any]]:
    """Return the dashboards by file name."""
    return {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in sorted(FOLDER.glob("*.json"))}


def queries() -> Iterator[Query]:
    """Yield every query of every panel."""
    for name, dashboard in dashboards().items():
        for panel in dashboard["panels"]:
            for target in panel.get("targets", ()):
                language = target["datasource"]["type"]
                text = target["expr"] if language == "prometheus" else target["query"]
                yield Query(name, panel["title"], language, _filled(text, dashboard), bool(target.get("range")))


def _filled(text: str, dashboard: Mapping[str, Any]) -> str:
    variables = {f"${one['name']}": ".*" for one in dashboard["templating"]["list"] if one["type"] == "query"}
    for name, value in {**_VARIABLES, **variables}.items():
        text = text.replace(name, value)
    assert not re.search(r"\$\w", text), text
    return text
