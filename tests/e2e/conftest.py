"""What several end-to-end tests need."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def otelcol() -> Path:
    """Return a real Collector, built on first use."""
    return _built("build-otelcol")


@pytest.fixture(scope="session")
def prometheus() -> Path:
    """Return the Prometheus of Debian, which scrapes and has no OTLP receiver."""
    found = shutil.which("prometheus")
    assert found is not None, "apt-get install prometheus"
    return Path(found)


@pytest.fixture(scope="session")
def new_prometheus() -> Path:
    """Return a Prometheus that takes OTLP, built on first use."""
    return _built("build-prometheus")


@pytest.fixture(scope="session")
def jaeger() -> Path:
    """Return a real Jaeger, built on first use."""
    return _built("build-jaeger")


@pytest.fixture(scope="session")
def kustomize() -> Path:
    """Return a real kustomize, built on first use."""
    return _built("build-kustomize")


def _built(script: str) -> Path:
    built = subprocess.run([_ROOT / "scripts" / script], capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    return Path(built.stdout.splitlines()[-1])
