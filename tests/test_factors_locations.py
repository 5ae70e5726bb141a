"""Where a call is taken to have run, step by step."""

from __future__ import annotations

import pytest

from otel_carbon.estimator import Estimator, EstimatorSettings
from otel_carbon.factors import FactorTables
from otel_carbon.model import Call, Footprint, Grid, Region, Usage

_TABLES = FactorTables.bundled()
_EM = "electricitymaps-yearly-via-co2js"
_EMBER = "ember-owid-2025-via-ecologits"
_USA = Grid("USA", 384.0, _EMBER)


def _footprint(settings: EstimatorSettings | None = None, **call: str) -> Footprint:
    estimator = Estimator(_TABLES, settings or EstimatorSettings())
    outcome = estimator.estimate(Call(**({"model": "gpt-4o"} | call), usage=Usage(visible_output_tokens=100)))  # type: ignore[arg-type]
    assert isinstance(outcome, Footprint)
    return outcome


def _place(settings: EstimatorSettings | None = None, **call: str) -> tuple[Region, Grid]:
    footprint = _footprint(settings, **call)
    return footprint.region, footprint.grid


@pytest.mark.parametrize(
    ("call", "region", "zone", "g_per_kwh"),
    [
        ({"provider": "azure.ai.openai", "region": "swedencentral"}, "swedencentral", "SE-SE3", 20.0),
        ({"server_address": "bedrock-runtime.eu-west-3.amazonaws.com"}, "eu-west-3", "FR", 31.0),
        ({"server_address": "europe-west1-aiplatform.googleapis.com"}, "europe-west1", "BE", 180.0),
        ({"server_address": "swedencentral.api.cognitive.microsoft.com"}, "swedencentral", "SE-SE3", 20.0),
        (
            {"server_address": "inference.generativeai.us-chicago-1.oci.oraclecloud.com"},
            "us-chicago-1",
            "US-MIDA-PJM",
            418.0,
        ),
        ({"model": "bedrock/eu-west-3/anthropic.claude-3-sonnet-20240229-v1:0"}, "eu-west-3", "FR", 31.0),
        (
            {"model": "projects/p/locations/europe-west1/publishers/google/models/gemini-2.5-flash"},
            "europe-west1",
            "BE",
            180.0,
        ),
    ],
)
def test_a_region_that_the_call_names_decides(call: dict[str, str], region: str, zone: str, g_per_kwh: float) -> None:
    assert _place(**call) == (Region(region, "cloud_region"), Grid(zone, g_per_kwh, _EM))


@pytest.mark.parametrize(
    ("call", "profile", "g_per_kwh"),
    [
        ({"model": "eu.anthropic.claude-haiku-4-5-20251001-v1:0"}, "eu.", 184.2),
        ({"model": "azure/eu/gpt-4o"}, "azure-datazone-eu", 240.4),
        ({"provider": "gcp.vertex_ai", "region": "global", "model": "gemini-2.5-pro"}, "gcp-global", 375.6),
        ({"provider": "azure.ai.openai", "region": "global"}, "azure-global", 348.2),
        ({"server_address": "aiplatform.googleapis.com", "model": "gemini-2.5-pro"}, "gcp-global", 375.6),
        (
            {
                "model": "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
                "server_address": "bedrock-runtime.us-east-1.amazonaws.com",
            },
            "us.",
            321.7,
        ),
    ],
)
def test_an_inference_profile_is_a_mean_of_regions(call: dict[str, str], profile: str, g_per_kwh: float) -> None:
    assert _place(**call) == (Region(profile, "inference_profile"), Grid(profile, g_per_kwh, _EM))


def test_a_region_that_the_call_names_goes_before_the_profile_in_the_model_name() -> None:
    region, _ = _place(model="eu.anthropic.claude-haiku-4-5-20251001-v1:0", region="eu-north-1", provider="aws.bedrock")

    assert region == Region("eu-north-1", "cloud_region")


@pytest.mark.parametrize("provider", ["aws.bedrock", "bedrock", "AWS.Bedrock"])
def test_the_applications_own_region_counts_for_a_service_of_the_same_cloud(provider: str) -> None:
    footprint = _footprint(provider=provider, caller_region="eu-west-1")

    assert footprint.region == Region("eu-west-1", "cloud_region")
    assert footprint.notes == ("taken to run in eu-west-1, where the application runs",)


@pytest.mark.parametrize("provider", ["openai", "anthropic", "mistral_ai"])
def test_the_applications_own_region_says_nothing_about_somebody_elses_api(provider: str) -> None:
    region, _ = _place(provider=provider, caller_region="eu-north-1")

    assert region.source == "provider_default"


def test_the_applications_region_of_another_cloud_says_nothing_either() -> None:
    assert _place(provider="azure.ai.openai", caller_region="eu-west-1") == (Region("USA", "provider_default"), _USA)


@pytest.mark.parametrize("provider", ["openai", "OpenAI", " azure ", "vertex_ai", "gcp.gemini"])
def test_a_providers_default_is_found_by_every_spelling_of_its_name(provider: str) -> None:
    assert _place(provider=provider) == (Region("USA", "provider_default"), _USA)


def test_a_known_server_goes_before_what_the_client_library_calls_itself() -> None:
    assert _place(provider="openai", server_address="api.deepseek.com", model="deepseek-chat") == (
        Region("CHN", "provider_default"),
        Grid("CHN", 525.0, _EMBER),
    )


def test_a_model_name_tells_who_serves_it_where_nothing_else_does() -> None:
    assert _place(model="mistral/mistral-large-latest") == (
        Region("FRA", "provider_default"),
        Grid("FRA", 41.0, _EMBER),
    )


@pytest.mark.parametrize(
    ("model", "country"),
    [("gpt-4o", "USA"), ("claude-sonnet-4-5", "USA"), ("deepseek-chat", "CHN"), ("grok-4", "USA")],
)
def test_a_closed_model_is_taken_to_run_at_its_vendor(model: str, country: str) -> None:
    assert _place(model=model)[0] == Region(country, "model_vendor")


@pytest.mark.parametrize("model", ["gpt-oss-120b", "llama-3.3-70b-instruct", "acme"])
def test_an_open_or_unknown_model_could_run_anywhere(model: str) -> None:
    assert _place(model=model) == (Region("world", "world"), Grid("WOR", 458.0, _EMBER))


def test_the_users_zone_goes_before_all_else() -> None:
    settings = EstimatorSettings(zone="fra")

    assert _place(settings, provider="azure.ai.openai", region="swedencentral") == (
        Region("FRA", "user"),
        Grid("FRA", 41.44, _EMBER),
    )


def test_an_electricity_maps_key_is_a_zone_too() -> None:
    assert _place(EstimatorSettings(zone="US-CAL-CISO")) == (
        Region("US-CAL-CISO", "user"),
        Grid("US-CAL-CISO", 208.0, _EM),
    )


def test_the_users_region_goes_before_that_of_the_call() -> None:
    assert _place(EstimatorSettings(region="eu-west-1"), provider="aws.bedrock", region="us-east-1") == (
        Region("eu-west-1", "user"),
        Grid("IE", 301.0, _EM),
    )


def test_the_users_intensity_keeps_the_place_that_was_found() -> None:
    footprint = _footprint(EstimatorSettings(grid_intensity_g_per_kwh=50.0), provider="openai")

    assert (footprint.region, footprint.grid) == (Region("USA", "user"), Grid("USA", 50.0, "user"))


def test_a_build_without_electricity_maps_uses_countries() -> None:
    settings = EstimatorSettings(grid="ember")

    assert _place(settings, provider="aws.bedrock", region="us-west-2")[1] == Grid("USA", 384.4, _EMBER)


def test_a_profile_without_electricity_maps_is_a_mean_of_countries() -> None:
    # Bedrock in Japan: both candidate regions draw from the same country.
    _, grid = _place(EstimatorSettings(grid="ember"), model="jp.anthropic.claude-sonnet-4-5-20250929-v1:0")

    assert grid == Grid("jp.", 477.26, _EMBER)


def test_a_region_without_a_provider_is_read_as_aws_and_the_answer_says_so() -> None:
    footprint = _footprint(region="eu-west-1", model="gpt-4o-mini")

    assert footprint.grid == Grid("IE", 301.0, _EM)
    assert footprint.notes == ("region eu-west-1 read as one of aws",)


def test_a_region_without_a_provider_is_read_for_the_one_that_the_model_name_gives() -> None:
    footprint = _footprint(region="europe-west1", model="gemini-2.5-flash")

    assert footprint.grid == Grid("BE", 180.0, _EM)
    assert footprint.notes == ("region europe-west1 read as one of gcp",)


def test_a_region_that_does_not_exist_is_passed_over() -> None:
    assert _place(provider="openai", region="atlantis-1") == (Region("USA", "provider_default"), _USA)


def test_a_data_zone_of_one_country_has_its_intensity_by_ember() -> None:
    footprint = _footprint(EstimatorSettings(grid="ember"), model="azure/us/gpt-4o", provider="azure.ai.openai")

    assert footprint.region == Region("azure-datazone-us", "inference_profile")
    assert footprint.grid.intensity_g_per_kwh == pytest.approx(384.4)
