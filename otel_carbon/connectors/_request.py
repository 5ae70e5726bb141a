"""The carbon counters as one OTLP metrics request."""

from __future__ import annotations

from collections.abc import Mapping

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, InstrumentationScope, KeyValue
from opentelemetry.proto.metrics.v1.metrics_pb2 import (
    AggregationTemporality,
    Exemplar,
    Histogram,
    HistogramDataPoint,
    Metric,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
    Sum,
)
from opentelemetry.proto.resource.v1.resource_pb2 import Resource

from otel_carbon._version import __version__
from otel_carbon.connectors._distribution import BOUNDS_GRAMS, Distribution
from otel_carbon.pipeline.pdata import Payload, Signal
from otel_carbon.pipeline.sums import AttributeSet
from otel_carbon.pipeline.tally import OVERFLOW
from otel_carbon.semconv.carbon import METRIC_OTEL_CARBON_OPERATION_CO2E, METRICS

__all__ = ["metrics_payload"]

Snapshot = Mapping[str, Mapping[AttributeSet, float]]
_TRACE_ID_BYTES = 16


def metrics_payload(
    snapshot: Snapshot,
    distributions: Mapping[AttributeSet, Distribution],
    *,
    instance_id: str,
    start_unix_nano: int,
    now_unix_nano: int,
    temporality: AggregationTemporality.ValueType = AggregationTemporality.AGGREGATION_TEMPORALITY_CUMULATIVE,
) -> Payload | None:
    """Return monotonic sums from `start_unix_nano` to now, or None when nothing was counted."""
    metrics = [
        _metric(name, points, start_unix_nano, now_unix_nano) for name, points in sorted(snapshot.items()) if points
    ]
    if distributions:
        metrics.append(_histogram(distributions, start_unix_nano, now_unix_nano))
    for metric in metrics:
        data: Sum | Histogram = metric.histogram if metric.HasField("histogram") else metric.sum
        data.aggregation_temporality = temporality
    if not metrics:
        return None
    scope = InstrumentationScope(name="otel-carbon", version=__version__)
    resource = {"service.name": "otel-carbon", "service.version": __version__, "service.instance.id": instance_id}
    request = ExportMetricsServiceRequest(
        resource_metrics=[
            ResourceMetrics(
                resource=Resource(attributes=[_key_value(key, value) for key, value in resource.items()]),
                scope_metrics=[ScopeMetrics(scope=scope, metrics=metrics)],
            )
        ]
    )
    items = sum(len(metric.sum.data_points) + len(metric.histogram.data_points) for metric in metrics)
    return Payload(Signal.METRICS, request.SerializeToString(), items)


def _metric(name: str, points: Mapping[AttributeSet, float], start_unix_nano: int, now_unix_nano: int) -> Metric:
    meaning = METRICS[name]
    return Metric(
        name=name,
        unit=meaning.unit,
        description=meaning.brief,
        sum=Sum(
            is_monotonic=True,
            data_points=[
                NumberDataPoint(
                    attributes=_attributes(attributes),
                    start_time_unix_nano=start_unix_nano,
                    time_unix_nano=now_unix_nano,
                    as_double=value,
                )
                for attributes, value in sorted(points.items())
            ],
        ),
    )


def _histogram(distributions: Mapping[AttributeSet, Distribution], start_unix_nano: int, now_unix_nano: int) -> Metric:
    meaning = METRICS[METRIC_OTEL_CARBON_OPERATION_CO2E]
    points = [
        HistogramDataPoint(
            attributes=_attributes(attributes),
            start_time_unix_nano=start_unix_nano,
            time_unix_nano=now_unix_nano,
            count=sum(distribution.counts),
            sum=distribution.sum_grams,
            bucket_counts=distribution.counts,
            explicit_bounds=BOUNDS_GRAMS,
            exemplars=_exemplars(distribution),
        )
        for attributes, distribution in sorted(distributions.items(), key=lambda each: each[0])
    ]
    return Metric(
        name=meaning.name, unit=meaning.unit, description=meaning.brief, histogram=Histogram(data_points=points)
    )


def _exemplars(distribution: Distribution) -> list[Exemplar]:
    if distribution.example is None:
        return []
    span, co2e_grams, ended_unix_nano = distribution.example
    return [
        Exemplar(
            trace_id=span[:_TRACE_ID_BYTES],
            span_id=span[_TRACE_ID_BYTES:],
            as_double=co2e_grams,
            time_unix_nano=ended_unix_nano,
        )
    ]


def _attributes(attributes: AttributeSet) -> list[KeyValue]:
    if attributes == OVERFLOW:  # the specification has it as a boolean
        return [KeyValue(key=key, value=AnyValue(bool_value=True)) for key, _ in attributes]
    return [_key_value(key, value) for key, value in attributes]


def _key_value(key: str, value: str) -> KeyValue:
    return KeyValue(key=key, value=AnyValue(string_value=value))
