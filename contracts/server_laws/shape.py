"""Shape: the fields that every document has, and of what type."""

from __future__ import annotations

import re
from typing import Any, TypeGuard

from contracts.answers import FINISH_REASONS, REASONING, answer, choices, documents
from contracts.domains import CALLS, CHAT_STREAMS, CHATS, PROMPT_STREAMS, PROMPTS, STREAMS, WHOLE
from contracts.exchange import Call
from contracts.law import expect, law
from contracts.target import Target

SOURCE = "api.md, REST"
EVERYWHERE = {"id", "object", "created", "model", "choices", "system_fingerprint", "service_tier"}


def is_int(value: Any) -> TypeGuard[int]:
    """Whether a JSON value is an integer (true is none)."""
    return isinstance(value, int) and not isinstance(value, bool)


@law("S-SHAPE-01", over=CHATS, source=SOURCE)
def a_chat_answer_has_a_message(target: Target, call: Call) -> None:
    """A chat answer has choices, each with a message of role assistant and a content that is a string (or null).

    Null is for a message that has something else: a tool call, a refusal, or reasoning that used all the tokens.
    """
    document = answer(target.send(call))
    found = document.get("choices")
    expect(isinstance(found, list) and bool(found), "a non-empty list of choices", found)
    for choice in choices(document):
        message: Any = choice.get("message")
        expect(isinstance(message, dict), "a message object in each choice", choice)
        expect(message.get("role") == "assistant", "message.role 'assistant'", message)
        has_call = any(message.get(name) for name in ("tool_calls", "function_call", "refusal", *REASONING))
        content = message.get("content")
        expect(isinstance(content, str) or (content is None and has_call), "message.content as a string", message)


@law("S-SHAPE-02", over=PROMPTS, source=SOURCE)
def a_text_answer_has_a_text(target: Target, call: Call) -> None:
    """A text answer has choices, each with a text that is a string."""
    document = answer(target.send(call))
    found = document.get("choices")
    expect(isinstance(found, list) and bool(found), "a non-empty list of choices", found)
    for choice in choices(document):
        expect(isinstance(choice.get("text"), str), "choices[].text as a string", choice)


@law("S-SHAPE-03", over=CHATS, source=SOURCE)
def a_chat_answer_says_what_it_is(target: Target, call: Call) -> None:
    """A chat answer's object is chat.completion."""
    expect((said := answer(target.send(call)).get("object")) == "chat.completion", "object 'chat.completion'", said)


@law("S-SHAPE-04", over=PROMPTS, source=SOURCE)
def a_text_answer_says_what_it_is(target: Target, call: Call) -> None:
    """A text answer's object is text_completion."""
    expect((said := answer(target.send(call)).get("object")) == "text_completion", "object 'text_completion'", said)


@law("S-SHAPE-05", over=CHAT_STREAMS, source="api.md, Streaming")
def a_chat_chunk_says_what_it_is(target: Target, call: Call) -> None:
    """A chat chunk's object is chat.completion.chunk (the docs' own sample says chat.completion, which is allowed)."""
    allowed = ("chat.completion.chunk", "chat.completion")
    for document in documents(target.send(call)):
        expect(document.get("object") in allowed, "object 'chat.completion.chunk'", document.get("object"))


@law("S-SHAPE-06", over=PROMPT_STREAMS, source="api.md, Streaming")
def a_text_chunk_says_what_it_is(target: Target, call: Call) -> None:
    """A text chunk's object is text_completion (some servers say text_completion.chunk)."""
    allowed = ("text_completion", "text_completion.chunk")
    for document in documents(target.send(call)):
        expect(document.get("object") in allowed, "object 'text_completion'", document.get("object"))


@law("S-SHAPE-07", over=WHOLE, source=SOURCE)
def an_answer_has_an_id(target: Target, call: Call) -> None:
    """The id of an answer is a non-empty string of visible ASCII characters."""
    said = answer(target.send(call)).get("id")
    expect(isinstance(said, str) and re.fullmatch(r"[!-~]{1,200}", said) is not None, "a non-empty string as id", said)


@law("S-SHAPE-08", over=CALLS, source=SOURCE)
def created_is_a_unix_time(target: Target, call: Call) -> None:
    """`created` is an integer number of seconds since 1970, in this century and not in milliseconds."""
    exchange = target.send(call)
    for document in documents(exchange) if exchange.is_stream else [answer(exchange)]:
        said = document.get("created")
        expect(is_int(said) and 946_684_800 <= said < 4_102_444_800, "created in integer Unix seconds", said)


@law("S-SHAPE-09", over=WHOLE, source=SOURCE)
def choices_are_numbered(target: Target, call: Call) -> None:
    """The indexes of the choices are 0, 1, 2, ... each once."""
    said = [choice.get("index") for choice in choices(answer(target.send(call)))]
    expect(said == list(range(len(said))), f"indexes {list(range(len(said)))}", said)


@law("S-SHAPE-10", over=WHOLE, source=SOURCE)
def an_answer_says_why_it_ended(target: Target, call: Call) -> None:
    """Each choice of an answer has a finish_reason, and it is a known one."""
    for choice in choices(answer(target.send(call))):
        said = choice.get("finish_reason")
        expect(said in FINISH_REASONS, f"finish_reason one of {', '.join(FINISH_REASONS)}", said)


@law("S-SHAPE-11", over=WHOLE, level="should", source=SOURCE)
def an_answer_names_the_model(target: Target, call: Call) -> None:
    """The model of an answer is the one that was asked for."""
    said = answer(target.send(call)).get("model")
    expect(said == call.document["model"], f"model {call.document['model']!r}", said)


@law("S-SHAPE-12", over=STREAMS, source="api.md, Streaming")
def a_chunk_has_choices(target: Target, call: Call) -> None:
    """Every chunk has a list of choices; it is empty only where the chunk carries something else, like usage."""
    for document in documents(target.send(call)):
        found = document.get("choices")
        expect(isinstance(found, list), "a list of choices", document)
        expect(bool(found) or bool(set(document) - EVERYWHERE), "a choice, or usage", document)


@law("S-SHAPE-13", over=CHAT_STREAMS, source="api.md, Streaming")
def a_chat_chunk_has_a_delta(target: Target, call: Call) -> None:
    """Each choice of a chat chunk has a delta, and its content is a string, null or absent."""
    for document in documents(target.send(call)):
        for choice in choices(document):
            delta: Any = choice.get("delta")
            expect(isinstance(delta, dict), "a delta object", choice)
            content = delta.get("content")
            expect(content is None or isinstance(content, str), "delta.content a string, null or absent", delta)


@law("S-SHAPE-14", over=PROMPT_STREAMS, source="api.md, Streaming")
def a_text_chunk_has_a_text(target: Target, call: Call) -> None:
    """Each choice of a text chunk has a text that is a string."""
    for document in documents(target.send(call)):
        for choice in choices(document):
            expect(isinstance(choice.get("text"), str), "choices[].text as a string", choice)
