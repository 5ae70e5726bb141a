"""The gateway's log: one line per event on stderr."""

from __future__ import annotations

import logging
import time

from aiohttp.http_exceptions import HttpProcessingError

__all__ = ["LEVELS", "log_handler"]

LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warn": logging.WARNING, "error": logging.ERROR}
"""The Collector's names of the levels."""


def log_handler() -> logging.Handler:
    """Return a handler that writes `time level logger message` to stderr, the time in UTC."""
    handler = logging.StreamHandler()
    formatter = logging.Formatter("%(asctime)s.%(msecs)03dZ %(levelname)s %(name)s %(message)s", "%Y-%m-%dT%H:%M:%S")
    formatter.converter = time.gmtime
    handler.setFormatter(formatter)
    handler.addFilter(_in_one_line)
    return handler


def _in_one_line(record: logging.LogRecord) -> bool:
    """Shorten what the HTTP server says of a client that does not speak HTTP: the traceback is of its own parser."""
    error = record.exc_info[1] if record.exc_info else None
    if isinstance(error, HttpProcessingError):
        record.msg, record.args = f"{record.getMessage()}: {' '.join(error.message.split())}", ()
        record.levelno, record.levelname = logging.WARNING, "WARNING"
        record.exc_info = None
    return True
