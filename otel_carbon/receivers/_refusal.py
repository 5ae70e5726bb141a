"""Why a request was not taken, in the words of gRPC and of HTTP.

The table is OTLP 1.11 (`docs/specification.md`, "Failures" of both transports) and, where it leaves a choice, the
Collector's.
"""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass

from google.protobuf.json_format import MessageToJson
from google.rpc.code_pb2 import Code
from google.rpc.error_details_pb2 import BadRequest, RetryInfo
from google.rpc.status_pb2 import Status

from otel_carbon.errors import InvalidDataError, TooLargeError, UnauthenticatedError, UnavailableError
from otel_carbon.receivers._answer import ResponseTooLarge

__all__ = ["Refusal", "refusal", "retry_after_header", "status_json", "status_message"]

_LOG = logging.getLogger(__name__)
_MAX_MESSAGE_CHARS = 4096  # an answer stays far below the 4 MiB that a client accepts


@dataclass(frozen=True, slots=True)
class Refusal:
    """The answer to a request that was not taken. `retry_after_s` is set exactly when trying again can help."""

    code: int
    """A `google.rpc.Code`, which is also the gRPC status code."""
    http_status: int
    message: str
    retry_after_s: float | None = None


def refusal(error: Exception) -> Refusal:
    """Return the answer to an error. What is not one of ours is a fault of the gateway: it is logged and hidden."""
    match error:
        case InvalidDataError():
            return Refusal(Code.INVALID_ARGUMENT, 400, _bounded(error))
        case TooLargeError():
            return Refusal(Code.RESOURCE_EXHAUSTED, 413, _bounded(error))
        case UnauthenticatedError():
            return Refusal(Code.UNAUTHENTICATED, 401, _bounded(error))
        case UnavailableError():
            return Refusal(Code.UNAVAILABLE, 503, _bounded(error), error.retry_after_s)
        case ResponseTooLarge():
            return Refusal(Code.RESOURCE_EXHAUSTED, 500, _bounded(error))
        case _:
            _LOG.error("a request failed for a reason that is not the sender's", exc_info=error)
            return Refusal(Code.INTERNAL, 500, "internal error; the log of the gateway has the reason")


def status_message(answer: Refusal) -> Status:
    """Return the `google.rpc.Status` of a refusal, with the details that the specification recommends."""
    status = Status(code=answer.code, message=answer.message)
    if answer.code == Code.INVALID_ARGUMENT:
        violation = BadRequest.FieldViolation(field="body", description=answer.message)
        status.details.add().Pack(BadRequest(field_violations=[violation]))
    if answer.retry_after_s is not None:
        wait = RetryInfo()
        wait.retry_delay.FromNanoseconds(round(answer.retry_after_s * 1e9))
        status.details.add().Pack(wait)
    return status


def status_json(answer: Refusal) -> bytes:
    """Return the `google.rpc.Status` of a refusal in the JSON encoding of protobuf."""
    return MessageToJson(status_message(answer), indent=None).encode()


def retry_after_header(retry_after_s: float) -> str:
    """Return the value of `Retry-After`: whole seconds, never fewer than asked for, never none."""
    return str(max(1, math.ceil(retry_after_s)))


def _bounded(error: Exception) -> str:
    return str(error)[:_MAX_MESSAGE_CHARS]
