"""Which gRPC answers are worth another attempt: the table of OTLP 1.11, "OTLP/gRPC Response"."""

from __future__ import annotations

import re
from typing import Any

import grpc
import grpc.aio
from google.protobuf.message import DecodeError
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status

from otel_carbon.errors import ExportError, PermanentExportError, RetryableExportError
from otel_carbon.exporters._sender import ContentRefusedError

__all__ = ["grpc_failure"]

_OUR_OWN_LIMIT = "CLIENT: Received message larger than max"  # the answer is too large: the data itself was taken
# How servers say that it is the size: Go and C "larger than max", Java "exceeds maximum size", ours "larger than the
# limit". The same code without it is a quota, which smaller requests would not help.
_SIZE = re.compile(r"larger than|exceeds|too large|too big", re.IGNORECASE)
_DETAILS_KEY = "grpc-status-details-bin"
_RETRYABLE = frozenset(
    {
        grpc.StatusCode.CANCELLED,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.ABORTED,
        grpc.StatusCode.OUT_OF_RANGE,
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DATA_LOSS,
    }
)
# The codes by which servers say that they dislike the content; the Collector says INTERNAL for any permanent error.
_ABOUT_CONTENT = frozenset(
    {
        grpc.StatusCode.INVALID_ARGUMENT,
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        grpc.StatusCode.INTERNAL,
        grpc.StatusCode.UNKNOWN,
    }
)


def grpc_failure(error: grpc.aio.AioRpcError, endpoint: str) -> ExportError:
    """Return what a failed call means for its data."""
    code, details = error.code(), error.details() or ""
    message = f"{endpoint} answered {code.name}: {details}"
    asked_s = _asked_s(error)
    if code in _RETRYABLE or (code is grpc.StatusCode.RESOURCE_EXHAUSTED and asked_s is not None):
        return RetryableExportError(message, asked_s)
    if code in _ABOUT_CONTENT and _OUR_OWN_LIMIT not in details:
        too_large = code is grpc.StatusCode.RESOURCE_EXHAUSTED and _SIZE.search(details) is not None
        return ContentRefusedError(message, too_large=too_large)
    return PermanentExportError(message)


def _asked_s(error: grpc.aio.AioRpcError) -> float | None:
    """Return the `retry_delay` of a `google.rpc.RetryInfo`, in s, or None."""
    metadata: Any = error.trailing_metadata()
    packed = dict(metadata).get(_DETAILS_KEY)
    if not isinstance(packed, bytes):
        return None
    retry = RetryInfo()
    try:
        found = any(detail.Unpack(retry) for detail in Status.FromString(packed).details)
    except DecodeError:
        return None
    return retry.retry_delay.ToNanoseconds() / 1e9 if found else None
