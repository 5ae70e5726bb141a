"""One call in plain words: `otel_carbon.estimator.api.estimate`."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone

import pytest

from otel_carbon.errors import ConfigError
from otel_carbon.estimator.api import estimate
from otel_carbon.estimator.arguments import Arguments, read_arguments, usage_of
from otel_carbon.model import Usage


def test_an_estimate_is_plain_data_in_full_precision() -> None:
    document = estimate(
        model="gpt-4o", input_tokens=1200, output_tokens=345, region="swedencentral", provider="azure.ai.openai"
    ).to_dict()

    assert document == json.loads(json.dumps(document, allow_nan=False))
    assert list(document) == [
        *("status", "model", "energy_wh", "it_energy_wh", "co2e_grams", "co2e_operational_grams"),
        *("co2e_embodied_grams", "water_liters", "primary_energy_mj", "abiotic_depletion_kgsbeq"),
        *("factor", "confidence", "region", "grid", "sci", "equivalents", "notes"),
    ]
    assert document["status"] == "estimated"
    assert document["model"] == "gpt-4o"
    assert document["it_energy_wh"] == pytest.approx({"low": 0.12225, "central": 0.489, "high": 1.98}, rel=1e-12)
    assert document["factor"] == {"set": "otel-carbon-2026.11", "id": "frontier", "match": "pattern"}
    assert document["confidence"] == "class_default"
    assert document["region"] == {"name": "swedencentral", "source": "cloud_region"}
    assert document["grid"] == {
        "zone": "SE-SE3",
        "intensity_g_per_kwh": 20.0,
        "source": "electricitymaps-yearly-via-co2js",
    }


def test_equivalents_are_those_of_the_environment_agency() -> None:
    found = estimate(model="gpt-4o", provider="openai", output_tokens=10**6)

    # 494.28 g over 393 g a mile, 244.2 g a km, 12.4 g a charge, 60 kg a seedling, 500 g a tree-month
    assert found.equivalents == pytest.approx(
        {
            "car_mile": 494.28 / 393,
            "car_km": 494.28 / 244.2,
            "phone_charge": 494.28 / 12.4,
            "tree_seedling_10y": 494.28 / 60000,
            "tree_month": 494.28 / 500,
        },
        rel=1e-12,
    )


def test_a_call_without_tokens_says_why_there_is_no_estimate() -> None:
    found = estimate(model="gpt-4o")

    assert found.to_dict() == {"status": "no_usage", "reason": "the call carries no token counts"}
    assert found.equivalents == {}
    assert found.working == ()


@pytest.mark.parametrize(
    ("counts", "usage"),
    [
        ({}, None),
        ({"input_tokens": 0}, Usage()),
        (
            {"input_tokens": 100, "cache_read_tokens": 60, "cache_write_tokens": 30},
            Usage(uncached_input_tokens=10, cache_read_tokens=60, cache_write_tokens=30),
        ),
        (
            {"input_tokens": 10, "cache_read_tokens": 60},
            Usage(uncached_input_tokens=10, cache_read_tokens=60),
        ),
        (
            {"output_tokens": 100, "reasoning_tokens": 60},
            Usage(visible_output_tokens=40, reasoning_tokens=60),
        ),
        (
            {"output_tokens": 40, "reasoning_tokens": 60},
            Usage(visible_output_tokens=40, reasoning_tokens=60),
        ),
    ],
)
def test_parts_are_taken_out_of_the_whole_that_can_hold_them(counts: dict[str, int], usage: Usage | None) -> None:
    assert usage_of(read_arguments(counts)) == usage


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        ("2026-11-30", datetime(2026, 11, 30, tzinfo=UTC)),
        ("2026-11-30T12:00:00Z", datetime(2026, 11, 30, 12, tzinfo=UTC)),
        ("2026-11-30T12:00:00+01:00", datetime(2026, 11, 30, 11, tzinfo=UTC)),
        (datetime(2026, 11, 30, 12, tzinfo=timezone(timedelta(hours=2))), datetime(2026, 11, 30, 10, tzinfo=UTC)),
        ("1969-12-31T23:59:59.5Z", datetime(1969, 12, 31, 23, 59, 59, 500_000, tzinfo=UTC)),
    ],
)
def test_a_time_is_read_as_nanoseconds_in_utc(at: object, expected: datetime) -> None:
    delta = expected - datetime(1970, 1, 1, tzinfo=UTC)

    assert read_arguments({"at": at}) == Arguments(at_unix_nano=delta // timedelta(microseconds=1) * 1000)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"input_tokens": -1}, "^input_tokens: must be a whole number of tokens from 0 up, not -1$"),
        ({"input_tokens": 1.5}, "^input_tokens: must be a whole number of tokens from 0 up, not 1.5$"),
        ({"output_tokens": float("nan")}, "^output_tokens: must be a whole number of tokens from 0 up, not nan$"),
        ({"output_tokens": True}, "^output_tokens: must be a whole number"),
        ({"output_tokens": 10**400}, "^output_tokens: must be a whole number"),
        ({"output_tokens": 10**16}, "^output_tokens: 10000000000000000 tokens are more than one call can have$"),
        ({"pue": 0.99}, r"^pue: must be a ratio from 1 to 10, such as 1\.15"),
        ({"grid_intensity": "inf"}, "^grid_intensity: must be from 0 to 10000 g/kWh, such as 41, not 'inf'$"),
        ({"latency_s": "soon"}, r"^latency_s: must be a number of seconds from 0 up, such as 2\.5, not 'soon'$"),
        ({"at": "soon"}, "^at: must be a date or time such as 2026-11-30 or 2026-11-30T12:00:00Z, not 'soon'$"),
        ({"tokens": 5}, "^tokens: there is no such argument; there are model, provider, "),
        ({"output_tokens": "9" * 200}, r"^output_tokens: 9{0}'9{56}\.\.\. tokens are more"),
    ],
)
def test_a_value_that_cannot_be_is_refused_by_name(values: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        read_arguments(values)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"region": "swedencental"}, "^region: unknown cloud region 'swedencental'; did you mean 'swedencentral'"),
        ({"zone": "FRX"}, "^zone: unknown grid zone 'FRX'; did you mean"),
        ({"factor_set": "vendor-2024"}, "^factor_set: unknown factor set 'vendor-2024'; did you mean 'vendor-2025'"),
    ],
)
def test_a_name_that_no_table_has_is_refused_with_the_nearest(values: dict[str, str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        estimate(model="gpt-4o", output_tokens=1, **values)  # type: ignore[arg-type]


def test_the_working_ends_in_the_figures_of_the_estimate() -> None:
    found = estimate(model="o3", provider="openai", input_tokens=100, output_tokens=80, reasoning_tokens=60)
    document = found.to_dict()

    values = {step.name: step.value for step in found.working if step.value is not None}
    rates = {name: (value.low, value.central, value.high) for name, value in values.items() if "factor" in name}

    assert rates == {
        "uncached input factor": (30.0, 120.0, 500.0),
        "visible output factor": (250.0, 1000.0, 4000.0),
        "reasoning factor": (250.0, 1200.0, 6000.0),
    }
    assert {"low": values["total"].low, "central": values["total"].central, "high": values["total"].high} == document[
        "co2e_grams"
    ]
    assert {step.source_id for step in found.working} == {
        None,
        "otel-carbon-derived",
        "ember-owid-2025-via-ecologits",
        "microsoft-datacenters-fy25",
        "ecologits-0.11.3",
    }


def test_the_working_is_that_of_the_set_that_answered() -> None:
    found = estimate(model="gpt-4.1-mini", input_tokens=1000, factor_set="jegham-2025.11")

    assert [step.value.central for step in found.working if step.value and step.name == "uncached input factor"] == [
        30.0
    ]
