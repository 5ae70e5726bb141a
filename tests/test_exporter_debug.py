"""The `debug` exporter shows a call on a line that a person can read."""

from __future__ import annotations

from pathlib import Path

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

from otel_carbon.errors import ConfigError
from otel_carbon.exporters._span_text import three_digits
from otel_carbon.exporters.debug import FACTORY, Config, DebugExporter
from otel_carbon.pipeline.component import JournalEntry, Settings
from otel_carbon.pipeline.pdata import Payload, Signal

TRACE_ID, SPAN_ID = bytes.fromhex("5b8efff798038103d269b633813fc60c"), bytes.fromhex("eee19b7ec3c1b174")
CALL: dict[str, str | int | float] = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "openai",
    "gen_ai.request.model": "gpt-4o-mini",
    "gen_ai.response.model": "gpt-4o-mini-2024-07-18",
    "gen_ai.usage.input_tokens": 1200,
    "gen_ai.usage.cache_read.input_tokens": 400,
    "gen_ai.usage.output_tokens": 345,
    "gen_ai.input.messages": "a secret prompt",
}
MARK: dict[str, str | int | float] = {
    "otel_carbon.status": "estimated",
    "otel_carbon.energy_wh": 1.9633,
    "otel_carbon.energy_wh_low": 0.4455,
    "otel_carbon.energy_wh_high": 11.025,
    "otel_carbon.co2e_grams": 0.6705,
    "otel_carbon.co2e_grams_low": 0.1462,
    "otel_carbon.co2e_grams_high": 3.8742,
    "otel_carbon.co2e_embodied_grams": 0.0796,
    "otel_carbon.region.name": "eu-west-1",
    "otel_carbon.region.source": "cloud_region",
    "otel_carbon.grid.zone": "IE",
    "otel_carbon.grid.intensity_g_per_kwh": 301.0,
    "otel_carbon.factor.set": "otel-carbon-2026.11",
    "otel_carbon.factor.id": "medium",
    "otel_carbon.factor.match": "pattern",
    "otel_carbon.confidence": "class_default",
}
LINE = (
    "gpt-4o-mini-2024-07-18  chat openai  1,200 in 345 out  1.96 Wh (0.446–11.0)  0.670 g CO2e (0.146–3.87)  "
    "eu-west-1 IE 301 g/kWh  estimated (class_default)"
)


def value_of(value: str | float) -> AnyValue:
    match value:
        case str():
            return AnyValue(string_value=value)
        case int():
            return AnyValue(int_value=value)
        case float():
            return AnyValue(double_value=value)


def traces(*spans: dict[str, str | int | float]) -> JournalEntry:
    request = ExportTraceServiceRequest()
    resource = request.resource_spans.add()
    resource.resource.attributes.add(key="service.name", value=AnyValue(string_value="shop"))
    scope = resource.scope_spans.add()
    for attributes in spans:
        span = scope.spans.add(trace_id=TRACE_ID, span_id=SPAN_ID, name="a span", trace_state="ot=th:c")
        span.attributes.extend(KeyValue(key=key, value=value_of(value)) for key, value in attributes.items())
    return JournalEntry(1, 0, Payload(Signal.TRACES, request.SerializeToString(), len(spans)))


async def shown(config: Config, *entries: JournalEntry) -> None:
    exporter = FACTORY.create(config, Settings("debug", {}, {}))
    await exporter.start()
    await exporter.export(entries)
    await exporter.shutdown()


async def test_normal_has_a_line_per_call_and_a_count(capsys: pytest.CaptureFixture[str]) -> None:
    parent = {"gen_ai.operation.name": "invoke_agent"}

    await shown(Config(), traces(CALL | MARK, parent, {"http.route": "/"}))

    assert capsys.readouterr().err.splitlines() == [
        LINE,
        "debug: traces: 3 spans in 1 request, 1 GenAI call, 1 parent of calls",
    ]


async def test_basic_has_the_count_alone(capsys: pytest.CaptureFixture[str]) -> None:
    await shown(Config(verbosity="basic"), traces(CALL | MARK), traces(CALL))

    assert capsys.readouterr().err == "debug: traces: 2 spans in 2 requests, 2 GenAI calls, 0 parents of calls\n"


async def test_detailed_has_everything_but_the_prompts(capsys: pytest.CaptureFixture[str]) -> None:
    await shown(Config(verbosity="detailed"), traces(CALL | MARK))

    text = capsys.readouterr().err
    assert "secret" not in text
    assert text.splitlines()[:-1] == [
        LINE,
        "    trace 5b8efff798038103d269b633813fc60c  span eee19b7ec3c1b174",
        "    service shop",
        "    tokens: uncached input 800, cache read 400, cache write 0, visible output 345, reasoning 0",
        "    factor otel-carbon-2026.11 / medium by pattern",
        "    embodied 0.0796 g CO2e",
        "    stands for 4.00 calls, the others were not sampled",
    ]


async def test_what_is_not_known_is_not_shown_as_zero(capsys: pytest.CaptureFixture[str]) -> None:
    without_tokens = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-4o"}

    await shown(Config(), traces(without_tokens | {"otel_carbon.status": "no_usage"}), traces(without_tokens))

    assert capsys.readouterr().err.splitlines()[:2] == [
        "gpt-4o  chat  no token counts  no_usage",
        "gpt-4o  chat  no token counts  not enriched",
    ]


@pytest.mark.parametrize(("signal", "items"), [(Signal.METRICS, "data points"), (Signal.LOGS, "log records")])
async def test_other_signals_are_counted(signal: Signal, items: str, capsys: pytest.CaptureFixture[str]) -> None:
    await shown(Config(output_paths=("stdout",)), JournalEntry(1, 0, Payload(signal, b"", 1234)))

    assert capsys.readouterr().out == f"debug: {signal}: 1,234 {items} in 1 request\n"


async def test_it_can_write_to_several_places(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = Config(verbosity="basic", output_paths=("stdout", str(tmp_path / "spans.txt")))

    await shown(config, traces(CALL))
    await shown(config, traces(CALL))

    assert (tmp_path / "spans.txt").read_text(encoding="utf-8") == capsys.readouterr().out
    assert len((tmp_path / "spans.txt").read_text(encoding="utf-8").splitlines()) == 2


async def test_shutdown_is_safe_before_start_and_twice(tmp_path: Path) -> None:
    exporter = DebugExporter(Config(output_paths=(str(tmp_path / "spans.txt"),)), Settings("debug", {}, {}))

    await exporter.shutdown()
    await exporter.start()
    await exporter.shutdown()
    await exporter.shutdown()


async def test_a_file_that_cannot_be_written_is_named_at_start(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="output_paths: cannot write"):
        await DebugExporter(Config(output_paths=(str(tmp_path),)), Settings("debug", {}, {})).start()


def test_wrong_settings_are_refused() -> None:
    with pytest.raises(ConfigError, match="verbosity: 'loud' is not one of basic, normal, detailed"):
        Config(verbosity="loud")
    with pytest.raises(ConfigError, match="output_paths: name at least one"):
        Config(output_paths=())


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (1.0, "1.00"),
        (0.000123456, "0.000123"),
        (12.3456, "12.3"),
        (999.6, "1,000"),
        (1234567.0, "1,234,567"),
        (-0.5, "-0.500"),
        (float("inf"), "inf"),
    ],
)
def test_numbers_have_three_digits_and_no_exponent(value: float, text: str) -> None:
    assert three_digits(value) == text
