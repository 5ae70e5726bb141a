"""pydantic-ai under its own instrumentation: agents with and without a tool, a stream, an agent that asks another."""

from __future__ import annotations

import asyncio

from cases import QUESTION, case


def main() -> None:
    """Run all cases."""
    from pydantic_ai import Agent
    from pydantic_ai.models.anthropic import AnthropicModel
    from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModel

    Agent.instrument_all()

    def with_tool() -> Agent:
        agent = Agent(OpenAIChatModel("gpt-4o"), name="weather")

        @agent.tool_plain
        def get_weather(city: str) -> str:
            """Get the weather."""
            return f"sunny in {city}"

        return agent

    def asking() -> Agent:
        inner = Agent(OpenAIChatModel("gpt-4o"), name="inner")
        outer = Agent(OpenAIChatModel("gpt-4o"), name="outer")

        @outer.tool_plain
        async def get_weather(city: str) -> str:
            """Get the weather."""
            return str((await inner.run(f"{QUESTION} {city}")).output)

        return outer

    async def streamed(agent: Agent) -> None:
        async with agent.run_stream(QUESTION) as result:
            async for _ in result.stream_text():
                pass

    with case("agent"):
        Agent(OpenAIChatModel("gpt-4o"), name="weather").run_sync(QUESTION)
    with case("agent with a tool"):
        with_tool().run_sync(QUESTION)
    with case("agent that asks another"):
        asking().run_sync(QUESTION)
    with case("agent over responses"):
        Agent(OpenAIResponsesModel("gpt-4o"), name="weather").run_sync(QUESTION)
    with case("agent over anthropic"):
        Agent(AnthropicModel("claude-sonnet-4-5"), name="weather").run_sync(QUESTION)
    with case("agent over anthropic, streamed"):
        asyncio.run(streamed(Agent(AnthropicModel("claude-sonnet-4-5"), name="weather")))
    with case("agent streamed"):
        asyncio.run(streamed(Agent(OpenAIChatModel("gpt-4o"), name="weather")))


if __name__ == "__main__":
    main()
