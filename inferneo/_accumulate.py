"""What the chunks of a stream come to, in time linear in them: pieces are kept in lists and joined when asked for."""

from __future__ import annotations

from typing import Any, TypeVar

from inferneo._errors import Partial
from inferneo._types import (
    ChatCompletionChoice,
    ChatCompletionChunk,
    ChatCompletionResponse,
    ChatLogprobs,
    ChatMessage,
    CompletionChoice,
    CompletionChunk,
    CompletionResponse,
    FunctionCall,
    LogProbs,
    Root,
    ToolCall,
    Usage,
)
from inferneo._types import (
    ToolCall as ToolPiece,
)

T = TypeVar("T")


class _Tool:
    """A tool call that is being put together."""

    __slots__ = ("arguments", "id", "index", "name", "type")

    def __init__(self, index: int | None) -> None:
        self.index = index
        self.id: str | None = None
        self.type: str | None = None
        self.name: list[str] = []
        self.arguments: list[str] | None = None

    def whole(self) -> ToolCall:
        arguments = None if self.arguments is None else "".join(self.arguments)
        function = FunctionCall(name="".join(self.name) or None, arguments=arguments)
        return ToolCall(id=self.id, type=self.type, function=function, index=self.index)


class _Choice:
    """A choice that is being put together."""

    __slots__ = ("call", "finish", "logprobs", "reasoning", "refusal", "role", "text", "tools")

    def __init__(self) -> None:
        self.text: list[str] = []
        self.finish: str | None = None
        self.role: str | None = None
        self.reasoning: list[str] = []
        self.refusal: list[str] = []
        self.tools: list[_Tool] = []
        self.call: _Tool | None = None
        self.logprobs: list[Any] = []

    def add_tool(self, piece: ToolPiece) -> None:
        """A piece belongs to the call of its index; without one, to the last call unless it brings a new id."""
        tool = None
        if piece.index is not None:
            tool = next((tool for tool in self.tools if tool.index == piece.index), None)
        elif self.tools and (piece.id is None or piece.id == self.tools[-1].id):
            tool = self.tools[-1]
        if tool is None:
            tool = _Tool(len(self.tools) if piece.index is None else piece.index)
            self.tools.append(tool)
        tool.id = tool.id or piece.id
        tool.type = tool.type or piece.type
        if piece.function is not None:
            _add_function(tool, piece.function)


def _add_function(tool: _Tool, function: FunctionCall) -> None:
    if function.name and function.name != "".join(tool.name):  # some servers repeat the name in each piece
        tool.name.append(function.name)
    if function.arguments is not None:
        if tool.arguments is None:
            tool.arguments = []
        tool.arguments.append(function.arguments)


class Accumulator:
    """All choices of a stream. `add` each chunk that is handed out."""

    __slots__ = ("_choices", "_first", "started", "usage")

    def __init__(self) -> None:
        self._choices: dict[int, _Choice] = {}
        self._first: dict[str, Any] = {}
        self.usage: Usage | None = None
        self.started = False

    def add(self, chunk: ChatCompletionChunk | CompletionChunk) -> None:
        """Take one more chunk."""
        if not self.started:
            self.started = True
        first = self._first
        if len(first) < 4:
            for name in ("id", "created", "model", "system_fingerprint"):
                if name not in first and (value := getattr(chunk, name)) is not None:
                    first[name] = value
        if chunk.usage is not None:
            self.usage = chunk.usage
        chat = type(chunk) is ChatCompletionChunk
        for choice in chunk.choices:
            state = self._choices.get(choice.index)
            if state is None:
                state = self._choices[choice.index] = _Choice()
            if chat:
                delta = choice.delta  # type: ignore[union-attr]  # the chunk's type says so
                if delta.content:
                    state.text.append(delta.content)
                if delta.role is not None:
                    state.role = delta.role
                if delta.tool_calls:
                    for piece in delta.tool_calls:
                        state.add_tool(piece)
                if delta.reasoning_content:
                    state.reasoning.append(delta.reasoning_content)
                if delta.refusal:
                    state.refusal.append(delta.refusal)
                if delta.function_call is not None:
                    state.call = state.call or _Tool(None)
                    _add_function(state.call, delta.function_call)
            elif choice.text:  # type: ignore[union-attr]  # see above
                state.text.append(choice.text)  # type: ignore[union-attr]  # see above
            if choice.finish_reason:
                state.finish = choice.finish_reason
            if choice.logprobs is not None:
                state.logprobs.append(choice.logprobs)

    @property
    def complete(self) -> bool:
        """Whether at least one choice was seen, and every choice seen has a finish reason."""
        return bool(self._choices) and all(state.finish for state in self._choices.values())

    def finished(self) -> int:
        """How many choices have a finish reason."""
        return sum(1 for state in self._choices.values() if state.finish)

    def partial(self) -> Partial:
        """The text so far by choice."""
        return Partial({index: "".join(state.text) for index, state in sorted(self._choices.items())})

    @property
    def text(self) -> str:
        """The text so far of the first choice."""
        return "".join(self._choices[min(self._choices)].text) if self._choices else ""

    def response(self, kind: type[Root], at: Any) -> Any:
        """The whole answer, as the same request without `stream` would have had it."""
        choices = sorted(self._choices.items())
        known = {**self._first, "usage": self.usage, "_at": at}
        if kind is ChatCompletionChunk:
            return ChatCompletionResponse(
                object="chat.completion",
                choices=[
                    ChatCompletionChoice(
                        index=index,
                        finish_reason=state.finish,
                        logprobs=_chat_logprobs(state.logprobs),
                        message=_message(state),
                    )
                    for index, state in choices
                ],
                **known,
            )
        return CompletionResponse(
            object="text_completion",
            choices=[
                CompletionChoice(
                    index=index,
                    text="".join(state.text),
                    finish_reason=state.finish,
                    logprobs=_text_logprobs(state.logprobs),
                )
                for index, state in choices
            ],
            **known,
        )


def _message(state: _Choice) -> ChatMessage:
    called = bool(state.tools) or state.call is not None
    return ChatMessage(
        role=state.role or "assistant",
        content="".join(state.text) if state.text or not called else None,
        reasoning_content="".join(state.reasoning) or None,
        refusal="".join(state.refusal) or None,
        tool_calls=[tool.whole() for tool in state.tools] or None,
        function_call=state.call.whole().function if state.call else None,
    )


def _joined(parts: list[list[T] | None]) -> list[T] | None:
    lists = [part for part in parts if part is not None]
    return [item for part in lists for item in part] if lists else None


def _chat_logprobs(parts: list[ChatLogprobs]) -> ChatLogprobs | None:
    if not parts:
        return None
    return ChatLogprobs(
        content=_joined([part.content for part in parts]), refusal=_joined([part.refusal for part in parts])
    )


def _text_logprobs(parts: list[LogProbs]) -> LogProbs | None:
    if not parts:
        return None
    return LogProbs(
        tokens=_joined([part.tokens for part in parts]),
        token_logprobs=_joined([part.token_logprobs for part in parts]),
        top_logprobs=_joined([part.top_logprobs for part in parts]),
        text_offset=_joined([part.text_offset for part in parts]),
    )
