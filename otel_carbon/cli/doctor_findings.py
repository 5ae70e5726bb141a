"""What `doctor` finds. Pure but for the list of installed packages."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from itertools import combinations

from otel_carbon._version import __version__
from otel_carbon.spans.libraries import Libraries, Library

__all__ = ["Diagnosis", "Finding", "Seen", "SentByScope", "diagnose", "installed_packages"]

_SDK = ("opentelemetry-api", "opentelemetry-sdk", "opentelemetry-instrumentation", "opentelemetry-distro")
_CLIENTS = (
    "anthropic",
    "boto3",
    "cohere",
    "crewai",
    "dspy",
    "google-adk",
    "google-genai",
    "groq",
    "haystack-ai",
    "langchain",
    "litellm",
    "llama-index-core",
    "mistralai",
    "ollama",
    "openai",
    "openai-agents",
    "pydantic-ai-slim",
    "strands-agents",
)
_OLDEST_SDK = (1, 30)
_SWITCHED_OFF = frozenset({"false", "0", "no", "off"})
_SHOWN = ("OTEL_", "OTEL_CARBON_")
_SECRET = ("HEADERS", "KEY", "TOKEN", "CERTIFICATE")


@dataclass(frozen=True, slots=True)
class Seen:
    """An instrumentation library that is installed."""

    title: str
    packages: Mapping[str, str]
    tested: str
    missing: str
    advice: str


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that would be missed or counted twice, and what to do about it."""

    kind: str
    """`missed`, `broken`, `counted_once`, `setting` or `switched_off`."""
    what: str
    advice: str


@dataclass(frozen=True, slots=True)
class SentByScope:
    """What the ledger holds of one instrumentation scope."""

    scope: str
    title: str | None
    calls: int
    no_usage: int
    failed: int
    advice: str


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """Everything that `doctor` says."""

    otel_carbon: str
    python: str
    sdk: Mapping[str, str]
    clients: Mapping[str, str]
    instrumentations: tuple[Seen, ...]
    environment: Mapping[str, str]
    findings: tuple[Finding, ...]
    ledger: tuple[SentByScope, ...] | None = None


def installed_packages() -> dict[str, str]:
    """Return the distributions that this Python sees, by normalised name, with their versions."""
    found: dict[str, str] = {}
    for distribution in metadata.distributions():
        name = distribution.metadata["Name"]
        if name:
            found.setdefault(name.lower().replace("_", "-"), distribution.version)
    return found


def diagnose(
    installed: Mapping[str, str],
    environ: Mapping[str, str],
    scopes: Mapping[str, Mapping[str, int]] | None = None,
    known: Libraries | None = None,
) -> Diagnosis:
    """Return what is seen, what would be missed, and how to fix it."""
    known = known or Libraries.bundled()
    libraries = known.of_packages(installed)
    return Diagnosis(
        otel_carbon=__version__,
        python=platform.python_version(),
        sdk=_chosen(installed, _SDK),
        clients=_chosen(installed, _CLIENTS),
        instrumentations=tuple(_seen(library, installed) for library in libraries),
        environment={name: _shown(name, environ[name]) for name in sorted(environ) if name.startswith(_SHOWN)},
        findings=(
            *_switched_off(environ),
            *_sdk_findings(installed),
            *_broken(known, installed),
            *_not_instrumented(libraries, installed),
            *_twice(libraries, installed),
            *_settings(known, installed, environ),
        ),
        ledger=None if scopes is None else tuple(_sent(known, scopes)),
    )


def _chosen(installed: Mapping[str, str], names: tuple[str, ...]) -> dict[str, str]:
    return {name: installed[name] for name in names if name in installed}


def _seen(library: Library, installed: Mapping[str, str]) -> Seen:
    return Seen(library.title, _chosen(installed, library.packages), library.run, library.missing, library.advice)


def _shown(name: str, value: str) -> str:
    return "(set)" if any(word in name for word in _SECRET) else value


def _switched_off(environ: Mapping[str, str]) -> list[Finding]:
    found: list[Finding] = []
    if environ.get("OTEL_SDK_DISABLED", "").lower() == "true":
        found.append(Finding("switched_off", "OTEL_SDK_DISABLED=true: there are no spans at all", "unset it"))
    if environ.get("OTEL_CARBON_ENABLED", "true").lower() in _SWITCHED_OFF:
        what = "OTEL_CARBON_ENABLED switches otel-carbon off in the application"
        found.append(Finding("switched_off", what, "unset it"))
    if environ.get("OTEL_TRACES_EXPORTER", "").lower() == "none":
        what = "OTEL_TRACES_EXPORTER=none: no span leaves the application, so no gateway sees a call"
        found.append(Finding("switched_off", what, "unset it, or keep a ledger in the application"))
    return found


def _sdk_findings(installed: Mapping[str, str]) -> list[Finding]:
    version = installed.get("opentelemetry-sdk")
    if version is None:
        what = "opentelemetry-sdk is not installed here: nothing records spans"
        return [Finding("missed", what, "pip install opentelemetry-sdk, in the environment of the application")]
    if _numbers(version) < _OLDEST_SDK:
        what = f"opentelemetry-sdk {version} is older than what otel-carbon is tested with"
        return [Finding("missed", what, "upgrade to 1.30 or newer")]
    return []


def _broken(known: Libraries, installed: Mapping[str, str]) -> list[Finding]:
    return [
        Finding(
            "broken",
            f"{pair.package} {installed[pair.package]} with {pair.other} {installed[pair.other]}: {pair.happens}",
            pair.advice,
        )
        for pair in known.broken
        if pair.package in installed
        and pair.other in installed
        and _numbers(installed[pair.other]) >= _numbers(pair.from_version)
    ]


def _not_instrumented(libraries: tuple[Library, ...], installed: Mapping[str, str]) -> list[Finding]:
    covered = {client for library in libraries for client in library.clients}
    return [
        Finding(
            "missed",
            f"{client} {version} is installed and nothing here instruments it",
            "pip install an instrumentation of it (docs/instrumentations.md) and start it, or run under"
            " opentelemetry-instrument",
        )
        for client, version in _chosen(installed, _CLIENTS).items()
        if client not in covered
    ]


def _twice(libraries: tuple[Library, ...], installed: Mapping[str, str]) -> list[Finding]:
    found: list[Finding] = []
    for one, other in combinations(libraries, 2):
        shared = sorted(set(one.clients) & set(other.clients) & set(installed))
        if shared:
            what = f"{one.title} and {other.title} both see the calls of {', '.join(shared)}, if both are started"
            found.append(Finding("counted_once", what, "nothing to do: such a call is counted once"))
    return found


def _settings(known: Libraries, installed: Mapping[str, str], environ: Mapping[str, str]) -> list[Finding]:
    return [
        Finding("setting", setting.closes, f"set {setting.name}={setting.wanted}")
        for setting in known.settings
        if setting.needs in installed and environ.get(setting.name, "").lower() != setting.wanted
    ]


def _sent(known: Libraries, scopes: Mapping[str, Mapping[str, int]]) -> list[SentByScope]:
    rows: list[SentByScope] = []
    for scope, counts in scopes.items():
        library = known.of_scope(scope)
        advice = library.advice if library is not None and counts["no_usage"] else ""
        if library is None and counts["no_usage"]:
            advice = "nothing is known of this library: ask it for the provider's usage, of streams in particular"
        title = None if library is None else library.title
        rows.append(SentByScope(scope, title, counts["calls"], counts["no_usage"], counts["failed"], advice))
    return sorted(rows, key=lambda row: (-row.no_usage, -row.calls, row.scope))


def _numbers(version: str) -> tuple[int, ...]:
    """Return the numbers that a version begins with: (0, 4) for 0.4b0."""
    numbers: list[int] = []
    for part in version.split(".")[:3]:
        digits = "".join(character for character in part if character.isdigit())
        leading = part[: len(part) - len(part.lstrip("0123456789"))]
        if not leading:
            break
        numbers.append(int(leading))
        if leading != part or not digits:
            break
    return tuple(numbers)
