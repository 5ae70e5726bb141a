"""LangChain: models, chains, an agent with a tool, streams, OpenAI and Anthropic underneath."""

from __future__ import annotations

from cases import BASE, QUESTION, app_span, case


def get_weather(city: str) -> str:
    """Get the weather."""
    return f"sunny in {city}"


def main() -> None:
    """Run all cases."""
    from langchain.agents import create_agent
    from langchain_anthropic import ChatAnthropic
    from langchain_core.output_parsers import StrOutputParser
    from langchain_core.prompts import ChatPromptTemplate
    from langchain_openai import ChatOpenAI

    model = ChatOpenAI(model="gpt-4o", max_retries=0)
    with case("chat"):
        model.invoke(QUESTION)
    with case("chat stream with usage"):
        list(ChatOpenAI(model="gpt-4o", max_retries=0, stream_usage=True).stream(QUESTION))
    with case("chat stream without usage"):
        list(ChatOpenAI(model="gpt-4o", max_retries=0, stream_usage=False).stream(QUESTION))
    with case("chat under an application span"), app_span():
        model.invoke(QUESTION)
    with case("chain"):
        (ChatPromptTemplate.from_messages([("user", "{q}")]) | model | StrOutputParser()).invoke({"q": QUESTION})
    with case("batch of two in parallel"):
        model.batch([QUESTION, QUESTION])
    with case("agent with a tool"):
        create_agent(model, [get_weather]).invoke({"messages": [{"role": "user", "content": QUESTION}]})
    with case("responses"):
        ChatOpenAI(model="gpt-4o", max_retries=0, use_responses_api=True).invoke(QUESTION)
    claude = ChatAnthropic(model="claude-sonnet-4-5", max_retries=0, base_url=BASE)  # type: ignore[call-arg]
    with case("anthropic"):
        claude.invoke(QUESTION)
    with case("anthropic stream"):
        list(claude.stream(QUESTION))


if __name__ == "__main__":
    main()
