"""Runs in litellm's own environment: one JSON order on the command line, one JSON line of results for each scenario.

litellm wants an older `openai` than the one under test beside it, hence a process and an environment of its own.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable
from typing import Any

import litellm  # type: ignore[import-not-found]  # only in its own environment

MESSAGES = [{"role": "user", "content": "Say hello"}]


def scenarios(order: dict[str, Any]) -> dict[str, Callable[[], Any]]:
    """Each gives something that JSON takes."""
    at = {"api_base": order["base"], "api_key": "sk-test", "max_retries": order.get("retries", 0)}
    chat: dict[str, Any] = {"model": f"openai/{order['chat_model']}", "messages": MESSAGES, "temperature": 0, **at}
    text: dict[str, Any] = {
        "model": f"text-completion-openai/{order['text_model']}",
        "prompt": "One",
        "max_tokens": 6,
        **at,
    }
    called: dict[str, Any] = {**chat, "tools": [order["tool"]], "tool_choice": "required"}

    def streamed(ask: dict[str, Any]) -> Any:
        chunks = list(litellm.completion(**ask, stream=True, stream_options={"include_usage": True}))
        return litellm.stream_chunk_builder(chunks, messages=MESSAGES).model_dump()

    async def at_once() -> list[str]:
        asks = [{**chat, "messages": [{"role": "user", "content": f"tag {tag}"}]} for tag in range(4)]
        answers = await asyncio.gather(*(litellm.acompletion(**ask) for ask in asks))
        return [answer.choices[0].message.content for answer in answers]

    return {
        "chat": lambda: litellm.completion(**chat, max_tokens=12).model_dump(),
        "stream": lambda: streamed({**chat, "max_tokens": 12}),
        "text": lambda: litellm.text_completion(**text).model_dump(),
        "text_stream": lambda: [chunk.model_dump() for chunk in litellm.text_completion(**text, stream=True)],
        "embedding": lambda: litellm.embedding(
            model=f"openai/{order['embedding_model']}",
            input=["robot", "other"],
            api_base=at["api_base"],
            api_key="sk-test",
        ).model_dump(),
        "tools": lambda: litellm.completion(**called).model_dump(),
        "tools_stream": lambda: streamed(called),
        "structured": lambda: litellm.completion(
            **chat, response_format={"type": "json_schema", "json_schema": {"name": "call", "schema": order["schema"]}}
        ).model_dump(),
        "at_once": lambda: asyncio.run(at_once()),
    }


def main() -> None:
    order = json.loads(sys.argv[1])
    made = scenarios(order)
    for name in order["scenarios"]:
        try:
            line = {"scenario": name, "result": made[name]()}
        except Exception as error:  # whatever it raises is the finding
            line = {
                "scenario": name,
                "raised": type(error).__name__,
                "status": getattr(error, "status_code", None),
                "message": str(error),
            }
        print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
