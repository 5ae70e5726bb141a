"""Images, video and audio: by the item, by the tokens, or named as not covered. Never zero, never twice."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_carbon.errors import ConfigError, FactorError
from otel_carbon.estimator import Estimator, EstimatorSettings
from otel_carbon.estimator.api import estimate
from otel_carbon.factors import FactorTables
from otel_carbon.model import (
    Call,
    Confidence,
    Footprint,
    GridReading,
    Interval,
    ItemKind,
    Items,
    NotEstimated,
    Outcome,
    Status,
    Usage,
)
from otel_carbon.spans import mark_attributes, read_mark

_GOLDEN = Path(__file__).parent / "golden" / "items.csv"
_QUANTITIES = ("it_energy_wh", "energy_wh", "co2e_operational_grams", "co2e_embodied_grams", "co2e_grams")
_TABLES = FactorTables.bundled()
_ESTIMATOR = Estimator(_TABLES, EstimatorSettings(water=True))
_IMAGE = Call(model="dall-e-3", provider="openai", items=Items(ItemKind.IMAGES, 1))
_KIND_OF = {"hunyuanvideo": ItemKind.VIDEOS}


def _golden() -> Iterator[Any]:
    with _GOLDEN.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(line for line in file if not line.startswith("#")):
            yield pytest.param(row, id=row["case"])


def _footprint(outcome: Outcome) -> Footprint:
    assert isinstance(outcome, Footprint), outcome
    return outcome


@pytest.mark.parametrize("case", list(_golden()))
def test_items_are_counted_as_worked_out_by_hand(case: dict[str, str]) -> None:
    items = Items(_KIND_OF.get(case["factor_id"], ItemKind.IMAGES), float(case["items"]))
    call = Call(model=case["model"], provider=case["provider"] or None, region=case["region"] or None, items=items)

    footprint = _footprint(_ESTIMATOR.estimate(call))

    assert footprint.factor.set == "otel-carbon-2026.11"
    assert (footprint.factor.id, footprint.factor.match) == (case["factor_id"], case["match"])
    assert footprint.confidence.value == case["confidence"]
    for name in _QUANTITIES:
        value = getattr(footprint, name)
        expected = [float(case[f"{name}_{bound}"]) for bound in ("low", "central", "high")]
        assert [value.low, value.central, value.high] == pytest.approx(expected, rel=1e-9)


def test_a_video_that_no_factor_covers_is_named_with_its_model() -> None:
    call = Call(model="sora-2", provider="openai", items=Items(ItemKind.VIDEOS, 2), usage=Usage(40))

    assert _ESTIMATOR.estimate(call) == NotEstimated(
        Status.UNKNOWN_MODEL, "2 video clips: no factor per video clip of sora-2"
    )


def test_audio_is_counted_by_its_tokens_and_named_where_it_has_none() -> None:
    heard = Call(model="whisper-1", items=Items(ItemKind.AUDIO_SECONDS, 12.5))
    with_tokens = replace(heard, usage=Usage(1_000_000))

    assert _ESTIMATOR.estimate(heard) == NotEstimated(
        Status.UNKNOWN_MODEL, "12.5 seconds of audio: no factor per second of audio of whisper-1"
    )
    footprint = _footprint(_ESTIMATOR.estimate(with_tokens))
    assert footprint.it_energy_wh == Interval(8.0, 30.0, 120.0)  # class medium, input
    assert footprint.notes[-1] == "12.5 seconds of audio: counted by the tokens of the call"


def test_the_tokens_of_an_image_model_are_not_added_to_its_images() -> None:
    with_tokens = replace(_IMAGE, model="gpt-image-1", usage=Usage(50, 0, 0, 4160))

    footprint = _footprint(_ESTIMATOR.estimate(with_tokens))

    assert footprint.energy_wh == _footprint(_ESTIMATOR.estimate(_IMAGE)).energy_wh
    assert "are not added" in footprint.notes[-1]


def test_without_a_count_an_image_model_is_still_counted_by_its_tokens() -> None:
    footprint = _footprint(_ESTIMATOR.estimate(Call(model="gpt-image-1", usage=Usage(50, 0, 0, 4160))))

    assert footprint.factor.id == "unknown"
    assert "image-generation has no factor per token" in footprint.notes[0]


def test_no_item_is_no_item() -> None:
    assert _ESTIMATOR.estimate(replace(_IMAGE, items=Items(ItemKind.IMAGES, 0))) == NotEstimated(
        Status.NO_USAGE, "the call carries no token counts"
    )


@given(
    st.builds(Usage, *[st.integers(0, 10**9)] * 5).filter(lambda usage: usage != Usage()),
    st.integers(1, 10**6),
    st.sampled_from(["gpt-4o", "claude-sonnet-4-5", "llama-3.1-8b"]),
)
def test_the_sum_over_tokens_and_items_is_the_call(usage: Usage, images: int, model: str) -> None:
    call = Call(model=model, provider="openai", usage=usage, items=Items(ItemKind.IMAGES, images))

    whole = _footprint(_ESTIMATOR.estimate(call))
    tokens = _footprint(_ESTIMATOR.estimate(replace(call, items=None)))
    made = _footprint(_ESTIMATOR.estimate(replace(call, usage=None)))

    for name in (*_QUANTITIES, "water_liters"):
        assert getattr(whole, name) == getattr(tokens, name) + getattr(made, name)
    assert whole.confidence is Confidence.LOW  # that of the images


@given(st.integers(0, 10**9), st.integers(1, 10**9), st.sampled_from(["dall-e-3", "FLUX.1-dev", "my-painter"]))
def test_more_items_never_use_less_and_bounds_stay_in_order(images: int, more: int, model: str) -> None:
    def of(count: int) -> Footprint:
        return _footprint(_ESTIMATOR.estimate(Call(model=model, items=Items(ItemKind.IMAGES, count))))

    fewer, many = of(images + 1), of(images + 1 + more)

    for name in (*_QUANTITIES, "water_liters"):
        small, large = getattr(fewer, name), getattr(many, name)
        assert small.low <= small.central <= small.high
        assert (small.low, small.central, small.high) <= (large.low, large.central, large.high)
        assert small.high <= large.high


def test_pue_counts_once() -> None:
    footprint = _footprint(Estimator(_TABLES, EstimatorSettings(pue_ratio=1.5)).estimate(_IMAGE))

    it_energy_wh, energy_wh = footprint.it_energy_wh, footprint.energy_wh
    assert it_energy_wh is not None
    assert energy_wh is not None
    assert energy_wh.central == it_energy_wh.central * 1.5
    assert energy_wh.high == pytest.approx(it_energy_wh.high * 1.5, rel=1e-12)


def test_every_other_set_lets_the_default_set_answer_for_items() -> None:
    for set_id in _TABLES.set_ids:
        footprint = _footprint(_ESTIMATOR.estimate(_IMAGE, factor_set=set_id))
        assert footprint.factor.set == "otel-carbon-2026.11"
        assert footprint.factor.match == ("pattern" if set_id == "otel-carbon-2026.11" else "fallback_pattern")


@pytest.mark.parametrize("usage", [None, Usage(100, 0, 0, 50)])
def test_a_mark_is_recomputed_to_the_same_figures(usage: Usage | None) -> None:
    call = Call(
        model="gpt-4o", provider="aws.bedrock", region="eu-west-3", usage=usage, items=Items(ItemKind.IMAGES, 3)
    )
    first = _footprint(_ESTIMATOR.estimate(call))
    mark = read_mark(mark_attributes(first))
    assert mark is not None

    again = _footprint(_ESTIMATOR.recompute(call, mark))

    assert (again.energy_wh, again.co2e_grams, again.factor) == (first.energy_wh, first.co2e_grams, first.factor)


def test_items_get_the_grid_of_their_hour() -> None:
    class Hourly:
        def reading(self, grid_keys: tuple[str, ...], at_unix_nano: int) -> GridReading | None:
            return GridReading(grid_keys[-1], 100.0, at_unix_nano, at_unix_nano + 1, "csv")

    call = replace(_IMAGE, region="eu-west-3", provider="aws.bedrock", at_unix_nano=1_795_464_000_000_000_000)

    footprint = _footprint(Estimator(_TABLES, hourly=Hourly()).estimate(call))

    assert (footprint.grid.intensity_g_per_kwh, footprint.grid.source) == (100.0, "csv")
    assert footprint.co2e_operational_grams is not None
    assert footprint.co2e_operational_grams.central == pytest.approx(2.0 * 1.58 * 1.14 * 100.0 / 1000.0, rel=1e-12)


def test_media_that_no_count_includes_is_1_2_times_the_request() -> None:
    plain = estimate(model="gpt-4o", provider="openai", input_tokens=100, output_tokens=50).outcome
    more = estimate(
        model="gpt-4o", provider="openai", input_tokens=100, output_tokens=50, media_outside_input=True
    ).outcome

    assert isinstance(plain, Footprint)
    assert isinstance(more, Footprint)
    assert plain.energy_wh is not None
    assert more.energy_wh == plain.energy_wh * Interval(1.0, 1.2, 1.5)
    assert "no token count includes" in more.notes[-1]


def test_the_working_leads_from_the_item_to_the_grams() -> None:
    found = estimate(model="dall-e-3", provider="openai", images=2)

    steps = {step.name: step for step in found.working}

    assert steps["item factor"].value == Interval(0.2, 2.0, 8.0)
    assert (steps["item factor"].how, steps["item factor"].unit) == ("x 2 images", "Wh/image of 1024x1024")
    assert steps["IT over accelerator"].value == Interval(1.2, 1.58, 1.82)
    assert {"PUE", "grid intensity", "embodied", "total"} <= steps.keys()
    assert [source.id for source in found.sources][:2] == ["otel-carbon-derived", "google-gemini-2025"]


def test_the_working_of_tokens_and_items_ends_in_their_sum() -> None:
    found = estimate(model="gpt-4o", provider="openai", output_tokens=500, images=1)

    assert isinstance(found.outcome, Footprint)
    last = {step.name: step.value for step in found.working}
    assert last["total of the call"] == found.outcome.co2e_grams
    assert last["energy of the call"] == found.outcome.energy_wh


def test_one_call_makes_one_kind_of_thing() -> None:
    with pytest.raises(ConfigError, match=r"^videos: one call makes one kind of thing, and images is given too"):
        estimate(model="dall-e-3", images=1, videos=1)


_SET = """
schema = 1
[set]
id = "acme-media-1"
version = "1"
title = "t"
licence = "CC0"
source_id = "otel-carbon-derived"
basis = "per_token"
energy_boundary = "it"
unmatched = "fallback:otel-carbon-2026.11"
[[item]]
name = "speech"
match = ["acme-voice*"]
kind = "audio_seconds"
wh_per_item = 0.02
energy_boundary = "facility"
confidence = "measured"
source_id = "otel-carbon-derived"
"""


def test_a_set_of_the_user_can_cover_seconds_of_audio(tmp_path: Path) -> None:
    path = tmp_path / "media.toml"
    path.write_text(_SET, encoding="utf-8")

    found = estimate(
        model="acme-voice-2", provider="vllm", audio_seconds=100, factor_sets=[path], factor_set="acme-media-1"
    ).outcome

    assert isinstance(found, Footprint)
    assert found.energy_wh is not None
    assert found.energy_wh.central == pytest.approx(2.0, rel=1e-12)
    assert (found.factor.id, found.confidence) == ("speech", Confidence.MEASURED)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('kind = "audio_seconds"', 'kind = "songs"', "kind must be one of images, videos, audio_seconds, not 'songs'"),
        ("wh_per_item = 0.02", "", "wh_per_item is missing"),
        ("wh_per_item = 0.02", "wh_per_item = 72", "wh_per_item of audio_seconds is 72; .*check the unit"),
        ('"facility"', '"none"', "energy_boundary must be one of accelerator, it, facility, not 'none'"),
        ('kind = "audio_seconds"', 'kind = "audio_seconds"\nsize = "hd"', "unknown key 'size'"),
    ],
)
def test_a_wrong_item_is_refused_by_row_and_field(old: str, new: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "media.toml"
    path.write_text(_SET.replace(old, new), encoding="utf-8")

    with pytest.raises(FactorError, match=rf"^media\.toml, item 'speech': {message}"):
        _TABLES.read_factor_set(path)
