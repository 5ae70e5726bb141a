"""The wheel and the sdist: what is in them, and that they work where nothing else is."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[1]
_UV = Path(sys.executable).parent / "uv"


def _run(*command: str | Path, cwd: Path = _ROOT) -> str:
    done = subprocess.run([str(part) for part in command], cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="session")
def distributions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("dist")
    # sdist first, the wheel from it: a file that the sdist lacks is a file that the wheel lacks.
    _run(sys.executable, "-m", "build", "--no-isolation", "--outdir", out)
    return out


def _wheel_files(distributions: Path) -> set[str]:
    with zipfile.ZipFile(next(distributions.glob("*.whl"))) as wheel:
        return set(wheel.namelist())


def test_the_wheel_holds_the_package_and_nothing_else(distributions: Path) -> None:
    tops = {name.split("/")[0] for name in _wheel_files(distributions)}

    assert tops == {"otel_carbon", "otel_carbon-0.1.0.dist-info"}


def test_the_wheel_holds_every_file_of_the_package(distributions: Path) -> None:
    tracked = _run("git", "ls-files", "otel_carbon").split()

    assert set(tracked) - _wheel_files(distributions) == set()


def test_the_wheel_holds_types_licences_and_entry_points(distributions: Path) -> None:
    files = _wheel_files(distributions)

    assert "otel_carbon/py.typed" in files
    for name in ("LICENSE", "NOTICE", "otel_carbon/factors/data/LICENCES.md"):
        assert f"otel_carbon-0.1.0.dist-info/licenses/{name}" in files
    with zipfile.ZipFile(next(distributions.glob("*.whl"))) as wheel:
        entry_points = wheel.read("otel_carbon-0.1.0.dist-info/entry_points.txt").decode()
    assert (
        "[opentelemetry_instrumentor]\ncarbon = otel_carbon.processors.instrumentor:CarbonInstrumentor" in entry_points
    )


def test_the_sdist_holds_what_a_stranger_needs_to_build_and_test(distributions: Path) -> None:
    with tarfile.open(next(distributions.glob("*.tar.gz"))) as sdist:
        names = {name.partition("/")[2] for name in sdist.getnames()}

    assert {"pyproject.toml", "README.md", "LICENSE", "NOTICE", "Makefile", "scripts/check"} <= names
    for folder in (
        "processors",
        "exporters",
        "receivers",
        "connectors",
        "semconv",
        "docs",
        "tests",
        "benchmarks",
        "examples",
    ):
        assert any(name.startswith(f"{folder}/") for name in names), folder


def test_the_wheel_alone_gives_the_command_and_an_estimate(distributions: Path, tmp_path: Path) -> None:
    _run(_UV, "venv", "--quiet", "--python", sys.executable, tmp_path / "venv")
    python = tmp_path / "venv" / "bin" / "python"
    _run(_UV, "pip", "install", "--quiet", "--python", python, next(distributions.glob("*.whl")))
    command = tmp_path / "venv" / "bin" / "otel-carbon"

    assert "estimate" in _run(command, "--help", cwd=tmp_path)
    assert "CO2e" in _run(command, "estimate", "--model", "gpt-4o", "--output-tokens", "345", cwd=tmp_path)


def test_a_command_that_needs_an_extra_names_it(distributions: Path, tmp_path: Path) -> None:
    _run(_UV, "venv", "--quiet", "--python", sys.executable, tmp_path / "venv")
    python = tmp_path / "venv" / "bin" / "python"
    _run(_UV, "pip", "install", "--quiet", "--python", python, next(distributions.glob("*.whl")))
    command = tmp_path / "venv" / "bin" / "otel-carbon"

    (tmp_path / "ledger.db").touch()
    environment = {**os.environ, "OTEL_CARBON_DATA_DIR": str(tmp_path)}
    for name, extra in (("serve", "gateway"), ("report", "report"), ("demo", "demo")):
        done = subprocess.run([command, name], capture_output=True, text=True, check=False, env=environment)
        assert (done.returncode, done.stdout) == (1, "")
        assert f"pip install 'otel-carbon[{extra}]'" in done.stderr
