"""What options of several commands take."""

from __future__ import annotations

import argparse
from pathlib import Path

__all__ = ["HelpFormatter", "add_action", "directory", "line_number"]


class HelpFormatter(argparse.HelpFormatter):
    """Wraps what is one sentence, and leaves lines of examples as they are."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        if "\n" in text:
            return "".join(f"{indent}{line}" for line in text.splitlines(keepends=True))
        return super()._fill_text(text, width, indent)


def add_action(
    actions: argparse._SubParsersAction[argparse.ArgumentParser], name: str, text: str, example: str | None = None
) -> argparse.ArgumentParser:
    """Return a parser for one action of a command; `text` is what it does, without capital and full stop."""
    return actions.add_parser(
        name,
        help=text,
        description=f"{text[0].upper()}{text[1:]}.",
        epilog=None if example is None else f"example:\n  {example}",
        formatter_class=HelpFormatter,
    )


def directory(text: str) -> Path:
    """Return a directory. An empty name, as of a variable that is not set, would be the one that one is in."""
    if not text.strip():
        raise argparse.ArgumentTypeError("is empty; name a directory, or leave the option out")
    return Path(text)


def line_number(text: str) -> int:
    """Return the number of a line of the ledger."""
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no line; name its number (`seq`), as --line 17")
    return int(text)
