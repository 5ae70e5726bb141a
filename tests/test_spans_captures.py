"""What the reader makes of the spans of real libraries, against what the provider really counted."""

from __future__ import annotations

import base64
import tomllib
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from captures import FOLDER, one_per_family
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue

from otel_carbon.model import Call, input_tokens, output_tokens
from otel_carbon.spans import Parent, SpanReader

TOKENS = ("input", "output", "cache_read", "cache_write", "reasoning")
ERROR = 2  # STATUS_CODE_ERROR

CASES = one_per_family()
LOSSES: dict[tuple[str, str], dict[str, Any]] = {
    (loss["capture"], case): loss
    for loss in tomllib.loads((FOLDER / "losses.toml").read_text(encoding="utf-8"))["loss"]
    for case in loss["cases"]
}


def name(case: Mapping[str, Any]) -> str:
    return f"{case['capture']}-{case['case']}"


def value(any_value: AnyValue) -> Any:
    kind = any_value.WhichOneof("value")
    if kind is None:
        return None
    if kind == "array_value":
        return [value(item) for item in any_value.array_value.values]
    if kind == "kvlist_value":
        return {item.key: value(item.value) for item in any_value.kvlist_value.values}
    return getattr(any_value, kind)


def readings(case: Mapping[str, Any], reader: SpanReader) -> Iterator[Call | Parent | None]:
    for body in case["bodies"]:
        for resource_spans in ExportTraceServiceRequest.FromString(base64.b64decode(body)).resource_spans:
            resource = {item.key: value(item.value) for item in resource_spans.resource.attributes}
            for scope_spans in resource_spans.scope_spans:
                for span in scope_spans.spans:
                    yield reader.read(
                        {item.key: value(item.value) for item in span.attributes},
                        scope_name=scope_spans.scope.name,
                        scope_version=scope_spans.scope.version,
                        resource=resource,
                        kind=span.kind,
                        failed=span.status.code == ERROR,
                        started_unix_nano=span.start_time_unix_nano,
                        ended_unix_nano=span.end_time_unix_nano,
                    )


def expected(case: Mapping[str, Any]) -> dict[str, int]:
    """The truth, less what the emitter loses."""
    served = [request for request in case["truth"] if request["status"] == 200]
    loss = LOSSES.get((case["capture"], case["case"]), {})
    served = served[: loss.get("seen")] * loss.get("spans_per_request", 1)
    missing = loss.get("missing", [])
    if "span" in missing:
        served = []
    calls, without_usage = (0, len(served)) if "usage" in missing else (len(served), 0)
    counts = {kind: sum(request[kind] for request in served[:calls]) for kind in TOKENS}
    for kind in set(missing) & set(TOKENS):
        if loss.get("cache_outside"):
            counts["input"] -= counts[kind]
        counts[kind] = 0
    return {"calls": calls, "without_usage": without_usage + loss.get("unmarked_failures", 0), **counts}


@pytest.mark.parametrize("case", CASES, ids=name)
def test_the_calls_of_a_library_carry_the_tokens_that_the_provider_counted(case: dict[str, Any]) -> None:
    calls = [reading for reading in readings(case, SpanReader.bundled()) if isinstance(reading, Call)]
    usages = [call.usage for call in calls if call.usage is not None]

    assert {
        "calls": len(usages),
        "without_usage": sum(call.usage is None and not call.failed for call in calls),
        "input": sum(input_tokens(usage) for usage in usages),
        "output": sum(output_tokens(usage) for usage in usages),
        "cache_read": sum(usage.cache_read_tokens for usage in usages),
        "cache_write": sum(usage.cache_write_tokens for usage in usages),
        "reasoning": sum(usage.reasoning_tokens for usage in usages),
    } == expected(case)
    assert all(call.usage_alternative is None for call in calls), "something tells for every emitter captured"


@pytest.mark.parametrize("case", CASES, ids=name)
def test_no_key_is_read_that_the_reader_does_not_name(case: dict[str, Any]) -> None:
    reader = SpanReader.bundled()

    class Watched(dict[str, Any]):
        def __init__(self, attributes: Mapping[str, Any]) -> None:
            super().__init__({key: item for key, item in attributes.items() if key in reader.keys})

    class Filtered(SpanReader):
        def read(self, attributes: Mapping[str, Any], **arguments: Any) -> Call | Parent | None:
            return super().read(Watched(attributes), **arguments)

    assert list(readings(case, Filtered.bundled())) == list(readings(case, reader))


def one(capture: str, case: str) -> Call:
    found = next(item for item in CASES if (item["capture"], item["case"]) == (capture, case))
    calls = [reading for reading in readings(found, SpanReader.bundled()) if isinstance(reading, Call)]
    assert len(calls) == 1
    return calls[0]


def reasons(capture: str, case: str) -> list[str]:
    found = next(item for item in CASES if (item["capture"], item["case"]) == (capture, case))
    return [reading.reason for reading in readings(found, SpanReader.bundled()) if isinstance(reading, Parent)]


def test_a_call_through_the_azure_client_names_the_deployment_and_the_model() -> None:
    call = one("traceloop-openai", "azure-chat")

    assert (call.request_model, call.model, call.server_address) == ("my-deployment", "gpt-4o-2024-08-06", "127.0.0.1")


@pytest.mark.parametrize(
    ("case", "provider"),
    [
        ("vendor-azure", "azure.ai.openai"),
        ("vendor-deepseek", "deepseek"),
        ("vendor-fireworks", "fireworks"),
        ("vendor-gemini-compat", "gcp.gemini"),
        ("vendor-groq", "groq"),
        ("vendor-mistral", "mistral_ai"),
        ("vendor-openai", "openai"),
        ("vendor-openrouter", "openrouter"),
        ("vendor-perplexity", "perplexity"),
        ("vendor-together", "together"),
        ("vendor-vllm-local", "openai"),
        ("vendor-xai", "x_ai"),
    ],
)
@pytest.mark.parametrize("capture", ["traceloop-openai", "contrib-genai-openai"])
def test_the_host_tells_who_serves_a_model_behind_the_openai_client(capture: str, case: str, provider: str) -> None:
    assert one(capture, case).provider == provider


def test_a_refused_request_is_a_failed_call_without_usage() -> None:
    call = one("traceloop-openai", "chat-429")

    assert (call.failed, call.usage, call.operation, call.request_model) == (True, None, "chat", "gpt-4o")


def test_agents_workflows_and_tools_are_parents() -> None:
    assert reasons("openai-agents-traceloop", "agent-responses-api") == ["execute_tool", "invoke_agent", "workflow"]
    assert reasons("pydantic-ai-plain", "agent-openai-tools") == ["execute_tool", "invoke_agent"]


def test_an_agent_that_repeats_its_calls_without_naming_an_operation_is_a_parent() -> None:
    assert reasons("legacy-pydantic-ai-plain", "agent-openai-plain") == ["no operation"]


def test_every_loss_names_a_case_of_the_captures() -> None:
    assert set(LOSSES) <= {(case["capture"], case["case"]) for case in CASES}
