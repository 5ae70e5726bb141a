"""Which HTTP answers are worth another attempt: the table of OTLP 1.11, "OTLP/HTTP Response"."""

from __future__ import annotations

import math
from email.utils import parsedate_to_datetime

from google.protobuf.message import DecodeError
from google.rpc.status_pb2 import Status

from otel_carbon.errors import ExportError, PermanentExportError, RetryableExportError
from otel_carbon.exporters._sender import ContentRefusedError

__all__ = ["clock_of", "http_failure", "retry_after_s"]

_RETRYABLE = frozenset({429, 502, 503, 504})
_ABOUT_CONTENT = frozenset({400, 413, 422, 500})
_TOO_LARGE = 413
_MAX_TEXT_CHARS = 300


def http_failure(url: str, status: int, retry_after: str | None, body: bytes, now_unix_s: float) -> ExportError:
    """Return what an answer other than success means for its data."""
    message = f"{url} answered {status}: {_reason(body)}"
    if status in _RETRYABLE:
        return RetryableExportError(message, retry_after_s(retry_after, now_unix_s))
    if status in _ABOUT_CONTENT:
        return ContentRefusedError(message, too_large=status == _TOO_LARGE)
    return PermanentExportError(message)


def retry_after_s(value: str | None, now_unix_s: float) -> float | None:
    """Return the wait, in s, that a `Retry-After` header asks for, in seconds or by a date (RFC 9110); else None."""
    if value is None:
        return None
    if value.strip().isdecimal():
        return float(value)
    try:
        at_unix_s = parsedate_to_datetime(value).timestamp()
    except (ValueError, OverflowError):
        return None
    return max(0.0, at_unix_s - now_unix_s) if math.isfinite(at_unix_s) else None


def clock_of(date: str | None, own_unix_s: float) -> float:
    """Return the time by the clock that dates of an answer are of: its `Date` header, else this machine's own.

    A gateway whose clock is a day behind would wait a day for a destination that says until when.
    """
    if date is None:
        return own_unix_s
    try:
        return parsedate_to_datetime(date).timestamp()
    except (ValueError, OverflowError):
        return own_unix_s


def _reason(body: bytes) -> str:
    """Return the message of a `google.rpc.Status`, or the body as text when it is none (a proxy's page)."""
    try:
        message = Status.FromString(body).message
    except DecodeError:
        message = ""
    return message or body[:_MAX_TEXT_CHARS].decode(errors="replace")
