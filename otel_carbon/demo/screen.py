"""What a person sees of the demo."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape

from otel_carbon.demo.backend import ReceivedSpan
from otel_carbon.demo.books import Check
from otel_carbon.demo.gateway import Gateway
from otel_carbon.model import Interval
from otel_carbon.reports import Report
from otel_carbon.reports.display import GRAM_UNITS, WH_UNITS, Units, significant, unit_for
from otel_carbon.reports.table import print_report
from otel_carbon.semconv import carbon, gen_ai

__all__ = ["Screen"]


class Screen:
    """Prints the demo, act by act."""

    def __init__(self) -> None:
        self._console = Console(highlight=False, soft_wrap=False)
        self._acts = 0

    def parts(self, provider_url: str, backend_url: str, gateway: Gateway, folder: Path) -> None:
        """Say what runs where."""
        self._say("\n[bold]otel-carbon demo[/]  real client, real instrumentation, no keys, no network\n")
        self._say(f"   provider  {provider_url}  [dim]an OpenAI-compatible server[/]")
        self._say(f"   gateway   {gateway.grpc} (gRPC), {gateway.http}")
        self._say(f"   backend   {backend_url}  [dim]takes what the gateway forwards[/]")
        self._say(f"   ledger    {escape(str(folder / 'ledger.db'))}")

    def act(self, title: str) -> None:
        """Begin an act."""
        self._acts += 1
        self._say(f"\n[bold]{self._acts}  {escape(title)}[/]")
        self._say(f"[dim]   {'spans at the backend':<22}{'tokens':>12}  {'energy':<23} emissions[/]")

    def span(self, span: ReceivedSpan) -> None:
        """Show one span that the backend has received."""
        attributes = span.attributes
        if carbon.OTEL_CARBON_STATUS not in attributes:
            return
        energy, co2e = _band(attributes, carbon.OTEL_CARBON_ENERGY_WH), _band(attributes, carbon.OTEL_CARBON_CO2E_GRAMS)
        self._say(
            f"   {_model(attributes):<22}{_tokens(attributes):>12}  {_shown(energy, WH_UNITS):<23} "
            f"[bold]{_shown(co2e, GRAM_UNITS)}[/]"
        )

    def checks(self, checks: Sequence[Check]) -> None:
        """Say which books agree."""
        self._say("\n[bold]3  The books[/]")
        for check in checks:
            sign = "[green]✓[/]" if check.holds else "[red]✗[/]"
            self._say(f"   {sign} {escape(check.what)}")

    def report(self, report: Report, folder: Path) -> None:
        """Show the report as `otel-carbon report` does."""
        self._say("\n[bold]4  The report[/]\n")
        print_report(report, str(folder / "ledger.db"), sys.stdout)

    def next_steps(self, gateway: Gateway, kept: Path | None, *, once: bool) -> None:
        """Say what to do next."""
        self._say("\n[bold]Next[/]")
        self._say("   no code    pip install otel-carbon; opentelemetry-instrument python app.py")
        self._say("   one line   otel_carbon.install()")
        self._say("   gateway    otel-carbon serve")
        self._say("              OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4318 python app.py")
        if kept is not None:
            self._say(f"   report     otel-carbon report --data-dir {escape(str(kept))} --by service,model")
        if not once:
            self._say(f"\n   Still up until Ctrl-C: {gateway.web} and {gateway.prometheus}")

    def _say(self, text: str) -> None:
        self._console.print(text, soft_wrap=True)


def _model(attributes: Mapping[str, Any]) -> str:
    return str(attributes.get(gen_ai.GEN_AI_RESPONSE_MODEL) or attributes.get(gen_ai.GEN_AI_REQUEST_MODEL) or "?")


def _tokens(attributes: Mapping[str, Any]) -> str:
    into = attributes.get(gen_ai.GEN_AI_USAGE_INPUT_TOKENS, 0)
    out = attributes.get(gen_ai.GEN_AI_USAGE_OUTPUT_TOKENS, 0)
    return f"{into} → {out}"


def _band(attributes: Mapping[str, Any], key: str) -> Interval | None:
    if key not in attributes:
        return None
    return Interval(attributes[f"{key}_low"], attributes[key], attributes[f"{key}_high"])


def _shown(band: Interval | None, units: Units) -> str:
    """Return a quantity of one call with its bounds; a dash where there is none."""
    if band is None:
        return "-"
    size, unit = unit_for(band.central, units)
    low, central, high = (significant(value / size, 2) for value in (band.low, band.central, band.high))
    return f"{central} {unit} ({low}–{high})"
