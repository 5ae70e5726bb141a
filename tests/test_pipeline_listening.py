"""An address that cannot be had is explained, with what helps against it."""

from __future__ import annotations

import errno
import socket

import pytest

from otel_carbon.pipeline.endpoint import Endpoint, is_http_url
from otel_carbon.pipeline.listening import cannot_listen

_SOMETHING = RuntimeError("did not work")


@pytest.mark.parametrize(
    ("host", "error", "said"),
    [
        ("127.0.0.1", OSError(errno.EACCES, "long text"), "Permission denied; a port below 1024 asks for the right"),
        ("192.0.2.1", _SOMETHING, "Cannot assign requested address; set an address that this machine has"),
        ("nowhere.invalid", socket.gaierror(socket.EAI_NONAME, "no"), "the host is not known (no); set an address of"),
        ("a..b", _SOMETHING, "the host is not known ("),
        ("127.0.0.1", _SOMETHING, "did not work; set another address"),
    ],
)
def test_the_reason_decides_what_is_advised(host: str, error: Exception, said: str) -> None:
    text = str(cannot_listen(Endpoint(host, 0), "service::web::endpoint", error))

    assert text.startswith(f"service::web::endpoint: cannot listen on {host}:0: {said}")
    assert "stop the program" not in text


def test_a_taken_port_is_found_out_where_nobody_says_so() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        text = str(cannot_listen(Endpoint("127.0.0.1", taken.getsockname()[1]), "endpoint", _SOMETHING))

    assert "Address already in use; stop the program that has this port, or set another one (port 0" in text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("http://tempo:4318", True),
        ("https://user:word@[::1]:4318/otlp", True),
        ("http://[::1:4318", False),
        ("http://tempo:99999", False),
        ("http://tempo:no", False),
        ("http://tempo:4318/a b", False),
        ("tempo:4318", False),
        ("http://", False),
    ],
)
def test_what_a_request_can_be_sent_to(text: str, expected: bool) -> None:
    assert is_http_url(text) is expected
