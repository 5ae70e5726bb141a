"""The OpenAI Agents SDK: an agent with a tool, over responses and over chat completions."""

from __future__ import annotations

import asyncio

from cases import QUESTION, case


def main() -> None:
    """Run all cases."""
    import openai
    from agents import Agent, OpenAIChatCompletionsModel, OpenAIResponsesModel, Runner, function_tool

    @function_tool
    def get_weather(city: str) -> str:
        """Get the weather."""
        return f"sunny in {city}"

    def agent(model: type) -> Agent:
        client = openai.AsyncOpenAI(max_retries=0)
        return Agent(name="weather", instructions="Be terse.", tools=[get_weather], model=model("gpt-4o", client))

    async def streamed() -> None:
        async for _ in Runner.run_streamed(agent(OpenAIResponsesModel), QUESTION).stream_events():
            pass

    with case("agent over responses"):
        Runner.run_sync(agent(OpenAIResponsesModel), QUESTION)
    with case("agent over chat completions"):
        Runner.run_sync(agent(OpenAIChatCompletionsModel), QUESTION)
    with case("agent streamed"):
        asyncio.run(streamed())


if __name__ == "__main__":
    main()
