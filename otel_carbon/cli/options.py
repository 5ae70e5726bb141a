"""What options of several commands take."""

from __future__ import annotations

import argparse
from pathlib import Path

__all__ = ["directory"]


def directory(text: str) -> Path:
    """Return a directory. An empty name, as of a variable that is not set, would be the one that one is in."""
    if not text.strip():
        raise argparse.ArgumentTypeError("is empty; name a directory, or leave the option out")
    return Path(text)
