"""The targets of `make fuzz` over their corpus, which also keeps every input that was ever too much for one."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

_FOLDER = Path(__file__).parent / "fuzz"


def _targets() -> dict[str, Callable[[bytes], None]]:
    spec = importlib.util.spec_from_file_location("fuzz_targets", _FOLDER / "targets.py")
    assert spec is not None
    assert spec.loader is not None
    module: Any = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return dict(module.TARGETS)


TARGETS = _targets()
CORPUS = [path for name in TARGETS for path in sorted((_FOLDER / "corpus" / name).iterdir())]


def test_every_target_has_a_corpus() -> None:
    assert (
        {path.parent.name for path in CORPUS} == set(TARGETS) == {path.name for path in (_FOLDER / "corpus").iterdir()}
    )


@pytest.mark.parametrize("path", CORPUS, ids=lambda path: f"{path.parent.name}-{path.name}")
def test_what_is_in_the_corpus_is_read_or_refused(path: Path) -> None:
    TARGETS[path.parent.name](path.read_bytes())


@pytest.mark.parametrize("path", CORPUS, ids=lambda path: f"{path.parent.name}-{path.name}")
@settings(max_examples=20, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_so_is_what_is_cut_doubled_or_overwritten(path: Path, data: st.DataObject) -> None:
    whole = path.read_bytes()
    start, end = sorted((data.draw(st.integers(0, len(whole))), data.draw(st.integers(0, len(whole)))))
    middle = data.draw(st.sampled_from((b"", whole[start:end] * 2))) or data.draw(st.binary(max_size=8))

    TARGETS[path.parent.name](whole[:start] + middle + whole[end:])
