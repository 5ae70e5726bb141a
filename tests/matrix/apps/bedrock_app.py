"""boto3 and Bedrock: converse, plain and streamed."""

from __future__ import annotations

from typing import Any

from cases import BASE, QUESTION, case


def main() -> None:
    """Run all cases."""
    import boto3
    from botocore.config import Config

    client = boto3.client(
        "bedrock-runtime", endpoint_url=BASE, region_name="eu-west-3", config=Config(retries={"max_attempts": 0})
    )
    call: dict[str, Any] = {
        "modelId": "eu.anthropic.claude-sonnet-4-5-20250929-v1:0",
        "messages": [{"role": "user", "content": [{"text": QUESTION}]}],
    }
    with case("converse"):
        client.converse(**call)
    with case("converse stream"):
        list(client.converse_stream(**call)["stream"])


if __name__ == "__main__":
    main()
