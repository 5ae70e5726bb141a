"""Random spans of GenAI calls, as many kinds of them as emitters write, for comparing two readers of the same bytes."""

from __future__ import annotations

import csv
import random
from pathlib import Path

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, Span, Status

from otel_carbon.factors import FactorTables

__all__ = ["random_requests"]

_GOLDEN = Path(__file__).parents[1] / "golden" / "model_names.csv"
_TABLES = FactorTables.bundled()
_COMMON = (
    "gpt-4o",
    "gpt-4o-mini-2024-07-18",
    "claude-sonnet-4-5-20250929",
    "gemini-2.5-flash",
    "text-embedding-3-small",
)
_MORE = (
    "GPT-4o", "us.anthropic.claude-sonnet-4-20250514-v1:0", "eu.amazon.nova-lite-v1:0", "anthropic.claude-v2:1",
    "openrouter/meta-llama/llama-3.1-70b-instruct:free", "groq/llama-3.3-70b-versatile", "azure/eu/gpt-4.1-mini",
    "ft:gpt-4o-mini-2024-07-18:acme::abc", "mixtral-8x22b", "some-30b-a3b-model", "my-400b", "our-3b.q4", "a-1t-model",
    "deepseek-r1-distill-llama-70b", "deepseek-chat", "mystery-mini", "mystery-thing", "my-deployment", "qwen3-8b-fp8",
    "bedrock/us-east-1/anthropic.claude-3-haiku-20240307-v1:0", "projects/p/locations/us-east5/publishers/a/models/b",
    "accounts/fireworks/models/llama-v3p1-8b-instruct", "whisper-1", "claude-3-opus@20240229", "dall-e-3", "aya-23b",
    "openai.gpt-oss-120b-1:0", "mistral.mistral-7b-instruct-v0:2", "meta.llama3-1-70b-instruct-v1:0", "gpt-35-turbo",
)  # fmt: skip
_PROVIDERS = (
    None, "openai", "OpenAI", "anthropic", "azure.ai.openai", "az.ai.openai", "azure", "aws.bedrock", "bedrock", "aws",
    "gcp.vertex_ai", "gcp.gemini", "google", "vertex_ai", "mistral_ai", "mistral", "groq", "xai", "deepseek", "ollama",
    "openai.chat", "openrouter", "langchain", "somebody", "cohere", "ovh", "vllm",
)  # fmt: skip
_HOSTS = (
    "api.openai.com", "eu.api.openai.com", "acme.openai.azure.com", "bedrock-runtime.eu-west-3.amazonaws.com",
    "us-central1-aiplatform.googleapis.com", "aiplatform.googleapis.com", "generativelanguage.googleapis.com",
    "api.anthropic.com", "API.groq.com:443", "localhost", "proxy.internal:8080", "openrouter.ai", "api.deepseek.com",
    "westeurope.api.cognitive.microsoft.com", "https://api.mistral.ai/v1", "acme.services.ai.azure.com", "10.0.0.1",
)  # fmt: skip
_REGIONS = tuple(sorted({name for cloud in _TABLES.regions.values() for name in cloud}))
_SCOPES = (
    "opentelemetry.instrumentation.openai_v2", "opentelemetry.instrumentation.botocore.bedrock-runtime", "my.app",
    "opentelemetry.instrumentation.anthropic", "openlit.otel.tracing", "litellm", "mistralai_sdk_tracer", "",
)  # fmt: skip
_OPERATIONS = (
    "chat", "chat", "chat", "embeddings", "text_completion", "generate_content", "invoke_agent", "execute_tool",
    "image_generation", "novel", "Chat",
)  # fmt: skip


def random_requests(count: int, seed: int, per_request: int = 500) -> list[ExportTraceServiceRequest]:
    """Return requests with so many spans, each of a trace of its own."""
    dice = random.Random(seed)
    with _GOLDEN.open(encoding="utf-8", newline="") as file:
        golden = [row["input"] for row in csv.DictReader(line for line in file if not line.startswith("#"))]
    models = (*_COMMON * 8, *golden, *_MORE)
    requests: list[ExportTraceServiceRequest] = []
    for _ in range(count // per_request):
        request = ExportTraceServiceRequest()
        resource: ResourceSpans | None = None
        for number in range(per_request):
            if number % 25 == 0:
                resource = request.resource_spans.add()
                _put(resource.resource, "service.name", "shop")
                if dice.random() < 0.3:
                    _put(resource.resource, "cloud.region", dice.choice(_REGIONS))
                scope = resource.scope_spans.add()
                scope.scope.name = dice.choice(_SCOPES)
            assert resource is not None
            _fill(dice, resource.scope_spans[0].spans.add(), models)
        requests.append(request)
    return requests


def _fill(dice: random.Random, span: Span, models: tuple[str, ...]) -> None:
    span.trace_id, span.span_id = dice.randbytes(16), dice.randbytes(8)
    span.name = "call"
    span.kind = dice.choice((Span.SPAN_KIND_CLIENT, Span.SPAN_KIND_CLIENT, Span.SPAN_KIND_INTERNAL))
    span.start_time_unix_nano = 1_790_000_000_000_000_000 + dice.randrange(10**15)
    span.end_time_unix_nano = span.start_time_unix_nano + dice.randrange(1, 10**10)
    if dice.random() < 0.05:
        span.status.code = Status.STATUS_CODE_ERROR
    if dice.random() < 0.03:
        _put(span, "http.request.method", "GET")
        return
    if dice.random() < 0.93:
        _put(span, "gen_ai.operation.name", dice.choice(_OPERATIONS))
    elif dice.random() < 0.5:
        _put(span, "llm.request.type", dice.choice(("chat", "completion", "embedding")))
    _names(dice, span, models)
    _tokens(dice, span)
    if dice.random() < 0.02:
        _put(span, "otel_carbon.status", "estimated")
    if dice.random() < 0.02:
        _put(span, "openinference.span.kind", "LLM")
    if dice.random() < 0.02:
        _put(span, "error.type", "timeout")
    if dice.random() < 0.05:
        _put(span, "gen_ai.output.type", dice.choice(("text", "json", "image")))


def _names(dice: random.Random, span: Span, models: tuple[str, ...]) -> None:
    provider = dice.choice(_PROVIDERS)
    if provider is not None:
        _put(span, dice.choice(("gen_ai.provider.name", "gen_ai.system")), provider)
    model = dice.choice(models)
    if dice.random() < 0.97:
        _put(span, "gen_ai.request.model", model)
    if dice.random() < 0.6:
        _put(span, "gen_ai.response.model", model if dice.random() < 0.8 else dice.choice(models))
    if dice.random() < 0.5:
        _put(span, "server.address", dice.choice(_HOSTS))
    if dice.random() < 0.25:
        _put(span, "cloud.region", dice.choice((*_REGIONS, "global", "nowhere-1", "US-EAST-1")))


def _tokens(dice: random.Random, span: Span) -> None:
    old = dice.random() < 0.2
    given, output = dice.randrange(20_000), dice.choice((0, dice.randrange(3000)))
    if dice.random() < 0.95:
        _put(span, f"gen_ai.usage.{'prompt' if old else 'input'}_tokens", given)
    if dice.random() < 0.9:
        _put(span, f"gen_ai.usage.{'completion' if old else 'output'}_tokens", output)
    if dice.random() < 0.3:
        _put(span, "gen_ai.usage.cache_read.input_tokens", dice.choice((0, given // 2, given + 100)))
    if dice.random() < 0.15:
        _put(span, "gen_ai.usage.cache_creation.input_tokens", given // 4)
    if dice.random() < 0.2:
        _put(span, "gen_ai.usage.reasoning.output_tokens", dice.choice((0, output // 2, output + 7)))
    if dice.random() < 0.01:
        _put(span, "gen_ai.usage.input_tokens", "a lot")


def _put(holder: object, key: str, value: str | int) -> None:
    pair = holder.attributes.add()  # type: ignore[attr-defined]
    pair.key = key
    if isinstance(value, str):
        pair.value.string_value = value
    else:
        pair.value.int_value = value
