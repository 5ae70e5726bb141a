"""Raw model names, as real instrumentation writes them, and what is read from them."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_carbon.factors import FactorTables
from otel_carbon.factors.names import MAX_NAME_CHARACTERS, ModelName, normalise
from otel_carbon.factors.patterns import Classified, classify

_GOLDEN = Path(__file__).parent / "golden" / "model_names.csv"
_RULES = FactorTables.bundled().name_rules
_PATTERNS = FactorTables.bundled().patterns


def _cases() -> list[dict[str, str]]:
    with _GOLDEN.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(line for line in file if not line.startswith("#")))


@pytest.mark.parametrize("case", _cases(), ids=lambda case: case["input"] or "no name")
def test_a_real_name_is_read_as_a_person_reads_it(case: dict[str, str]) -> None:
    name = normalise(case["input"], _RULES)

    assert name == ModelName(
        name=case["normalised"],
        host_provider=case["host_provider"] or None,
        vendor=case["vendor"] or None,
        profile=case["geo"] or None,
        region=case["region"] or None,
        fine_tuned=case["fine_tuned"] == "yes",
    )
    assert classify(name.name, _PATTERNS) == Classified(
        case["model_class"], case["family"] or None, case["step"].replace("-", "_")
    )


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (
            "arn:aws:bedrock:us-east-1:123456789012:inference-profile/eu.anthropic.claude-sonnet-4-5-20250929-v1:0",
            ModelName("claude-sonnet-4-5", "aws.bedrock", "anthropic", "eu."),
        ),
        (
            "arn:aws:bedrock:eu-west-3::foundation-model/anthropic.claude-3-haiku-20240307-v1:0",
            ModelName("claude-3-haiku", "aws.bedrock", "anthropic", region="eu-west-3"),
        ),
        (
            "arn:aws:bedrock:us-west-2:123456789012:custom-model/amazon.nova-pro-v1:0:300k/abc123",
            ModelName("nova-pro", "aws.bedrock", "amazon", region="us-west-2", fine_tuned=True),
        ),
        (
            "projects/p/locations/global/publishers/google/models/gemini-2.5-pro",
            ModelName("gemini-2.5-pro", "gcp.vertex_ai", "google", "gcp-global"),
        ),
        ("azure/us/gpt-4o", ModelName("gpt-4o", "azure.ai.openai", profile="azure-datazone-us")),
        ("azure/global-standard/gpt-4o", ModelName("gpt-4o", "azure.ai.openai", profile="azure-global")),
        ("openrouter/openai/gpt-4o-mini:free", ModelName("gpt-4o-mini", "openrouter", "openai")),
        ("bedrock/converse/us.amazon.nova-lite-v1:0", ModelName("nova-lite", "aws.bedrock", "amazon", "us.")),
        ("unsloth/Llama-3.2-1B-Instruct", ModelName("llama-3.2-1b-instruct")),
        ("gemini-2.0-flash-exp", ModelName("gemini-2.0-flash")),
        ("ollama/llama3.1:latest", ModelName("llama3.1", "self-hosted")),
    ],
)
def test_prefixes_and_endings_say_where_and_who_but_not_which_model(raw: str, expected: ModelName) -> None:
    assert normalise(raw, _RULES) == expected


@pytest.mark.parametrize(
    ("name", "model_class"),
    [
        ("acme-3.9b", "micro"),
        ("acme-4b", "small"),
        ("acme-14.9b", "small"),
        ("acme-15b", "medium"),
        ("acme-39b", "medium"),
        ("acme-40b", "large"),
        ("acme-125b", "large"),
        ("acme-126b", "frontier"),
        ("acme-1t", "frontier"),
        ("acme-1t-a32b", "frontier"),
        ("acme-30b-a3b", "small"),
        ("acme-8x7b", "medium"),
    ],
)
def test_a_size_in_the_name_leads_to_its_class(name: str, model_class: str) -> None:
    assert classify(name, _PATTERNS) == Classified(model_class, "size", "size_hint")


@pytest.mark.parametrize("name", ["minimal-tool", "flashy", "professor-x", "largesse"])
def test_a_hint_counts_only_as_a_whole_word(name: str) -> None:
    assert classify(name, _PATTERNS).step == "global_default"


_PIECES = st.sampled_from(
    [
        "/",
        ":",
        "@",
        "-",
        ".",
        "ft:",
        "arn:aws:bedrock:",
        "us.",
        "anthropic.",
        "azure/",
        "v1:0",
        "\x00",
        "\ud800",
        "8b",
        "gpt-4o",
    ]
)


@given(st.lists(_PIECES, max_size=40).map("".join))
def test_no_text_can_make_the_reading_of_a_name_raise(raw: str) -> None:
    name = normalise(raw, _RULES)

    assert len(name.name) <= MAX_NAME_CHARACTERS
    assert classify(name.name, _PATTERNS).model_class


def test_control_characters_are_no_part_of_a_name() -> None:
    assert normalise("gpt\x00-4o\n\x1b[31m", _RULES).name == "gpt-4o[31m"


def test_only_the_beginning_of_an_absurd_name_is_looked_at() -> None:
    assert normalise("gpt-4o" + "x" * 10_000_000, _RULES).name == "gpt-4o" + "x" * (MAX_NAME_CHARACTERS - 6)
