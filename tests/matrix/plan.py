"""What there is to run: sets of libraries, times SDK versions, times modes."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

__all__ = ["FOLDER", "Mode", "Run", "Set", "all_sdks", "read_sets", "runs_of"]

FOLDER = Path(__file__).parent
_PLAN: dict[str, Any] = tomllib.loads((FOLDER / "libraries.toml").read_text(encoding="utf-8"))

Mode = str
"""`both`: counted in the app, and exported to a gateway, which gets marked spans. `gateway`: otel-carbon is switched
off in the app. `unsampled`: OTEL_TRACES_SAMPLER=always_off, or what the set says, so nothing is exported and the app
alone counts."""


@dataclass(frozen=True, slots=True)
class Set:
    """A set of libraries; the fields are described in libraries.toml."""

    id: str
    title: str
    app: tuple[str, ...]
    shows: tuple[str, ...]
    requirements: tuple[str, ...]
    launch: str = "zero-code"
    sdks: tuple[str, ...] = ()
    overlap: bool = False
    environ: dict[str, str] = field(default_factory=dict)
    unsampled: dict[str, str] = field(default_factory=lambda: {"OTEL_TRACES_SAMPLER": "always_off"})


@dataclass(frozen=True, slots=True)
class Run:
    """One program, run once."""

    set: Set
    sdk: str
    mode: Mode

    @property
    def id(self) -> str:
        """A name that is also fit for a URL, a service and a file."""
        return f"{self.set.id}.{self.sdk}.{self.mode}"


def all_sdks() -> list[str]:
    """Return the SDK versions of the matrix, oldest first."""
    return list(_PLAN["sdks"])


def read_sets(only: str = "") -> list[Set]:
    """Return the sets whose id contains `only`."""
    sets = [
        Set(**{key: tuple(value) if isinstance(value, list) else value for key, value in entry.items()})
        for entry in _PLAN["set"]
    ]
    return [one for one in sets if only in one.id]


def runs_of(one: Set, sdks: list[str]) -> Iterator[Run]:
    """Yield the runs of a set: in the app on every SDK, the other modes on the newest it has."""
    wanted = [sdk for sdk in one.sdks or all_sdks() if sdk in sdks or (sdk == "own" and "newest" in sdks)]
    for sdk in wanted:
        yield Run(one, sdk, "both")
        if sdk in {"newest", "own"}:
            yield Run(one, sdk, "unsampled")
            if one.launch == "zero-code":
                yield Run(one, sdk, "gateway")
