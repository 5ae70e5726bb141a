"""The licence of every data file of the package, from `data/LICENCES.md`."""

from __future__ import annotations

import re
from pathlib import Path

from otel_carbon.errors import FactorError
from otel_carbon.factors.files import DATA_DIRECTORY

__all__ = ["licences"]

_CODE = re.compile(r"`([^`]+)`")


def licences(directory: Path = DATA_DIRECTORY) -> dict[str, str]:
    """Return licence and origin by file, relative to the data directory.

    Raises:
        FactorError: a file has no licence written down.
    """
    found: dict[str, str] = {}
    for line in (directory / "LICENCES.md").read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if len(cells) == 2:
            found.update(dict.fromkeys(_CODE.findall(cells[0]), cells[1].replace("`", "")))
    texts = {"LICENCES.md"} | {path.name for path in directory.glob("*NOTICE*")}
    files = sorted(path.relative_to(directory).as_posix() for path in directory.rglob("*.*") if path.name not in texts)
    for name in files:
        if name not in found:
            raise FactorError(f"{name}: no licence is written down in LICENCES.md")
    return {name: found[name] for name in files}
