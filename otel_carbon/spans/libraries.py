"""What is known of instrumentation libraries: what their spans lack and what to do about it. Loaded only on demand."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

__all__ = ["BrokenPair", "GapSetting", "Libraries", "Library"]

_BUNDLED = Path(__file__).with_name("libraries.toml")


@dataclass(frozen=True, slots=True)
class Library:
    """One instrumentation library, or several that behave alike."""

    title: str
    language: str
    packages: tuple[str, ...]
    scopes: tuple[str, ...]
    clients: tuple[str, ...]
    run: str
    """Versions whose spans were recorded."""
    missing: str = ""
    advice: str = ""

    def writes(self, scope: str) -> bool:
        """Return whether a scope is one of this library."""
        return any(fnmatchcase(scope, pattern) for pattern in self.scopes)


@dataclass(frozen=True, slots=True)
class BrokenPair:
    """Two packages that do not work together, from a version of the second one on."""

    package: str
    other: str
    from_version: str
    happens: str
    advice: str


@dataclass(frozen=True, slots=True)
class GapSetting:
    """An environment variable that closes a gap."""

    name: str
    needs: str
    wanted: str
    closes: str


@dataclass(frozen=True, slots=True)
class Libraries:
    """Everything that is known of libraries."""

    libraries: tuple[Library, ...]
    broken: tuple[BrokenPair, ...]
    settings: tuple[GapSetting, ...]

    @classmethod
    def bundled(cls) -> Libraries:
        """Return the table that comes with the package."""
        document = tomllib.loads(_BUNDLED.read_text(encoding="utf-8"))
        return cls(
            tuple(_library(row) for row in document["library"]),
            tuple(
                BrokenPair(row["package"], row["with"], row["from"], row["happens"], row["advice"])
                for row in document["broken"]
            ),
            tuple(GapSetting(**row) for row in document["setting"]),
        )

    def of_scope(self, scope: str) -> Library | None:
        """Return the library that writes a scope: the one whose pattern says most."""
        found = [
            (max(len(pattern) for pattern in library.scopes if fnmatchcase(scope, pattern)), library)
            for library in self.libraries
            if library.writes(scope)
        ]
        return max(found, key=lambda pair: pair[0])[1] if found else None

    def of_packages(self, installed: Iterable[str]) -> tuple[Library, ...]:
        """Return the libraries that are installed, the JavaScript ones aside."""
        names = set(installed)
        return tuple(
            library
            for library in self.libraries
            if "Python" in library.language and not names.isdisjoint(library.packages)
        )


def _library(row: Mapping[str, Any]) -> Library:
    return Library(
        row["title"],
        row["language"],
        tuple(row["packages"]),
        tuple(row["scopes"]),
        tuple(row["clients"]),
        row["run"],
        row.get("missing", ""),
        row.get("advice", ""),
    )
