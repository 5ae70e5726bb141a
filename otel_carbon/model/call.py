"""Activity data: what one GenAI call was, as its span tells it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

__all__ = ["Call", "ItemKind", "Items", "Usage", "input_tokens", "output_tokens"]


_MOST_ITEMS = 1e12


@dataclass(frozen=True, slots=True)
class Usage:
    """Token counts of one call, in kinds that do not overlap.

    Emitters disagree on whether cached tokens are part of the input count and reasoning tokens part of the output
    count. Whoever builds a `Usage` has settled that; nothing after it has to guess.

    Raises:
        ValueError: a count is negative.
    """

    uncached_input_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    visible_output_tokens: int = 0
    reasoning_tokens: int = 0

    def __post_init__(self) -> None:
        """Refuse negative counts."""
        if (
            self.uncached_input_tokens < 0
            or self.cache_read_tokens < 0
            or self.cache_write_tokens < 0
            or self.visible_output_tokens < 0
            or self.reasoning_tokens < 0
        ):
            raise ValueError(f"negative token count: {self}")


def input_tokens(usage: Usage) -> int:
    """Return all input tokens, the cached ones included (`gen_ai.usage.input_tokens` of the convention)."""
    return usage.uncached_input_tokens + usage.cache_read_tokens + usage.cache_write_tokens


def output_tokens(usage: Usage) -> int:
    """Return all output tokens, the reasoning ones included (`gen_ai.usage.output_tokens` of the convention)."""
    return usage.visible_output_tokens + usage.reasoning_tokens


class ItemKind(StrEnum):
    """What a call can make or take that is not counted in tokens, by the unit that it is counted in."""

    IMAGES = "images"
    VIDEOS = "videos"
    AUDIO_SECONDS = "audio_seconds"


@dataclass(frozen=True, slots=True)
class Items:
    """Images or video clips that a call made, or seconds of audio that it spoke or heard.

    Raises:
        ValueError: the count is negative or beyond anything that a call can make.
    """

    kind: ItemKind
    count: float

    def __post_init__(self) -> None:
        """Refuse what is not a count."""
        if not 0.0 <= self.count <= _MOST_ITEMS:
            raise ValueError(f"not a count of {self.kind}: {self.count}")


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a model: inference, embeddings, reranking, or the making of images, video or speech.

    `usage` is None when the emitter gave no counts, which is not zero tokens. `usage_alternative` is the other
    reading where nothing tells whether the cache is inside the input count; both then bound the interval.
    `caller_region` is where the *application* runs and says nothing about a third party's API; `region` is a region
    that the call itself names.
    """

    operation: str = "chat"
    provider: str | None = None
    model: str | None = None
    """The model that answered (`gen_ai.response.model`), raw."""
    request_model: str | None = None
    """The model that was asked for (`gen_ai.request.model`), raw."""
    usage: Usage | None = None
    usage_alternative: Usage | None = None
    failed: bool = False
    region: str | None = None
    server_address: str | None = None
    caller_region: str | None = None
    latency_s: float | None = None
    at_unix_nano: int | None = None
    """When the call began; chooses the version of the factor set. None: the newest."""
    response_id: str | None = None
    service_tier: str | None = None
    """How the provider ran it, in lower case: `default`, `priority`, `batch`, `flex`, as its answer says."""
    items: Items | None = None
    media_input_tokens: int | None = None
    """How many of the input tokens are of images, audio or video. None where nobody says."""
    media_output_tokens: int | None = None
    """How many of the output tokens are of images or audio. None where nobody says."""
    media_outside_input: bool = False
    """Whether the request held images or audio that no token count of its includes."""
    guessed: bool = False
    """Whether the token counts are the emitter's own guess rather than what the provider counted."""
    continues: bool = False
    """Whether the span reports what a stream used whose request has a span of its own."""
