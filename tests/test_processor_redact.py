"""The gateway's `redact` processor: its settings, and what it keeps off the disk."""

from __future__ import annotations

import gzip
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from captures import captures
from gateway_process import GatewayProcess
from otlp_requests import chat_span, spans_of, traces

from otel_carbon.errors import ConfigError
from otel_carbon.gateway.components import Catalogue
from otel_carbon.gateway.config import parse_config
from otel_carbon.gateway.telemetry import SelfMetrics
from otel_carbon.pipeline.component import Settings
from otel_carbon.pipeline.otlp import parse
from otel_carbon.pipeline.pdata import Payload, Signal
from otel_carbon.processors.redact import FACTORY, Config, ContentMode, RedactProcessor

KEY = "0123456789abcdef"
PROMPT = "gen_ai.input.messages"


def processor(telemetry: SelfMetrics | None = None, **config: Any) -> RedactProcessor:
    return FACTORY.create(Config(**config), Settings("redact", {}, {"telemetry": telemetry} if telemetry else {}))


def asked(*prompts: Any, key: str = PROMPT) -> Payload:
    spans = [chat_span(number, extra={key: prompt}) for number, prompt in enumerate(prompts, 1)]
    return parse(Signal.TRACES, traces(*spans).SerializeToString())


def left(payload: Payload, key: str = PROMPT) -> list[str]:
    return [each.value.string_value for span in spans_of(payload.body) for each in span.attributes if each.key == key]


def test_content_is_dropped_when_nothing_else_is_said() -> None:
    assert left(processor().process(asked("hello"))) == []


def test_keep_lets_everything_pass() -> None:
    payload = asked("hello")

    assert processor(content=ContentMode.KEEP).process(payload) is payload


def test_the_hash_is_the_published_function() -> None:
    # printf hello | openssl dgst -sha256 -hmac 0123456789abcdef
    digest = "713ba20d2e5fdfbc44724244bf2305ed0714f16ecad75df06e9547b5ae43d83a"

    assert left(processor(content=ContentMode.HASH, hash_key=KEY).process(asked("hello"))) == [f"hmac-sha256:{digest}"]


def test_equal_values_have_equal_hashes_under_one_key_and_others_under_another() -> None:
    payload = asked("hello", "hello", "bye")

    first, second, third = left(processor(content=ContentMode.HASH, hash_key=KEY).process(payload))
    other, *_ = left(processor(content=ContentMode.HASH, hash_key=KEY[::-1]).process(payload))

    assert first == second
    assert len({first, third, other}) == 3


def test_without_a_key_two_processes_cannot_be_linked() -> None:
    (one,), (two,) = (left(processor(content=ContentMode.HASH).process(asked("hello"))) for _ in range(2))

    assert one != two


def test_a_structure_has_the_same_hash_as_its_canonical_json() -> None:
    by = processor(content=ContentMode.HASH, hash_key=KEY)

    structure, text = left(by.process(asked({"b": [1, "é"], "a": None}, '{"a":null,"b":[1,"é"]}')))

    assert structure == text


def test_the_key_may_be_in_a_file(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_text(f"{KEY}\n", encoding="utf-8")
    from_file = processor(content=ContentMode.HASH, hash_key_file=str(path))

    in_config = processor(content=ContentMode.HASH, hash_key=KEY)
    assert left(from_file.process(asked("hello"))) == left(in_config.process(asked("hello")))


@pytest.mark.parametrize(
    ("config", "problem"),
    [
        ({"hash_key": "short"}, "hash_key: a key has at least 16 characters"),
        ({"hash_key": KEY, "hash_key_file": "k"}, "hash_key and hash_key_file are both set"),
        ({"keys": ("",)}, "keys: an empty key"),
        ({"keys": (".",)}, "keys: an empty key"),
        ({"keys": ("gen_ai.request.model",)}, "keys: 'gen_ai.request.model' is read"),
    ],
)
def test_what_cannot_be_used_is_refused(config: dict[str, Any], problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        Config(**config)


def test_a_key_file_that_is_not_there_is_named() -> None:
    with pytest.raises(ConfigError, match=r"hash_key_file: /nowhere/key cannot be read"):
        processor(content=ContentMode.HASH, hash_key_file="/nowhere/key")


def test_the_key_is_not_shown() -> None:
    assert KEY not in repr(Config(hash_key=KEY))


@pytest.mark.parametrize("key", ["app.question", "app.chat.text", "app.eu.text"])
def test_keys_of_ones_own_are_content_too(key: str) -> None:
    by = processor(keys=("app.question", "app.chat.", "app.*.text"))

    assert left(by.process(asked("hello", key=key)), key) == []


def test_a_prefix_takes_nothing_that_is_read() -> None:
    (span,) = spans_of(processor(keys=("gen_ai.",)).process(asked("hello")).body)

    assert [each.key for each in span.attributes] == [each.key for each in chat_span().attributes]


def test_spans_that_lost_something_are_counted() -> None:
    telemetry = SelfMetrics()
    by = processor(telemetry)

    by.process(asked("hello", "bye"))
    by.process(parse(Signal.TRACES, traces(chat_span()).SerializeToString()))

    assert telemetry.value("processor_redacted_items", processor="redact", otel_signal="traces") == 2


def test_an_unknown_mode_names_the_choices() -> None:
    with pytest.raises(ConfigError, match=r"processors::redact::content"):
        parse_config("processors: {redact: {content: mask}}", {}, Catalogue.bundled(), source="test")


CONFIG = """\
receivers: {otlp: {protocols: {grpc: , http: }}}
processors: {redact: {content: MODE}, carbon: }
exporters: {otlp_http: {endpoint: "http://127.0.0.1:9"}}
service:
  pipelines:
    traces: {receivers: [otlp], processors: [redact, carbon], exporters: [otlp_http]}
"""


@pytest.mark.parametrize(("mode", "on_disk"), [("drop", False), ("hash", False), ("keep", True)])
def test_no_content_is_ever_on_the_disk(mode: str, on_disk: bool, tmp_path: Path) -> None:
    config = tmp_path / "gateway.yaml"
    config.write_text(CONFIG.replace("MODE", mode), encoding="utf-8")
    (capture,) = (capture for capture in captures() if capture.name == "openinference-openai")
    with GatewayProcess(tmp_path / "data", "--config", str(config)) as gateway:
        for body in capture.bodies:
            request = urllib.request.Request(
                f"{gateway.ready['http']}/v1/traces",
                gzip.compress(body),
                {"Content-Type": "application/x-protobuf", "Content-Encoding": "gzip"},
            )
            with urllib.request.urlopen(request, timeout=10) as answer:
                assert answer.status == 200
        gateway.kill()

    files = {path.name: path.read_bytes() for path in (tmp_path / "data").rglob("*") if path.is_file()}
    assert any(b"openinference.span.kind" in content for content in files.values())  # nobody took it, so it is there
    assert any(b"The weather in Paris is sunny." in content for content in files.values()) is on_disk
    assert any(b"You are terse." in content for content in files.values()) is on_disk
