"""Where a ledger lives when nobody says otherwise, and how its URL is read."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import unquote, urlsplit

from otel_carbon.errors import ConfigError

__all__ = ["LEDGER_FILE", "default_data_dir", "ledger_path"]

LEDGER_FILE = "ledger.db"
"""Name of the ledger inside a data directory."""


def default_data_dir(environ: Mapping[str, str] = os.environ) -> Path:
    """Return the data directory: OTEL_CARBON_DATA_DIR, else `otel-carbon` in the user's data home.

    A data home that is not absolute is not one, as the XDG Base Directory Specification says: it would be another one
    in every directory that the program is started from.
    """
    chosen = environ.get("OTEL_CARBON_DATA_DIR")
    if chosen:
        return Path(chosen).expanduser()
    home = Path(environ.get("XDG_DATA_HOME", "")).expanduser()
    return (home if home.is_absolute() else Path("~/.local/share").expanduser()) / "otel-carbon"


def ledger_path(path_or_url: str | Path, base: Path | None = None) -> Path:
    """Return the file that a path or a `sqlite:///` URL names; a relative one lies in `base` (default: here).

    As in SQLAlchemy, `sqlite:///ledger.db` is relative and `sqlite:////var/lib/ledger.db` absolute.

    Raises:
        ConfigError: another kind of database, or an in-memory one.
    """
    text = str(path_or_url)
    if text.strip() in {"", ":memory:", "sqlite://", "sqlite:///:memory:"}:
        raise ConfigError(f"ledger {text!r}: a ledger is a file; give a path or sqlite:///ledger.db")
    path = Path(path_or_url) if isinstance(path_or_url, Path) or "://" not in text else _from_url(text)
    return (base or Path()) / path.expanduser()


def _from_url(text: str) -> Path:
    url = urlsplit(text)
    if url.scheme != "sqlite":
        raise ConfigError(
            f"ledger {url.scheme}://…: this version keeps its ledger in SQLite; use sqlite:///ledger.db or a file path"
        )
    if url.netloc or not url.path.strip("/"):
        raise ConfigError(f"ledger {text!r}: write sqlite:///ledger.db (relative) or sqlite:////absolute/ledger.db")
    return Path(unquote(url.path[1:]))
