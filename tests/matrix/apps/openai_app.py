"""The OpenAI client: chat, streams, tools, embeddings, responses, errors, retries, calls that look alike."""

from __future__ import annotations

import asyncio
import json
import sys
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import Any

from cases import ALIKE, MESSAGES, QUESTION, REFUSED, app_span, case


def main(only: str = "") -> None:
    """Run all cases, or the short list."""
    import openai

    client = openai.OpenAI(max_retries=0)
    chat: dict[str, Any] = {"model": "gpt-4o", "messages": MESSAGES}
    usage = {"include_usage": True}
    with case("chat"):
        client.chat.completions.create(**chat)
    with case("chat stream with usage"):
        list(client.chat.completions.create(**chat, stream=True, stream_options=usage))
    if only == "short":
        with case("embeddings"):
            client.embeddings.create(model="text-embedding-3-small", input=["a", "b"])
        return
    with case("chat stream without usage"):
        list(client.chat.completions.create(**chat, stream=True))
    with case("chat stream abandoned"):
        stream = client.chat.completions.create(**chat, stream=True, stream_options=usage)
        next(iter(stream))
        stream.close()
        del stream
    with case("chat async"):
        asyncio.run(openai.AsyncOpenAI(max_retries=0).chat.completions.create(**chat))
    with case("chat under an application span"), app_span():
        client.chat.completions.create(**chat)
    with case("two alike in parallel"), app_span():
        _parallel(client)
    with case("two alike one after the other"), app_span():
        for _ in range(2):
            client.chat.completions.create(model="gpt-4o", messages=ALIKE)
    with case("refused", fails="RateLimitError"):
        client.chat.completions.create(model="gpt-4o", messages=REFUSED)
    with case("refused once, retried by the client"):
        retried = json.dumps({"RETRY": 1})
        openai.OpenAI(max_retries=1).chat.completions.create(
            model="gpt-4o", messages=[{"role": "user", "content": retried}]
        )
    with case("embeddings"):
        client.embeddings.create(model="text-embedding-3-small", input=["a", "b"])
    with case("responses"):
        client.responses.create(model="gpt-4o", input=QUESTION)
    with case("responses stream"):
        list(client.responses.create(model="gpt-4o", input=QUESTION, stream=True))


def _parallel(client: Any) -> None:
    with ThreadPoolExecutor(2) as threads:
        for call in [
            threads.submit(copy_context().run, client.chat.completions.create, model="gpt-4o", messages=ALIKE)
            for _ in range(2)
        ]:
            call.result()


if __name__ == "__main__":
    main(*sys.argv[1:])
