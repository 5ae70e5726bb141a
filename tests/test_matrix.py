"""The parts of the live matrix that need no environment of their own; `make matrix` runs the libraries."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ledger_cases import open_ledger, sighting
from openai import OpenAI, RateLimitError

sys.path.insert(0, str(Path(__file__).parent / "matrix"))

import known
from azure_monitor import acknowledged, problem
from compare import Seen, counted, served, verdict
from environments import read_locks
from known import explanation
from plan import FOLDER, all_sdks, read_sets, runs_of
from provider import Provider, serve

MESSAGES: list[Any] = [{"role": "user", "content": "hi"}]
TRUTH = Seen(2.0, 0.0, (2400, 690, 800, 0, 128))


@pytest.fixture(scope="module")
def mock() -> Iterator[tuple[Provider, str]]:
    with serve() as served_at:
        yield served_at


def client(url: str, run: str) -> OpenAI:
    return OpenAI(base_url=f"{url}/r/{run}/v1", api_key="sk-mock", max_retries=0)


def test_the_truth_is_what_the_client_was_told(mock: tuple[Provider, str]) -> None:
    provider, url = mock
    answers = [client(url, "told").chat.completions.create(model="gpt-4o", messages=MESSAGES) for _ in range(2)]

    usages = [answer.usage for answer in answers if answer.usage is not None]
    assert [(usage.prompt_tokens, usage.completion_tokens) for usage in usages] == [
        (entry["input"], entry["output"]) for entry in provider.truth["told"]
    ]
    assert len({answer.id for answer in answers}) == 2
    assert len({usage.prompt_tokens for usage in usages}) == 2


def test_a_stream_tells_its_usage_only_where_it_is_asked(mock: tuple[Provider, str]) -> None:
    provider, url = mock
    chat = client(url, "stream").chat.completions
    silent = list(chat.create(model="gpt-4o", messages=MESSAGES, stream=True))
    told = list(chat.create(model="gpt-4o", messages=MESSAGES, stream=True, stream_options={"include_usage": True}))

    assert [chunk.usage for chunk in silent if chunk.usage] == []
    (usage,) = [chunk.usage for chunk in told if chunk.usage]
    assert usage.prompt_tokens == provider.truth["stream"][1]["input"]


def test_a_refused_request_is_served_nothing(mock: tuple[Provider, str]) -> None:
    provider, url = mock
    with pytest.raises(RateLimitError):
        client(url, "refused").chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": "REFUSE"}])

    assert served(provider.truth["refused"], 0, 1 << 62) == Seen()


@pytest.mark.parametrize(
    ("book", "expected"),
    [
        (TRUTH, "exact"),
        (Seen(2.0, 0.0, (2400, 690, 0, 0, 128)), "shares"),
        (Seen(1.0, 1.0, (1200, 345, 400, 0, 64)), "under"),
        (Seen(0.0, 0.0, (0, 0, 0, 0, 0)), "under"),
        (Seen(2.0, 1.0, TRUTH.tokens), "over"),
        (Seen(1.0, 0.0, (2401, 690, 800, 0, 128)), "over"),
    ],
)
def test_a_book_is_judged_by_calls_and_every_kind_of_token(book: Seen, expected: str) -> None:
    assert verdict(TRUTH, book) == expected


def test_the_lines_of_a_service_in_a_period_are_counted(tmp_path: Path) -> None:
    ledger = open_ledger(tmp_path / "ledger.db")
    ledger.record([sighting(1, service="a"), sighting(2, service="a", usage=None), sighting(3, service="b")])
    ledger.close()
    start = sighting(1).started_unix_nano

    assert counted(tmp_path / "ledger.db", "a", start, start + 3_600_000_000_000).as_dict() == {
        "calls": 1.0,
        "without_usage": 1.0,
        "input": 1200,
        "output": 345,
        "cache_read": 500,
        "cache_write": 0,
        "reasoning": 64,
    }
    assert counted(tmp_path / "ledger.db", "a", start - 2_000, start - 1_000) == Seen()


def test_every_set_is_locked_on_every_sdk_it_names() -> None:
    locks = read_locks()

    assert set(locks) == {(one.id, sdk) for one in read_sets() for sdk in one.sdks or all_sdks()}
    for (name, sdk), lock in locks.items():
        assert ("pins" in lock) != ("refused" in lock), name
        if "pins" in lock and sdk not in {"own", "newest"}:
            assert f"opentelemetry-sdk=={sdk}" in lock["pins"], name


def test_the_committed_results_are_of_runs_of_the_plan_and_none_has_failed() -> None:
    results = json.loads((FOLDER / "results.json").read_text(encoding="utf-8"))["runs"]
    planned = {(run.set.id, run.sdk, run.mode) for one in read_sets() for run in runs_of(one, [*all_sdks(), "1.44.0"])}
    ran = {(run["set"], run["sdk"], run["mode"]) for run in results}

    assert ran <= planned
    assert {run for run in planned if run[1] in {"newest", "own"}} <= ran
    assert [run["set"] for run in results if run.get("error")] == []


def test_every_verdict_that_is_not_exact_is_explained_and_every_explanation_is_of_one() -> None:
    results = json.loads((FOLDER / "results.json").read_text(encoding="utf-8"))["runs"]
    found = {
        explanation(run, case["case"], path, verdict)
        for run in results
        for case in run.get("cases", [])
        for path, verdict in [*case["verdicts"].items(), *[("program", "raises")] * ("unexpected" in case)]
        if verdict != "exact"
    }

    assert found == {str(entry["reason"]) for entry in known._KNOWN}


def test_an_explanation_is_for_its_verdict_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    entry = {"sets": ["a"], "cases": ["x"], "paths": ["app"], "verdict": "under", "reason": "not sent"}
    monkeypatch.setattr(known, "_KNOWN", [entry])
    run = {"set": "a", "sdk": "newest", "mode": "both"}

    assert explanation(run, "x", "app", "under") == "not sent"
    assert explanation(run, "x", "app", "over") is None
    assert explanation(run, "x", "gateway", "under") is None
    assert explanation({**run, "set": "b"}, "x", "app", "under") is None


def test_what_azure_monitor_gets_has_to_be_marked_and_complete() -> None:
    call = {"gen_ai.request.model": "gpt-4o"}
    envelopes = [{"data": {"baseData": {"properties": {**call, "otel_carbon.co2e_grams": "0.1"}}}}]

    assert acknowledged(envelopes) == {"itemsReceived": 1, "itemsAccepted": 1, "errors": []}
    assert problem(envelopes, "both", 1) == ""
    assert problem(envelopes, "both", 2) == "Azure Monitor got 1 calls, not 2"
    assert problem(envelopes, "gateway", 1) == "Azure Monitor got 1 calls with gCO2e, not 0"
    assert problem([], "unsampled", 1) == ""
