"""One OTLP metric, read as what Prometheus can show."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeVar

from opentelemetry.proto.metrics.v1.metrics_pb2 import (
    AggregationTemporality,
    DataPointFlags,
    ExponentialHistogramDataPoint,
    HistogramDataPoint,
    Metric,
    NumberDataPoint,
    SummaryDataPoint,
)

from otel_carbon.exporters._prom_attributes import attribute_texts
from otel_carbon.exporters._prom_exponential import classic_buckets
from otel_carbon.exporters._prom_series import Sample

__all__ = ["Counted", "Reading", "Readings", "Shown", "read_metric"]

_CUMULATIVE = AggregationTemporality.AGGREGATION_TEMPORALITY_CUMULATIVE
_DELTA = AggregationTemporality.AGGREGATION_TEMPORALITY_DELTA
_NO_VALUE = DataPointFlags.DATA_POINT_FLAGS_NO_RECORDED_VALUE_MASK
_NO_TEMPORALITY = "it does not say whether it is cumulative or delta"
_DELTA_EXPONENTIAL = "an exponential histogram must be cumulative"
_ODD_BUCKETS = "its buckets do not fit its bounds"

_Point = NumberDataPoint | HistogramDataPoint | ExponentialHistogramDataPoint | SummaryDataPoint
_P = TypeVar("_P", NumberDataPoint, HistogramDataPoint, ExponentialHistogramDataPoint, SummaryDataPoint)


@dataclass(frozen=True, slots=True)
class Counted:
    """Values that add up: one of a counter, or the sum of a histogram and then the count of each bucket."""

    values: tuple[float, ...]
    bounds: tuple[float, ...] | None
    is_delta: bool


@dataclass(frozen=True, slots=True)
class Shown:
    """Samples of which the newest stand."""

    samples: tuple[Sample, ...]


@dataclass(frozen=True, slots=True)
class Reading:
    """One data point."""

    attributes: tuple[tuple[str, str], ...]
    start_unix_nano: int
    at_unix_nano: int
    value: Counted | Shown


@dataclass(frozen=True, slots=True)
class Readings:
    """The data points of one metric. `kind` is counter, gauge, histogram or summary.

    `dropped` is how many points cannot be shown, and `reason` why.
    """

    kind: str
    points: tuple[Reading, ...] = ()
    dropped: int = 0
    reason: str = ""


def read_metric(metric: Metric) -> Readings:
    """Return what of a metric can be shown. Points that say that they have no value are left out."""
    match metric.WhichOneof("data"):
        case "gauge":
            return _gauge(metric.gauge.data_points)
        case "sum":
            return _sum(metric)
        case "histogram":
            return _histogram(metric)
        case "exponential_histogram":
            return _exponential_histogram(metric)
        case "summary":
            points = _valued(metric.summary.data_points)
            return Readings("summary", tuple(_reading(point, Shown(_quantiles(point))) for point in points))
        case _:
            return Readings("gauge", dropped=1, reason="it has no data of a known kind")


def _gauge(points: Iterable[NumberDataPoint]) -> Readings:
    return Readings("gauge", tuple(_reading(point, Shown((("", (), _number(point)),))) for point in _valued(points)))


def _sum(metric: Metric) -> Readings:
    points, temporality = _valued(metric.sum.data_points), metric.sum.aggregation_temporality
    if temporality not in {_CUMULATIVE, _DELTA}:
        return Readings("counter", dropped=len(points), reason=_NO_TEMPORALITY)
    is_delta = temporality == _DELTA
    if not metric.sum.is_monotonic and not is_delta:
        return _gauge(points)
    kind = "counter" if metric.sum.is_monotonic else "gauge"
    return Readings(kind, tuple(_reading(point, Counted((_number(point),), None, is_delta)) for point in points))


def _histogram(metric: Metric) -> Readings:
    points, temporality = _valued(metric.histogram.data_points), metric.histogram.aggregation_temporality
    if temporality not in {_CUMULATIVE, _DELTA}:
        return Readings("histogram", dropped=len(points), reason=_NO_TEMPORALITY)
    fitting = [point for point in points if len(_bucket_counts(point)) == len(point.explicit_bounds) + 1]
    readings = tuple(
        _reading(
            point, Counted((point.sum, *_bucket_counts(point)), tuple(point.explicit_bounds), temporality == _DELTA)
        )
        for point in fitting
    )
    return Readings("histogram", readings, len(points) - len(fitting), _ODD_BUCKETS)


def _exponential_histogram(metric: Metric) -> Readings:
    points = _valued(metric.exponential_histogram.data_points)
    if metric.exponential_histogram.aggregation_temporality != _CUMULATIVE:
        return Readings("histogram", dropped=len(points), reason=_DELTA_EXPONENTIAL)
    return Readings("histogram", tuple(_reading(point, Shown(_exponential_samples(point))) for point in points))


def _valued(points: Iterable[_P]) -> list[_P]:
    return [point for point in points if not point.flags & _NO_VALUE]


def _reading(point: _Point, value: Counted | Shown) -> Reading:
    return Reading(attribute_texts(point.attributes), point.start_time_unix_nano, point.time_unix_nano, value)


def _number(point: NumberDataPoint) -> float:
    return float(point.as_int) if point.WhichOneof("value") == "as_int" else point.as_double


def _bucket_counts(point: HistogramDataPoint) -> list[float]:
    return [float(count) for count in point.bucket_counts] or [float(point.count)]


def _exponential_samples(point: ExponentialHistogramDataPoint) -> tuple[Sample, ...]:
    buckets = [("_bucket", (("le", bound),), count) for bound, count in classic_buckets(point)]
    return (*buckets, ("_count", (), float(point.count)), ("_sum", (), point.sum))


def _quantiles(point: SummaryDataPoint) -> tuple[Sample, ...]:
    quantiles = [("", (("quantile", repr(found.quantile)),), found.value) for found in point.quantile_values]
    return (*quantiles, ("_count", (), float(point.count)), ("_sum", (), point.sum))
