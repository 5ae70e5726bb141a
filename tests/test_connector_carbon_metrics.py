"""The connector counts what this gateway marked, once, and sends it on as OTLP."""

from __future__ import annotations

import asyncio
import itertools
import logging
from dataclasses import replace
from typing import Any

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

from otel_carbon._version import __version__
from otel_carbon.connectors import carbon_metrics
from otel_carbon.connectors._memo import SpanMemo
from otel_carbon.connectors.carbon_metrics import FACTORY, CarbonMetricsConnector, Config
from otel_carbon.errors import ConfigError, UnavailableError
from otel_carbon.estimator import Estimator
from otel_carbon.factors import FactorTables
from otel_carbon.model import (
    Attribution,
    Call,
    Confidence,
    FactorRef,
    Footprint,
    Grid,
    Interval,
    Mark,
    NotEstimated,
    Outcome,
    Region,
    Reversal,
    Sighting,
    SpanIdentity,
    Status,
    Usage,
)
from otel_carbon.pipeline.component import Settings
from otel_carbon.pipeline.pdata import Enriched, Payload, Signal
from otel_carbon.pipeline.tally import Tally
from otel_carbon.semconv.carbon import METRICS

CALL = Call(provider="openai", model="gpt-4o", usage=Usage(uncached_input_tokens=10, visible_output_tokens=5))
FOOTPRINT = Footprint(
    model="gpt-4o",
    energy_wh=Interval(0.1, 0.2, 0.5),
    it_energy_wh=None,
    co2e_grams=Interval(0.01, 0.02, 0.05),
    co2e_operational_grams=None,
    co2e_embodied_grams=None,
    water_liters=None,
    factor=FactorRef("otel-carbon-2026.11", "frontier", "pattern"),
    confidence=Confidence.CLASS_DEFAULT,
    region=Region("eu-west-3", "cloud_region"),
    grid=Grid("FR", 41.0, "test"),
)


class MetricsPipeline:
    def __init__(self) -> None:
        self.taken: list[Payload] = []
        self.error: Exception | None = None
        self.came = asyncio.Event()

    async def consume(self, payload: Payload) -> None:
        self.came.set()
        if self.error is not None:
            raise self.error
        self.taken.append(payload)

    async def emissions(self, count: int) -> None:
        """Wait for so many to come, taken or not."""
        for _ in range(count):
            self.came.clear()
            await self.came.wait()

    async def have(self, count: int) -> None:
        """Wait until so many payloads have been taken."""
        while len(self.taken) < count:
            self.came.clear()
            await self.came.wait()


def connector(
    pipeline: MetricsPipeline,
    tallies: list[Tally] | None = None,
    *,
    estimator: Estimator | None = None,
    journal_id: str | None = None,
    **config: Any,
) -> CarbonMetricsConnector:
    shared = {
        "tallies": [] if tallies is None else tallies,
        "estimator": estimator,
        "journal_id": journal_id,
    }
    settings = Settings("carbon_metrics", {Signal.METRICS: pipeline.consume}, shared)
    return FACTORY.create(Config(**config), settings)


def enriched(span: int, outcome: Outcome | None = FOOTPRINT, call: Call | None = CALL, **sighting: Any) -> Enriched:
    identity = SpanIdentity("ab" * 16, f"{span:016x}")
    return Enriched(Sighting(identity, 1, 2, Attribution(), call, **sighting), outcome)


def traces(*spans: Enriched) -> Payload:
    return Payload(Signal.TRACES, b"", len(spans), spans)


async def what_is_counted(*payloads: Payload, **config: Any) -> dict[str, float]:
    """Return the sum of every metric over its attributes."""
    pipeline = MetricsPipeline()
    subject = connector(pipeline, **config)
    await subject.start()
    for payload in payloads:
        subject.observe(payload)
    await subject.shutdown()
    return {
        metric.name: sum(point.as_double for point in metric.sum.data_points)
        for payload in pipeline.taken
        for metric in request_of(payload).resource_metrics[0].scope_metrics[0].metrics
    }


def request_of(payload: Payload) -> ExportMetricsServiceRequest:
    return ExportMetricsServiceRequest.FromString(payload.body)


# ---- what is counted ------------------------------------------------------------------------------------------------


async def test_the_sums_are_those_of_the_footprints() -> None:
    assert await what_is_counted(traces(enriched(1), enriched(2)), traces(enriched(3))) == {
        "otel_carbon.co2e": pytest.approx(0.06),
        "otel_carbon.co2e.low": pytest.approx(0.03),
        "otel_carbon.co2e.high": pytest.approx(0.15),
        "otel_carbon.energy": pytest.approx(3 * 0.2 * 3600),
        "otel_carbon.energy.low": pytest.approx(3 * 0.1 * 3600),
        "otel_carbon.energy.high": pytest.approx(3 * 0.5 * 3600),
        "otel_carbon.tokens": 45.0,
        "otel_carbon.calls": 3.0,
        "otel_carbon.enriched.spans": 3.0,
    }


async def test_a_batch_that_is_sent_again_counts_once() -> None:
    again = traces(enriched(1), enriched(2))

    assert (await what_is_counted(again, again, again))["otel_carbon.enriched.spans"] == 2.0


async def test_what_came_with_a_mark_was_counted_where_it_was_made() -> None:
    marked = enriched(1, outcome=None, mark=Mark(Status.ESTIMATED))
    parent = enriched(2, outcome=None, call=None)

    assert await what_is_counted(traces(marked, parent)) == {}


async def test_a_call_without_an_estimate_is_a_call_that_adds_nothing() -> None:
    without = enriched(1, NotEstimated(Status.NO_USAGE, "no token counts"), Call(model="gpt-4o"))

    assert await what_is_counted(traces(without)) == {"otel_carbon.calls": 1.0, "otel_carbon.enriched.spans": 1.0}


@pytest.mark.parametrize("status", [Status.FAILED, Status.DUPLICATE])
async def test_what_failed_or_is_counted_elsewhere_is_no_call(status: Status) -> None:
    without = enriched(1, NotEstimated(status, "as the test says"))

    assert await what_is_counted(traces(without)) == {"otel_carbon.enriched.spans": 1.0}


async def test_a_sampled_call_counts_for_those_that_were_not_sampled() -> None:
    counted = await what_is_counted(traces(enriched(1, adjusted_count=10.0)))

    assert counted["otel_carbon.co2e"] == pytest.approx(0.2)
    assert counted["otel_carbon.enriched.spans"] == 1.0


async def test_what_the_ledger_took_back_goes_out_too() -> None:
    pipeline, tallies = MetricsPipeline(), list[Tally]()
    subject = connector(pipeline, tallies)
    (tally,) = tallies
    await subject.start()

    tally.add_reversed(Reversal((("gen_ai.provider.name", "openai"),), 2.0, co2e_grams=0.5, energy_wh=1.5))
    await subject.shutdown()

    metrics = request_of(pipeline.taken[0]).resource_metrics[0].scope_metrics[0].metrics
    assert {metric.name: metric.sum.data_points[0].as_double for metric in metrics} == {
        "otel_carbon.calls.reversed": 2.0,
        "otel_carbon.co2e.reversed": 0.5,
        "otel_carbon.energy.reversed": 5400.0,
    }


def test_a_call_is_taken_back_once_whoever_says_so() -> None:
    tally = Config().tally()
    of_one = Reversal((), 1.0, 0.5, 1.0, span="0a" * 24)

    for reversal in (of_one, replace(of_one, co2e_grams=0.4), replace(of_one, span="0b" * 24), Reversal((), 1.0)):
        tally.add_reversed(reversal)

    sums = tally.snapshot()
    assert list(sums["otel_carbon.calls.reversed"].values()) == [3.0]
    assert list(sums["otel_carbon.co2e.reversed"].values()) == [1.0]


async def test_energy_and_operational_emissions_are_counted_by_grid() -> None:
    known = replace(FOOTPRINT, co2e_operational_grams=Interval(0.004, 0.0082, 0.03))
    hourly = replace(known, grid=Grid("IE", 301.0, "test", quality="measured"))
    elsewhere = replace(known, grid=Grid(None, None, None))  # the factor gives emissions, whatever the grid
    pipeline = MetricsPipeline()
    subject = connector(pipeline)
    await subject.start()
    subject.observe(
        traces(enriched(1, known), enriched(2, known, adjusted_count=4.0), enriched(3, hourly), enriched(4, elsewhere))
    )
    await subject.shutdown()

    metrics = {m.name: m for m in request_of(pipeline.taken[0]).resource_metrics[0].scope_metrics[0].metrics}
    france, ireland = (
        {"otel_carbon.grid.zone": "FR"},
        {
            "otel_carbon.grid.zone": "IE",
            "otel_carbon.grid.quality": "measured",
        },
    )
    assert points(metrics["otel_carbon.grid.energy"]) == [(ireland, 720.0), (france, 3600.0)]
    assert points(metrics["otel_carbon.grid.co2e"]) == [(ireland, 0.0082), (france, pytest.approx(0.041))]


async def test_the_cache_saved_what_the_same_call_would_have_used_without_it() -> None:
    estimator = Estimator(FactorTables.bundled())
    cached = Call(provider="openai", model="gpt-4o", usage=Usage(10, cache_read_tokens=1000, visible_output_tokens=5))
    anew = replace(cached, usage=Usage(1010, visible_output_tokens=5))
    either = replace(cached, usage_alternative=anew.usage)
    used, without = estimator.estimate(cached), estimator.estimate(anew)
    assert isinstance(used, Footprint)
    assert isinstance(without, Footprint)
    spans = (enriched(1, used, cached, adjusted_count=2.0), enriched(2, without, anew), enriched(3, used, either))

    counted = await what_is_counted(traces(*spans), estimator=estimator)

    grams = [one.co2e_grams.central for one in (used, without) if one.co2e_grams is not None]
    wh = [one.energy_wh.central for one in (used, without) if one.energy_wh is not None]
    assert counted["otel_carbon.cache.avoided.co2e"] == pytest.approx(2 * (grams[1] - grams[0]))
    assert counted["otel_carbon.cache.avoided.energy"] == pytest.approx(2 * (wh[1] - wh[0]) * 3600)
    assert "otel_carbon.cache.avoided.co2e" not in await what_is_counted(traces(*spans))


def points(metric: Any) -> list[tuple[dict[str, str], float]]:
    return [
        ({item.key: item.value.string_value for item in point.attributes}, point.as_double)
        for point in metric.sum.data_points
    ]


async def test_a_restarted_gateway_sends_under_the_same_name() -> None:
    names: list[str] = []
    for journal_id in ("one", "one", "another"):
        pipeline = MetricsPipeline()
        subject = connector(pipeline, journal_id=journal_id)
        await subject.start()
        subject.observe(traces(enriched(1)))
        await subject.shutdown()
        resource = request_of(pipeline.taken[0]).resource_metrics[0].resource
        names += [item.value.string_value for item in resource.attributes if item.key == "service.instance.id"]

    assert names[0] == names[1] != names[2]


def test_the_memo_forgets_the_oldest_only() -> None:
    memo = SpanMemo(capacity=2)
    spans = [bytes([number]) * 24 for number in range(5)]

    assert [memo.add(span) for span in spans] == [True] * 5
    assert [memo.add(span) for span in spans[2:]] == [False] * 3
    assert memo.add(spans[0]) is True


# ---- what is sent ---------------------------------------------------------------------------------------------------


async def test_the_request_is_a_cumulative_sum_with_everything_a_backend_needs() -> None:
    pipeline = MetricsPipeline()
    subject = connector(pipeline)
    await subject.start()
    subject.observe(traces(enriched(1)))
    await subject.shutdown()

    payload = pipeline.taken[0]
    resource_metrics = request_of(payload).resource_metrics[0]
    resource = {item.key: item.value.string_value for item in resource_metrics.resource.attributes}
    scope_metrics = resource_metrics.scope_metrics[0]
    metric = {metric.name: metric for metric in scope_metrics.metrics}["otel_carbon.co2e"]
    point = metric.sum.data_points[0]
    assert (payload.signal, payload.items) == (Signal.METRICS, 13)
    assert (resource["service.name"], len(resource["service.instance.id"])) == ("otel-carbon", 36)
    assert (scope_metrics.scope.name, scope_metrics.scope.version) == ("otel-carbon", __version__)
    assert (metric.unit, metric.sum.is_monotonic, metric.sum.aggregation_temporality) == ("g", True, 2)
    assert metric.description.startswith("Greenhouse-gas emissions of GenAI calls")
    assert 0 < point.start_time_unix_nano <= point.time_unix_nano
    assert {item.key: item.value.string_value for item in point.attributes} == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.response.model": "gpt-4o",
        "otel_carbon.region.name": "eu-west-3",
    }


async def test_what_is_beyond_the_cardinality_limit_is_marked_as_overflow() -> None:
    pipeline = MetricsPipeline()
    subject = connector(pipeline, cardinality_limit=1)
    await subject.start()
    subject.observe(traces(enriched(1)))
    await subject.shutdown()

    metrics = request_of(pipeline.taken[0]).resource_metrics[0].scope_metrics[0].metrics
    attribute = metrics[0].sum.data_points[0].attributes[0]
    assert (attribute.key, attribute.value.bool_value) == ("otel.metric.overflow", True)


async def test_nothing_is_sent_as_long_as_nothing_was_counted() -> None:
    assert await what_is_counted() == {}


async def test_it_sends_every_interval_from_one_start_time() -> None:
    pipeline = MetricsPipeline()
    subject = connector(pipeline, interval="1ms")
    await subject.start()
    subject.observe(traces(enriched(1)))
    while len(pipeline.taken) < 3:
        await pipeline.came.wait()
        pipeline.came.clear()
    await subject.shutdown()

    starts = {
        request_of(payload).resource_metrics[0].scope_metrics[0].metrics[0].sum.data_points[0].start_time_unix_nano
        for payload in pipeline.taken
    }
    assert len(starts) == 1


async def test_a_new_series_begins_at_zero() -> None:
    pipeline = MetricsPipeline()
    subject = connector(pipeline, interval="1ms")
    await subject.start()
    subject.observe(traces(enriched(1)))
    await pipeline.have(2)
    subject.observe(traces(enriched(2, call=replace(CALL, model="gpt-4o-mini"))))
    await pipeline.have(len(pipeline.taken) + 2)
    await subject.shutdown()

    sent: dict[str, list[float]] = {}
    for payload in pipeline.taken:
        for metric in request_of(payload).resource_metrics[0].scope_metrics[0].metrics:
            for attributes, value in points(metric) if metric.name == "otel_carbon.calls" else ():
                sent.setdefault(attributes["gen_ai.response.model"], []).append(value)
    assert sent["gpt-4o"][:2] == [0.0, 1.0]
    assert sent["gpt-4o-mini"][:2] == [0.0, 1.0]
    assert min(sent["gpt-4o"][1:]) == 1.0


async def test_an_emission_without_room_is_made_up_for(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    pipeline = MetricsPipeline()
    pipeline.error = UnavailableError("the journal is full")
    subject = connector(pipeline, interval="1ms")
    await subject.start()
    subject.observe(traces(enriched(1)))
    await pipeline.came.wait()
    pipeline.error = None
    await subject.shutdown()

    assert "the journal is full" in caplog.messages[0]
    assert len(pipeline.taken) >= 1


async def test_a_fault_in_the_pipeline_is_logged_and_does_not_stop_the_shutdown(
    caplog: pytest.LogCaptureFixture,
) -> None:
    pipeline = MetricsPipeline()
    pipeline.error = ZeroDivisionError()
    subject = connector(pipeline, interval="1ms")
    await subject.start()
    subject.observe(traces(enriched(1)))
    await pipeline.came.wait()
    pipeline.error = None
    await asyncio.sleep(0)
    await subject.shutdown()

    assert caplog.messages == ["the carbon metrics stopped"]
    assert len(pipeline.taken) == 1


# ---- life cycle and config ------------------------------------------------------------------------------------------


async def test_shutdown_is_safe_before_start_and_twice() -> None:
    subject = connector(MetricsPipeline())

    await subject.shutdown()
    await subject.start()
    await subject.shutdown()
    await subject.shutdown()


def test_it_needs_a_metrics_pipeline() -> None:
    with pytest.raises(ConfigError, match="name it as a receiver of a metrics pipeline"):
        FACTORY.create(Config(), Settings("carbon_metrics", {}, {"tallies": []}))


async def test_the_distribution_of_single_calls_has_an_example_that_points_at_its_span() -> None:
    pipeline = MetricsPipeline()
    subject = connector(pipeline, histogram=True)
    await subject.start()
    subject.observe(traces(enriched(1), enriched(2), enriched(3, NotEstimated(Status.NO_USAGE, "none"))))
    await subject.shutdown()

    metrics = request_of(pipeline.taken[-1]).resource_metrics[0].scope_metrics[0].metrics
    (histogram,) = [metric for metric in metrics if metric.name == "otel_carbon.operation.co2e"]
    (point,) = histogram.histogram.data_points
    assert (histogram.unit, histogram.histogram.aggregation_temporality) == ("g", 2)
    assert (point.count, point.sum) == (2, pytest.approx(0.04))
    assert tuple(point.explicit_bounds) == METRICS["otel_carbon.operation.co2e"].bucket_boundaries
    at = point.bucket_counts[:].index(2)
    assert point.explicit_bounds[at - 1] < 0.02 <= point.explicit_bounds[at]
    (exemplar,) = point.exemplars
    assert (exemplar.trace_id.hex(), exemplar.span_id.hex()) == ("ab" * 16, f"{2:016x}")
    assert (exemplar.as_double, exemplar.time_unix_nano) == (0.02, 2)


async def test_without_the_switch_there_is_no_distribution() -> None:
    assert "otel_carbon.operation.co2e" not in await what_is_counted(traces(enriched(1)))


async def test_tenants_are_told_apart_when_that_is_asked_for_up_to_a_limit() -> None:
    pipeline = MetricsPipeline()
    subject = connector(pipeline, metrics_attributes=("tenant",), attribute_limit=2)
    await subject.start()
    for number, tenant in enumerate(["a", "b", "c", "d", None, "a"]):
        seen = enriched(number + 1)
        sighting = replace(seen.sighting, attribution=Attribution(tenant=tenant, user="somebody"))
        subject.observe(traces(replace(seen, sighting=sighting)))
    await subject.shutdown()

    metrics = request_of(pipeline.taken[-1]).resource_metrics[0].scope_metrics[0].metrics
    (co2e,) = [metric for metric in metrics if metric.name == "otel_carbon.co2e"]
    of_tenants = {
        {item.key: item.value.string_value for item in point.attributes}.get("otel_carbon.tenant"): point.as_double
        for point in co2e.sum.data_points
    }
    assert of_tenants == {
        "a": pytest.approx(0.04),
        "b": pytest.approx(0.02),
        "otel_carbon.overflow": pytest.approx(0.04),
        None: pytest.approx(0.02),
    }


def test_wrong_settings_are_refused() -> None:
    with pytest.raises(ConfigError, match="metrics_attributes: 'user' is none of service, environment, tenant"):
        Config(metrics_attributes=("user",))
    with pytest.raises(ConfigError, match="attribute_limit must be at least 1"):
        Config(attribute_limit=0)
    with pytest.raises(ConfigError, match="interval must be longer"):
        Config(interval="0s")
    with pytest.raises(ConfigError, match="remembered_spans must be at least 1"):
        Config(remembered_spans=0)
    with pytest.raises(ConfigError, match="temporality must be cumulative or delta, not 'lowmemory'"):
        Config(temporality="lowmemory")


async def test_deltas_add_up_to_what_the_cumulative_sums_are_whatever_found_no_room() -> None:
    pipeline = MetricsPipeline()
    subject = connector(pipeline, interval="1ms", temporality="delta", histogram=True)
    await subject.start()
    for number in range(1, 7):
        pipeline.error = UnavailableError("the journal is full") if number % 2 else None
        pipeline.came.clear()
        subject.observe(traces(enriched(number), enriched(number)))
        await pipeline.came.wait()
    pipeline.error = None
    await subject.shutdown()

    requests = [request_of(payload).resource_metrics[0].scope_metrics[0].metrics for payload in pipeline.taken]
    co2e = [metric.sum for request in requests for metric in request if metric.name == "otel_carbon.co2e"]
    calls = [metric.histogram for request in requests for metric in request if metric.histogram.data_points]
    assert {data.aggregation_temporality for data in (*co2e, *calls)} == {1}
    assert sum(data.data_points[0].as_double for data in co2e) == pytest.approx(6 * 0.02)
    assert sum(data.data_points[0].count for data in calls) == 6
    assert sum(data.data_points[0].sum for data in calls) == pytest.approx(6 * 0.02)
    # No time is left out between two of them, and none is in both.
    times = [(data.data_points[0].start_time_unix_nano, data.data_points[0].time_unix_nano) for data in co2e]
    assert len(times) > 1
    assert all(end == start for (_, end), (start, _) in itertools.pairwise(times))


async def test_a_series_without_growth_is_left_out_of_a_delta() -> None:
    pipeline = MetricsPipeline()
    subject = connector(pipeline, interval="1ms", temporality="delta")
    await subject.start()
    subject.observe(traces(enriched(1)))
    await pipeline.came.wait()
    sent = len(pipeline.taken)
    await asyncio.sleep(0.02)
    await subject.shutdown()

    assert (sent, len(pipeline.taken)) == (1, 1)


class Clock:
    """Stands for the module `time`."""

    def __init__(self) -> None:
        self.unix_nano = 1000

    def time_ns(self) -> int:
        return self.unix_nano


@pytest.mark.parametrize("temporality", ["cumulative", "delta"])
async def test_no_sum_ends_before_it_begins_when_the_clock_is_set_back(
    monkeypatch: pytest.MonkeyPatch, temporality: str
) -> None:
    clock, pipeline = Clock(), MetricsPipeline()
    monkeypatch.setattr(carbon_metrics, "time", clock)
    subject = connector(pipeline, interval="1ms", temporality=temporality)
    await subject.start()
    for span, at_unix_nano in enumerate((2000, 10, 20, 30), 1):
        clock.unix_nano = at_unix_nano
        subject.observe(traces(enriched(span)))
        pipeline.error = UnavailableError("the journal is full") if at_unix_nano == 10 else None
        await pipeline.emissions(3 if temporality == "cumulative" else 1)
    await subject.shutdown()

    ends: dict[int, float] = {}
    for payload in pipeline.taken:
        sums = {each.name: each.sum for each in request_of(payload).resource_metrics[0].scope_metrics[0].metrics}
        for one in sums["otel_carbon.calls"].data_points:
            assert one.start_time_unix_nano <= one.time_unix_nano
            began = one.start_time_unix_nano
            ends[began] = one.as_double + (ends.get(began, 0.0) if temporality == "delta" else 0.0)
    assert sum(ends.values()) == 4.0
    assert max(ends) >= 1000 > min(ends)
