"""When two spans are one call, and when they are two that look alike."""

from __future__ import annotations

from dataclasses import replace

import pytest
from ledger_cases import sighting

from otel_carbon.model import Sighting, Usage
from otel_carbon.spans.groups import CallGroups, best_of
from otel_carbon.spans.one_call import CallSpan, Kinship, call_span, kinship, model_stem

_CACHED = Usage(700, 500, 0, 281, 64)


def _span(seen: Sighting) -> CallSpan:
    span = call_span(seen)
    assert span is not None
    return span


def _kinship(one: Sighting, other: Sighting, *, nested: bool = False) -> Kinship:
    found = kinship(_span(one), _span(other), nested=nested)
    assert kinship(_span(other), _span(one), nested=nested) is found
    return found


@pytest.mark.parametrize(
    "name",
    [
        "gpt-4o",
        "gpt-4o-2024-08-06",
        "openai/gpt-4o",
        "azure/eu/gpt-4o-2024-08-06",
        "GPT-4o-latest",
        "gpt-4o:free",
        "gpt-4o-0613",
    ],
)
def test_the_names_of_one_model_have_one_stem(name: str) -> None:
    assert model_stem(name) == "gpt-4o"


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("eu.anthropic.claude-sonnet-4-5-20250929-v1:0", "claude-sonnet-4-5"),
        ("claude-sonnet-4-5@20250929", "claude-sonnet-4-5"),
        ("gpt-4.1-mini", "gpt-4.1-mini"),
        ("gemini-2.5-flash", "gemini-2.5-flash"),
        ("mistral-large-2411", "mistral-large"),
        ("-latest", "-latest"),
        ("", ""),
    ],
)
def test_a_stem_keeps_the_version_of_the_model(name: str, stem: str) -> None:
    assert model_stem(name) == stem


def test_spans_of_two_libraries_in_one_trace_that_agree_are_one_call() -> None:
    framework = sighting(1, scope="langchain", duration_s=2, model="gpt-4o")
    client = sighting(2, scope="openai", start_s=0.1, model="gpt-4o-2024-08-06", response_id="chatcmpl-1")

    assert _kinship(framework, client) is Kinship.SAME_TRACE


@pytest.mark.parametrize(
    "changes",
    [
        {"scope": "langchain"},
        {"start_s": 2.001},
        {"usage": Usage(701, 500, 0, 281, 64)},
        {"usage": Usage(700, 500, 0, 301, 64)},
        {"model": "gpt-4o-mini"},
        {"failed": True, "usage": None},
    ],
    ids=["one library", "afterwards", "other input", "other output", "another model", "a failed attempt"],
)
def test_what_tells_two_calls_apart_in_one_trace(changes: dict[str, object]) -> None:
    client = {"scope": "openai", "start_s": 0.1} | changes

    assert _kinship(sighting(1, scope="langchain", duration_s=2), sighting(2, **client)) is Kinship.NONE


def test_two_response_ids_of_one_kind_are_two_calls_and_an_id_of_the_frameworks_own_says_nothing() -> None:
    framework = sighting(1, scope="langchain", response_id="msg_1")

    assert _kinship(framework, sighting(2, scope="anthropic", response_id="msg_2")) is Kinship.NONE
    assert _kinship(framework, sighting(2, scope="anthropic", response_id="chatcmpl-9")) is Kinship.SAME_TRACE
    assert _kinship(framework, sighting(2, scope="anthropic", response_id="msg_1")) is Kinship.SAME_RESPONSE


@pytest.mark.parametrize(
    "usage",
    [Usage(700, 0, 0, 345, 0), Usage(1200, 0, 0, 281, 0), Usage(1200, 0, 0, 348, 0), None],
    ids=["cache left out", "reasoning left out", "first message of the stream added", "no counts"],
)
def test_one_library_may_leave_out_what_the_other_reports(usage: Usage | None) -> None:
    assert _kinship(sighting(1, scope="a", usage=_CACHED), sighting(2, scope="b", usage=usage)) is Kinship.SAME_TRACE


def test_two_traces_are_one_call_only_where_one_is_a_root_inside_the_time_of_the_other() -> None:
    root = sighting(1, scope="openai", trace=1, start_s=0.1, duration_s=0.5)

    assert _kinship(root, sighting(2, scope="langchain", trace=2)) is Kinship.LOOKS_ALIKE
    assert _kinship(root, sighting(2, scope="langchain", trace=2, parent=9)) is Kinship.LOOKS_ALIKE
    assert _kinship(root, sighting(2, scope="langchain", trace=2, service="other")) is Kinship.NONE
    assert _kinship(root, sighting(2, scope="langchain", trace=2, start_s=0.4, duration_s=0.9)) is Kinship.NONE
    inner = sighting(1, scope="openai", trace=1, parent=8, start_s=0.1, duration_s=0.5)
    assert _kinship(inner, sighting(2, scope="langchain", trace=2, parent=9)) is Kinship.NONE


def test_a_call_to_another_model_inside_a_call_is_a_call_of_its_own() -> None:
    outer = sighting(1, duration_s=3, usage=Usage(10, 0, 0, 5, 0), model="gemini-2.5-flash")
    inner = sighting(2, parent=1, start_s=1)

    assert _kinship(outer, inner, nested=True) is Kinship.NONE


def test_a_proxy_may_call_the_model_something_else_than_its_client() -> None:
    client = sighting(1, scope="openai", model="my-alias", duration_s=2, service="shop")
    proxy = sighting(2, scope="litellm", model="gpt-4o", start_s=0.1, service="proxy")

    assert _kinship(client, proxy) is Kinship.SAME_TRACE


def _groups(*seen: Sighting) -> CallGroups:
    groups = CallGroups({(each.span.trace_id, each.span.span_id): each.span.parent_span_id for each in seen})
    for each in seen:
        groups.add(_span(each))
    return groups


def test_an_outer_span_with_the_last_of_two_calls_is_one_of_them() -> None:
    outer = sighting(1, scope="app", duration_s=5)
    groups = _groups(
        outer, sighting(2, scope="openai", parent=1, start_s=1), sighting(3, scope="openai", parent=1, start_s=3)
    )

    assert [len(groups.group(at)) for at in range(3)] == [2, 2, 1]
    assert best_of(groups, groups.group(0)) == 1


def test_of_spans_that_agree_the_one_that_knows_more_counts() -> None:
    groups = _groups(
        sighting(1, scope="framework", usage=_CACHED, duration_s=2),
        sighting(2, scope="client", parent=1, start_s=0.1, usage=Usage(1200, 0, 0, 345, 0)),
    )

    assert best_of(groups, groups.group(0)) == 0


def test_an_inner_span_with_other_counts_is_believed_before_an_outer_one_that_knows_more_kinds() -> None:
    groups = _groups(
        sighting(1, scope="framework", usage=Usage(1900, 500, 0, 626, 64), duration_s=2),
        sighting(2, scope="client", parent=1, start_s=0.1, usage=Usage(1200, 0, 0, 345, 0)),
    )

    assert best_of(groups, groups.group(0)) == 1


def test_a_span_goes_to_the_one_it_lies_in_before_the_one_that_began_nearest() -> None:
    groups = _groups(
        sighting(1, scope="framework", start_s=0, duration_s=5),
        sighting(2, scope="framework", start_s=4.5, duration_s=5.5),
        sighting(3, scope="client", start_s=4.4, duration_s=0.55),
        sighting(4, scope="client", start_s=8, duration_s=1),
    )

    assert [groups.group(at) for at in range(4)] == [[0, 2], [1, 3], [0, 2], [1, 3]]


def test_a_guess_of_the_emitter_yields_to_what_the_provider_counted() -> None:
    guess = sighting(1, scope="openlit", usage=Usage(29, 0, 0, 16, 0), duration_s=2)
    assert guess.call is not None
    groups = _groups(
        replace(guess, call=replace(guess.call, guessed=True)), sighting(2, scope="openai", start_s=0.1, usage=_CACHED)
    )

    assert best_of(groups, groups.group(0)) == 1
    assert len(groups.group(0)) == 2
    assert _kinship(guess, sighting(2, scope="openai", start_s=0.1, usage=_CACHED)) is Kinship.NONE
