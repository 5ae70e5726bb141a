"""The in-app counters, read by the SDK's own readers."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

import pytest
from opentelemetry.metrics import NoOpMeterProvider
from opentelemetry.sdk.metrics import Counter, Histogram, MeterProvider, ObservableCounter
from opentelemetry.sdk.metrics.export import AggregationTemporality, InMemoryMetricReader
from opentelemetry.sdk.metrics.view import DropAggregation, View
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import TraceIdRatioBased

from otel_carbon.estimator import Estimator, EstimatorSettings
from otel_carbon.factors import FactorTables
from otel_carbon.model import Call, Footprint, Usage
from otel_carbon.processors import CarbonSpanProcessor, KeepGenAI
from otel_carbon.semconv.carbon import METRICS

DELTA = dict.fromkeys((Counter, Histogram, ObservableCounter), AggregationTemporality.DELTA)
CHAT = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "azure.ai.openai",
    "gen_ai.response.model": "gpt-4o",
    "gen_ai.usage.input_tokens": 1200,
    "gen_ai.usage.output_tokens": 345,
}
SET = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "azure.ai.openai",
    "gen_ai.response.model": "gpt-4o",
    "otel_carbon.region.name": "swedencentral",
}
ESTIMATOR = Estimator(FactorTables.bundled(), EstimatorSettings(region="swedencentral"))


def one_call() -> Footprint:
    outcome = ESTIMATOR.estimate(Call(provider="azure.ai.openai", model="gpt-4o", usage=Usage(1200, 0, 0, 345, 0)))
    assert isinstance(outcome, Footprint)
    return outcome


class App:
    """An application with both providers, its carbon processor, a cumulative and a delta reader."""

    def __init__(self, *, sampler: Any = None, mode: Any = True, **options: Any) -> None:
        self.cumulative = InMemoryMetricReader()
        self.delta = InMemoryMetricReader(preferred_temporality=DELTA)
        self.meters = MeterProvider(metric_readers=[self.cumulative, self.delta], shutdown_on_exit=False)
        self.spans = InMemorySpanExporter()
        self.provider = TracerProvider(sampler=sampler, shutdown_on_exit=False)
        self.carbon = CarbonSpanProcessor(
            ESTIMATOR, meter_provider=self.meters, metrics=mode, every_call_seen=True, **options
        )
        self.provider.add_span_processor(self.carbon)
        self.provider.add_span_processor(SimpleSpanProcessor(self.spans))
        self.tracer = self.provider.get_tracer("app")

    def call(self, attributes: Mapping[str, Any] = CHAT, times: int = 1) -> None:
        for _ in range(times):
            self.tracer.start_span("chat gpt-4o", attributes=attributes).end()


def read(reader: InMemoryMetricReader) -> dict[str, list[Any]]:
    data = reader.get_metrics_data()
    found: dict[str, list[Any]] = {}
    for resource in data.resource_metrics if data is not None else ():
        for scope in resource.scope_metrics:
            assert scope.scope.name == "otel_carbon"
            for metric in scope.metrics:
                assert metric.unit == METRICS[metric.name].unit
                found[metric.name] = list(metric.data.data_points)
    return found


def read_any(reader: InMemoryMetricReader) -> dict[str, list[Any]]:
    data = reader.get_metrics_data()
    assert data is not None
    (resource,) = data.resource_metrics
    return {metric.name: list(metric.data.data_points) for scope in resource.scope_metrics for metric in scope.metrics}


def value(points: list[Any], **attributes: str) -> float:
    wanted = {key.replace("__", "."): item for key, item in attributes.items()}
    return sum(point.value for point in points if wanted.items() <= dict(point.attributes).items())


def test_the_counters_are_the_sums_of_the_estimates() -> None:
    app = App()
    app.call(times=3)

    points = read(app.cumulative)
    footprint = one_call()
    assert footprint.co2e_grams is not None
    assert footprint.energy_wh is not None
    assert {name: value(points[name]) for name in points if name != "otel_carbon.tokens"} == pytest.approx(
        {
            "otel_carbon.co2e": 3 * footprint.co2e_grams.central,
            "otel_carbon.co2e.low": 3 * footprint.co2e_grams.low,
            "otel_carbon.co2e.high": 3 * footprint.co2e_grams.high,
            "otel_carbon.energy": 3 * 3600 * footprint.energy_wh.central,
            "otel_carbon.energy.low": 3 * 3600 * footprint.energy_wh.low,
            "otel_carbon.energy.high": 3 * 3600 * footprint.energy_wh.high,
            "otel_carbon.calls": 3.0,
            "otel_carbon.enriched.spans": 3.0,
        },
        rel=1e-12,
    )
    assert value(points["otel_carbon.tokens"], otel_carbon__token__kind="uncached_input") == 3600.0
    assert value(points["otel_carbon.tokens"], otel_carbon__token__kind="visible_output") == 1035.0
    assert [dict(point.attributes) for point in points["otel_carbon.co2e"]] == [SET]


def test_a_delta_reader_gets_each_gram_once_and_a_cumulative_one_all_of_them() -> None:
    app = App()
    one = one_call().co2e_grams
    assert one is not None
    deltas, totals = [], []
    for calls in (2, 0, 3):
        app.call(times=calls)
        deltas.append(value(read(app.delta).get("otel_carbon.co2e", [])))
        totals.append(value(read(app.cumulative)["otel_carbon.co2e"]))

    assert deltas == pytest.approx([2 * one.central, 0.0, 3 * one.central], rel=1e-12)
    assert totals == pytest.approx([2 * one.central, 2 * one.central, 5 * one.central], rel=1e-12)


def test_observed_counters_are_right_for_both_readers() -> None:
    app = App()
    deltas, totals = [], []
    for calls in (2, 3):
        app.call(times=calls)
        deltas.append(value(read(app.delta)["otel_carbon.enriched.spans"]))
        totals.append(value(read(app.cumulative)["otel_carbon.enriched.spans"]))

    assert (deltas, totals) == ([2.0, 3.0], [2.0, 5.0])


def test_the_exemplar_is_one_measurement_and_points_at_the_span_itself() -> None:
    app = App()
    with app.tracer.start_as_current_span("request"):
        app.call(times=3)

    (point,) = read(app.cumulative)["otel_carbon.co2e"]
    chats = {span.context.span_id for span in app.spans.get_finished_spans() if span.name.startswith("chat")}
    (exemplar,) = point.exemplars
    one = one_call().co2e_grams
    assert one is not None
    assert exemplar.span_id in chats
    assert exemplar.value == one.central


def test_collecting_inside_a_span_does_not_make_that_span_an_exemplar() -> None:
    app = App(sampler=KeepGenAI(TraceIdRatioBased(0.0)))
    app.call()
    with TracerProvider(shutdown_on_exit=False).get_tracer("x").start_as_current_span("collecting"):
        (point,) = read(app.cumulative)["otel_carbon.co2e"]

    assert list(point.exemplars) == []


def test_calls_that_were_sampled_out_are_counted() -> None:
    app = App(sampler=KeepGenAI(TraceIdRatioBased(0.0)))
    app.call(times=4)

    assert value(read(app.cumulative)["otel_carbon.enriched.spans"]) == 4.0
    assert app.spans.get_finished_spans() == ()


def test_the_distribution_is_there_when_it_is_asked_for() -> None:
    app = App(mode="histogram")
    app.call(times=5)

    (point,) = read(app.cumulative)["otel_carbon.operation.co2e"]
    one = one_call().co2e_grams
    assert one is not None
    assert point.count == 5
    assert point.sum == pytest.approx(5 * one.central, rel=1e-12)
    assert tuple(point.explicit_bounds) == METRICS["otel_carbon.operation.co2e"].bucket_boundaries


def test_the_distribution_has_exemplars_at_the_spans_and_is_delta_or_cumulative_as_the_reader_asks() -> None:
    app = App(mode="histogram")
    deltas, totals = [], []
    for calls in (2, 3):
        with app.tracer.start_as_current_span("request"):
            app.call(times=calls)
        (delta,) = read(app.delta)["otel_carbon.operation.co2e"]
        (total,) = read(app.cumulative)["otel_carbon.operation.co2e"]
        deltas.append(delta.count)
        totals.append(total.count)
        chats = {span.context.span_id for span in app.spans.get_finished_spans() if span.name.startswith("chat")}
        assert delta.exemplars
        assert {exemplar.span_id for exemplar in delta.exemplars} <= chats

    assert (deltas, totals) == ([2, 3], [2, 5])


def test_without_the_switch_there_is_no_distribution_and_without_metrics_nothing() -> None:
    counted, silent = App(), App(mode=False)
    counted.call()
    silent.call()

    assert "otel_carbon.operation.co2e" not in read(counted.cumulative)
    assert read(silent.cumulative) == {}


def test_what_fails_is_counted_as_a_span_by_its_status() -> None:
    app = App()
    app.call({"gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": "gpt-4o"})

    points = read(app.cumulative)
    assert value(points["otel_carbon.enriched.spans"], otel_carbon__status="no_usage") == 1.0
    assert "otel_carbon.co2e" not in points


def test_more_values_of_one_attribute_than_its_limit_keep_the_total() -> None:
    app = App()
    for n in range(520):
        app.call({**CHAT, "gen_ai.response.model": f"gpt-4o-custom-{n}"})

    points = read(app.cumulative)["otel_carbon.co2e.low"]
    assert len(points) == 501
    beyond = value(points, gen_ai__response__model="otel_carbon.overflow")
    assert beyond == pytest.approx(20 * (value(points) - beyond) / 500, rel=1e-9)


def test_parties_are_attributes_of_the_metrics_when_that_is_asked_for() -> None:
    app = App(metrics_attributes=("tenant", "service"))
    for tenant in ("acme", "acme", "globex"):
        app.call({**CHAT, "otel_carbon.tenant": tenant, "enduser.id": "somebody"})
    app.call()

    points = read(app.cumulative)
    one = one_call().co2e_grams
    assert one is not None
    assert value(points["otel_carbon.co2e"], otel_carbon__tenant="acme") == pytest.approx(2 * one.central)
    assert value(points["otel_carbon.co2e"], otel_carbon__tenant="globex") == pytest.approx(one.central)
    assert value(points["otel_carbon.co2e"]) == pytest.approx(4 * one.central)
    assert {key for point in points["otel_carbon.co2e"] for key in point.attributes} == {
        *SET,
        "otel_carbon.tenant",
        "service.name",
    }


def test_a_view_of_the_application_decides_what_is_exported() -> None:
    reader = InMemoryMetricReader()
    views = [
        View(instrument_name="otel_carbon.co2e", attribute_keys={"gen_ai.response.model"}, name="carbon"),
        View(instrument_name="otel_carbon.*.low", aggregation=DropAggregation()),
    ]
    meters = MeterProvider(metric_readers=[reader], views=views, shutdown_on_exit=False)
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(CarbonSpanProcessor(ESTIMATOR, meter_provider=meters))
    for _ in range(2):
        provider.get_tracer("x").start_span("chat", attributes=CHAT).end()

    points = read_any(reader)
    one = one_call().co2e_grams
    assert one is not None
    assert [(dict(point.attributes), point.value) for point in points["carbon"]] == [
        ({"gen_ai.response.model": "gpt-4o"}, pytest.approx(2 * one.central))
    ]
    assert "otel_carbon.co2e.low" not in points


def test_a_child_process_begins_at_zero_also_for_kinds_of_call_that_are_known() -> None:
    app = App()
    app.call(times=3)
    instruments = app.carbon._enrichment._meter._instruments  # type: ignore[union-attr]
    assert instruments is not None
    instruments.reset()  # what the hook of the fork calls
    app.call(times=2)

    assert value(read(app.cumulative)["otel_carbon.enriched.spans"]) == 2.0


def test_a_provider_that_does_nothing_costs_no_instruments() -> None:
    provider = TracerProvider(shutdown_on_exit=False)
    processor = CarbonSpanProcessor(ESTIMATOR, meter_provider=NoOpMeterProvider())
    provider.add_span_processor(processor)

    provider.get_tracer("x").start_span("chat", attributes=CHAT).end()

    meter = processor._enrichment._meter
    assert meter is not None
    assert meter._instruments is None


LATE_PROVIDER = """
import sys, json
from opentelemetry import metrics
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from otel_carbon.processors import CarbonSpanProcessor
provider = TracerProvider()
provider.add_span_processor(CarbonSpanProcessor())
def call():
    provider.get_tracer("x").start_span("chat", attributes=json.loads(sys.argv[1])).end()
call()
reader = InMemoryMetricReader()
metrics.set_meter_provider(MeterProvider(metric_readers=[reader]))
call(); call()
for metric in reader.get_metrics_data().resource_metrics[0].scope_metrics[0].metrics:
    print(metric.name, len(metric.data.data_points), round(sum(point.value for point in metric.data.data_points), 6))
"""


def test_counting_begins_when_a_global_meter_provider_is_set() -> None:
    lines = _python(LATE_PROVIDER, json.dumps(CHAT)).splitlines()

    assert "otel_carbon.enriched.spans 1 2.0" in lines
    assert "otel_carbon.tokens 5 3090.0" in lines


FORKING = """
import sys, json, os
from opentelemetry.sdk.metrics import Counter, MeterProvider, ObservableCounter
from opentelemetry.sdk.metrics.export import AggregationTemporality, InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from otel_carbon.processors import CarbonSpanProcessor
delta = dict.fromkeys((Counter, ObservableCounter), AggregationTemporality.DELTA)
readers = [InMemoryMetricReader(), InMemoryMetricReader(preferred_temporality=delta)]
provider = TracerProvider()
provider.add_span_processor(CarbonSpanProcessor(meter_provider=MeterProvider(metric_readers=readers)))
def call(times):
    for _ in range(times):
        provider.get_tracer("x").start_span("chat", attributes=json.loads(sys.argv[1])).end()
def sums(reader):
    data = reader.get_metrics_data()
    metrics = data.resource_metrics[0].scope_metrics[0].metrics if data else []
    return {metric.name: sum(point.value for point in metric.data.data_points) for metric in metrics}
call(4)
one = sums(readers[0])["otel_carbon.co2e"] / 4
sums(readers[1])
call(10)
read_end, write_end = os.pipe()
child = os.fork()
if child == 0:
    call(3)
    seen = [sums(reader) for reader in readers]
    call(2)
    seen += [sums(reader) for reader in readers]
    os.write(write_end, json.dumps(seen).encode())
    os._exit(0)
os.waitpid(child, 0)
seen = json.loads(os.read(read_end, 65536)) + [sums(reader) for reader in readers]
print(json.dumps([[sums["otel_carbon.enriched.spans"], round(sums["otel_carbon.co2e"] / one, 6)] for sums in seen]))
"""


def test_a_forked_child_exports_its_own_calls_only_and_its_parent_loses_none() -> None:
    first_total, first_delta, total, delta, parent_total, parent_delta = json.loads(_python(FORKING, json.dumps(CHAT)))

    assert (first_total, first_delta) == ([3.0, 3.0], [3.0, 3.0])
    assert (total, delta) == ([5.0, 5.0], [2.0, 2.0])
    assert (parent_total, parent_delta) == ([14.0, 14.0], [10.0, 10.0])


def _python(program: str, *arguments: str) -> str:
    done = subprocess.run([sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout
