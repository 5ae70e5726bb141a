"""The variables that switch parts of the in-app path on and off."""

from __future__ import annotations

from collections.abc import Mapping

from otel_carbon.errors import ConfigError

__all__ = ["ENABLED", "KEEP_GENAI", "is_enabled", "switch"]

ENABLED = "OTEL_CARBON_ENABLED"
KEEP_GENAI = "OTEL_CARBON_KEEP_GENAI"

_TRUE = frozenset({"1", "true", "yes", "on"})
_FALSE = frozenset({"0", "false", "no", "off"})


def is_enabled(environ: Mapping[str, str]) -> bool:
    """Return whether `OTEL_CARBON_ENABLED` leaves otel-carbon on, which is the default.

    Raises:
        ConfigError: the value is neither true nor false.
    """
    return switch(environ, ENABLED)


def switch(environ: Mapping[str, str], name: str, *, also: str = "") -> bool:
    """Return whether a variable leaves its part on, which is the default.

    Raises:
        ConfigError: the value is neither true nor false.
    """
    value = environ.get(name, "").strip().lower()
    if value in _FALSE:
        return False
    if value and value not in _TRUE:
        raise ConfigError(f"{name}: {value!r} is not a switch; write true or false{also}")
    return True
