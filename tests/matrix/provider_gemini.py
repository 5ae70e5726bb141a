"""`generateContent` as the Gemini API reference describes it: the candidates' count leaves out the thoughts."""

from __future__ import annotations

from typing import Any

from provider_answers import TEXT, WORDS, Answer, Request, events, tool_call

REFUSAL = {"error": {"code": 429, "message": "Resource has been exhausted", "status": "RESOURCE_EXHAUSTED"}}
REFUSAL_HEADERS: dict[str, str] = {}


def generate(request: Request) -> Answer:
    model, _, method = request.path["model"].partition(":")
    counts = request.counts()
    offered = request.body.get("tools") or []
    names = [
        declared["name"]
        for tool in offered
        for declared in tool.get("functionDeclarations") or tool.get("function_declarations") or []
    ]
    tool = tool_call(names, request.body["contents"])
    parts: list[dict[str, Any]] = [{"text": word} for word in WORDS]
    if tool is not None:
        parts = [{"functionCall": {"name": tool[0], "args": tool[1]}}]
    usage = {
        "promptTokenCount": counts.input,
        "cachedContentTokenCount": counts.cache_read,
        "candidatesTokenCount": counts.output - counts.reasoning,
        "thoughtsTokenCount": counts.reasoning,
        "totalTokenCount": counts.input + counts.output,
    }
    base = {"modelVersion": model, "responseId": request.unique, "usageMetadata": usage}
    if method == "generateContent":
        whole = parts if tool is not None else [{"text": TEXT}]
        return Answer(counts, {**base, "candidates": [_candidate(whole, last=True)]})
    stream = [
        {**base, "candidates": [_candidate([part], last=number == len(parts))]} for number, part in enumerate(parts, 1)
    ]
    return Answer(counts, chunks=events(stream), headers={"content-type": "text/event-stream"})


ROUTES = {"/v1beta/models/{model}": generate}


def _candidate(parts: list[dict[str, Any]], *, last: bool) -> dict[str, Any]:
    candidate: dict[str, Any] = {"content": {"parts": parts, "role": "model"}, "index": 0}
    return {**candidate, "finishReason": "STOP"} if last else candidate
