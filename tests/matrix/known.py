"""Which verdicts are explained, and what is left."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from plan import FOLDER

__all__ = ["explanation", "report"]

_KNOWN: list[dict[str, Any]] = tomllib.loads((FOLDER / "known.toml").read_text(encoding="utf-8")).get("known", [])


def explanation(run: Mapping[str, Any], case: str, path: str, verdict: str) -> str | None:
    """Return why a case is not exact, None where nothing says it."""
    for entry in _KNOWN:
        if (
            run["set"] in entry["sets"]
            and case in entry.get("cases", [case])
            and path in entry.get("paths", [path])
            and run["sdk"] in entry.get("sdks", [run["sdk"]])
            and run["mode"] in entry.get("modes", [run["mode"]])
            and verdict == entry["verdict"]
        ):
            return str(entry["reason"])
    return None


def report(results: Sequence[Mapping[str, Any]]) -> int:
    """Print what is not explained, and return the exit status."""
    problems = list(_problems(results))
    cases = [case for run in results for case in run.get("cases", [])]
    print(*problems, sep="\n")
    print(f"{len(results)} runs, {len(cases)} cases, {len(problems)} not explained")
    return 1 if problems else 0


def _problems(results: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    for run in results:
        name = f"{run['set']} sdk {run['sdk']} {run['mode']}"
        if run.get("error"):
            yield f"{name}: {run['error']}"
        for case in run.get("cases", []):
            if "unexpected" in case and explanation(run, case["case"], "program", "raises") is None:
                yield f"{name}: {case['case']}: {case['unexpected']}"
            for path, verdict in case["verdicts"].items():
                if verdict != "exact" and explanation(run, case["case"], path, verdict) is None:
                    yield (
                        f"{name}: {case['case']}: {path} is {verdict}:"
                        f" served {_short(case['truth'])}, counted {_short(case['books'][path])}"
                    )


def _short(seen: Mapping[str, float]) -> str:
    return "/".join(f"{value:g}" for value in seen.values())
