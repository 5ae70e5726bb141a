"""Spans of calls that make images, video or speech, as the conventions and instrumentations name them."""

from __future__ import annotations

from typing import Any

import pytest

from otel_carbon.model import Call, ItemKind, Items, Usage
from otel_carbon.spans import SpanReader

_READER = SpanReader.bundled()
_IMAGE: dict[str, Any] = {
    "gen_ai.operation.name": "generate_content",
    "gen_ai.output.type": "image",
    "gen_ai.provider.name": "openai",
    "gen_ai.request.model": "gpt-image-1",
}


def _call(attributes: dict[str, Any], **arguments: Any) -> Call:
    read = _READER.read(attributes, **arguments)
    assert isinstance(read, Call), read
    return read


def _images(number: float) -> Items:
    return Items(ItemKind.IMAGES, number)


@pytest.mark.parametrize(
    ("attributes", "items"),
    [
        # Microsoft.Extensions.AI, OpenTelemetryImageGenerator: the count only where it was asked for.
        ({}, _images(1)),
        ({"gen_ai.request.choice.count": 4}, _images(4)),
        ({"gen_ai.request.image_count": "3"}, _images(3)),
        ({"gen_ai.operation.name": "chat"}, _images(1)),
        # OpenLIT 1.45: `image` and `video`, LiteLLM: `image_generation`.
        ({"gen_ai.operation.name": "image", "gen_ai.output.type": "image"}, _images(1)),
        ({"gen_ai.operation.name": "image_generation", "gen_ai.request.n": 2}, _images(2)),
        ({"gen_ai.operation.name": "video"}, Items(ItemKind.VIDEOS, 1)),
        # Nothing that can be a count of images is one image, not none.
        ({"gen_ai.request.choice.count": 0}, _images(1)),
        ({"gen_ai.request.choice.count": 10**9}, _images(1)),
        ({"gen_ai.request.choice.count": float("nan")}, _images(1)),
        # Text is not an image.
        ({"gen_ai.output.type": "text"}, None),
        ({"gen_ai.operation.name": "text_completion"}, None),
    ],
)
def test_images_are_counted_as_the_span_says(attributes: dict[str, Any], items: Items | None) -> None:
    assert _call({**_IMAGE, **attributes}).items == items


def test_a_failed_call_made_nothing() -> None:
    assert _call(_IMAGE, failed=True).items is None
    assert _call({**_IMAGE, "error.type": "timeout"}).items is None


@pytest.mark.parametrize(
    ("operation", "key", "value", "recorded", "items"),
    [
        # OpenLIT 1.45: seconds of a transcription on the response, of AssemblyAI on the request.
        (
            "speech_to_text",
            "gen_ai.response.audio.duration",
            12.5,
            "transcription",
            Items(ItemKind.AUDIO_SECONDS, 12.5),
        ),
        ("audio", "gen_ai.request.audio_duration", 30, "speech", Items(ItemKind.AUDIO_SECONDS, 30.0)),
        ("text_to_speech", "gen_ai.request.audio_voice", "alloy", "speech", None),
        ("transcription", "gen_ai.response.audio.duration", float("nan"), "transcription", None),
        ("transcription", "gen_ai.response.audio.duration", -1, "transcription", None),
        ("transcription", "gen_ai.response.audio.duration", 10**400, "transcription", None),
        ("transcription", "gen_ai.response.audio.duration", True, "transcription", None),
    ],
)
def test_audio_is_counted_in_seconds_where_they_are_known(
    operation: str, key: str, value: Any, recorded: str, items: Items | None
) -> None:
    call = _call({"gen_ai.operation.name": operation, "gen_ai.request.model": "whisper-1", key: value})

    assert (call.operation, call.items) == (recorded, items)


def test_media_tokens_are_part_of_the_input_and_named() -> None:
    call = _call(
        {
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": "openai",
            "gen_ai.request.model": "gpt-4o-audio-preview",
            "gen_ai.usage.input_tokens": 100,
            "gen_ai.usage.output_tokens": 60,
            "gen_ai.usage.audio.input_tokens": 40,
            "gen_ai.usage.image.input_tokens": 25,
            "gen_ai.usage.audio.output_tokens": 50,
        }
    )

    assert call.usage == Usage(uncached_input_tokens=100, visible_output_tokens=60)
    assert (call.media_input_tokens, call.media_output_tokens, call.items) == (65, 50, None)


def test_media_tokens_beyond_the_input_are_outside_of_it() -> None:
    call = _call(
        {
            "gen_ai.operation.name": "chat",
            "gen_ai.request.model": "gpt-4o",
            "gen_ai.usage.input_tokens": 20,
            "gen_ai.usage.output_tokens": 60,
            "gen_ai.usage.image.input_tokens": 765,
        }
    )

    assert call.usage == Usage(uncached_input_tokens=785, visible_output_tokens=60)


def test_openinference_names_audio_tokens() -> None:
    call = _call(
        {
            "openinference.span.kind": "LLM",
            "llm.model_name": "gpt-4o-audio-preview",
            "llm.token_count.prompt": 100,
            "llm.token_count.completion": 60,
            "llm.token_count.prompt_details.audio": 40,
            "llm.token_count.completion_details.audio": 0,
        }
    )

    assert (call.media_input_tokens, call.media_output_tokens) == (40, 0)


def test_a_reranker_is_a_call() -> None:
    call = _call({"openinference.span.kind": "RERANKER", "reranker.model_name": "rerank-v3.5"})
    counted = _call(
        {
            "gen_ai.operation.name": "rerank",
            "gen_ai.provider.name": "cohere",
            "gen_ai.request.model": "rerank-v3.5",
            "gen_ai.usage.input_tokens": 900,
        }
    )

    assert (call.operation, call.model, call.usage) == ("rerank", "rerank-v3.5", None)
    assert (counted.operation, counted.usage) == ("rerank", Usage(uncached_input_tokens=900))


def test_a_chat_says_nothing_of_media() -> None:
    call = _call({"gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-4o", "gen_ai.usage.input_tokens": 5})

    assert (call.items, call.media_input_tokens, call.media_output_tokens) == (None, None, None)
