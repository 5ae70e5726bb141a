"""What a user can say about hourly intensities, in YAML and in the environment; and what it does end to end."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest
from grid_servers import Answer, Asked, grid_server
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from otel_carbon.errors import ConfigError
from otel_carbon.grid import GridIntensityConfig, GridRefresher, config_from_environment, intensity_source
from otel_carbon.grid.csv_trace import CsvTrace
from otel_carbon.ledger import Ledger
from otel_carbon.pipeline.component import Settings
from otel_carbon.pipeline.otlp import parse, sightings
from otel_carbon.pipeline.pdata import Signal
from otel_carbon.processors.carbon import CarbonProcessor, Config

TEN_NS = 1_795_168_800 * 10**9  # 2026-11-20T10:00Z


def test_nothing_is_asked_for_unless_a_provider_is_named() -> None:
    assert intensity_source(GridIntensityConfig(), {}) is None
    assert intensity_source(config_from_environment({}), {}) is None
    assert CarbonProcessor(Config(), Settings("carbon", {}, {})).estimator.hourly is None


def test_the_environment_says_what_the_file_can_say() -> None:
    config = config_from_environment(
        {
            "OTEL_CARBON_GRID_PROVIDER": "electricity_maps_v4",
            "OTEL_CARBON_GRID_ENDPOINT": "http://127.0.0.1:1/v4",
            "OTEL_CARBON_GRID_LOOKUP": "data_center",
            "OTEL_CARBON_GRID_PLACES": "aws:eu-west-2=GB-13; IE=53.3,-6.3",
            "OTEL_CARBON_GRID_ESTIMATED": "no",
            "OTEL_CARBON_GRID_MAX_GAP": "2h",
            "OTEL_CARBON_GRID_TIMEOUT": "3s",
            "OTEL_CARBON_GRID_CACHE_DIR": "cache",
        }
    )

    assert config == GridIntensityConfig(
        provider="electricity_maps_v4",
        endpoint="http://127.0.0.1:1/v4",
        lookup="data_center",
        places={"aws:eu-west-2": "GB-13", "IE": "53.3,-6.3"},
        estimated=False,
        max_gap="2h",
        timeout="3s",
        cache_dir="cache",
    )


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({"provider": "watttime"}, "provider must be one of electricity_maps_v4, uk_carbon_intensity, csv, not"),
        ({"lookup": "ip"}, "lookup must be one of zone, data_center"),
        ({"provider": "csv"}, "file is missing"),
        ({"max_gap": "2d"}, "max_gap: '2d' is not a duration"),
        ({"max_gap": "25h"}, "max_gap must be at most 24h"),
        ({"timeout": "0"}, "timeout must be more than 0"),
        ({"endpoint": "ftp://example.com"}, "endpoint must be a URL"),
        ({"endpoint": "https://"}, "endpoint must be a URL"),
        ({"endpoint": "https://me:secret@example.com"}, "endpoint must be a URL"),
        ({"endpoint": "https://[::1"}, "endpoint is no URL"),
        ({"provider": "electricity_maps_v4", "endpoint": "http://example.com"}, "endpoint must be https"),
    ],
)
def test_a_value_that_cannot_work_is_refused_before_anything_is_asked(values: dict[str, Any], problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        GridIntensityConfig(**values)


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("PROVIDER", "watttime", "OTEL_CARBON_GRID_PROVIDER must be one of"),
        ("MAX_GAP", "2d", "OTEL_CARBON_GRID_MAX_GAP '2d' is not a duration"),
        ("PLACES", "IE", "OTEL_CARBON_GRID_PLACES must be pairs such as"),
        ("ESTIMATED", "perhaps", "OTEL_CARBON_GRID_ESTIMATED must be true or false"),
    ],
)
def test_an_error_names_the_variable(name: str, value: str, problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        config_from_environment({f"OTEL_CARBON_GRID_{name}": value})


def test_a_key_comes_from_config_file_or_environment_and_is_never_shown(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_text("from-file\n")
    config = GridIntensityConfig(provider="electricity_maps_v4", token="from-config")
    variable = "OTEL_CARBON_ELECTRICITY_MAPS_TOKEN"
    plain = GridIntensityConfig(provider="electricity_maps_v4")
    found = [
        intensity_source(config, {variable: "from-env"}, tmp_path),
        intensity_source(GridIntensityConfig(provider="electricity_maps_v4", token_file=str(path)), {}, tmp_path),
        intensity_source(plain, {variable: "from-env"}, tmp_path),
        intensity_source(plain, {f"{variable}_FILE": str(path)}, tmp_path),
    ]

    tokens = [source._provider._headers["auth-token"] for source in found if isinstance(source, GridRefresher)]
    assert tokens == ["from-config", "from-file", "from-env", "from-file"]
    assert "from-config" not in repr(config)


@pytest.mark.parametrize(
    ("environ", "problem"),
    [
        ({}, "token is missing: set it, token_file"),
        ({"OTEL_CARBON_ELECTRICITY_MAPS_TOKEN_FILE": "nowhere/key"}, "token_file: nowhere/key cannot be read"),
        ({"OTEL_CARBON_ELECTRICITY_MAPS_TOKEN": "a\nb"}, "token cannot be one"),
        ({"OTEL_CARBON_ELECTRICITY_MAPS_TOKEN": "schlüssel"}, "token cannot be one"),
    ],
)
def test_a_key_that_is_missing_or_broken_is_refused(environ: dict[str, str], problem: str) -> None:
    with pytest.raises(ConfigError, match=problem) as caught:
        intensity_source(GridIntensityConfig(provider="electricity_maps_v4"), environ)

    assert "schlüssel" not in str(caught.value)


def test_the_gateway_names_the_key_that_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OTEL_CARBON_ELECTRICITY_MAPS_TOKEN", raising=False)
    config = Config(grid_intensity=GridIntensityConfig("electricity_maps_v4"))

    with pytest.raises(ConfigError, match=r"^grid_intensity::token is missing: set it, token_file"):
        CarbonProcessor(config, Settings("carbon", {}, {}))


def test_the_cache_lies_where_it_is_said_or_in_the_users_cache(tmp_path: Path) -> None:
    uk = GridIntensityConfig(provider="uk_carbon_intensity")
    said = GridIntensityConfig(provider="uk_carbon_intensity", cache_dir=str(tmp_path / "said"))
    sources = [
        intensity_source(said, {}, tmp_path / "data"),
        intensity_source(uk, {}, tmp_path / "data"),
        intensity_source(uk, {"XDG_CACHE_HOME": str(tmp_path / "xdg")}),
    ]

    paths = [each._cache._path for each in sources if isinstance(each, GridRefresher) and each._cache]
    name = "uk-carbon-intensity-half-hourly.json"
    assert paths == [tmp_path / "said" / name, tmp_path / "data" / name, tmp_path / "xdg" / "otel-carbon" / name]


def test_a_trace_needs_no_network(tmp_path: Path) -> None:
    path = tmp_path / "meter.csv"
    path.write_text("zone,start,end,g_per_kwh\nIE,2026-11-20T10:00Z,2026-11-20T11:00Z,10\n")

    assert isinstance(intensity_source(GridIntensityConfig(provider="csv", file=str(path)), {}), CsvTrace)


# ---- end to end ------------------------------------------------------------------------------------------------------


def history(_asked: Asked) -> Answer:
    hour = {"isEstimated": True, "emissionFactorType": "lifecycle"}
    data = [{**hour, "carbonIntensity": 77.7, "datetime": f"2026-11-20T{hour_:02}:00:00.000Z"} for hour_ in range(24)]
    return Answer({"zone": "IE", "data": data, "history": data, "temporalGranularity": "hourly"})


def request(span_id: int) -> bytes:
    built = ExportTraceServiceRequest()
    span = built.resource_spans.add().scope_spans.add().spans.add()
    span.trace_id, span.span_id = bytes([1] * 16), bytes([span_id] * 8)
    span.start_time_unix_nano, span.end_time_unix_nano = TEN_NS + 1, TEN_NS + 10**9
    for key, value in {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "aws.bedrock",
        "gen_ai.request.model": "claude-sonnet-4-5",
        "server.address": "bedrock-runtime.eu-west-1.amazonaws.com",
    }.items():
        span.attributes.add(key=key).value.string_value = value
    for key, count in {"gen_ai.usage.input_tokens": 1000, "gen_ai.usage.output_tokens": 500}.items():
        span.attributes.add(key=key).value.int_value = count
    return built.SerializeToString()


def test_the_gateway_puts_the_hour_on_the_span_and_the_ledger_keeps_it(tmp_path: Path) -> None:
    with grid_server(history) as server:
        config = Config(grid_intensity=GridIntensityConfig("electricity_maps_v4", "key", endpoint=server.url))
        processor = CarbonProcessor(config, Settings("carbon", {}, {"data_dir": tmp_path}))
        source = processor.estimator.hourly
        assert isinstance(source, GridRefresher)
        early = processor.process(parse(Signal.TRACES, request(1)))
        assert source.settle(20.0)
        late = processor.process(parse(Signal.TRACES, request(2)))
        source.close()
    another = CarbonProcessor(Config(), Settings("carbon", {}, {}))
    path = tmp_path / "ledger.db"
    ledger = Ledger.open(path, estimator=another.estimator)
    ledger.record([*sightings(early.body, another.reader), *sightings(late.body, another.reader)])
    ledger.close()

    assert _lines(path) == [
        (
            "IE",
            301.0,
            "electricitymaps-yearly-via-co2js",
            0,
            "no hourly grid intensity was known when this was estimated: the average of a year is used",
        ),
        (
            "IE",
            77.7,
            "electricitymaps-v4-hourly",
            0,
            "grid intensity of the period from 2026-11-20T10:00Z, estimated by its source",
        ),
    ]
    # An hour of long ago is asked for by itself, and the running one beside it.
    assert [one.query["start"] for one in server.asked if "start" in one.query] == ["2026-11-20T10:00:00.000Z"]
    assert (tmp_path / "grid" / "electricitymaps-v4-hourly.json").is_file()


def _lines(path: Path) -> list[tuple[Any, ...]]:
    import sqlite3

    connection = sqlite3.connect(path)
    columns = "grid_zone, grid_intensity_g_per_kwh, grid_source, claim_differs, reason"
    found = connection.execute(f"SELECT {columns} FROM lines ORDER BY seq").fetchall()
    connection.close()
    return found


IN_APP = """
    import json, sys, time
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
    import otel_carbon
    provider, seen = TracerProvider(), InMemorySpanExporter()
    processor = otel_carbon.install(provider)
    provider.add_span_processor(SimpleSpanProcessor(seen))
    loaded_before = sorted({"urllib.request", "http.client", "sqlite3"} & set(sys.modules))

    def call():
        span = provider.get_tracer("x").start_span("chat", start_time=TEN_NS, attributes={
            "gen_ai.operation.name": "chat", "gen_ai.provider.name": "aws.bedrock",
            "gen_ai.request.model": "claude-sonnet-4-5", "gen_ai.usage.input_tokens": 10,
            "gen_ai.usage.output_tokens": 10, "server.address": "bedrock-runtime.eu-west-1.amazonaws.com"})
        span.end(TEN_NS + 10**9)
        return seen.get_finished_spans()[-1].attributes

    first = dict(call())
    deadline = time.monotonic() + 20
    while "otel_carbon.grid.source" not in (last := dict(call())) and time.monotonic() < deadline:
        time.sleep(0.01)
    print(json.dumps([loaded_before, first["otel_carbon.grid.intensity_g_per_kwh"],
        {key: last[key] for key in last if key.startswith("otel_carbon.grid.")}]))
"""


def test_an_application_gets_the_hour_by_environment_alone(tmp_path: Path) -> None:
    with grid_server(history) as server:
        environ = {
            **os.environ,
            "OTEL_CARBON_GRID_PROVIDER": "electricity_maps_v4",
            "OTEL_CARBON_GRID_ENDPOINT": server.url,
            "OTEL_CARBON_ELECTRICITY_MAPS_TOKEN": "key",
            "XDG_CACHE_HOME": str(tmp_path),
        }
        script = textwrap.dedent(IN_APP).replace("TEN_NS", str(TEN_NS))
        done = subprocess.run(
            [sys.executable, "-c", script], env=environ, capture_output=True, text=True, timeout=60, check=True
        )

    loaded, first_g_per_kwh, grid = json.loads(done.stdout)
    assert loaded == []
    assert first_g_per_kwh == 301.0
    assert grid == {
        "otel_carbon.grid.zone": "IE",
        "otel_carbon.grid.intensity_g_per_kwh": 77.7,
        "otel_carbon.grid.source": "electricitymaps-v4-hourly",
        "otel_carbon.grid.period_start": "2026-11-20T10:00:00Z",
        "otel_carbon.grid.quality": "estimated",
    }
    assert server.asked[0].headers["auth-token"] == "key"
