"""Headers of requests to a destination, whose values are secrets."""

from __future__ import annotations

import re
from collections.abc import Mapping

from otel_carbon.errors import ConfigError
from otel_carbon.security.secret import Secret

__all__ = ["check_headers", "revealed"]

_NAME = re.compile(r"[0-9A-Za-z!#$%&'*+.^_`|~-]+")  # RFC 9110, "token"
_VALUE = re.compile(r"[ -~]*")  # what gRPC takes; HTTP takes hardly more


def check_headers(headers: Mapping[str, Secret]) -> None:
    """Refuse what no request can carry, here, because the libraries below would show the value in their error.

    Raises:
        ConfigError: a name or a value is impossible; the message names the header and keeps the value.
    """
    for name, value in headers.items():
        if not _NAME.fullmatch(name):
            raise ConfigError(f"headers: {name!r} is not a header name")
        if not _VALUE.fullmatch(value.reveal()):
            raise ConfigError(
                f"headers: the value of {name!r} holds a line break or another character that no header can carry; "
                "look at the end of the file or variable that it comes from"
            )


def revealed(headers: Mapping[str, Secret]) -> dict[str, str]:
    """Return the headers as they are sent."""
    return {name: value.reveal() for name, value in headers.items()}
