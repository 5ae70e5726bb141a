"""Every capture goes through `ingest` into a ledger of its own, and is compared with what the provider served."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path

import pytest
from captures import COUNTS, FOLDER, Capture, captures
from counted import COUNTED, counted, csv_of

TOKENS = COUNTS[1:]
MEANS = {"span": COUNTS, "usage": TOKENS, "tokens": TOKENS}


@dataclass(frozen=True)
class Difference:
    """An entry of `differences.toml`."""

    captures: tuple[str, ...]
    cases: tuple[str, ...]
    kinds: frozenset[str]
    over: bool
    reason: str

    def explains(self, capture: str, case: str, kind: str, *, over: bool) -> bool:
        return (
            self.over is over
            and kind in self.kinds
            and any(fnmatchcase(capture, each) for each in self.captures)
            and any(fnmatchcase(case, each) for each in self.cases)
        )


@cache
def differences() -> tuple[Difference, ...]:
    rows = tomllib.loads((FOLDER / "differences.toml").read_text(encoding="utf-8"))["difference"]
    return tuple(
        Difference(
            tuple(row["captures"]),
            tuple(row.get("cases", ["*"])),
            frozenset(kind for word in row.get("over", row.get("missing")) for kind in MEANS.get(word, (word,))),
            "over" in row,
            row["reason"],
        )
        for row in rows
    )


@pytest.fixture(scope="session")
def ledgers(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Mapping[str, Mapping[str, int]]]:
    """What the ledger of each capture holds, by case."""
    folder: Path = tmp_path_factory.mktemp("ledgers")
    return {capture.name: counted(capture, folder / capture.name) for capture in captures()}


def found(
    capture: Capture, ledgers: Mapping[str, Mapping[str, Mapping[str, int]]]
) -> Iterator[tuple[str, str, bool, int, int]]:
    """Yield case, kind, whether too much is counted, what is counted and what was served, where they differ."""
    for case, served in capture.served.items():
        for kind in COUNTS:
            counts = ledgers[capture.name][case][kind]
            if counts != served[kind]:
                yield case, kind, counts > served[kind], counts, served[kind]


@pytest.mark.parametrize("capture", captures(), ids=lambda capture: capture.name)
def test_every_call_is_counted_once_with_the_tokens_that_were_served(
    capture: Capture, ledgers: Mapping[str, Mapping[str, Mapping[str, int]]]
) -> None:
    unexplained = [
        f"{case}: {kind} is {counts}, served were {served}"
        for case, kind, over, counts, served in found(capture, ledgers)
        if not any(each.explains(capture.name, case, kind, over=over) for each in differences())
    ]

    assert unexplained == []


def test_every_difference_that_is_listed_is_one(ledgers: Mapping[str, Mapping[str, Mapping[str, int]]]) -> None:
    unused = set(range(len(differences())))
    for capture in captures():
        for case, kind, over, _, _ in found(capture, ledgers):
            unused -= {
                index for index, each in enumerate(differences()) if each.explains(capture.name, case, kind, over=over)
            }

    assert [differences()[index].reason for index in sorted(unused)] == []


def test_the_table_of_the_results_is_up_to_date(ledgers: Mapping[str, Mapping[str, Mapping[str, int]]]) -> None:
    assert csv_of(ledgers) == COUNTED.read_text(encoding="utf-8"), "run scripts/count-captures"


def test_the_captures_name_no_machine() -> None:
    for capture in captures():
        bodies = b"".join(capture.bodies)
        assert b"/home/" not in bodies
        assert b"site-packages" not in bodies
