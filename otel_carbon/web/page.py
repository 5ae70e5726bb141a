"""The status page: today's totals, each with its bounds, and whether everything arrives where it should."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from html import escape
from string import Template
from typing import Any

__all__ = ["status_page"]

_PAGE = Template("""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="refresh" content="15">
<title>otel-carbon</title>
<style>
:root { color-scheme: light dark; --ink: #17231c; --soft: #5b6b61; --line: #d9e0db; --paper: #fbfcfb; --leaf: #2f6f4f; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6ece8; --soft: #9aa8a0; --line: #2f3a34; --paper: #121815; --leaf: #7cc39c; }
}
body { margin: 0 auto; max-width: 56rem; padding: 2rem 1.25rem 4rem; background: var(--paper); color: var(--ink);
  font: 16px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.1rem; margin: 0; color: var(--leaf); }
h2 { font-size: 1rem; margin: 2.5rem 0 .5rem; }
p { margin: .25rem 0; }
.soft, .band { color: var(--soft); }
.totals { display: flex; flex-wrap: wrap; gap: 1rem 3rem; margin: 1.5rem 0 0; }
.totals dt { color: var(--soft); font-size: .875rem; }
.totals dd { margin: 0; font-size: 1.75rem; font-variant-numeric: tabular-nums; }
.band { display: block; font-size: .875rem; white-space: nowrap; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th { text-align: left; font-weight: 600; font-size: .875rem; color: var(--soft); }
th, td { padding: .4rem 1rem .4rem 0; border-bottom: 1px solid var(--line); vertical-align: top; }
.number { text-align: right; }
a { color: var(--leaf); }
nav a { margin-right: 1rem; }
.bad { color: #b3261e; }
@media (prefers-color-scheme: dark) { .bad { color: #ff8a80; } }
</style>
</head>
<body>
<h1>otel-carbon</h1>
<p class="soft">$date (UTC) · $state</p>
$today
$own
<h2>Destinations</h2>
<div class="scroll"><table>
<thead><tr><th>Exporter</th><th>Signal</th><th class="number">Waiting</th>
<th class="number">Dead letters</th><th>State</th></tr></thead>
<tbody>$cursors</tbody>
</table></div>
<p class="soft">In spans, data points and log records.
<code>otel-carbon dead-letters</code> sends dead letters again.</p>
<h2>More</h2>
<nav><a href="/api/v1/report">report (JSON)</a> <a href="/metrics">metrics</a>
<a href="/debug/pipelines">pipelines</a> <a href="/readyz">readiness</a></nav>
</body>
</html>
""")
_TOTALS = Template("""<dl class="totals">
<div><dt>Calls today</dt><dd>$calls</dd></div>
<div><dt>Energy</dt><dd>$energy</dd></div>
<div><dt>Emissions</dt><dd>$co2e</dd></div>
</dl>
<p class="soft">Every figure is an estimate: the central value, and below it the bounds.</p>
<h2>By model</h2>
<div class="scroll"><table>
<thead><tr><th>Provider</th><th>Model</th><th class="number">Calls</th><th class="number">Energy</th>
<th class="number">Emissions</th></tr></thead>
<tbody>$groups</tbody>
</table></div>""")
_STEPS = (("µ", 1e-6), ("m", 1e-3), ("", 1.0), ("k", 1e3))


def status_page(
    now: datetime, described: Mapping[str, Any], unready_reason: str | None, report: Mapping[str, Any] | str
) -> str:
    """Return the page. `report` is the JSON of today's report, or why there is none."""
    state = "ready" if unready_reason is None else f'<span class="bad">not ready: {escape(unready_reason)}</span>'
    today = f'<p class="bad">{escape(report)}</p>' if isinstance(report, str) else _today(report)
    kept = {(shelf["exporter"], shelf["signal"]): shelf["items"] for shelf in described.get("dead_letters", ())}
    cursors = "".join(_cursor(cursor, kept) for cursor in described.get("cursors", {}).values())
    own = _own(described.get("own"))
    return _PAGE.substitute(date=now.date().isoformat(), state=state, today=today, own=own, cursors=cursors)


def _own(own: Mapping[str, Any] | None) -> str:
    """Return what the gateway itself used since it started, and how much that is of what it measured."""
    if own is None:
        return ""
    wh = {bound: joules / 3600 for bound, joules in own["energy_joules"].items()}
    used = f"{_in_line(wh, 'Wh')}, {_in_line(own['co2e_grams'], 'gCO₂e')}"
    ratio = own.get("ratio")
    share = (
        ""
        if ratio is None
        else f": {ratio['central']:.2%} of what it measured ({ratio['low']:.2%} to {ratio['high']:.2%})"
    )
    how = "RAPL" if own["method"] == "rapl" else "CPU time"
    return f'<p class="soft">This gateway itself, since it started, by {how}: {used}{share}.</p>'


def _in_line(interval: Mapping[str, float], unit: str) -> str:
    return _banded(interval, unit).replace('<span class="band">', " (").replace("</span>", ")")


def _today(report: Mapping[str, Any]) -> str:
    totals = report["totals"]
    groups = "".join(_group(group) for group in report["groups"])
    return _TOTALS.substitute(
        calls=f"{totals['calls']:,}",
        energy=_banded(totals["energy_wh"], "Wh"),
        co2e=_banded(totals["co2e_grams"], "gCO₂e"),
        groups=groups or '<tr><td colspan="5" class="soft">No calls yet.</td></tr>',
    )


def _group(group: Mapping[str, Any]) -> str:
    names = "".join(f"<td>{escape(str(group[key] or 'not known'))}</td>" for key in ("provider", "model"))
    numbers = (f"{group['calls']:,}", _banded(group["energy_wh"], "Wh"), _banded(group["co2e_grams"], "gCO₂e"))
    return f"<tr>{names}{''.join(f'<td class=number>{number}</td>' for number in numbers)}</tr>"


def _cursor(cursor: Mapping[str, Any], kept: Mapping[tuple[str, str], int]) -> str:
    error = cursor["last_error"]
    state = "delivers" if error is None else f'<span class="bad">{escape(error)}</span>'
    waiting = f"{cursor['waiting']['items']:,}"
    letters = kept.get((cursor["exporter"], cursor["signal"]), 0)
    refused = f'<span class="bad">{letters:,}</span>' if letters else "0"
    cells = f"<td>{escape(cursor['exporter'])}</td><td>{cursor['signal']}</td><td class=number>{waiting}</td>"
    return f"<tr>{cells}<td class=number>{refused}</td><td>{state}</td></tr>"


def _banded(interval: Mapping[str, float] | None, unit: str) -> str:
    """Return an interval in a unit with a prefix that suits its central value, the bounds beneath."""
    if interval is None:
        return "not known"
    prefix, factor = next((step for step in reversed(_STEPS) if interval["central"] >= step[1]), ("", 1.0))
    low, central, high = (_shown(interval[key] / factor) for key in ("low", "central", "high"))
    return f'{central} {prefix}{unit}<span class="band">{low} to {high} {prefix}{unit}</span>'


def _shown(value: float) -> str:
    """Return three significant digits, never in powers of ten."""
    return f"{value:,.0f}" if value >= 1000 else f"{float(f'{value:.3g}'):g}"
