"""The shapes of what is sent, for type checkers; at run time they are plain dicts.

`MessageParam` is any message of a chat. `CompletionParams` and `ChatCompletionParams` are the keyword arguments of the
two `create` methods, for programs that keep them in a dict and pass them with `**`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, Required, TypeAlias, TypedDict


class TextPart(TypedDict):
    """A piece of text in a message."""

    type: Literal["text"]
    text: str


class ImageUrl(TypedDict, total=False):
    """Where an image is, and how closely to look at it."""

    url: Required[str]
    detail: str


class ImagePart(TypedDict):
    """An image in a message."""

    type: Literal["image_url"]
    image_url: ImageUrl


ContentPart: TypeAlias = TextPart | ImagePart | Mapping[str, Any]


class FunctionCallParam(TypedDict):
    """A function the model called; `arguments` is JSON text."""

    name: str
    arguments: str


class ToolCallParam(TypedDict):
    """A tool call the model made."""

    id: str
    type: Literal["function"]
    function: FunctionCallParam


class SystemMessage(TypedDict, total=False):
    """What the model shall be."""

    role: Required[Literal["system", "developer"]]
    content: Required[str | Sequence[ContentPart]]
    name: str


class UserMessage(TypedDict, total=False):
    """What the user says."""

    role: Required[Literal["user"]]
    content: Required[str | Sequence[ContentPart]]
    name: str


class AssistantMessage(TypedDict, total=False):
    """What the model said."""

    role: Required[Literal["assistant"]]
    content: str | Sequence[ContentPart] | None
    name: str
    refusal: str | None
    tool_calls: Sequence[ToolCallParam]


class ToolMessage(TypedDict):
    """What a tool gave back."""

    role: Literal["tool"]
    content: str | Sequence[ContentPart]
    tool_call_id: str


MessageParam: TypeAlias = SystemMessage | UserMessage | AssistantMessage | ToolMessage | Mapping[str, Any]


class FunctionDefinition(TypedDict, total=False):
    """A function the model may call; `parameters` is a JSON Schema."""

    name: Required[str]
    description: str
    parameters: Mapping[str, Any]
    strict: bool


class ToolParam(TypedDict):
    """A tool the model may call."""

    type: Literal["function"]
    function: FunctionDefinition


class StreamOptions(TypedDict, total=False):
    """What a stream shall hold besides."""

    include_usage: bool


class ResponseFormat(TypedDict, total=False):
    """The form of the answer."""

    type: Required[Literal["text", "json_object", "json_schema"]]
    json_schema: Mapping[str, Any]


class SamplingParams(TypedDict, total=False):
    """What both `create` methods take."""

    model: Required[str]
    max_tokens: int | None
    temperature: float | None
    top_p: float | None
    top_k: int | None
    frequency_penalty: float | None
    presence_penalty: float | None
    stop: str | Sequence[str] | None
    n: int | None
    seed: int | None
    user: str | None
    logit_bias: Mapping[str, float] | None
    stream_options: StreamOptions | None


class CompletionParams(SamplingParams, total=False):
    """The keyword arguments of `completions.create`."""

    prompt: Required[str | Sequence[str]]
    logprobs: int | None
    echo: bool | None
    best_of: int | None
    suffix: str | None


class ChatCompletionParams(SamplingParams, total=False):
    """The keyword arguments of `chat.completions.create`."""

    messages: Required[Sequence[MessageParam]]
    logprobs: bool | None
    top_logprobs: int | None
    tools: Sequence[ToolParam | Mapping[str, Any]] | None
    tool_choice: str | Mapping[str, Any] | None
    response_format: ResponseFormat | Mapping[str, Any] | None
