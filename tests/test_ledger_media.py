"""What a call made is on its line, in the sums and taken back with it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from ledger_cases import as_dict, estimator, open_ledger, sighting

from otel_carbon.ledger.canonical import encode_row, leaf_hash
from otel_carbon.ledger.columns import MEDIA
from otel_carbon.ledger.lines import LineBuilder, reversal_row
from otel_carbon.ledger.profiles import INDEX
from otel_carbon.model import ItemKind, Items, NotEstimated, Sighting, Status
from otel_carbon.reports import report_document, summarise
from otel_carbon.reports.provenance import provenance_of_line
from otel_carbon.reports.table import report_text

_HEAD = (7, "2026-11-23T20:00:09.000000Z", "2026-11-23T20:00:00.000000Z", f"{1:032x}", f"{2:016x}")
_NOTHING = NotEstimated(Status.UNKNOWN_MODEL, "no factor")
_IMAGES = Items(ItemKind.IMAGES, 3)


def _media(sighted: Sighting) -> tuple[object, ...]:
    row = LineBuilder().row(_HEAD, sighted, _NOTHING, None, "otlp")
    assert row[-1] == leaf_hash(encode_row(row))
    return tuple(row[INDEX[name]] for name in MEDIA)


def test_a_line_says_what_was_made() -> None:
    assert _media(sighting(1, items=_IMAGES)) == (None, None, 3, None, None)
    assert _media(sighting(1, items=Items(ItemKind.VIDEOS, 1))) == (None, None, None, 1, None)
    assert _media(sighting(1, items=Items(ItemKind.AUDIO_SECONDS, 12.5))) == (None, None, None, None, 12.5)


def test_a_line_says_which_tokens_were_media() -> None:
    sighted = sighting(1)
    assert sighted.call is not None
    call = replace(sighted.call, media_input_tokens=40, media_output_tokens=7)

    assert _media(replace(sighted, call=call)) == (40, 7, None, None, None)


def test_a_sampled_call_counts_what_all_of_its_calls_made() -> None:
    assert _media(sighting(1, items=_IMAGES, adjusted_count=2.5)) == (None, None, 8, None, None)


def test_a_reversal_takes_back_what_was_made() -> None:
    row = LineBuilder().row(_HEAD, sighting(1, items=_IMAGES), _NOTHING, None, "otlp")

    taken_back = reversal_row(row, 8, "2026-11-23T20:00:10.000000Z", "counted twice")

    assert taken_back[INDEX["images"]] == -3
    assert taken_back[INDEX["videos"]] is None


def test_a_report_adds_them_up_by_unit(tmp_path: Path) -> None:
    ledger = open_ledger(tmp_path / "ledger.db")
    heard = Items(ItemKind.AUDIO_SECONDS, 12.5)
    ledger.record([sighting(1, items=_IMAGES), sighting(2, items=_IMAGES), sighting(3, items=heard), sighting(4)])

    totals = json.loads(json.dumps(report_document(summarise(ledger))))["totals"]

    assert {name: totals[name] for name in MEDIA} == {
        "media_input_tokens": 0,
        "media_output_tokens": 0,
        "images": 6,
        "videos": 0,
        "audio_seconds": 12.5,
    }
    assert as_dict(ledger, 3)["audio_seconds"] == 12.5
    ledger.close()


def test_the_same_span_with_another_count_is_a_conflict(tmp_path: Path) -> None:
    ledger = open_ledger(tmp_path / "ledger.db")

    recorded = ledger.record([sighting(1, items=_IMAGES), sighting(1, items=replace(_IMAGES, count=4))])

    assert (recorded.counted, recorded.conflicts) == (1, 1)
    ledger.close()


def test_a_report_names_what_no_factor_covers_by_operation(tmp_path: Path) -> None:
    ledger = open_ledger(tmp_path / "ledger.db")
    clip = sighting(1, usage=None, model="sora-2", items=Items(ItemKind.VIDEOS, 1))
    assert clip.call is not None
    ledger.record([replace(clip, call=replace(clip.call, operation="video_generation")), sighting(2, usage=None)])

    report = summarise(ledger)

    assert as_dict(ledger, 1)["status"] == "unknown_model"
    assert as_dict(ledger, 1)["reason"] == "1 video clip: no factor per video clip of sora-2"
    assert report.coverage.not_covered == {"chat": 1, "video_generation": 1}
    assert report.notes[-1] == "Without an estimate, by operation: chat 1, video_generation 1."
    ledger.close()


def test_an_image_is_estimated_reported_and_led_back_to_its_source(tmp_path: Path) -> None:
    ledger = open_ledger(tmp_path / "ledger.db")
    ledger.record([sighting(1, usage=None, model="flux.1-dev", items=_IMAGES)])

    with ledger.snapshot() as connection:
        found = provenance_of_line(connection, estimator(), where=("1",))
    second = summarise(ledger, second=estimator().of_set("mlenergy-2026.02")).second_set

    assert found.agrees
    assert [step.name for step in found.steps][:2] == ["item factor", "IT over accelerator"]
    assert "mlenergy-2026" in {source.id for source in found.sources}
    assert second is not None
    assert (second.totals.calls, second.totals.ratio) == (1, 1.0)
    ledger.close()


def test_a_group_without_an_estimate_is_not_shown_as_zero(tmp_path: Path) -> None:
    ledger = open_ledger(tmp_path / "ledger.db")
    clip = sighting(1, usage=None, model="sora-2", items=Items(ItemKind.VIDEOS, 1))
    ledger.record([clip, sighting(2, model="dall-e-3", usage=None, items=_IMAGES)])

    text = report_text(summarise(ledger, by=("model",)), "ledger.db")

    assert "Media      3 images, 1 video" in text
    (line,) = (line for line in text.splitlines() if line.startswith("sora-2"))
    assert "no estimate" in line
    assert "0 g" not in line
    ledger.close()
