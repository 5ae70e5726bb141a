"""Every HTTP answer that is not 200, as a `google.rpc.Status` in the encoding of the request."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from types import MappingProxyType

from aiohttp import hdrs, web
from google.rpc.code_pb2 import Code

from otel_carbon.errors import CarbonError
from otel_carbon.receivers._refusal import Refusal, refusal, retry_after_header, status_json, status_message

__all__ = ["errors_as_status"]

_CODES: Mapping[int, int] = MappingProxyType(
    {404: Code.NOT_FOUND, 405: Code.UNIMPLEMENTED, 408: Code.DEADLINE_EXCEEDED, 415: Code.INVALID_ARGUMENT}
)


@web.middleware
async def errors_as_status(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Answer a request, turning whatever goes wrong into an OTLP error response."""
    try:
        return await handler(request)
    except web.HTTPException as error:
        headers: dict[str, str] = {hdrs.ALLOW: error.headers[hdrs.ALLOW]} if hdrs.ALLOW in error.headers else {}
        answer = Refusal(_CODES.get(error.status, Code.UNKNOWN), error.status, f"{error.reason}: {request.path}")
        return _response(request, answer, headers)
    except CarbonError as error:
        return _response(request, refusal(error), {})
    except Exception as error:  # noqa: BLE001  here a request leaves the gateway
        return _response(request, refusal(error), {})


def _response(request: web.Request, answer: Refusal, headers: MutableMapping[str, str]) -> web.Response:
    if answer.retry_after_s is not None:
        headers[hdrs.RETRY_AFTER] = retry_after_header(answer.retry_after_s)
    if request.content_type == "application/x-protobuf":
        body = status_message(answer).SerializeToString()
        return web.Response(status=answer.http_status, body=body, content_type=request.content_type, headers=headers)
    body = status_json(answer)  # also for a person with curl, whose request names no encoding of ours
    return web.Response(status=answer.http_status, body=body, content_type="application/json", headers=headers)
