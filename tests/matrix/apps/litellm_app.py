"""LiteLLM with its `otel` callback, which reports from a thread of its own."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from cases import BASE, MESSAGES, QUESTION, REFUSED, app_span, case

_REPORTED_S = 0.4
"""LiteLLM's callback runs in the background; the application span of a case stays open as long."""


def main() -> None:
    """Run all cases."""
    import litellm

    litellm.callbacks = ["otel"]
    litellm.suppress_debug_info = True
    chat: dict[str, Any] = {"model": "openai/gpt-4o", "messages": MESSAGES}

    async def completed() -> None:
        await litellm.acompletion(**chat)
        await asyncio.sleep(_REPORTED_S)

    with case("completion", settle_s=_REPORTED_S):
        litellm.completion(**chat)
    with case("completion stream with usage", settle_s=_REPORTED_S):
        list(litellm.completion(**chat, stream=True, stream_options={"include_usage": True}))
    with case("completion stream without usage", settle_s=_REPORTED_S):
        list(litellm.completion(**chat, stream=True))
    with case("completion async", settle_s=_REPORTED_S):
        asyncio.run(completed())
    with case("completion under an application span"), app_span():
        litellm.completion(**chat)
        time.sleep(_REPORTED_S)
    with case("two completions under one application span"), app_span():
        litellm.completion(**chat)
        litellm.completion(**{**chat, "model": "openai/gpt-4o-mini"})
        time.sleep(_REPORTED_S)
    with case("completion with anthropic", settle_s=_REPORTED_S):
        litellm.completion(model="anthropic/claude-sonnet-4-5", messages=MESSAGES, api_base=BASE)
    with case("embedding", settle_s=_REPORTED_S):
        litellm.embedding(model="openai/text-embedding-3-small", input=[QUESTION])
    with case("refused", fails="RateLimitError", settle_s=_REPORTED_S):
        litellm.completion(**{**chat, "messages": REFUSED}, num_retries=0, max_retries=0)


if __name__ == "__main__":
    main()
