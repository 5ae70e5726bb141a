"""The gateway's log: one line per event on stderr."""

from __future__ import annotations

import logging
import time

__all__ = ["LEVELS", "log_handler"]

LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warn": logging.WARNING, "error": logging.ERROR}
"""The Collector's names of the levels."""


def log_handler() -> logging.Handler:
    """Return a handler that writes `time level logger message` to stderr, the time in UTC."""
    handler = logging.StreamHandler()
    formatter = logging.Formatter("%(asctime)s.%(msecs)03dZ %(levelname)s %(name)s %(message)s", "%Y-%m-%dT%H:%M:%S")
    formatter.converter = time.gmtime
    handler.setFormatter(formatter)
    return handler
