"""Settings of the estimator, as arguments and from the environment."""

from __future__ import annotations

import pytest

from otel_carbon.errors import ConfigError
from otel_carbon.estimator import EstimatorSettings, settings_from_environment


def test_an_empty_environment_is_the_default() -> None:
    assert settings_from_environment({}) == EstimatorSettings()
    assert settings_from_environment({"OTEL_CARBON_ZONE": " ", "OTEL_CARBON_MODEL_ALIASES": ""}) == EstimatorSettings()


def test_every_variable_is_read() -> None:
    environ = {
        "OTEL_CARBON_FACTOR_SET": "jegham-2025.11",
        "OTEL_CARBON_REGION": "eu-west-3",
        "OTEL_CARBON_ZONE": "FRA",
        "OTEL_CARBON_GRID_INTENSITY": "41.5",
        "OTEL_CARBON_MODEL_ALIASES": "my-deployment=gpt-4o, arn:aws:x/a=b=claude-sonnet-4-5,",
    }

    assert settings_from_environment(environ) == EstimatorSettings(
        factor_set="jegham-2025.11",
        region="eu-west-3",
        zone="FRA",
        grid_intensity_g_per_kwh=41.5,
        model_aliases={"my-deployment": "gpt-4o", "arn:aws:x/a=b": "claude-sonnet-4-5"},
    )


@pytest.mark.parametrize("text", ["-1", "nan", "inf", "clean", "41 g"])
def test_an_intensity_that_is_not_one_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="OTEL_CARBON_GRID_INTENSITY must be from 0 to 10000 g/kWh, such as 41"):
        settings_from_environment({"OTEL_CARBON_GRID_INTENSITY": text})


@pytest.mark.parametrize("text", ["gpt-4o", "=gpt-4o", "deployment="])
def test_an_alias_without_two_sides_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="OTEL_CARBON_MODEL_ALIASES must be pairs such as my-deployment=gpt-4o"):
        settings_from_environment({"OTEL_CARBON_MODEL_ALIASES": text})


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"grid_intensity_g_per_kwh": -1.0}, "grid_intensity_g_per_kwh must be from 0 to 10000 g/kWh"),
        ({"grid_intensity_g_per_kwh": float("nan")}, "grid_intensity_g_per_kwh must be from 0 to 10000 g/kWh, not nan"),
        ({"grid_intensity_g_per_kwh": 1.7e308}, "grid_intensity_g_per_kwh must be from 0 to 10000 g/kWh, not 1.7e"),
        ({"pue_ratio": 0.9}, "pue_ratio must be from 1 to 10"),
        ({"pue_ratio": 1e308}, "pue_ratio must be from 1 to 10"),
        ({"grid": "watttime"}, "grid must be one of electricity-maps, ember, not 'watttime'"),
        ({"model_aliases": {"a": ""}}, "model_aliases: both sides must be given"),
    ],
)
def test_a_setting_that_cannot_be_is_refused(settings: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        EstimatorSettings(**settings)  # type: ignore[arg-type]
