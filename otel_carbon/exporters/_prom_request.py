"""A metrics request into the families of a Prometheus page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric

from otel_carbon.exporters._prom_attributes import attribute_texts
from otel_carbon.exporters._prom_names import family_name, labels_of
from otel_carbon.exporters._prom_readings import Counted, Reading, read_metric
from otel_carbon.exporters._prom_series import Labels
from otel_carbon.exporters._prom_store import Family, FamilyStore

__all__ = ["put_request"]

_TARGET_INFO = "target_info"
_HIDDEN = "two senders have the same labels; give each a service.instance.id"
_TOO_MANY = "it has {} series already; send fewer attributes or raise cardinality_limit"
_NAME_TAKEN = "another metric of a different kind has its name"


@dataclass(frozen=True, slots=True)
class _Sender:
    """Who sent: the labels that stand for it, and what tells it from a sender with the same labels."""

    labels: Mapping[str, str]
    identity: bytes


def put_request(request: ExportMetricsServiceRequest, store: FamilyStore, now_s: float) -> None:
    """Add a request to the store. What Prometheus cannot show is dropped, counted and logged there."""
    for resource_metrics in request.resource_metrics:
        identity = resource_metrics.resource.SerializeToString(deterministic=True)
        attributes = dict(attribute_texts(resource_metrics.resource.attributes))
        target = _target_labels(attributes)
        _put_target_info(attributes, target, store, now_s)
        for scope_metrics in resource_metrics.scope_metrics:
            scope = {"otel_scope_name": scope_metrics.scope.name, "otel_scope_version": scope_metrics.scope.version}
            labels = {**target, **{name: value for name, value in scope.items() if value}}
            for metric in scope_metrics.metrics:
                _put_metric(metric, _Sender(labels, identity), store, now_s)


def _target_labels(attributes: dict[str, str]) -> dict[str, str]:
    """Take `job` and `instance` out of the resource attributes (Prometheus compatibility, "Resource Attributes")."""
    name, namespace = attributes.pop("service.name", ""), attributes.pop("service.namespace", "")
    instance = attributes.pop("service.instance.id", "")
    job = f"{namespace}/{name}" if namespace and name else name
    return {label: value for label, value in (("job", job), ("instance", instance)) if value}


def _put_target_info(attributes: Mapping[str, str], target: dict[str, str], store: FamilyStore, now_s: float) -> None:
    family = store.family(_TARGET_INFO, "gauge", "Target metadata")
    if family is None or not attributes or not target:
        return
    labels = _sorted(labels_of(attributes.items(), target))
    if family.has_room(labels):
        family.latest(labels, now_s).put(None, [("", (), 1.0)], 0, now_s)
    else:
        store.drop(_TARGET_INFO, 1, _TOO_MANY.format(store.cardinality_limit))


def _put_metric(metric: Metric, sender: _Sender, store: FamilyStore, now_s: float) -> None:
    readings = read_metric(metric)
    if readings.dropped:
        store.drop(metric.name, readings.dropped, readings.reason)
    if not readings.points:
        return
    counter, gauge = readings.kind == "counter", readings.kind == "gauge"
    name = family_name(metric.name, metric.unit, counter=counter, gauge=gauge)
    family = store.family(name, readings.kind, metric.description)
    if family is None:
        store.drop(metric.name, len(readings.points), _NAME_TAKEN)
        return
    hidden = beyond = 0
    for reading in readings.points:
        labels = _sorted(labels_of(reading.attributes, sender.labels))
        if not family.has_room(labels):
            beyond += 1
        elif not _put_reading(reading, labels, sender, family, now_s):
            hidden += 1
    if hidden:
        store.drop(metric.name, hidden, _HIDDEN)
    if beyond:
        store.drop(metric.name, beyond, _TOO_MANY.format(store.cardinality_limit))


def _put_reading(reading: Reading, labels: Labels, sender: _Sender, family: Family, now_s: float) -> bool:
    """Add one point; False when it hides the one of another sender."""
    stream = (sender.identity, reading.start_unix_nano)
    value = reading.value
    if not isinstance(value, Counted):
        return family.latest(labels, now_s).put(stream, value.samples, reading.at_unix_nano, now_s)
    series = family.accumulated(labels, value.bounds, now_s)
    if value.is_delta:
        series.add(value.values, now_s)
    else:
        series.put(stream, value.values, reading.at_unix_nano, now_s)
    return True


def _sorted(labels: Mapping[str, str]) -> Labels:
    return tuple(sorted(labels.items()))
