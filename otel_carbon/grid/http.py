"""One GET that answers with JSON, by the standard library alone: it serves an application as well as the gateway."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from otel_carbon._version import __version__
from otel_carbon.errors import GridPlaceError, GridSourceError

if TYPE_CHECKING:
    from urllib.error import HTTPError
    from urllib.request import OpenerDirector

__all__ = ["get_json", "retry_after_s"]

_MOST_BYTES = 8 << 20
_CHUNK_BYTES = 64 << 10
_LONGEST_WAIT_S = 86_400.0
_REFUSED_KEY_WAIT_S = 3600.0
_NO_ANSWER = (301, 302, 303, 307, 308)


def get_json(url: str, headers: Mapping[str, str], timeout_s: float) -> Any:
    """Return the JSON document at a URL. Redirects are not followed: they could carry a key to another host.

    Raises:
        GridPlaceError: the server knows nothing of what the URL asks for (400, 404, 422).
        GridSourceError: it gave no answer in time, or one that cannot be used. The message never holds a header.
    """
    from http.client import HTTPException  # noqa: PLC0415 - loads sockets and TLS, which only a refresh needs
    from urllib.error import HTTPError  # noqa: PLC0415 - as above
    from urllib.request import Request  # noqa: PLC0415 - as above

    sent = {"Accept": "application/json", "User-Agent": f"otel-carbon/{__version__}", **headers}
    request = Request(url, headers=sent)  # noqa: S310 - the scheme is checked with the configuration
    try:
        with _opener().open(request, timeout=timeout_s) as response:
            body = _read(response, timeout_s)
    except HTTPError as error:
        with error:
            raise _refusal(error) from None
    except (OSError, HTTPException, ValueError) as error:  # ValueError: a host that no name can be
        raise GridSourceError(f"no answer: {getattr(error, 'reason', None) or error!r}") from None
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise GridSourceError("the answer is not JSON") from None


def retry_after_s(value: str | None) -> float | None:
    """Return the wait that a `Retry-After` header asks for, in s: a number of seconds, or an HTTP date."""
    if not value:
        return None
    text = value.strip()
    if text.isascii() and text.isdigit():
        return min(float(text[:9]), _LONGEST_WAIT_S)
    try:
        at = parsedate_to_datetime(text)
    except ValueError:
        return None
    wait_s = (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() - datetime.now(UTC).timestamp()
    return min(max(wait_s, 0.0), _LONGEST_WAIT_S)


def _opener() -> OpenerDirector:
    from urllib.request import HTTPRedirectHandler, build_opener  # noqa: PLC0415 - as above

    class NoRedirects(HTTPRedirectHandler):
        def redirect_request(self, *_args: Any, **_kwargs: Any) -> None:
            """Follow none."""

    return build_opener(NoRedirects)


def _read(response: Any, timeout_s: float) -> bytes:
    """Return the body. The timeout of a socket starts anew with every byte, so the whole has a limit of its own."""
    deadline_s = time.monotonic() + timeout_s
    body = bytearray()
    while chunk := response.read1(_CHUNK_BYTES):
        body += chunk
        if len(body) > _MOST_BYTES:
            raise GridSourceError("the answer is too large")
        if time.monotonic() > deadline_s:
            raise GridSourceError(f"no answer: not complete within {timeout_s:g} s")
    return bytes(body)


def _refusal(error: HTTPError) -> GridSourceError:
    status = error.code
    wait_s = retry_after_s(error.headers.get("Retry-After"))
    if status in (401, 403):
        # Asking again with the same key cannot help soon; a plan may be extended or a key be enabled, though.
        return GridSourceError(f"HTTP {status}: the key is not accepted", wait_s or _REFUSED_KEY_WAIT_S)
    if status in (400, 404, 422):
        return GridPlaceError(f"HTTP {status}", wait_s)
    if status in _NO_ANSWER:
        return GridSourceError(f"HTTP {status}: redirects are not followed; set the endpoint to where it leads")
    return GridSourceError(f"HTTP {status}", wait_s)
