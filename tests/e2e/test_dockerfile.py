"""The Dockerfile, without a Docker daemon: BuildKit's own parser and rules, and the steps of its build stage."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

pytestmark = pytest.mark.e2e

_ROOT = Path(__file__).parents[2]
_DOCKERFILE = _ROOT / "deploy" / "docker" / "Dockerfile"


@pytest.fixture(scope="module")
def buildkit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the program of `dockerfile/`, built."""
    program = tmp_path_factory.mktemp("buildkit") / "dockerfile"
    source = Path(__file__).parent / "dockerfile"
    built = subprocess.run(["go", "build", "-o", program, "."], cwd=source, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    return program


def _checked(buildkit: Path, dockerfile: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([buildkit, dockerfile], capture_output=True, text=True, check=False)


def test_buildkit_reads_the_dockerfile_and_has_nothing_to_say(buildkit: Path) -> None:
    checked = _checked(buildkit, _DOCKERFILE)

    assert (checked.returncode, checked.stderr) == (0, "")
    assert list(json.loads(checked.stdout)) == ["build"]


def test_buildkit_would_say_it(buildkit: Path, tmp_path: Path) -> None:
    wrong = tmp_path / "Dockerfile"
    wrong.write_text("FROM scratch as Build\nMAINTAINER somebody\n", encoding="utf-8")

    checked = _checked(buildkit, wrong)

    assert checked.returncode == 1
    assert {"StageNameCasing", "FromAsCasing", "MaintainerDeprecated"} <= set(checked.stderr.split())


@pytest.mark.timeout(600)  # it installs from a package index
def test_the_steps_of_the_build_stage_give_a_gateway_that_takes_the_config_of_the_image(
    buildkit: Path, tmp_path: Path
) -> None:
    """The same commands in the same folder layout, under another root: all that the build stage may use was copied."""
    source, prefix = tmp_path / "src", tmp_path / "opt" / "otel-carbon"
    source.mkdir()
    text = _DOCKERFILE.read_text("utf-8")
    for copied in re.findall(r"^COPY (?!--)(.+) \./?(?:\S+)?$", text.split("\nFROM ")[1], re.MULTILINE):
        for name in copied.split():
            copy = shutil.copytree if (_ROOT / name).is_dir() else shutil.copy
            copy(_ROOT / name, source / name)
    (command,) = json.loads(_checked(buildkit, _DOCKERFILE).stdout)["build"]
    moved = command.replace("/opt/otel-carbon", str(prefix)).replace("/state", str(tmp_path / "state"))

    done = subprocess.run(["sh", "-c", moved], cwd=source, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    config = _ROOT / "deploy" / "docker" / "gateway.yaml"
    validate = [
        prefix / "bin" / "otel-carbon",
        "validate",
        "--without-files",
        config,
    ]  # the tokens come with the container
    validated = subprocess.run(validate, cwd=tmp_path, capture_output=True, text=True, check=False)

    assert (validated.returncode, validated.stderr) == (0, "")
    assert not (prefix / "bin" / "pip").exists()
