"""The google-genai client: content, a stream, async, a function that the client calls by itself."""

from __future__ import annotations

import asyncio

from cases import BASE, QUESTION, case


def get_weather(city: str) -> str:
    """Get the weather."""
    return f"sunny in {city}"


def main() -> None:
    """Run all cases."""
    from google import genai
    from google.genai import types

    client = genai.Client(api_key="mock", http_options=types.HttpOptions(base_url=BASE))
    model = "gemini-2.5-flash"
    with case("generate"):
        client.models.generate_content(model=model, contents=QUESTION)
    with case("generate stream"):
        list(client.models.generate_content_stream(model=model, contents=QUESTION))
    with case("generate async"):
        asyncio.run(client.aio.models.generate_content(model=model, contents=QUESTION))
    with case("automatic function calling"):
        config = types.GenerateContentConfig(tools=[get_weather])
        client.models.generate_content(model=model, contents=QUESTION, config=config)


if __name__ == "__main__":
    main()
