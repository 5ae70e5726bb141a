"""Energy, gCO2e and region on every OpenTelemetry GenAI span."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from otel_carbon._version import __version__

if TYPE_CHECKING:
    from otel_carbon.estimator.api import estimate
    from otel_carbon.processors.install import install

__all__ = ["__version__", "estimate", "install"]

_HOMES = {"estimate": "otel_carbon.estimator.api", "install": "otel_carbon.processors.install"}


def __getattr__(name: str) -> Any:
    """Load a public function when it is first used, so that importing the package costs nothing.

    Raises:
        AttributeError: the package has no such name.
    """
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
