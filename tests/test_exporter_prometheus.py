"""OTLP metrics go in, and a scrape reads the same numbers out."""

from __future__ import annotations

import gzip
import logging
import math
import socket
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue
from opentelemetry.proto.metrics.v1.metrics_pb2 import (
    ExponentialHistogram,
    ExponentialHistogramDataPoint,
    Gauge,
    Histogram,
    HistogramDataPoint,
    Metric,
    NumberDataPoint,
    Sum,
    Summary,
    SummaryDataPoint,
)
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families

from otel_carbon.errors import ConfigError, PermanentExportError
from otel_carbon.exporters._prom_store import FamilyStore
from otel_carbon.exporters.prometheus import FACTORY, Config, PrometheusExporter
from otel_carbon.pipeline.component import JournalEntry, Settings
from otel_carbon.pipeline.pdata import Payload, Signal

DELTA, CUMULATIVE = 1, 2
NO_RECORDED_VALUE = 1
Samples = dict[tuple[str, ...], float]


class Counts:
    def __init__(self) -> None:
        self.values: dict[str, float] = {}

    def count(self, name: str, value: float = 1.0, **labels: str) -> None:
        assert name == "exporter_dropped_metric_points"
        assert labels["exporter"] == "prometheus/test"
        self.values[labels["reason"]] = self.values.get(labels["reason"], 0) + value


@pytest.fixture
def counts() -> Counts:
    return Counts()


@pytest.fixture
async def exporter(counts: Counts) -> AsyncIterator[PrometheusExporter]:
    exporter = FACTORY.create(Config("127.0.0.1:0"), Settings("prometheus/test", {}, {"telemetry": counts}))
    await exporter.start()
    yield exporter
    await exporter.shutdown()


def attributes(**values: Any) -> list[KeyValue]:
    return [KeyValue(key=key.replace("__", "."), value=AnyValue(string_value=value)) for key, value in values.items()]


async def push(exporter: PrometheusExporter, *metrics: Metric, scope: str = "", **resource: str) -> None:
    request = ExportMetricsServiceRequest()
    resource_metrics = request.resource_metrics.add()
    resource_metrics.resource.attributes.extend(attributes(**resource))
    scope_metrics = resource_metrics.scope_metrics.add()
    scope_metrics.scope.name = scope
    scope_metrics.metrics.extend(metrics)
    await exporter.export([JournalEntry(1, 0, Payload(Signal.METRICS, request.SerializeToString(), 1))])


async def page(exporter: PrometheusExporter, accept: str = "") -> str:
    assert exporter.url is not None
    async with (
        aiohttp.ClientSession() as session,
        session.get(exporter.url, headers={"Accept": accept} if accept else {}) as response,
    ):
        assert response.status == 200
        return await response.text()


async def scrape(exporter: PrometheusExporter) -> Samples:
    """Return (name, label, value, …) -> value."""
    return {
        (sample.name, *(text for pair in sorted(sample.labels.items()) for text in pair)): sample.value
        for family in text_string_to_metric_families(await page(exporter))
        for sample in family.samples
    }


def counter(*points: NumberDataPoint, temporality: int = CUMULATIVE, monotonic: bool = True) -> Metric:
    data = Sum(data_points=points, aggregation_temporality=temporality, is_monotonic=monotonic)  # type: ignore[arg-type]
    return Metric(name="otel_carbon.co2e", unit="g", description="Emissions.", sum=data)


def point(value: float, start: int = 1, at: int = 2, **labels: str) -> NumberDataPoint:
    return NumberDataPoint(
        attributes=attributes(**labels), start_time_unix_nano=start, time_unix_nano=at, as_double=value
    )


CO2E = "otel_carbon_co2e_grams_total"


# ---- sums -----------------------------------------------------------------------------------------------------------


async def test_a_cumulative_sum_is_a_counter_with_its_newest_value(exporter: PrometheusExporter) -> None:
    await push(exporter, counter(point(1.5, gen_ai__provider__name="openai")))
    await push(exporter, counter(point(2.5, at=3, gen_ai__provider__name="openai")))

    assert await scrape(exporter) == {(CO2E, "gen_ai_provider_name", "openai"): 2.5}
    assert (await page(exporter)).startswith(
        "# HELP otel_carbon_co2e_grams_total Emissions.\n# TYPE otel_carbon_co2e_grams_total counter\n"
    )


async def test_a_delta_sum_is_added_up(exporter: PrometheusExporter) -> None:
    await push(exporter, counter(point(1.5), temporality=DELTA))
    await push(exporter, counter(point(0.25, start=2, at=3), temporality=DELTA))

    assert await scrape(exporter) == {(CO2E,): 1.75}


async def test_workers_that_share_their_labels_are_added_up(exporter: PrometheusExporter) -> None:
    """Two processes of one service, told apart by nothing but when they started, report in turns."""
    for turn in range(1, 4):
        await push(exporter, counter(point(10.0 * turn, start=1, at=10 * turn)), service__name="shop")
        await push(exporter, counter(point(1.0 * turn, start=2, at=10 * turn + 1)), service__name="shop")

    assert await scrape(exporter) == {(CO2E, "job", "shop"): 33.0}


async def test_a_restart_adds_to_what_was_counted_before(exporter: PrometheusExporter) -> None:
    await push(exporter, counter(point(10.0, start=1, at=2)))
    await push(exporter, counter(point(3.0, start=5, at=6)))

    assert await scrape(exporter) == {(CO2E,): 13.0}


async def test_a_value_that_falls_without_a_new_start_is_a_restart(exporter: PrometheusExporter) -> None:
    await push(exporter, counter(point(10.0, at=2)))
    await push(exporter, counter(point(3.0, at=3)))

    assert await scrape(exporter) == {(CO2E,): 13.0}


async def test_a_point_that_comes_late_changes_nothing(exporter: PrometheusExporter) -> None:
    await push(exporter, counter(point(10.0, at=5)))
    await push(exporter, counter(point(7.0, at=4)))

    assert await scrape(exporter) == {(CO2E,): 10.0}


async def test_a_sender_whose_clock_is_set_back_goes_on_counting(exporter: PrometheusExporter) -> None:
    await push(exporter, counter(point(10.0, at=500)))
    for value in (11.0, 12.0):
        await push(exporter, counter(point(value, at=round(value))))

    assert await scrape(exporter) == {(CO2E,): 12.0}


async def test_thousands_of_restarts_lose_nothing(exporter: PrometheusExporter) -> None:
    for start in range(1, 2001):
        await push(exporter, counter(point(1.0, start=start, at=start + 1)))

    assert await scrape(exporter) == {(CO2E,): 2000.0}


async def test_a_sum_that_can_fall_is_a_gauge(exporter: PrometheusExporter) -> None:
    await push(exporter, counter(point(5.0, at=2), monotonic=False))
    await push(exporter, counter(point(3.0, at=3), monotonic=False))

    assert await scrape(exporter) == {("otel_carbon_co2e_grams",): 3.0}


async def test_a_sum_of_unknown_temporality_is_dropped_and_counted(
    exporter: PrometheusExporter, counts: Counts, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)

    for _ in range(2):
        await push(exporter, counter(point(1.0), temporality=0))

    assert await scrape(exporter) == {}
    assert counts.values == {"it does not say whether it is cumulative or delta": 2}
    assert len(caplog.messages) == 1


# ---- senders --------------------------------------------------------------------------------------------------------


async def test_the_service_becomes_job_and_instance_and_the_rest_target_info(exporter: PrometheusExporter) -> None:
    for instance, value in (("a", 1.0), ("b", 2.0)):
        await push(
            exporter,
            counter(point(value)),
            scope="otel-carbon",
            service__name="checkout",
            service__namespace="shop",
            service__instance__id=instance,
            cloud__region="eu-west-3",
        )

    assert await scrape(exporter) == {
        (CO2E, "instance", "a", "job", "shop/checkout", "otel_scope_name", "otel-carbon"): 1.0,
        (CO2E, "instance", "b", "job", "shop/checkout", "otel_scope_name", "otel-carbon"): 2.0,
        ("target_info", "cloud_region", "eu-west-3", "instance", "a", "job", "shop/checkout"): 1.0,
        ("target_info", "cloud_region", "eu-west-3", "instance", "b", "job", "shop/checkout"): 1.0,
    }


def gauge(value: float, at: int = 1) -> Metric:
    return Metric(name="load", gauge=Gauge(data_points=[NumberDataPoint(as_double=value, time_unix_nano=at)]))


async def test_gauges_that_hide_each_other_are_reported(exporter: PrometheusExporter, counts: Counts) -> None:
    for turn in range(3):
        await push(exporter, gauge(1.0, at=turn), service__name="shop", host__name="a")
        await push(exporter, gauge(2.0, at=turn), service__name="shop", host__name="b")

    assert (await scrape(exporter))["load", "job", "shop"] == 2.0
    assert counts.values == {"two senders have the same labels; give each a service.instance.id": 4}


async def test_a_gauge_of_a_new_process_is_not_reported(exporter: PrometheusExporter, counts: Counts) -> None:
    await push(exporter, gauge(1.0), service__name="shop", process__pid="1")
    for at in (2, 3):
        await push(exporter, gauge(2.0, at=at), service__name="shop", process__pid="2")

    assert counts.values == {}


async def test_a_name_that_two_kinds_want_belongs_to_the_first(exporter: PrometheusExporter, counts: Counts) -> None:
    await push(exporter, gauge(1.0))
    summary = SummaryDataPoint(count=1, sum=1.0)
    await push(exporter, Metric(name="load", summary=Summary(data_points=[summary])))

    assert await scrape(exporter) == {("load",): 1.0}
    assert counts.values == {"another metric of a different kind has its name": 1}


# ---- other kinds ----------------------------------------------------------------------------------------------------


async def test_a_gauge_shows_integers_and_doubles_and_leaves_out_what_has_no_value(
    exporter: PrometheusExporter,
) -> None:
    points = [
        NumberDataPoint(attributes=attributes(kind="int"), as_int=7),
        NumberDataPoint(attributes=attributes(kind="nan"), as_double=math.nan),
        NumberDataPoint(attributes=attributes(kind="gone"), flags=NO_RECORDED_VALUE),
    ]

    await push(exporter, Metric(name="load", gauge=Gauge(data_points=points)))

    found = await scrape(exporter)
    assert found["load", "kind", "int"] == 7.0
    assert math.isnan(found["load", "kind", "nan"])
    assert len(found) == 2


async def test_attributes_that_are_no_text_are_json(exporter: PrometheusExporter) -> None:
    many = AnyValue(array_value=ArrayValue(values=[AnyValue(int_value=1), AnyValue(string_value="x")]))
    given = [
        KeyValue(key="flag", value=AnyValue(bool_value=True)),
        KeyValue(key="many", value=many),
        KeyValue(key="raw", value=AnyValue(bytes_value=b"\x00")),
        KeyValue(key="unset", value=AnyValue()),
    ]

    await push(exporter, Metric(name="load", gauge=Gauge(data_points=[NumberDataPoint(attributes=given, as_int=1)])))

    assert await scrape(exporter) == {("load", "flag", "true", "many", '[1,"x"]', "raw", "AA==", "unset", ""): 1.0}


def histogram(*counts: int, total: float, temporality: int, bounds: tuple[float, ...] = (0.1, 1.0)) -> Metric:
    data_point = HistogramDataPoint(
        count=sum(counts), sum=total, bucket_counts=counts, explicit_bounds=bounds, start_time_unix_nano=1
    )
    data = Histogram(data_points=[data_point], aggregation_temporality=temporality)  # type: ignore[arg-type]
    return Metric(name="otel_carbon.operation.co2e", unit="g", histogram=data)


HISTOGRAM = "otel_carbon_operation_co2e_grams"


@pytest.mark.parametrize(("temporality", "factor"), [(CUMULATIVE, 1), (DELTA, 2)])
async def test_a_histogram_has_cumulative_buckets(exporter: PrometheusExporter, temporality: int, factor: int) -> None:
    for _ in range(2):
        await push(exporter, histogram(3, 2, 1, total=4.5, temporality=temporality))

    assert await scrape(exporter) == {
        (f"{HISTOGRAM}_bucket", "le", "0.1"): 3.0 * factor,
        (f"{HISTOGRAM}_bucket", "le", "1.0"): 5.0 * factor,
        (f"{HISTOGRAM}_bucket", "le", "+Inf"): 6.0 * factor,
        (f"{HISTOGRAM}_count",): 6.0 * factor,
        (f"{HISTOGRAM}_sum",): 4.5 * factor,
    }


async def test_a_histogram_without_buckets_has_a_count_and_a_sum(exporter: PrometheusExporter) -> None:
    data = Histogram(data_points=[HistogramDataPoint(count=4, sum=2.0)], aggregation_temporality=CUMULATIVE)  # type: ignore[arg-type]

    await push(exporter, Metric(name="h", histogram=data))

    assert await scrape(exporter) == {("h_bucket", "le", "+Inf"): 4.0, ("h_count",): 4.0, ("h_sum",): 2.0}


async def test_a_histogram_with_new_bounds_begins_anew(exporter: PrometheusExporter) -> None:
    await push(exporter, histogram(3, 2, 1, total=4.5, temporality=DELTA))
    await push(exporter, histogram(1, 1, total=2.0, temporality=DELTA, bounds=(5.0,)))

    assert (await scrape(exporter))[f"{HISTOGRAM}_count",] == 2.0


async def test_a_histogram_whose_buckets_do_not_fit_is_dropped_and_counted(
    exporter: PrometheusExporter, counts: Counts
) -> None:
    await push(exporter, histogram(1, 1, total=2.0, temporality=CUMULATIVE))

    assert await scrape(exporter) == {}
    assert counts.values == {"its buckets do not fit its bounds": 1}


def exponential(temporality: int) -> Metric:
    """Scale 0: bucket i ends at 2**(i+1). Negative ones mirror it."""
    buckets = ExponentialHistogramDataPoint.Buckets
    data_point = ExponentialHistogramDataPoint(
        count=16,
        sum=21.0,
        scale=0,
        zero_count=4,
        zero_threshold=0.5,
        positive=buckets(offset=0, bucket_counts=[1, 0, 2]),
        negative=buckets(offset=1, bucket_counts=[8, 1]),
    )
    data = ExponentialHistogram(data_points=[data_point], aggregation_temporality=temporality)  # type: ignore[arg-type]
    return Metric(name="e", exponential_histogram=data)


async def test_a_cumulative_exponential_histogram_becomes_a_classic_one(exporter: PrometheusExporter) -> None:
    await push(exporter, exponential(CUMULATIVE))

    assert await scrape(exporter) == {
        ("e_bucket", "le", "-4.0"): 1.0,
        ("e_bucket", "le", "-2.0"): 9.0,
        ("e_bucket", "le", "0.5"): 13.0,
        ("e_bucket", "le", "2.0"): 14.0,
        ("e_bucket", "le", "4.0"): 14.0,
        ("e_bucket", "le", "8.0"): 16.0,
        ("e_bucket", "le", "+Inf"): 16.0,
        ("e_count",): 16.0,
        ("e_sum",): 21.0,
    }


async def test_a_delta_exponential_histogram_is_dropped_and_counted(
    exporter: PrometheusExporter, counts: Counts
) -> None:
    await push(exporter, exponential(DELTA))

    assert await scrape(exporter) == {}
    assert counts.values == {"an exponential histogram must be cumulative": 1}


async def test_a_summary_keeps_its_quantiles(exporter: PrometheusExporter) -> None:
    quantile = SummaryDataPoint.ValueAtQuantile(quantile=0.99, value=3.0)
    data = Summary(data_points=[SummaryDataPoint(count=2, sum=4.0, quantile_values=[quantile])])

    await push(exporter, Metric(name="s", summary=data))

    assert await scrape(exporter) == {("s", "quantile", "0.99"): 3.0, ("s_count",): 2.0, ("s_sum",): 4.0}


async def test_a_metric_without_data_is_dropped_and_counted(exporter: PrometheusExporter, counts: Counts) -> None:
    await push(exporter, Metric(name="nothing"))

    assert counts.values == {"it has no data of a known kind": 1}


# ---- the page -------------------------------------------------------------------------------------------------------


async def test_openmetrics_is_spoken_when_it_is_asked_for(exporter: PrometheusExporter) -> None:
    await push(exporter, counter(point(2.5)), histogram(3, 2, 1, total=4.5, temporality=CUMULATIVE))

    text = await page(exporter, "application/openmetrics-text;version=1.0.0")

    families = {family.name: family.type for family in parse_openmetrics(text)}
    assert families == {"otel_carbon_co2e_grams": "counter", HISTOGRAM: "histogram"}


async def test_the_page_is_compressed_for_a_scraper_that_takes_gzip(exporter: PrometheusExporter) -> None:
    await push(exporter, counter(point(2.5)))
    assert exporter.url is not None

    async with (
        aiohttp.ClientSession(auto_decompress=False) as session,
        session.get(exporter.url, headers={"Accept-Encoding": "gzip"}) as response,
    ):
        assert b"otel_carbon_co2e_grams_total 2.5" in gzip.decompress(await response.read())


async def test_text_that_is_not_utf_8_is_given_up_and_its_neighbours_are_not(exporter: PrometheusExporter) -> None:
    request = ExportMetricsServiceRequest()
    request.resource_metrics.add().scope_metrics.add().metrics.append(gauge(1.0))
    good = request.SerializeToString()
    entries = [
        JournalEntry(1, 0, Payload(Signal.METRICS, good.replace(b"load", b"\xff\xff\xff\xff"), 3)),
        JournalEntry(2, 0, Payload(Signal.METRICS, good, 1)),
    ]

    with pytest.raises(PermanentExportError, match="not UTF-8") as caught:
        await exporter.export(entries)

    assert caught.value.failed_items == 3
    assert await scrape(exporter) == {("load",): 1.0}


def test_a_series_that_nobody_sends_disappears() -> None:
    now_s = 1000.0
    store = FamilyStore(300.0, lambda: now_s, lambda points, reason: None)  # noqa: ARG005  nothing is dropped here
    family = store.family("old", "counter", "")
    assert family is not None
    family.accumulated((), None, now_s).add([1.0], now_s)

    now_s = 1300.0
    assert [metric.name for metric in store.collect()] == ["old"]
    now_s = 1300.1
    assert list(store.collect()) == []


def test_without_an_expiration_a_series_stays() -> None:
    store = FamilyStore(0.0, lambda: 1e9, lambda points, reason: None)  # noqa: ARG005  nothing is dropped here
    family = store.family("old", "counter", "")
    assert family is not None
    family.accumulated((), None, 0.0).add([1.0], 0.0)

    assert [metric.name for metric in store.collect()] == ["old"]


# ---- life cycle and config ------------------------------------------------------------------------------------------


async def test_series_beyond_the_limit_are_dropped_and_counted_and_known_ones_go_on(counts: Counts) -> None:
    config = Config("127.0.0.1:0", cardinality_limit=2)
    exporter = FACTORY.create(config, Settings("prometheus/test", {}, {"telemetry": counts}))
    await exporter.start()
    for value in (1.0, 5.0):
        points = [
            NumberDataPoint(as_double=value, time_unix_nano=int(value), attributes=attributes(user=user))
            for user in "abc"
        ]
        await push(exporter, Metric(name="load", gauge=Gauge(data_points=points)), service__name="shop", host="x")
    text = await page(exporter)
    await exporter.shutdown()

    assert [line for line in text.splitlines() if line.startswith("load{")] == [
        'load{job="shop",user="a"} 5.0',
        'load{job="shop",user="b"} 5.0',
    ]
    assert counts.values == {"it has 2 series already; send fewer attributes or raise cardinality_limit": 2}


async def test_shutdown_is_safe_before_start_and_twice() -> None:
    exporter = PrometheusExporter(Config("127.0.0.1:0"), Settings("prometheus", {}, {}))

    await exporter.shutdown()
    await exporter.start()
    await exporter.shutdown()
    await exporter.shutdown()


async def test_a_taken_port_is_an_error_that_names_it() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        endpoint = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(ConfigError, match=f"endpoint: cannot listen on {endpoint}"):
            await PrometheusExporter(Config(endpoint), Settings("prometheus", {}, {})).start()


def test_wrong_settings_are_refused() -> None:
    with pytest.raises(ConfigError, match="cardinality_limit: -1 is below 0; 0 shows all series"):
        Config(cardinality_limit=-1)
    with pytest.raises(ConfigError, match="endpoint: 'here' is not an address"):
        Config("here")
    with pytest.raises(ConfigError, match="metric_expiration: 'never' is not a duration"):
        Config(metric_expiration="never")
