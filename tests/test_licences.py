"""The licence check of CI, on components as an SBOM has them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

_SCRIPT = Path(__file__).parents[1] / "scripts" / "check-licences"


def check(tmp_path: Path, *components: dict[str, Any]) -> tuple[int, str]:
    sbom = tmp_path / "sbom.json"
    sbom.write_text(json.dumps({"components": components}), encoding="utf-8")
    done = subprocess.run([sys.executable, _SCRIPT, sbom], capture_output=True, text=True, check=False)
    assert done.stderr == ""
    return done.returncode, done.stdout.strip()


def component(*licences: dict[str, Any], name: str = "thing") -> dict[str, Any]:
    return {"name": name, "licenses": list(licences)}


@pytest.mark.parametrize(
    "licence",
    [
        {"license": {"id": "MIT"}},
        {"license": {"name": "License :: OSI Approved :: Apache Software License"}},
        {"expression": "Apache-2.0 AND MIT"},
        {"expression": "GPL-3.0-only OR MIT"},
    ],
)
def test_licences_that_go_with_ours_pass(tmp_path: Path, licence: dict[str, Any]) -> None:
    assert check(tmp_path, component(licence)) == (0, "1 components, all under licences that go with ours")


@pytest.mark.parametrize(
    "licence",
    [
        {"license": {"id": "GPL-3.0-or-later"}},
        {"license": {"id": "AGPL-3.0-only"}},
        {"license": {"name": "License :: OSI Approved :: GNU General Public License (GPL)"}},
        {"expression": "MIT AND GPL-2.0-only"},
        {"expression": "(GPL-2.0-only OR MIT) AND MIT"},
        {"license": {"name": "Commercial"}},
    ],
)
def test_others_are_refused_by_name(tmp_path: Path, licence: dict[str, Any]) -> None:
    code, said = check(tmp_path, component({"license": {"id": "MIT"}}, name="fine"), component(licence))

    assert code == 1
    assert said.startswith("thing: ")
    assert said.endswith(" is none of the licences that scripts/check-licences allows")


def test_a_component_without_a_licence_is_refused_until_somebody_has_read_it(tmp_path: Path) -> None:
    code, said = check(tmp_path, component(), component(name="protobuf"))

    assert (code, said) == (
        1,
        "thing: states no licence; read it, and add it to READ in scripts/check-licences",
    )


def test_an_sbom_without_components_is_none(tmp_path: Path) -> None:
    assert check(tmp_path)[0] == 1
