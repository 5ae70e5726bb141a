"""docs/otlp.md: every requirement has its row, and every test that a row names is there."""

from __future__ import annotations

import ast
import re
from pathlib import Path

_ROOT = Path(__file__).parents[1]
_IDS = [
    *(f"R-{number:02}" for number in range(1, 10)),
    *(f"R-{number}" for number in range(20, 40)),
    *(f"R-{number}" for number in range(50, 72)),
    *(f"R-{number}" for number in range(80, 86)),
]
_WITHOUT_TEST = {"R-67", "R-71"}
"""What a server may do and this one does not."""


def _rows() -> list[list[str]]:
    lines = (_ROOT / "docs" / "otlp.md").read_text(encoding="utf-8").splitlines()
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("| R-")]


def _named(text: str) -> set[str]:
    return set(re.findall(r"`(test_\w+)`", text))


def _tests() -> set[str]:
    functions = (ast.AsyncFunctionDef, ast.FunctionDef)
    return {
        node.name
        for path in (_ROOT / "tests").rglob("test_*.py")
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, functions)
    }


def test_every_requirement_has_one_row_in_order() -> None:
    assert [row[0] for row in _rows()] == _IDS


def test_every_row_is_whole_and_names_tests() -> None:
    for row in _rows():
        assert len(row) == 5, row
        assert row[1] in {"S", "C", "S+C"}
        assert row[2]
        assert row[3]
        assert bool(_named(row[4])) is (row[0] not in _WITHOUT_TEST), row[0]


def test_every_test_that_is_named_is_there() -> None:
    named = _named((_ROOT / "docs" / "otlp.md").read_text(encoding="utf-8"))

    assert named - _tests() == set()
