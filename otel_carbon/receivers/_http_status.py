"""Every HTTP answer that is not 200, as a `google.rpc.Status` in the encoding of the request."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from types import MappingProxyType

from aiohttp import hdrs, web
from aiohttp.typedefs import Middleware
from google.rpc.code_pb2 import Code

from otel_carbon.errors import CarbonError, UnauthenticatedError
from otel_carbon.receivers._intake import Intake
from otel_carbon.receivers._refusal import Refusal, retry_after_header, status_json, status_message
from otel_carbon.security.web import challenge

__all__ = ["errors_as_status"]

_CODES: Mapping[int, int] = MappingProxyType(
    {404: Code.NOT_FOUND, 405: Code.UNIMPLEMENTED, 408: Code.DEADLINE_EXCEEDED, 415: Code.INVALID_ARGUMENT}
)


def errors_as_status(intake: Intake) -> Middleware:
    """Return the middleware that turns whatever goes wrong into an OTLP error response."""

    @web.middleware
    async def middleware(
        request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        try:
            return await handler(request)
        except web.HTTPException as error:
            return _protocol_error(request, error)
        except UnauthenticatedError as error:
            return _response(request, intake.refuse(error), {hdrs.WWW_AUTHENTICATE: challenge(error)})
        except CarbonError as error:
            return _response(request, intake.refuse(error), {})
        except Exception as error:  # noqa: BLE001  here a request leaves the gateway
            return _response(request, intake.refuse(error), {})

    return middleware


def _protocol_error(request: web.Request, error: web.HTTPException) -> web.Response:
    answer = Refusal(_CODES.get(error.status, Code.UNKNOWN), error.status, f"{error.reason}: {request.path}")
    headers: dict[str, str] = {hdrs.ALLOW: error.headers[hdrs.ALLOW]} if hdrs.ALLOW in error.headers else {}
    response = _response(request, answer, headers)
    if error.status == 408:
        response.force_close()  # the rest of the body may still come, and is not the next request
    return response


def _response(request: web.Request, answer: Refusal, headers: MutableMapping[str, str]) -> web.Response:
    if answer.retry_after_s is not None:
        headers[hdrs.RETRY_AFTER] = retry_after_header(answer.retry_after_s)
    if request.content_type == "application/x-protobuf":
        body = status_message(answer).SerializeToString()
        return web.Response(status=answer.http_status, body=body, content_type=request.content_type, headers=headers)
    body = status_json(answer)  # also for a person with curl, whose request names no encoding of ours
    return web.Response(status=answer.http_status, body=body, content_type="application/json", headers=headers)
