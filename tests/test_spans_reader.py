"""From the attributes of one span to a call, a parent, or nothing."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.attributes import BoundedAttributes

from otel_carbon.model import Call, Usage, input_tokens, output_tokens
from otel_carbon.spans import AttributionRules, Parent, SpanReader, read_mark

READER = SpanReader.bundled()

CHAT: dict[str, Any] = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "openai",
    "gen_ai.request.model": "gpt-4o",
    "gen_ai.response.model": "gpt-4o-2024-08-06",
    "gen_ai.response.id": "chatcmpl-1",
    "gen_ai.usage.input_tokens": 1200,
    "gen_ai.usage.output_tokens": 345,
    "gen_ai.usage.cache_read.input_tokens": 400,
    "gen_ai.usage.reasoning.output_tokens": 64,
    "server.address": "api.openai.com",
    "server.port": 443,
}
WITHOUT_USAGE = {key: value for key, value in CHAT.items() if "usage" not in key}


def call(attributes: dict[str, Any], **arguments: Any) -> Call:
    reading = READER.read(attributes, **arguments)
    assert isinstance(reading, Call)
    return reading


def usage(**counts: Any) -> Usage | None:
    return call({**WITHOUT_USAGE, **{f"gen_ai.usage.{key}": value for key, value in counts.items()}}).usage


def test_a_span_of_the_current_convention_is_read_in_full() -> None:
    reading = READER.read(
        CHAT,
        scope_name="opentelemetry.instrumentation.genai.openai",
        resource={"cloud.region": "eu-central-1"},
        kind=3,
        started_unix_nano=1_760_000_000_000_000_000,
        ended_unix_nano=1_760_000_002_500_000_000,
    )

    assert reading == Call(
        operation="chat",
        provider="openai",
        model="gpt-4o-2024-08-06",
        request_model="gpt-4o",
        usage=Usage(
            uncached_input_tokens=800,
            cache_read_tokens=400,
            cache_write_tokens=0,
            visible_output_tokens=281,
            reasoning_tokens=64,
        ),
        usage_alternative=None,
        failed=False,
        region=None,
        server_address="api.openai.com",
        caller_region="eu-central-1",
        latency_s=2.5,
        at_unix_nano=1_760_000_000_000_000_000,
        response_id="chatcmpl-1",
    )


@pytest.mark.parametrize(
    "key",
    ["openai.response.service_tier", "gen_ai.openai.response.service_tier", "anthropic.response.service_tier"],
)
def test_the_tier_that_the_provider_ran_a_call_in_is_read(key: str) -> None:
    attributes = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-4o", key: "Batch"}

    assert call(attributes).service_tier == "batch"


def test_the_deprecated_names_of_the_convention_are_read() -> None:
    reading = call(
        {
            "gen_ai.operation.name": "chat",
            "gen_ai.system": "az.ai.openai",
            "gen_ai.request.model": "my-deployment",
            "gen_ai.usage.prompt_tokens": 10,
            "gen_ai.usage.completion_tokens": 5,
            "gen_ai.usage.cache_creation.input_tokens": 2,
        }
    )

    assert (reading.provider, reading.usage) == ("azure.ai.openai", Usage(8, 0, 2, 5, 0))


@pytest.mark.parametrize(
    ("version", "attributes"),
    [
        (
            "0.40.14",
            {
                "gen_ai.system": "OpenAI",
                "llm.request.type": "chat",
                "gen_ai.usage.prompt_tokens": 1200,
                "gen_ai.usage.completion_tokens": 345,
                "gen_ai.usage.cache_read_input_tokens": 400,
                "llm.usage.total_tokens": 1545,
            },
        ),
        (
            "0.47.5",
            {
                "gen_ai.system": "openai",
                "llm.request.type": "chat",
                "gen_ai.usage.prompt_tokens": 1200,
                "gen_ai.usage.completion_tokens": 345,
                "gen_ai.usage.cache_read_input_tokens": 400,
                "gen_ai.usage.reasoning_tokens": 64,
                "llm.usage.total_tokens": 1545,
            },
        ),
        (
            "0.53.4",
            {
                "gen_ai.system": "openai",
                "llm.request.type": "chat",
                "gen_ai.usage.input_tokens": 1200,
                "gen_ai.usage.output_tokens": 345,
                "gen_ai.usage.cache_read_input_tokens": 400,
                "gen_ai.usage.reasoning_tokens": 64,
                "llm.usage.total_tokens": 1545,
            },
        ),
        (
            "0.62.4",
            {
                "gen_ai.provider.name": "openai",
                "gen_ai.operation.name": "chat",
                "gen_ai.usage.input_tokens": 1200,
                "gen_ai.usage.output_tokens": 345,
                "gen_ai.usage.cache_read.input_tokens": 400,
                "gen_ai.usage.reasoning_tokens": 64,
                "gen_ai.usage.total_tokens": 1545,
            },
        ),
    ],
)
def test_every_generation_of_the_traceloop_openai_names_is_read(version: str, attributes: dict[str, Any]) -> None:
    reading = call(
        {
            **attributes,
            "gen_ai.request.model": "gpt-4o",
            "gen_ai.response.model": "gpt-4o-2024-08-06",
            "gen_ai.openai.api_base": "https://api.openai.com/v1/",
        },
        scope_name="opentelemetry.instrumentation.openai.v1",
        scope_version=version,
        kind=3,
    )
    reasoning = 0 if version == "0.40.14" else 64

    assert (reading.operation, reading.provider, reading.server_address) == ("chat", "openai", "api.openai.com")
    assert reading.usage == Usage(800, 400, 0, 345 - reasoning, reasoning)


@pytest.mark.parametrize(
    ("request_type", "operation"),
    [("chat", "chat"), ("completion", "text_completion"), ("embedding", "embeddings"), ("rerank", "rerank")],
)
def test_the_traceloop_request_type_names_the_operation(request_type: str, operation: str) -> None:
    assert call({"llm.request.type": request_type, "gen_ai.request.model": "m"}).operation == operation


def test_a_span_without_a_genai_key_is_nothing() -> None:
    http = {"http.request.method": "POST", "server.address": "api.openai.com", "url.full": "https://api.openai.com/v1"}

    assert not READER.looks_genai(http)
    assert READER.read(http) is None
    assert READER.read({}) is None


@pytest.mark.parametrize(
    "operation",
    [
        "invoke_agent",
        "create_agent",
        "invoke_workflow",
        "workflow",
        "chain",
        "execute_tool",
        "retrieval",
        "fetch_response",
        "plan",
        "search_memory",
    ],
)
def test_what_only_contains_calls_is_a_parent_even_with_their_tokens(operation: str) -> None:
    assert READER.read({**CHAT, "gen_ai.operation.name": operation}, kind=3) == Parent(operation)


@pytest.mark.parametrize("kind", ["workflow", "task", "agent", "tool"])
def test_the_traceloop_span_kinds_are_parents(kind: str) -> None:
    assert READER.read({"traceloop.span.kind": kind, "traceloop.entity.name": "x"}) == Parent(kind)


def test_a_span_that_names_no_operation_counts_only_as_a_client_span_with_model_and_tokens() -> None:
    anonymous = {key: value for key, value in CHAT.items() if key != "gen_ai.operation.name"}

    assert call(anonymous, kind=3).operation == "chat"
    assert READER.read(anonymous, kind=1) == Parent("no operation")
    assert READER.read({"gen_ai.request.model": "gpt-4o"}, kind=3) == Parent("no operation")
    assert READER.read({"gen_ai.usage.input_tokens": 9}, kind=3) == Parent("no operation")


def test_an_operation_that_nobody_knows_counts_only_as_a_client_span_with_model_and_tokens() -> None:
    unknown = {**CHAT, "gen_ai.operation.name": "Transmogrify"}

    assert call(unknown, kind=3).operation == "transmogrify"
    assert READER.read(unknown, kind=1) == Parent("transmogrify")
    assert READER.read({**WITHOUT_USAGE, "gen_ai.operation.name": "unknown"}, kind=3) == Parent("unknown")


def test_an_operation_is_read_in_any_case() -> None:
    assert call({**CHAT, "gen_ai.operation.name": " Chat "}).operation == "chat"


def test_of_two_input_keys_one_is_taken_and_none_is_added() -> None:
    assert usage(input_tokens=10, prompt_tokens=10, output_tokens=5, completion_tokens=5) == Usage(10, 0, 0, 5, 0)


def test_a_key_that_cannot_be_read_gives_way_to_the_next_one() -> None:
    assert usage(input_tokens=float("nan"), prompt_tokens="12", output_tokens=None, completion_tokens=3.0) == Usage(
        12, 0, 0, 3, 0
    )


@pytest.mark.parametrize("unreal", [-1, float("nan"), float("inf"), 10**12 + 1, 1e300, True, "many", b"12", [12], {}])
def test_a_count_that_cannot_be_real_is_absent(unreal: Any) -> None:
    assert usage(input_tokens=unreal, output_tokens=unreal) is None


def test_a_call_without_counts_has_no_usage_which_is_not_zero() -> None:
    assert call(WITHOUT_USAGE).usage is None


@pytest.mark.parametrize("failed", [True, False])
def test_counts_that_are_all_zero_are_no_usage(failed: bool) -> None:
    zeros = {**CHAT, **{key: 0 for key in CHAT if "usage" in key}}

    assert call(zeros, failed=failed).usage is None


def test_an_embeddings_call_has_input_only() -> None:
    reading = call({**WITHOUT_USAGE, "gen_ai.operation.name": "embeddings", "gen_ai.usage.input_tokens": 7})

    assert (reading.operation, reading.usage) == ("embeddings", Usage(7, 0, 0, 0, 0))


def test_a_call_that_failed_keeps_the_usage_it_carries() -> None:
    assert call(CHAT, failed=True).failed
    assert call({**CHAT, "error.type": "timeout"}).failed
    assert call({**CHAT, "error.type": "timeout"}).usage == call(CHAT).usage


def test_fewer_input_than_cached_tokens_prove_that_the_cache_is_outside() -> None:
    assert usage(input_tokens=100, output_tokens=1, **{"cache_read.input_tokens": 400}) == Usage(100, 400, 0, 1, 0)


def test_fewer_output_than_reasoning_tokens_prove_that_reasoning_is_outside() -> None:
    assert usage(input_tokens=1, output_tokens=10, reasoning_tokens=64) == Usage(1, 0, 0, 10, 64)


CLAUDE = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "anthropic",
    "gen_ai.request.model": "claude-sonnet-4-5",
    "gen_ai.usage.input_tokens": 800,
    "gen_ai.usage.output_tokens": 345,
    "gen_ai.usage.cache_read.input_tokens": 400,
    "gen_ai.usage.cache_write.input_tokens": 100,
}


def test_where_nothing_tells_both_readings_of_the_cache_are_given() -> None:
    reading = call(CLAUDE, scope_name="my.own.instrumentation")

    assert reading.usage == Usage(300, 400, 100, 345, 0)
    assert reading.usage_alternative == Usage(800, 400, 100, 345, 0)


def test_without_cached_tokens_there_is_no_second_reading() -> None:
    uncached = {key: value for key, value in CLAUDE.items() if "cache" not in key}

    assert call(uncached, scope_name="my.own.instrumentation").usage_alternative is None


@pytest.mark.parametrize(
    ("scope", "provider", "model", "uncached"),
    [
        ("openlit.instrumentation.anthropic", "anthropic", "claude-sonnet-4-5", 800),
        ("opentelemetry.instrumentation.botocore.bedrock-runtime", "aws.bedrock", "eu.anthropic.claude", 800),
        ("@traceloop/instrumentation-anthropic", "anthropic", "claude-sonnet-4-5", 800),
        ("opentelemetry.instrumentation.anthropic", "anthropic", "claude-sonnet-4-5", 300),
        ("com.anthropic.sdk.python", "anthropic", "claude-sonnet-4-5", 300),
        ("my.own.instrumentation", "openai", "gpt-4o", 300),
        ("my.own.instrumentation", "gcp.vertex_ai", "publishers/google/gemini-2.5-pro", 300),
    ],
)
def test_scope_and_provider_tell_whether_the_cache_is_inside(
    scope: str, provider: str, model: str, uncached: int
) -> None:
    reading = call({**CLAUDE, "gen_ai.provider.name": provider, "gen_ai.request.model": model}, scope_name=scope)

    assert (reading.usage, reading.usage_alternative) == (Usage(uncached, 400, 100, 345, 0), None)


def test_openlit_leaves_the_thoughts_of_gemini_out_of_the_output() -> None:
    gemini = {
        **WITHOUT_USAGE,
        "gen_ai.provider.name": "gemini",
        "gen_ai.usage.input_tokens": 1200,
        "gen_ai.usage.output_tokens": 281,
        "gen_ai.usage.reasoning_tokens": 64,
    }

    assert call(gemini, scope_name="openlit.instrumentation.google_ai_studio").usage == Usage(1200, 0, 0, 281, 64)
    assert call(gemini, scope_name="opentelemetry.instrumentation.google_genai").usage == Usage(1200, 0, 0, 217, 64)


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("OpenAI", "openai"),
        ("Azure", "azure.ai.openai"),
        ("az.ai.inference", "azure.ai.inference"),
        ("MistralAI", "mistral_ai"),
        ("xai", "x_ai"),
        ("gemini", "gcp.gemini"),
        ("vertex_ai", "gcp.vertex_ai"),
        ("bedrock", "aws.bedrock"),
        ("Somebody", "somebody"),
        ("langchain", None),
        ("", None),
        (7, None),
    ],
)
def test_a_provider_is_known_by_the_name_of_the_convention(written: Any, read: str | None) -> None:
    assert call({**CHAT, "gen_ai.provider.name": written}).provider == read


def test_a_framework_that_poses_as_a_provider_gives_way_to_the_provider() -> None:
    assert (
        call({**CHAT, "gen_ai.provider.name": "strands-agents", "gen_ai.system": "Anthropic"}).provider == "anthropic"
    )


@pytest.mark.parametrize(
    ("address", "host", "provider"),
    [
        ("my-resource.openai.azure.com", "my-resource.openai.azure.com", "azure.ai.openai"),
        ("https://API.Groq.com:443/openai/v1", "api.groq.com", "groq"),
        ("bedrock-runtime.eu-west-3.amazonaws.com:443", "bedrock-runtime.eu-west-3.amazonaws.com", "aws.bedrock"),
        ("http://[::1]:8000/v1", "::1", "openai"),
        ("https://user:secret@localhost:8000/v1", "localhost", "openai"),
        ("notapi.groq.com", "notapi.groq.com", "openai"),
    ],
)
def test_the_host_tells_who_serves_a_model_behind_the_openai_client(address: str, host: str, provider: str) -> None:
    reading = call({**CHAT, "server.address": address})

    assert (reading.server_address, reading.provider) == (host, provider)


@pytest.mark.parametrize(
    ("named", "address", "provider"),
    [
        ("anthropic", "bedrock-runtime.eu-west-3.amazonaws.com", "aws.bedrock"),
        ("anthropic", "europe-west1-aiplatform.googleapis.com", "gcp.vertex_ai"),
        ("azure.ai.openai", "my-resource.services.ai.azure.com", "azure.ai.openai"),
        ("aws.bedrock", "api.groq.com", "aws.bedrock"),
        ("groq", "api.openai.com", "groq"),
    ],
)
def test_the_host_overrules_the_client_library_and_nobody_else(named: str, address: str, provider: str) -> None:
    assert call({**CHAT, "gen_ai.provider.name": named, "server.address": address}).provider == provider


@pytest.mark.parametrize(
    ("scope", "address", "host"),
    [
        ("@openlit/instrumentation-vllm", "api.openai.com", None),
        ("openlit.instrumentation.litellm", "bedrock-runtime.amazonaws.com", None),
        ("openlit.instrumentation.bedrock", "aws.amazon.com", None),
        ("openlit.instrumentation.openai", "api.groq.com", "api.groq.com"),
        ("opentelemetry.instrumentation.openai_agents", "api.openai.com", None),
    ],
)
def test_a_host_that_an_emitter_writes_whatever_was_called_says_nothing(
    scope: str, address: str, host: str | None
) -> None:
    assert call({**CHAT, "server.address": address}, scope_name=scope).server_address == host


@pytest.mark.parametrize(
    ("named", "requested", "provider", "model"),
    [
        ("gateway", "openai/gpt-4o-mini", "openai", "gpt-4o-mini"),
        ("litellm", "bedrock/converse/eu.anthropic.claude", "aws.bedrock", "bedrock/converse/eu.anthropic.claude"),
        ("litellm", "gpt-4o", None, "gpt-4o"),
        ("litellm", "meta-llama/Llama-3.1-8B", None, "meta-llama/Llama-3.1-8B"),
        ("openrouter", "openai/gpt-4o-mini", "openrouter", "openai/gpt-4o-mini"),
    ],
)
def test_the_route_in_front_of_a_model_tells_where_only_a_gateway_is_named(
    named: str, requested: str, provider: str | None, model: str
) -> None:
    span = {**CHAT, "gen_ai.provider.name": named, "gen_ai.request.model": requested}
    reading = call({key: value for key, value in span.items() if key != "gen_ai.response.model"})

    assert (reading.provider, reading.request_model) == (provider, model)


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("openai.chat", "openai"),
        ("openai.responses", "openai"),
        ("anthropic.messages", "anthropic"),
        ("azure.responses", "azure.ai.openai"),
        ("azure.embeddings", "azure.ai.openai"),
        ("google.generative-ai", "gcp.gemini"),
        ("google.vertex.chat", "gcp.vertex_ai"),
        ("vertex.anthropic.messages", "gcp.vertex_ai"),
        ("amazon-bedrock", "aws.bedrock"),
        ("mistral.chat", "mistral_ai"),
        ("groq.chat", "groq"),
        ("xai.chat", "x_ai"),
        ("togetherai.chat", "together"),
        ("perplexity", "perplexity"),
        ("my-gateway.chat", "my-gateway"),
        ("azure.ai.inference", "azure.ai.inference"),
    ],
)
def test_the_api_that_the_ai_sdk_hangs_on_a_provider_is_cut_off(written: str, read: str) -> None:
    assert call({**CHAT, "gen_ai.provider.name": written}).provider == read


def test_a_region_on_the_span_is_that_of_the_call_and_one_on_the_resource_that_of_the_caller() -> None:
    reading = call({**CHAT, "cloud.region": "eu-west-3"}, resource={"cloud.region": "us-east-1"})

    assert (reading.region, reading.caller_region) == ("eu-west-3", "us-east-1")


@pytest.mark.parametrize(("started", "ended"), [(0, 0), (5, 5), (9, 5), (0, 5)])
def test_a_span_whose_clock_makes_no_sense_has_no_latency(started: int, ended: int) -> None:
    assert call(CHAT, started_unix_nano=started, ended_unix_nano=ended).latency_s is None


def test_a_name_without_end_is_cut_and_unprintable_characters_are_taken_out() -> None:
    reading = call({**CHAT, "gen_ai.response.model": "m" * 10_000_000, "gen_ai.request.model": " gpt\x00-4\ud800o\n"})

    assert reading.model == "m" * 512
    assert reading.request_model == "gpt-4o"


def test_openinference_spans_are_read_by_rows_alone() -> None:
    reading = call(
        {
            "openinference.span.kind": "LLM",
            "llm.system": "openai",
            "llm.provider": "azure",
            "llm.model_name": "gpt-4o-2024-08-06",
            "llm.token_count.prompt": 1200,
            "llm.token_count.completion": 345,
            "llm.token_count.prompt_details.cache_read": 400,
            "llm.token_count.completion_details.reasoning": 64,
        },
        scope_name="openinference.instrumentation.openai",
        kind=1,
    )

    assert (reading.provider, reading.model, reading.usage) == (
        "azure.ai.openai",
        "gpt-4o-2024-08-06",
        Usage(800, 400, 0, 281, 64),
    )
    assert READER.read({"openinference.span.kind": "AGENT"}) == Parent("agent")


def test_the_mapping_of_the_sdk_is_read() -> None:
    attributes = BoundedAttributes(attributes=CHAT)

    assert READER.looks_genai(attributes)
    assert READER.read(attributes) == call(CHAT)


def test_the_keys_are_named_so_that_a_decoder_can_skip_the_others() -> None:
    assert READER.markers <= READER.keys
    assert set(CHAT) - {"server.port"} <= READER.keys
    assert {"error.type", "otel_carbon.status", "otel_carbon.tenant", "service.name"} <= READER.keys
    content = {key for key in READER.keys if "message" in key or "content" in key}
    assert content == {"llm.input_messages.0.message.role", "mlflow.message.format"}


def test_the_keys_of_the_attribution_rules_are_among_them() -> None:
    assert "enduser.pseudo.id" in SpanReader.bundled(AttributionRules(user=("enduser.pseudo.id",))).keys


SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(alphabet="1e5.-_ naif\x00\ud800٣", max_size=12),
    st.sampled_from(["chat", "CHAT", "openai", "http://[", "::", "a@b:c/d", "1_0", "9" * 400]),
    st.binary(max_size=4),
)
VALUES = st.one_of(SCALARS, st.lists(SCALARS, max_size=3), st.dictionaries(st.just("key"), SCALARS, max_size=1))


@given(
    attributes=st.dictionaries(st.sampled_from(sorted(READER.keys)), VALUES, max_size=12),
    resource=st.dictionaries(st.sampled_from(["cloud.region", "service.name", "tenant.id"]), VALUES),
    scope_name=st.sampled_from(["", "openlit", "litellm", "mistralai_sdk_tracer", "\ud800"]),
    kind=st.integers(0, 9),
    failed=st.booleans(),
    times=st.tuples(st.integers(0, 2**64), st.integers(0, 2**64)),
)
def test_no_attribute_makes_the_reader_raise(
    *,
    attributes: dict[str, Any],
    resource: dict[str, Any],
    scope_name: str,
    kind: int,
    failed: bool,
    times: tuple[int, int],
) -> None:
    reading = READER.read(
        attributes,
        scope_name=scope_name,
        resource=resource,
        kind=kind,
        failed=failed,
        started_unix_nano=times[0],
        ended_unix_nano=times[1],
    )
    READER.attribution(attributes, resource)
    read_mark(attributes)

    assert isinstance(reading, Call | Parent | None)
    assert (reading is not None) <= READER.looks_genai(attributes)
    if isinstance(reading, Call):
        repr(reading).encode("utf-8")


@pytest.mark.parametrize(
    ("before", "modalities"),
    [
        (
            CHAT,
            {
                "gen_ai.usage.details.input_image_tokens": 765,
                "gen_ai.usage.details.input_audio_tokens": 200,
                "gen_ai.usage.details.output_audio_tokens": 300,
            },
        ),
        (
            {
                "openinference.span.kind": "LLM",
                "llm.model_name": "gpt-4o-audio-preview",
                "llm.token_count.prompt": 1200,
                "llm.token_count.completion": 345,
            },
            {"llm.token_count.prompt_details.audio": 200, "llm.token_count.completion_details.audio": 300},
        ),
    ],
)
def test_image_and_audio_tokens_are_inside_the_totals_and_not_added(
    before: dict[str, Any], modalities: dict[str, int]
) -> None:
    reading = call({**before, **modalities})

    assert reading.usage == call(before).usage
    assert reading.usage is not None
    assert (input_tokens(reading.usage), output_tokens(reading.usage)) == (1200, 345)


def test_an_image_request_without_counts_has_no_usage() -> None:
    attributes = {
        "gen_ai.operation.name": "generate_content",
        "gen_ai.request.model": "imagen-4.0-generate-001",
        "gen_ai.output.type": "image",
    }

    assert call(attributes).usage is None
