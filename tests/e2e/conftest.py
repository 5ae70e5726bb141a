"""What several end-to-end tests need."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def otelcol() -> Path:
    """Return a real Collector, built on first use."""
    built = subprocess.run([_ROOT / "scripts" / "build-otelcol"], capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    return Path(built.stdout.splitlines()[-1])
