"""What a call comes to, and why one has no estimate."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from otel_carbon.errors import ConfigError
from otel_carbon.estimator import Estimator, EstimatorSettings
from otel_carbon.factors import FactorTables
from otel_carbon.model import Call, Confidence, FactorRef, Footprint, Interval, Mark, NotEstimated, Status, Usage

_TABLES = FactorTables.bundled()
_ESTIMATOR = Estimator(_TABLES)
_SET = "otel-carbon-2026.11"


def _footprint(call: Call, estimator: Estimator = _ESTIMATOR) -> Footprint:
    outcome = estimator.estimate(call)
    assert isinstance(outcome, Footprint)
    return outcome


def test_an_unknown_model_gets_the_global_default_with_low_confidence() -> None:
    footprint = _footprint(Call(provider="example", model="never-heard-of", usage=Usage(visible_output_tokens=10**6)))

    assert footprint.factor == FactorRef(_SET, "unknown", "global_default")
    assert footprint.confidence is Confidence.LOW
    assert footprint.it_energy_wh == Interval(low=30.0, central=500.0, high=4000.0)
    assert footprint.water_liters is None


def test_every_kind_of_token_has_its_own_factor() -> None:
    usage = Usage(
        uncached_input_tokens=100_000,
        cache_read_tokens=200_000,
        cache_write_tokens=50_000,
        visible_output_tokens=10_000,
        reasoning_tokens=20_000,
    )

    footprint = _footprint(Call(model="gpt-4o", usage=usage))

    # frontier: 0.1 x 120 + 0.2 x 12 + 0.05 x 120 + 0.01 x 1000 + 0.02 x 1200
    assert footprint.it_energy_wh is not None
    assert footprint.it_energy_wh.central == pytest.approx(12 + 2.4 + 6 + 10 + 24, rel=1e-12)
    assert footprint.it_energy_wh.low == pytest.approx(3 + 0.12 + 1.5 + 2.5 + 5, rel=1e-12)
    assert footprint.it_energy_wh.high == pytest.approx(50 + 50 + 25 + 40 + 120, rel=1e-12)


def test_embeddings_use_the_input_factor_of_their_class() -> None:
    call = Call(operation="embeddings", model="text-embedding-3-small", usage=Usage(uncached_input_tokens=10**6))

    footprint = _footprint(call)

    assert footprint.factor == FactorRef(_SET, "embedding-small", "pattern")
    assert footprint.it_energy_wh == Interval(0.1, 1.0, 10.0)


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        (Call(model="gpt-4o"), NotEstimated(Status.NO_USAGE, "the call carries no token counts")),
        (Call(model="gpt-4o", usage=Usage()), NotEstimated(Status.NO_USAGE, "all token counts are zero")),
        (Call(model="gpt-4o", failed=True), NotEstimated(Status.FAILED, "the call failed and carries no token counts")),
        (
            Call(model="gpt-4o", failed=True, usage=Usage()),
            NotEstimated(Status.FAILED, "the call failed and carries no token counts"),
        ),
        (
            Call(model="gpt-4o", usage=Usage(visible_output_tokens=10**400)),
            NotEstimated(Status.NO_USAGE, "the token counts are too large to be real"),
        ),
    ],
)
def test_a_call_without_usable_counts_has_no_estimate_and_says_why(call: Call, expected: NotEstimated) -> None:
    assert _ESTIMATOR.estimate(call) == expected


def test_a_failed_call_that_was_billed_counts() -> None:
    usage = Usage(uncached_input_tokens=1000)

    assert _ESTIMATOR.estimate(Call(model="gpt-4o", failed=True, usage=usage)) == _ESTIMATOR.estimate(
        Call(model="gpt-4o", usage=usage)
    )


@pytest.mark.parametrize("factor_set", [_SET, "mlenergy-2026.02"])
def test_without_fallback_an_unknown_model_has_no_estimate(factor_set: str) -> None:
    estimator = Estimator(_TABLES, EstimatorSettings(factor_set=factor_set, fallback=False))

    outcome = estimator.estimate(Call(model="acme", usage=Usage(visible_output_tokens=5)))

    assert outcome == NotEstimated(
        Status.UNKNOWN_MODEL, "there is no factor for this model, and falling back to another is switched off"
    )


def test_without_fallback_a_known_model_is_estimated_as_ever() -> None:
    call = Call(model="gpt-4o", usage=Usage(visible_output_tokens=5))

    assert Estimator(_TABLES, EstimatorSettings(fallback=False)).estimate(call) == _ESTIMATOR.estimate(call)


def test_two_readings_of_the_cache_bound_one_interval() -> None:
    excluded = Usage(uncached_input_tokens=1000, cache_read_tokens=9000, visible_output_tokens=10)
    included = Usage(uncached_input_tokens=10_000, visible_output_tokens=10)

    both = _footprint(Call(model="gpt-4o", usage=excluded, usage_alternative=included))
    first = _footprint(Call(model="gpt-4o", usage=excluded))
    second = _footprint(Call(model="gpt-4o", usage=included))

    for name in ("energy_wh", "it_energy_wh", "co2e_grams", "co2e_operational_grams", "co2e_embodied_grams"):
        hull, one, other = (getattr(footprint, name) for footprint in (both, first, second))
        assert hull == Interval(min(one.low, other.low), one.central, max(one.high, other.high))
    assert first.confidence is Confidence.CLASS_DEFAULT
    assert both.confidence is Confidence.LOW
    assert both.notes[-1].startswith("nothing tells whether the cached tokens are inside the input count")


@pytest.mark.parametrize("alias_of", ["model", "request_model"])
def test_a_users_alias_decides(alias_of: str) -> None:
    estimator = Estimator(_TABLES, EstimatorSettings(model_aliases={"Prod-EU": "gpt-4o-mini"}))
    call = Call(**{"model": "gpt-4o", alias_of: "Prod-EU"}, usage=Usage(visible_output_tokens=5))  # type: ignore[arg-type]

    footprint = _footprint(call, estimator)

    assert footprint.factor == FactorRef(_SET, "medium", "alias")
    assert footprint.model == "gpt-4o-mini"


def test_an_alias_is_the_exact_raw_name() -> None:
    estimator = Estimator(_TABLES, EstimatorSettings(model_aliases={"Prod-EU": "gpt-4o-mini"}))

    assert _footprint(Call(model="prod-eu", usage=Usage(visible_output_tokens=5)), estimator).factor.id == "unknown"


def test_an_alias_that_leads_to_a_guess_is_a_guess() -> None:
    estimator = Estimator(_TABLES, EstimatorSettings(model_aliases={"x": "acme-mini"}))

    footprint = _footprint(Call(model="x", usage=Usage(visible_output_tokens=5)), estimator)

    assert (footprint.factor.match, footprint.confidence) == ("name_hint", Confidence.LOW)


def test_a_measured_factor_is_only_estimated_for_somebody_elses_machines() -> None:
    estimator = Estimator(_TABLES, EstimatorSettings(factor_set="mlenergy-2026.02"))
    usage = Usage(visible_output_tokens=5)

    assert _footprint(Call(model="llama-3.1-8b", provider="vllm", usage=usage), estimator).confidence == "measured"
    assert _footprint(Call(model="llama-3.1-8b", provider="groq", usage=usage), estimator).confidence == "estimated"
    assert _footprint(Call(model="llama-3.1-8b", usage=usage), estimator).confidence == "estimated"


def test_tokens_that_a_set_has_no_energy_for_are_answered_by_the_default() -> None:
    # The fit to the publication found no effect of the input for this model: its input factor is 0.
    estimator = Estimator(_TABLES, EstimatorSettings(factor_set="jegham-2025.11"))

    footprint = _footprint(Call(model="gpt-4.1-mini", usage=Usage(uncached_input_tokens=10**6)), estimator)

    assert footprint.factor == FactorRef(_SET, "medium", "fallback_pattern")
    assert footprint.it_energy_wh == Interval(8.0, 30.0, 120.0)
    assert footprint.notes == ("jegham-2025.11 has no figure for these tokens: otel-carbon-2026.11 answered",)


def _nanoseconds(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 10**9


def test_a_call_older_than_every_version_takes_the_earliest_and_says_so() -> None:
    usage = Usage(visible_output_tokens=5)

    old = _footprint(Call(model="gpt-4o", usage=usage, at_unix_nano=_nanoseconds("2026-10-31T23:59:59")))
    new = _footprint(Call(model="gpt-4o", usage=usage, at_unix_nano=_nanoseconds("2026-11-01T00:00:00")))

    assert old.factor == new.factor
    assert old.notes == (
        "the call is older than every version of the factor set: otel-carbon-2026.11 is valid from 2026-11-01",
    )
    assert new.notes == ()


def test_the_calls_own_time_chooses_the_version_of_a_family(tmp_path: Path) -> None:
    text = """
schema = 1
[set]
id = "acme-{version}"
version = "{version}"
title = "t"
licence = "CC0"
source_id = "otel-carbon-derived"
basis = "per_token"
energy_boundary = "it"
unmatched = "none"
valid_from = "{version}-01-01"
[[model]]
name = "acme"
match = ["acme"]
input_wh_per_1m = {wh}
confidence = "estimated"
source_id = "otel-carbon-derived"
"""
    tables = FactorTables()
    for version, wh in (("2027", 20), ("2026", 10)):
        path = tmp_path / f"{version}.toml"
        path.write_text(text.format(version=version, wh=wh), encoding="utf-8")
        tables.add_factor_set(path)
    estimator = Estimator(tables, EstimatorSettings(factor_set="acme"))

    def set_at(at: str | None) -> str:
        at_unix_nano = None if at is None else _nanoseconds(at)
        call = Call(model="acme", usage=Usage(uncached_input_tokens=1), at_unix_nano=at_unix_nano)
        return _footprint(call, estimator).factor.set

    times = ("2025-06-01", "2026-01-01", "2026-12-31", "2027-01-01", None)
    assert [set_at(at) for at in times] == ["acme-2026", "acme-2026", "acme-2026", "acme-2027", "acme-2027"]


def test_water_is_worked_out_where_it_is_asked_for() -> None:
    estimator = Estimator(_TABLES, EstimatorSettings(water=True))
    call = Call(model="gpt-4o", provider="openai", usage=Usage(visible_output_tokens=10**6))

    water = _footprint(call, estimator).water_liters

    assert water is not None
    assert water.central == pytest.approx(0.27 + 1.17 * 3.13, rel=1e-12)  # L for 1 kWh of IT energy


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"zone": "FRX"}, "zone: unknown grid zone 'FRX'; did you mean"),
        ({"region": "swedencental"}, "region: unknown cloud region 'swedencental'; did you mean 'swedencentral'"),
        ({"factor_set": "nope"}, "factor_set: unknown factor set 'nope'; known are ecologits-0.11.3, jegham-2025.11, "),
    ],
)
def test_a_setting_that_no_table_knows_is_refused_before_the_first_call(settings: dict[str, str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Estimator(_TABLES, EstimatorSettings(**settings))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "absurd",
    ["x" * 10_000_000, "\x00" * 1000, "\ud800", "/" * 10_000, "a/" * 5000, ":" * 5000, "ft:", "arn:aws:bedrock:"],
)
def test_an_absurd_text_anywhere_is_an_unknown_model_somewhere(absurd: str) -> None:
    call = Call(
        provider=absurd,
        model=absurd,
        request_model=absurd,
        region=absurd,
        server_address=absurd,
        caller_region=absurd,
        usage=Usage(visible_output_tokens=10**6),
    )

    footprint = _footprint(call)

    assert footprint.it_energy_wh == Interval(30.0, 500.0, 4000.0)
    assert len(footprint.model) <= 512


def test_what_is_remembered_of_names_is_bounded() -> None:
    estimator = Estimator(_TABLES)
    for number in range(5000):
        estimator.estimate(Call(model=f"acme-{number}", usage=Usage(visible_output_tokens=1)))

    info = estimator._card.cache_info()

    assert (info.currsize, info.maxsize) == (4096, 4096)


def test_threads_get_the_same_answer() -> None:
    estimator = Estimator(FactorTables())
    calls = [Call(model=f"acme-{size}b", usage=Usage(visible_output_tokens=10**6)) for size in range(1, 41)] * 5

    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(estimator.estimate, calls))

    assert outcomes == [_ESTIMATOR.estimate(call) for call in calls]


@pytest.mark.parametrize("tier", ["batch", "flex"])
def test_a_cheaper_tier_is_noted_and_not_discounted(tier: str) -> None:
    call = Call(provider="openai", model="gpt-4o", usage=Usage(1200, 0, 0, 345, 0))
    plain = _ESTIMATOR.estimate(call)
    tiered = _ESTIMATOR.estimate(replace(call, service_tier=tier))
    assert isinstance(plain, Footprint)
    assert isinstance(tiered, Footprint)

    assert replace(tiered, notes=plain.notes) == plain
    assert tiered.notes == (
        *plain.notes,
        f"ran in the {tier} tier: no discount is made, since no energy figure is published",
    )
    mark = Mark(Status.ESTIMATED, factor=tiered.factor, region=tiered.region, grid=tiered.grid)
    assert _ESTIMATOR.recompute(replace(call, service_tier=tier), mark) == tiered


@pytest.mark.parametrize("tier", [None, "default", "priority", "scale"])
def test_other_tiers_are_not_noted(tier: str | None) -> None:
    call = Call(provider="openai", model="gpt-4o", usage=Usage(1200, 0, 0, 345, 0))

    assert _ESTIMATOR.estimate(replace(call, service_tier=tier)) == _ESTIMATOR.estimate(call)
