"""The gateway's log: one line per event on stderr, for people or as JSON, with the Collector's settings."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Mapping

from aiohttp.http_exceptions import HttpProcessingError

from otel_carbon.gateway.log_sampling import LogSampler
from otel_carbon.gateway.service_config import LogsConfig

__all__ = ["set_up_logging"]

_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warn": logging.WARNING, "error": logging.ERROR}
_NAMES = {number: name for name, number in _LEVELS.items()}


def set_up_logging(config: LogsConfig, worker: int | None = None) -> None:
    """Let everything that this process logs go to stderr as the config says. May be called again with another one.

    Where several processes share one log, the lines of a worker say which it is.
    """
    fields = {**({} if worker is None else {"worker": str(worker)}), **config.initial_fields}
    handler = logging.StreamHandler()
    handler.setFormatter(_JsonFormatter(fields) if config.encoding == "json" else _console(fields))
    handler.addFilter(_in_one_line)
    if config.sampling.enabled:
        handler.addFilter(LogSampler(config.sampling))
    logging.basicConfig(level=_LEVELS[config.level], handlers=[handler], force=True)


class _JsonFormatter(logging.Formatter):
    """One JSON object per line, with the keys of the Collector's `json` encoding."""

    def __init__(self, initial_fields: Mapping[str, str]) -> None:
        super().__init__()
        self._initial_fields = dict(initial_fields)

    def format(self, record: logging.LogRecord) -> str:
        """Return the line. Whatever is in the message, it stays one line."""
        line = {
            "level": _NAMES.get(record.levelno, record.levelname.lower()),
            "ts": _time(record),
            "logger": record.name,
            "msg": record.getMessage(),
        }
        if record.exc_info and record.exc_info[0] is not None:
            line["stacktrace"] = self.formatException(record.exc_info)
        return json.dumps({**line, **self._initial_fields}, ensure_ascii=False)


class _ConsoleFormatter(logging.Formatter):
    """`time level logger message`, the time in UTC."""

    converter = staticmethod(time.gmtime)


def _console(fields: Mapping[str, str]) -> logging.Formatter:
    shown = "".join(f" {key}={value}" for key, value in fields.items()).replace("%", "%%")
    text = f"%(asctime)s.%(msecs)03dZ %(levelname)s %(name)s %(message)s{shown}"
    return _ConsoleFormatter(text, "%Y-%m-%dT%H:%M:%S")


def _time(record: logging.LogRecord) -> str:
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(record.created))}.{int(record.msecs):03d}Z"


def _in_one_line(record: logging.LogRecord) -> bool:
    """Shorten what the HTTP server says of a client that does not speak HTTP: the traceback is of its own parser."""
    error = record.exc_info[1] if record.exc_info else None
    if isinstance(error, HttpProcessingError):
        record.msg, record.args = f"{record.getMessage()}: {' '.join(error.message.split())}", ()
        record.levelno, record.levelname = logging.WARNING, "WARNING"
        record.exc_info = None
    return True
