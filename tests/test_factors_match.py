"""Which row a model gets, and how the answer says so."""

from __future__ import annotations

from pathlib import Path

import pytest

from otel_carbon.factors import FactorTables
from otel_carbon.factors.match import Match, match_names
from otel_carbon.model import Confidence

_TABLES = FactorTables.bundled()


def _match(model: str | None, request_model: str | None = None, set_id: str = "otel-carbon-2026.11") -> Match:
    found = match_names(_TABLES, _TABLES.factor_set(set_id), model, request_model)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("model", "row", "step", "confidence"),
    [
        ("deepseek-r1", "deepseek-r1-0528", "set_model", Confidence.ESTIMATED),
        ("meta-llama/Llama-3.3-70B-Instruct", "llama-3.3-70b", "set_model", Confidence.ESTIMATED),
        ("gpt-4o", "frontier", "pattern", Confidence.CLASS_DEFAULT),
        ("acme-13b-chat", "small", "size_hint", Confidence.CLASS_DEFAULT),
        ("acme-mini", "medium", "name_hint", Confidence.LOW),
        ("acme", "unknown", "global_default", Confidence.LOW),
        ("", "unknown", "global_default", Confidence.LOW),
    ],
)
def test_each_step_names_itself(model: str, row: str, step: str, confidence: Confidence) -> None:
    found = _match(model)

    assert (found.row.name, found.step, found.confidence) == (row, step, confidence)


def test_the_requested_name_answers_where_the_answering_one_is_only_a_guess() -> None:
    found = _match("prod-deployment", "gpt-4o-mini")

    assert (found.model.name, found.row.name, found.step) == ("gpt-4o-mini", "medium", "pattern")


def test_the_answering_name_stays_where_the_requested_one_tells_no_more() -> None:
    assert _match("acme-mini", "acme-pro").model.name == "acme-mini"
    assert _match("gpt-4o", "gpt-4o-mini").row.name == "frontier"


def test_the_requested_name_alone_is_as_good() -> None:
    assert _match(None, "gpt-4o").row.name == "frontier"


def test_a_set_without_the_model_leaves_the_answer_to_the_default_and_says_so() -> None:
    found = _match("gpt-5-mini", set_id="mlenergy-2026.02")

    assert (found.set_id, found.row.name, found.step) == ("otel-carbon-2026.11", "medium", "fallback_pattern")
    assert found.notes == ("mlenergy-2026.02 has no row for this model: otel-carbon-2026.11 answered",)


def test_a_fallback_is_worth_no_more_than_a_class_default() -> None:
    found = _match("gpt-oss-120b", set_id="jegham-2025.11")

    assert (found.row.name, found.step, found.confidence) == (
        "gpt-oss-120b",
        "fallback_set_model",
        Confidence.CLASS_DEFAULT,
    )


@pytest.mark.parametrize(("model", "kind"), [("dall-e-3", "image-generation"), ("sora-2", "video-generation")])
def test_what_is_counted_per_item_gets_the_factor_of_an_unknown_model_and_says_so(model: str, kind: str) -> None:
    found = _match(model)

    assert (found.row.name, found.step, found.confidence) == ("unknown", "global_default", Confidence.LOW)
    assert found.notes == (f"{kind} has no factor per token: the factor of an unknown model was used",)


def test_an_exact_name_goes_before_a_longer_pattern_and_the_longest_pattern_before_others(tmp_path: Path) -> None:
    row = """
[[model]]
name = "{name}"
match = ["{match}"]
input_wh_per_1m = 1
confidence = "estimated"
source_id = "otel-carbon-derived"
"""
    head = """
schema = 1
[set]
id = "acme-1"
version = "1"
title = "t"
licence = "CC0"
source_id = "otel-carbon-derived"
basis = "per_token"
energy_boundary = "it"
unmatched = "none"
"""
    rows = [("short", "acme*"), ("long", "acme-large*"), ("exact", "acme-large")]
    path = tmp_path / "acme.toml"
    path.write_text(head + "".join(row.format(name=name, match=match) for name, match in rows), encoding="utf-8")
    tables = FactorTables()
    acme = tables.add_factor_set(path)

    def name_of(model: str) -> str | None:
        found = match_names(tables, acme, model, None)
        return None if found is None else found.row.name

    assert [name_of(model) for model in ("acme-large", "acme-large-2", "acme-small", "other")] == [
        "exact",
        "long",
        "short",
        None,
    ]


@pytest.mark.parametrize("model", ["rerank-v3.5", "cohere.rerank-v3-5:0", "BAAI/bge-reranker-v2-m3", "rerank-2.5-lite"])
def test_a_reranker_has_the_factor_of_an_embedding_model(model: str) -> None:
    found = _match(model)

    assert (found.row.name, found.step, found.confidence) == ("embedding-small", "pattern", Confidence.CLASS_DEFAULT)
