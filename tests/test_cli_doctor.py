"""`otel-carbon doctor`: what is seen, what would be missed, and how to fix it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from gateway_process import run_cli
from ledger_cases import open_ledger, sighting

from otel_carbon.cli.doctor_findings import Diagnosis, diagnose
from otel_carbon.cli.doctor_text import text_of
from otel_carbon.spans.libraries import Libraries

SDK = {"opentelemetry-api": "1.45.2", "opentelemetry-sdk": "1.45.2"}


def findings(installed: dict[str, str], environ: dict[str, str] | None = None) -> list[tuple[str, str, str]]:
    return [(each.kind, each.what, each.advice) for each in diagnose({**SDK, **installed}, environ or {}).findings]


def seen(found: Diagnosis) -> list[str]:
    return [each.title for each in found.instrumentations]


def test_an_instrumentation_is_named_with_what_its_spans_lack_and_what_to_do() -> None:
    found = diagnose({**SDK, "openai": "3.57.0", "opentelemetry-instrumentation-openai": "0.62.4"}, {})

    assert seen(found) == ["OpenLLMetry: OpenAI"]
    assert found.instrumentations[0].packages == {"opentelemetry-instrumentation-openai": "0.62.4"}
    assert "reasoning tokens of chat streams" in found.instrumentations[0].missing
    assert "stream_options" in found.instrumentations[0].advice
    assert found.findings == ()
    assert text_of(found).endswith("Nothing else would be missed, as far as can be seen from here.")


def test_a_client_that_nothing_instruments_would_be_missed() -> None:
    assert [what for kind, what, _ in findings({"openai": "3.57.0"}) if kind == "missed"] == [
        "openai 3.57.0 is installed and nothing here instruments it"
    ]
    assert findings({"anthropic": "2.12.0"}) == []  # the Anthropic SDK emits spans by itself


def test_pairs_that_do_not_work_are_named_from_the_version_on() -> None:
    pair = {"opentelemetry-instrumentation-openai-v2": "2.4b0", "openai": "3.57.0"}

    assert findings({**pair, "opentelemetry-util-genai": "1.3b0"}) == [
        (
            "broken",
            (
                "opentelemetry-instrumentation-openai-v2 2.4b0 with opentelemetry-util-genai 1.3b0: "
                "it does not load: ModuleNotFoundError"
            ),
            "install opentelemetry-util-genai 0.4b0, or move to opentelemetry-instrumentation-genai-openai",
        )
    ]
    assert findings({**pair, "opentelemetry-util-genai": "0.4b0"}) == []


def test_two_libraries_on_one_client_count_once() -> None:
    both = {"opentelemetry-instrumentation-openai": "0.62.4", "openinference-instrumentation-openai": "0.1.66"}

    assert findings({**both, "openai": "3.57.0"}) == [
        (
            "counted_once",
            "OpenLLMetry: OpenAI and OpenInference: OpenAI both see the calls of openai, if both are started",
            "nothing to do: such a call is counted once",
        )
    ]


def test_a_setting_that_closes_a_gap_is_asked_for_until_it_is_there() -> None:
    ask = ("setting", "without it mistralai 3 emits no spans", "set MISTRAL_SDK_TELEMETRY=global")

    assert findings({"mistralai": "3.7.0"}) == [ask]
    assert findings({"mistralai": "3.7.0"}, {"MISTRAL_SDK_TELEMETRY": "global"}) == []


def test_what_switches_spans_off_is_said_first() -> None:
    environ = {"OTEL_SDK_DISABLED": "true", "OTEL_TRACES_EXPORTER": "none", "OTEL_CARBON_ENABLED": "false"}

    assert [kind for kind, _, _ in findings({}, environ)] == ["switched_off"] * 3


def test_without_an_sdk_or_with_an_old_one_nothing_is_certain() -> None:
    assert diagnose({}, {}).findings[0].what == "opentelemetry-sdk is not installed here: nothing records spans"
    assert "older" in diagnose({"opentelemetry-sdk": "1.20.0"}, {}).findings[0].what


def test_no_secret_of_the_environment_is_shown() -> None:
    environ = {"OTEL_EXPORTER_OTLP_HEADERS": "authorization=Bearer s3cret", "OTEL_SERVICE_NAME": "shop", "HOME": "/x"}

    assert diagnose(SDK, environ).environment == {"OTEL_EXPORTER_OTLP_HEADERS": "(set)", "OTEL_SERVICE_NAME": "shop"}


def test_the_most_telling_pattern_names_the_library_of_a_scope() -> None:
    known = Libraries.bundled()

    assert [
        library.title if library else None
        for library in map(
            known.of_scope, ("openinference.instrumentation.openai", "openinference.instrumentation.x", "y")
        )
    ] == ["OpenInference: OpenAI", "OpenInference: others", None]


def test_a_ledger_tells_which_library_sent_calls_without_usage(tmp_path: Path) -> None:
    ledger = open_ledger(tmp_path / "ledger.db")
    openai, own = "openinference.instrumentation.openai", "my.own.scope"
    ledger.record(
        [
            replace(sighting(1), scope=openai),
            replace(sighting(2, usage=None, start_s=100.0), scope=openai),
            replace(sighting(3, usage=None, failed=True, start_s=200.0), scope=openai),
            replace(sighting(4, usage=None, start_s=300.0), scope=own),
        ]
    )
    ledger.close()

    answer = run_cli("doctor", "--ledger", str(tmp_path / "ledger.db"), "--format", "json")
    text = run_cli("doctor", "--ledger", str(tmp_path / "ledger.db"))

    assert answer.returncode == 0
    assert [
        (row["scope"], row["title"], row["calls"], row["no_usage"], row["failed"])
        for row in json.loads(answer.stdout)["ledger"]
    ] == [(openai, "OpenInference: OpenAI", 2, 1, 1), (own, None, 1, 1, 0)]
    assert 'do      pass stream_options={"include_usage": True}' in text.stdout


def test_a_ledger_that_is_not_there_is_an_error_of_one_line(tmp_path: Path) -> None:
    answer = run_cli("doctor", "--ledger", str(tmp_path / "none.db"))

    assert answer.returncode == 1
    assert answer.stderr.startswith("otel-carbon: there is no ledger at")


def test_the_environment_of_these_tests_is_seen() -> None:
    answer = run_cli("doctor", "--format", "json")

    assert answer.returncode == 0
    assert "opentelemetry-sdk" in json.loads(answer.stdout)["sdk"]


def test_an_environment_without_instrumentations_is_told_to_install_one() -> None:
    text = text_of(diagnose({"opentelemetry-sdk": "1.45.2"}, {}))

    assert "none here: no call of a model has a span, so none is seen" in text
    assert "Nothing else would be missed" not in text
