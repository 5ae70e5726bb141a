"""OpenTelemetry names become Prometheus names, as the specification has it."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_carbon.exporters._prom_names import family_name, label_name, labels_of


@pytest.mark.parametrize(
    ("name", "unit", "expected"),
    [
        ("otel_carbon.co2e", "g", "otel_carbon_co2e_grams_total"),
        ("otel_carbon.energy", "J", "otel_carbon_energy_joules_total"),
        ("otel_carbon.energy.low", "J", "otel_carbon_energy_low_joules_total"),
        ("otel_carbon.enriched.spans", "{span}", "otel_carbon_enriched_spans_total"),
        ("otel_carbon.tokens", "{token}", "otel_carbon_tokens_total"),
        ("http.server.request.size", "By", "http_server_request_size_bytes_total"),
        ("requests_total", "1", "requests_total"),
        ("total.requests", "", "requests_total"),
        ("network.io", "By/s", "network_io_bytes_per_second_total"),
        ("fuel", "m/{gallon}", "fuel_meters_total"),
        ("request.duration.seconds", "s", "request_duration_seconds_total"),
        ("weird--name!!", "", "weird_name_total"),
        ("2xx.responses", "", "_2xx_responses_total"),
        ("speed", "furlong", "speed_furlong_total"),
        ("", "", "total"),
    ],
)
def test_a_counter_is_named_after_its_unit_and_type(name: str, unit: str, expected: str) -> None:
    assert family_name(name, unit, counter=True) == expected


@pytest.mark.parametrize(
    ("name", "unit", "expected"),
    [
        ("system.cpu.utilization", "1", "system_cpu_utilization_ratio"),
        ("queue.size", "{item}", "queue_size"),
        ("temperature", "Cel", "temperature_celsius"),
        ("battery", "%", "battery_percent"),
    ],
)
def test_a_gauge_is_named_after_its_unit(name: str, unit: str, expected: str) -> None:
    assert family_name(name, unit, gauge=True) == expected


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("gen_ai.provider.name", "gen_ai_provider_name"),
        ("0day", "key_0day"),
        ("__name__", "key__name__"),
        ("é", "_"),
        ("", "key_"),
    ],
)
def test_a_label_has_underscores(key: str, expected: str) -> None:
    assert label_name(key) == expected


def test_keys_that_become_one_label_are_joined_in_their_order() -> None:
    assert labels_of([("a_b", "2"), ("a.b", "1")], {}) == {"a_b": "1;2"}


def test_an_attribute_named_as_a_taken_label_is_kept_as_exported() -> None:
    assert labels_of([("job", "mine")], {"job": "shop"}) == {"job": "shop", "exported_job": "mine"}


@given(
    name=st.text(alphabet="aZ0._-:/é ", max_size=12),
    unit=st.text(alphabet="gJ1%{}/ sé", max_size=6),
    counter=st.booleans(),
)
def test_every_name_is_one_that_prometheus_takes(name: str, unit: str, counter: bool) -> None:
    assert re.fullmatch(r"[a-zA-Z_:][a-zA-Z0-9_:]*", family_name(name, unit, counter=counter))
    assert re.fullmatch(r"[a-zA-Z_][a-zA-Z0-9_]*", label_name(name))
