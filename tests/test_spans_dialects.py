"""What the bundled table makes of spans as emitters write them that have no recording of their own."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest

from otel_carbon.model import Call, Usage
from otel_carbon.spans import Parent, SpanReader

READER = SpanReader.bundled()
INTERNAL, CLIENT = 1, 3


def read(attributes: dict[str, Any], scope: str = "", **arguments: Any) -> Call | Parent | None:
    return READER.read(attributes, scope_name=scope, **arguments)


def usage(attributes: dict[str, Any], scope: str = "", **arguments: Any) -> Usage | None:
    reading = read(attributes, scope, **arguments)
    assert isinstance(reading, Call)
    assert reading.usage_alternative is None
    return reading.usage


def langfuse(details: dict[str, Any], **attributes: Any) -> dict[str, Any]:
    return {
        "langfuse.observation.type": "generation",
        "langfuse.observation.model.name": "gpt-4o",
        "langfuse.observation.usage_details": json.dumps(details),
        **attributes,
    }


@pytest.mark.parametrize(
    "details",
    [
        {
            "prompt_tokens": 1200,
            "completion_tokens": 345,
            "prompt_tokens_details": {"cached_tokens": 400},
            "completion_tokens_details": {"reasoning_tokens": 64},
        },
        {
            "input_tokens": 1200,
            "output_tokens": 345,
            "input_tokens_details": {"cached_tokens": 400},
            "output_tokens_details": {"reasoning_tokens": 64},
        },
        {"input": 800, "output": 281, "input_cache_read": 400, "output_reasoning": 64, "total": 1545},
    ],
)
def test_langfuse_passes_openais_usage_on_or_has_kinds_that_do_not_overlap(details: dict[str, Any]) -> None:
    assert usage(langfuse(details), "langfuse-sdk") == Usage(800, 400, 0, 281, 64)


def test_langfuse_with_anthropics_usage_has_the_cache_outside() -> None:
    details = {
        "input_tokens": 800,
        "output_tokens": 345,
        "cache_read_input_tokens": 400,
        "cache_creation_input_tokens": 100,
    }

    assert usage(langfuse(details), "langfuse-sdk") == Usage(800, 400, 100, 345, 0)


def test_a_function_that_is_decorated_as_a_generation_is_no_call() -> None:
    assert read({"langfuse.observation.type": "generation"}, "langfuse-sdk") == Parent("chat around a call")
    assert read({"langfuse.observation.type": "agent"}, "langfuse-sdk") == Parent("agent")


def test_mlflow_quotes_its_texts() -> None:
    span = {
        "mlflow.spanType": '"CHAT_MODEL"',
        "model": '"gpt-4o"',
        "mlflow.message.format": '"openai"',
        "mlflow.chat.tokenUsage": '{"input_tokens": 1200, "output_tokens": 345, "cache_read_input_tokens": 400}',
    }
    reading = read(span, "mlflow.openai", kind=INTERNAL)

    assert isinstance(reading, Call)
    assert (reading.operation, reading.provider, reading.request_model) == ("chat", "openai", "gpt-4o")
    assert (reading.usage, reading.usage_alternative) == (Usage(800, 400, 0, 345, 0), None)
    assert read({"mlflow.spanType": '"AGENT"'}, "mlflow.openai") == Parent("agent")

    of_a_framework = read({**span, "mlflow.message.format": '"dspy"'}, "mlflow.dspy", kind=INTERNAL)
    assert isinstance(of_a_framework, Call)
    assert of_a_framework.provider is None


def test_langsmith_writes_python_dicts() -> None:
    span = {
        "langsmith.span.kind": "llm",
        "gen_ai.operation.name": "chat",
        "gen_ai.system": "anthropic",
        "gen_ai.request.model": "claude-sonnet-4-5",
        "gen_ai.usage.input_tokens": 1300,
        "gen_ai.usage.output_tokens": 345,
        "gen_ai.usage.input_token_details": "{'cache_read': 400, 'cache_creation': 100}",
        "gen_ai.usage.output_token_details": "{'reasoning': 64}",
    }

    assert usage(span, "langsmith", kind=INTERNAL) == Usage(800, 400, 100, 281, 64)
    assert read({**span, "gen_ai.operation.name": "chain"}, "langsmith") == Parent("chain")


def test_litellm_names_the_parts_of_its_usage_in_a_python_dict_also_on_a_span_of_the_application() -> None:
    span = {
        "gen_ai.operation.name": "chat",
        "llm.request.type": "completion",
        "gen_ai.system": "anthropic",
        "gen_ai.request.model": "claude-sonnet-4-5",
        "gen_ai.usage.input_tokens": 1300,
        "gen_ai.usage.output_tokens": 345,
        "metadata.usage_object": "{'prompt_tokens_details': {'cached_tokens': 400, 'cache_creation_tokens': 100}}",
    }

    assert usage(span, "my.app", kind=INTERNAL) == Usage(800, 400, 100, 345, 0)


def ai(operation: str, provider: str, **attributes: Any) -> dict[str, Any]:
    metadata = attributes.pop("metadata", {})
    return {
        "ai.operationId": operation,
        "ai.model.provider": provider,
        "ai.model.id": "claude-sonnet-4-5",
        "gen_ai.system": provider,
        "gen_ai.usage.output_tokens": 345,
        "ai.response.providerMetadata": json.dumps(metadata),
        **attributes,
    }


ANTHROPIC = {"input_tokens": 700, "cache_read_input_tokens": 400, "cache_creation_input_tokens": 100}


@pytest.mark.parametrize(
    "attributes",
    [
        pytest.param(
            {
                "gen_ai.usage.input_tokens": 700,
                "metadata": {"anthropic": {"cacheReadInputTokens": 400, "cacheCreationInputTokens": 100}},
            },
            id="4",
        ),
        pytest.param(
            {
                "gen_ai.usage.input_tokens": 700,
                "ai.usage.cachedInputTokens": 400,
                "metadata": {"anthropic": {"usage": ANTHROPIC, "cacheCreationInputTokens": 100}},
            },
            id="5",
        ),
        pytest.param(
            {
                "gen_ai.usage.input_tokens": 1200,
                "ai.usage.cachedInputTokens": 400,
                "ai.usage.inputTokenDetails.noCacheTokens": 700,
                "ai.usage.inputTokenDetails.cacheReadTokens": 400,
                "ai.usage.inputTokenDetails.cacheWriteTokens": 100,
            },
            id="6",
        ),
        pytest.param(
            {"gen_ai.usage.input_tokens": 1200, "metadata": {"anthropic": {"usage": ANTHROPIC}}},
            id="6-generateObject",
        ),
    ],
)
def test_every_ai_sdk_comes_to_the_same_tokens(attributes: dict[str, Any]) -> None:
    assert usage(ai("ai.generateText.doGenerate", "anthropic.messages", **attributes), "ai") == Usage(
        700, 400, 100, 345, 0
    )


def test_where_nothing_tells_the_ai_sdks_apart_both_readings_bound_the_call() -> None:
    reading = read(
        ai(
            "ai.streamObject.doStream",
            "anthropic.messages",
            **{
                "gen_ai.usage.input_tokens": 1200,
                "ai.usage.cachedInputTokens": 400,
            },
        ),
        "ai",
    )

    assert isinstance(reading, Call)
    assert (reading.usage, reading.usage_alternative) == (Usage(800, 400, 0, 345, 0), Usage(1200, 400, 0, 345, 0))


def test_the_ai_sdk_7_leaves_out_what_was_written_to_the_cache_when_it_makes_objects() -> None:
    span = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "anthropic",
        "gen_ai.request.model": "claude-sonnet-4-5",
        "gen_ai.usage.input_tokens": 1200,
        "gen_ai.usage.output_tokens": 345,
        "gen_ai.usage.cache_read.input_tokens": 400,
        "ai.usage.inputTokenDetails.noCacheTokens": 700,
    }

    assert usage(span, "gen_ai") == Usage(700, 400, 100, 345, 0)


@pytest.mark.parametrize("operation", ["ai.generateText", "ai.streamText", "ai.embed", "ai.toolCall"])
def test_what_wraps_the_calls_of_the_ai_sdk_is_a_parent(operation: str) -> None:
    span = ai(operation, "openai.chat", **{"ai.usage.promptTokens": 2400, "openinference.span.kind": "LLM"})

    assert read(span, "ai") == Parent(operation.lower())


def test_an_embedding_of_the_ai_sdk_carries_nothing_but_its_tokens() -> None:
    span = {"ai.operationId": "ai.embed.doEmbed", "ai.model.provider": "openai.embedding", "ai.usage.tokens": 1200}
    reading = read({**span, "ai.model.id": "text-embedding-3-small"}, "ai")

    assert isinstance(reading, Call)
    assert (reading.operation, reading.provider, reading.request_model, reading.usage) == (
        "embeddings",
        "openai",
        "text-embedding-3-small",
        Usage(1200, 0, 0, 0, 0),
    )


def test_the_outer_embeddings_span_of_the_ai_sdk_7_is_a_parent() -> None:
    span = {"gen_ai.operation.name": "embeddings", "gen_ai.request.model": "text-embedding-3-small"}

    assert read(span, "gen_ai", kind=CLIENT) == Parent("embeddings around a call")
    assert isinstance(read({**span, "gen_ai.usage.input_tokens": 5}, "gen_ai", kind=CLIENT), Call)
    assert isinstance(read(span, "somebody.else", kind=CLIENT), Call)


def test_nan_is_no_count() -> None:
    span = ai(
        "ai.streamText.doStream",
        "openai.chat",
        **{
            "gen_ai.usage.input_tokens": math.nan,
            "gen_ai.usage.output_tokens": math.nan,
            "ai.usage.promptTokens": math.nan,
        },
    )

    assert usage(span, "ai") is None


def test_a_stream_that_logfire_logs_when_it_has_ended_began_when_the_stream_did() -> None:
    span = {
        "logfire.span_type": "log",
        "duration": 0.25,
        "gen_ai.operation.name": "chat",
        "gen_ai.request.model": "gpt-4o",
        "gen_ai.provider.name": "openai",
        "gen_ai.usage.input_tokens": 1200,
        "gen_ai.usage.output_tokens": 345,
        "gen_ai.usage.raw": json.dumps(
            {
                "prompt_tokens_details": {"cached_tokens": 400},
                "completion_tokens_details": {"reasoning_tokens": 64},
            }
        ),
    }
    second = 1_000_000_000
    reading = read(span, "logfire.openai", started_unix_nano=100 * second, ended_unix_nano=100 * second)

    assert isinstance(reading, Call)
    assert (reading.continues, reading.at_unix_nano, reading.latency_s) == (True, 100 * second - second // 4, 0.25)
    assert reading.usage == Usage(800, 400, 0, 281, 64)

    request = read({**span, "logfire.span_type": "span"}, "logfire.openai", started_unix_nano=5, ended_unix_nano=9)
    assert isinstance(request, Call)
    assert (request.continues, request.at_unix_nano) == (False, 5)


def gemini(output: int, **attributes: Any) -> dict[str, Any]:
    return {
        "gen_ai.operation.name": "generate_content",
        "gen_ai.provider.name": "gcp.gen_ai",
        "gen_ai.request.model": "gemini-2.5-flash",
        "gen_ai.usage.input_tokens": 1200,
        "gen_ai.usage.output_tokens": output,
        "gen_ai.usage.cache_read.input_tokens": 400,
        **attributes,
    }


def test_the_thoughts_of_gemini_are_the_rest_of_the_total_where_an_emitter_leaves_them_out() -> None:
    span = gemini(281, **{"gen_ai.usage.total_tokens": 1545})

    assert usage(span, "opentelemetry.instrumentation.google_generativeai") == Usage(800, 400, 0, 281, 64)
    assert usage(gemini(281), "opentelemetry.instrumentation.google_generativeai") == Usage(800, 400, 0, 281, 0)


def test_google_adk_adds_the_reasoning_tokens_of_litellm_twice() -> None:
    reasoning = {"gen_ai.usage.reasoning.output_tokens": 64}

    assert usage(gemini(345, **reasoning), "gcp.vertex.agent") == Usage(800, 400, 0, 281, 64)
    through_litellm = {**gemini(409, **reasoning), "gen_ai.provider.name": "openai"}
    assert usage(through_litellm, "gcp.vertex.agent") == Usage(800, 400, 0, 281, 64)


def test_openlit_on_litellm_has_the_cache_inside_and_openlit_on_bedrock_outside() -> None:
    span = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "litellm",
        "gen_ai.request.model": "bedrock/converse/eu.anthropic.claude-sonnet-4-5-20250929-v1:0",
        "gen_ai.usage.input_tokens": 1300,
        "gen_ai.usage.output_tokens": 345,
        "gen_ai.usage.cache_read.input_tokens": 400,
        "gen_ai.usage.cache_creation.input_tokens": 100,
    }

    assert usage(span, "openlit.instrumentation.litellm") == Usage(800, 400, 100, 345, 0)
    own = {**span, "gen_ai.provider.name": "aws.bedrock", "gen_ai.usage.input_tokens": 800}
    assert usage(own, "openlit.instrumentation.bedrock") == Usage(800, 400, 100, 345, 0)


@pytest.mark.parametrize(
    ("scope", "attributes", "guessed"),
    [
        ("openlit.instrumentation.openai", {"gen_ai.request.stream": True}, True),
        (
            "openlit.instrumentation.openai",
            {"gen_ai.request.stream": True, "gen_ai.usage.cache_read.input_tokens": 0},
            False,
        ),
        ("openlit.instrumentation.openai", {"gen_ai.request.stream": False}, False),
        ("openlit.otel.tracing", {"gen_ai.request.is_stream": True}, True),
        ("openlit.otel.tracing", {"gen_ai.request.is_stream": True, "gen_ai.usage.reasoning_tokens": 64}, False),
        ("@openlit/instrumentation-vllm", {"gen_ai.request.is_stream": True}, True),
        (
            "openlit.instrumentation.langchain",
            {"gen_ai.request.stream": True, "gen_ai.usage.cache_read.input_tokens": 0},
            True,
        ),
        ("litellm", {"llm.is_streaming": "True", "metadata.usage_object": "{'prompt_tokens_details': None}"}, True),
        ("litellm", {"llm.is_streaming": "True", "metadata.usage_object": "{'prompt_tokens_details': {}}"}, False),
        ("litellm", {"llm.is_streaming": "False", "metadata.usage_object": "{'prompt_tokens_details': None}"}, False),
        ("somebody.else", {"gen_ai.request.stream": True}, False),
    ],
)
def test_counts_that_the_emitter_guessed_are_known_as_such(
    scope: str, attributes: dict[str, Any], guessed: bool
) -> None:
    span = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-4o",
        "gen_ai.usage.input_tokens": 29,
        "gen_ai.usage.output_tokens": 16,
        **attributes,
    }
    reading = read(span, scope)

    assert isinstance(reading, Call)
    assert reading.guessed is guessed


def test_a_call_without_usage_is_no_guess() -> None:
    span = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-4o", "gen_ai.request.stream": True}
    reading = read(span, "openlit.instrumentation.openai")

    assert isinstance(reading, Call)
    assert not reading.guessed


def test_what_prepares_a_chat_of_llama_index_is_no_call() -> None:
    span = {"openinference.span.kind": "LLM", "llm.model_name": "gpt-4o"}
    scope = "openinference.instrumentation.llama_index"

    assert read(span, scope) == Parent("chat around a call")
    assert isinstance(read({**span, "llm.input_messages.0.message.role": "user"}, scope), Call)
    assert isinstance(read(span, "openinference.instrumentation.openai"), Call)
