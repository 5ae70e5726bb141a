"""The Anthropic client: messages, both kinds of stream, tools, errors, calls that look alike."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import Any

from cases import ALIKE, MESSAGES, REFUSED, app_span, case

TOOL = {"name": "get_weather", "description": "w", "input_schema": {"type": "object", "properties": {}}}


def main() -> None:
    """Run all cases."""
    import anthropic

    client = anthropic.Anthropic(max_retries=0)
    message: dict[str, Any] = {"model": "claude-sonnet-4-5", "max_tokens": 500, "messages": MESSAGES}
    with case("messages"):
        client.messages.create(**message)
    with case("messages stream"):
        list(client.messages.create(**message, stream=True))
    with case("messages stream manager"), client.messages.stream(**message) as stream:
        list(stream.text_stream)
    with case("messages async"):
        asyncio.run(anthropic.AsyncAnthropic(max_retries=0).messages.create(**message))
    with case("messages under an application span"), app_span():
        client.messages.create(**message)
    with case("messages with tools"):
        client.messages.create(**message, tools=[TOOL])
    with case("two alike in parallel"), app_span(), ThreadPoolExecutor(2) as threads:
        calls = [
            threads.submit(copy_context().run, client.messages.create, **{**message, "messages": ALIKE})
            for _ in range(2)
        ]
        for call in calls:
            call.result()
    with case("two alike one after the other"), app_span():
        for _ in range(2):
            client.messages.create(**{**message, "messages": ALIKE})
    with case("refused", fails="RateLimitError"):
        client.messages.create(**{**message, "messages": REFUSED})


if __name__ == "__main__":
    main()
