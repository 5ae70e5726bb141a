from __future__ import annotations

import pytest
from otlp_requests import chat_span, traces, web_span

from otel_carbon.pipeline import span_search
from otel_carbon.pipeline.span_search import SpanSearch
from otel_carbon.pipeline.wire import resource_spans


@pytest.fixture
def walked(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    bodies: list[bytes] = []
    monkeypatch.setattr(span_search, "resource_spans", lambda body: bodies.append(body) or resource_spans(body))
    return bodies


def test_only_scopes_with_a_word_are_found() -> None:
    body = traces(web_span(1), chat_span(2), web_span(3)).SerializeToString()

    layout, found = SpanSearch((b"gen_ai.",)).find(body)

    assert layout == resource_spans(body)
    (resource, scope, spans) = found[0]
    assert (resource, scope) == (layout[0], layout[0].scope_spans[0])
    assert spans == [scope.spans[1]]


def test_a_request_is_walked_once_for_all_who_ask(walked: list[bytes]) -> None:
    search = SpanSearch((b"gen_ai.",))
    first, second = (traces(chat_span(number)).SerializeToString() for number in (1, 2))

    assert search.find(first) is search.find(first)
    assert search.find(second) is not search.find(first)
    assert walked == [first, second, first]


def test_a_large_request_is_not_kept(walked: list[bytes]) -> None:
    search = SpanSearch((b"gen_ai.",))
    large = traces(chat_span(1, name="n" * (9 << 20))).SerializeToString()

    assert search.find(large) == search.find(large)
    assert len(walked) == 2


def test_without_a_word_nothing_is_walked(walked: list[bytes]) -> None:
    assert SpanSearch((b"gen_ai.",)).find(traces(web_span(1)).SerializeToString()) == ((), ())
    assert walked == []
