"""The findings of `doctor` for people."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from otel_carbon.cli.doctor_findings import Diagnosis, Finding, Seen, SentByScope

__all__ = ["text_of"]

_HEADS = {
    "switched_off": "Switched off",
    "broken": "Does not work",
    "missed": "Missed",
    "setting": "Settings that close a gap",
    "counted_once": "Seen twice, counted once",
}

_NO_INSTRUMENTATION = (
    "  none here: no call of a model has a span, so none is seen",
    "    do      install one for your client (docs/instrumentations.md lists them), or run this where it is installed",
)


def text_of(found: Diagnosis) -> str:
    """Return the findings, a section each."""
    sections = [
        f"otel-carbon {found.otel_carbon} on Python {found.python}",
        _packages("SDK", found.sdk) or "SDK\n  none here: run this in the environment of the application",
        _packages("Clients", found.clients),
        _instrumentations(found.instrumentations),
        *(_findings(head, [each for each in found.findings if each.kind == kind]) for kind, head in _HEADS.items()),
        _environment(found.environment),
        "" if found.ledger is None else _ledger(found.ledger),
    ]
    if found.instrumentations and not found.findings:
        sections.append("Nothing else would be missed, as far as can be seen from here.")
    return "\n\n".join(section for section in sections if section)


def _packages(head: str, packages: Mapping[str, str]) -> str:
    lines = [f"  {name} {version}" for name, version in packages.items()]
    return "\n".join([head, *lines]) if lines else ""


def _instrumentations(seen: Iterable[Seen]) -> str:
    lines: list[str] = []
    for each in seen:
        packages = ", ".join(f"{name} {version}" for name, version in each.packages.items())
        lines.append(f"  {each.title}: {packages} (recorded: {each.tested})")
        if each.missing:
            lines.append(f"    lacks   {each.missing}")
        if each.advice:
            lines.append(f"    do      {each.advice}")
    return "\n".join(["Instrumentations", *(lines or _NO_INSTRUMENTATION)])


def _findings(head: str, findings: Iterable[Finding]) -> str:
    lines: list[str] = []
    for each in findings:
        lines += [f"  {each.what}", f"    do      {each.advice}"]
    return "\n".join([head, *lines]) if lines else ""


def _environment(environment: Mapping[str, str]) -> str:
    lines = [f"  {name}={value}" for name, value in environment.items()]
    return "\n".join(["Environment", *lines]) if lines else ""


def _ledger(rows: Iterable[SentByScope]) -> str:
    lines: list[str] = []
    for each in rows:
        name = each.scope or "(no scope)"
        title = f" ({each.title})" if each.title else ""
        lines.append(f"  {name}{title}: {each.calls:,} calls, {each.no_usage:,} without usage, {each.failed:,} failed")
        if each.advice:
            lines.append(f"    do      {each.advice}")
    return "\n".join(["Ledger, by library", *lines]) if lines else "Ledger, by library\n  it is empty"
