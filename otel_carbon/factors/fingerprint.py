"""Fingerprints of the figures of a factor set: an id stands for the same figures for ever."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from otel_carbon.errors import FactorError
from otel_carbon.factors.files import DATA_DIRECTORY, read_toml

__all__ = ["FINGERPRINTS_FILE", "fingerprint", "recorded_fingerprints", "refuse_changed_figures"]

FINGERPRINTS_FILE = DATA_DIRECTORY / "fingerprints.json"
# Words about a set or a row, which may be put better; everything else decides a result or leads to its source.
_WORDS = frozenset(
    {"title", "warning", "licence", "label", "note", "location_based_note", "measured_note", "review_note"}
)
_NAMED_FILES = ("model_file", "constants_file", "grid_file")


def fingerprint(path: Path) -> str:
    """Return the SHA-256 of the figures of a factor-set file, and of the files that it names, as hex.

    Comments, order of keys, titles and notes do not count.

    Raises:
        FactorError: a file cannot be read.
    """
    document = read_toml(path)
    digest = hashlib.sha256(json.dumps(_figures(document), sort_keys=True, default=str).encode())
    head = document.get("set", {})
    for key in _NAMED_FILES:
        if key in head:
            digest.update(_content(path, str(head[key])))
    return digest.hexdigest()


@cache
def recorded_fingerprints() -> Mapping[str, str]:
    """Return the fingerprints of all sets that were ever shipped, by id."""
    recorded: dict[str, str] = json.loads(FINGERPRINTS_FILE.read_text(encoding="utf-8"))
    return recorded


def refuse_changed_figures(path: Path, set_id: str) -> None:
    """Refuse a file that gives other figures under the id of a shipped set.

    Raises:
        FactorError: the figures differ from those recorded for the id.
    """
    recorded = recorded_fingerprints().get(set_id)
    if recorded is not None and fingerprint(path) != recorded:
        raise FactorError(
            f"{path}: the figures are not those that {set_id!r} stands for; give the changed set an id of its own "
            f"(`otel-carbon factors diff {set_id} {path}` shows what differs)"
        )


def _figures(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _figures(item) for key, item in value.items() if key not in _WORDS}
    return [_figures(item) for item in value] if isinstance(value, list) else value


def _content(path: Path, name: str) -> bytes:
    own = path.parent / name
    found = own if own.is_file() else DATA_DIRECTORY / Path(name).name
    try:
        return found.read_bytes()
    except OSError as error:
        raise FactorError(f"{found}: cannot be read: {error.strerror}") from error
