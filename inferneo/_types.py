"""What the server answers, as values whose fields hold what their types say.

Absent and `null` optional fields are `None`. Fields that are not known here stay reachable: `.extra`, item access
(`data[0]["embedding"]`), attribute access at run time, and `.to_dict()`, which gives back the whole document.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, ClassVar

import msgspec

from inferneo._headers import Http
from inferneo._json import read_json


class Source:
    """The bytes an object was read from, and how they came; decoded once, when an unknown field is asked for."""

    __slots__ = ("_document", "http", "raw")

    def __init__(self, raw: bytes, http: Http | None = None) -> None:
        self.raw = raw
        self.http = http
        self._document: Any = msgspec.UNSET

    @property
    def document(self) -> Any:
        if self._document is msgspec.UNSET:
            self._document = read_json(self.raw)
        return self._document

    def at(self, path: tuple[str | int, ...]) -> dict[str, Any]:
        value = self.document
        for step in path:
            value = value[step]
        return value if isinstance(value, dict) else {}

    def __reduce__(self) -> tuple[Any, ...]:
        return Source, (self.raw, self.http)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Source) and self.raw == other.raw

    def __hash__(self) -> int:
        return hash(self.raw)


class Base(msgspec.Struct, kw_only=True):
    """What all answered objects can do."""

    _links: ClassVar[tuple[str, ...]] = ()  # the fields that hold such objects, or lists of them
    # Where the object was read from: (Source, path). JSON has no tuples, so no server can forge it.
    _at: Any = msgspec.field(default=None, name="(at)")

    def _source(self) -> tuple[Source, tuple[str | int, ...]] | None:
        at = self._at
        return at if isinstance(at, tuple) else None

    @property
    def http(self) -> Http | None:
        """Status, headers, request id, elapsed seconds and attempts of the reply; `None` on an object made by hand."""
        at = self._source()
        return at[0].http if at else None

    @property
    def raw(self) -> bytes | None:
        """The bytes of the whole document this object was read from."""
        at = self._source()
        return at[0].raw if at else None

    @property
    def extra(self) -> dict[str, Any]:
        """The fields the server sent that this class does not know."""
        at = self._source()
        return {k: v for k, v in at[0].at(at[1]).items() if k not in self.__struct_fields__} if at else {}

    def to_dict(self) -> dict[str, Any]:
        """The object as the server sent it, unknown fields too; of one made by hand, its fields that are not None."""
        at = self._source()
        if at:
            return dict(at[0].at(at[1]))
        plain: dict[str, Any] = {}
        for name in self.__struct_fields__:
            value = getattr(self, name)
            if name[0] != "_" and value is not None:
                plain[name] = _plain(value)
        return plain

    def __getitem__(self, name: str) -> Any:
        if name in self.__struct_fields__ and name[0] != "_":
            return getattr(self, name)
        return self.extra[name]

    def __contains__(self, name: object) -> bool:
        return name in self.__struct_fields__ or name in self.extra

    def get(self, name: str, default: Any = None) -> Any:
        """Item access that gives `default` for a field the server did not send."""
        try:
            return self[name]
        except KeyError:
            return default

    def __iter__(self) -> Iterator[Any]:
        raise TypeError(f"{type(self).__name__} is not iterable; its fields are {', '.join(self._public())}")

    @classmethod
    def _public(cls) -> list[str]:
        return [name for name in cls.__struct_fields__ if name[0] != "_"]

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{n}={getattr(self, n)!r}' for n in self._public())})"

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return all(getattr(self, name) == getattr(other, name) for name in self._public())

    __hash__ = None  # type: ignore[assignment]  # values that can change have no hash

    if not TYPE_CHECKING:  # a type checker shall still find misspelt names

        def __getattr__(self, name: str) -> Any:
            if name[0] != "_":
                extra = self.extra
                if name in extra:
                    return extra[name]
            raise AttributeError(f"{type(self).__name__} has no field {name!r}, and the server sent none")


def _plain(value: Any) -> Any:
    if isinstance(value, Base):
        return value.to_dict()
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value


def link(value: Base, source: Source, path: tuple[str | int, ...] = ()) -> None:
    """Tell an object, and those in it, where in `source` they are."""
    value._at = (source, path)
    for name in value._links:
        inner = getattr(value, name)
        if isinstance(inner, list):
            for index, item in enumerate(inner):
                link(item, source, (*path, name, index))
        elif inner is not None:
            link(inner, source, (*path, name))


class Usage(Base, kw_only=True):
    """Token counts."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    total_tokens: int = 0
    prompt_tokens_details: dict[str, Any] | None = None
    completion_tokens_details: dict[str, Any] | None = None


class LogProbs(Base, kw_only=True):
    """Log probabilities of a text completion, one entry per token."""

    tokens: list[str] | None = None
    token_logprobs: list[float | None] | None = None
    top_logprobs: list[dict[str, float] | None] | None = None
    text_offset: list[int] | None = None


class TopLogprob(Base, kw_only=True):
    """One of the likeliest tokens at a place."""

    token: str
    logprob: float | None = None
    bytes: list[int] | None = None


class TokenLogprob(Base, kw_only=True):
    """A token, its log probability, and the likeliest others."""

    token: str
    logprob: float | None = None
    bytes: list[int] | None = None
    top_logprobs: list[TopLogprob] | None = None


class ChatLogprobs(Base, kw_only=True):
    """Log probabilities of a chat choice."""

    content: list[TokenLogprob] | None = None
    refusal: list[TokenLogprob] | None = None


class FunctionCall(Base, kw_only=True):
    """A function the model wants called; `arguments` is JSON text (a piece of it in a stream)."""

    name: str | None = None
    arguments: str | None = None


class ToolCall(Base, kw_only=True):
    """A tool call, or a piece of one: in a stream `index` says which call a piece belongs to."""

    _links = ("function",)
    id: str | None = None
    type: str | None = None
    function: FunctionCall | None = None
    index: int | None = None


class ChatMessage(Base, kw_only=True):
    """A message of a chat."""

    _links = ("tool_calls", "function_call")
    role: str | None = None
    content: str | None = None
    reasoning_content: str | None = None
    refusal: str | None = None
    tool_calls: list[ToolCall] | None = None
    function_call: FunctionCall | None = None


class Delta(ChatMessage, kw_only=True):
    """What a chunk adds to a message."""


class Root(Base, kw_only=True):
    """A whole document. The private fields are how servers report failures inside a success."""

    _error: Any = msgspec.field(default=None, name="error")
    _detail: Any = msgspec.field(default=None, name="detail")


class CompletionChoice(Base, kw_only=True):
    """One completion of a prompt."""

    _links = ("logprobs",)
    text: str
    index: int = 0
    logprobs: LogProbs | None = None
    finish_reason: str | None = None


class CompletionResponse(Root, kw_only=True):
    """The answer of `completions.create`."""

    _links = ("choices", "usage")
    choices: list[CompletionChoice]
    id: str | None = None
    object: str | None = None
    created: int | None = None
    model: str | None = None
    usage: Usage | None = None
    system_fingerprint: str | None = None

    @property
    def text(self) -> str:
        """The text of the first choice, `""` when there is none."""
        return self.choices[0].text if self.choices else ""


class ChatCompletionChoice(Base, kw_only=True):
    """One answer of the model."""

    _links = ("message", "logprobs")
    message: ChatMessage
    index: int = 0
    logprobs: ChatLogprobs | None = None
    finish_reason: str | None = None


class ChatCompletionResponse(Root, kw_only=True):
    """The answer of `chat.completions.create`."""

    _links = ("choices", "usage")
    choices: list[ChatCompletionChoice]
    id: str | None = None
    object: str | None = None
    created: int | None = None
    model: str | None = None
    usage: Usage | None = None
    system_fingerprint: str | None = None
    service_tier: str | None = None

    @property
    def text(self) -> str:
        """The text of the first choice, `""` when there is none."""
        return (self.choices[0].message.content or "") if self.choices else ""


class CompletionChunkChoice(Base, kw_only=True):
    """What a chunk adds to a completion."""

    _links = ("logprobs",)
    text: str | None = None
    index: int = 0
    logprobs: LogProbs | None = None
    finish_reason: str | None = None


class CompletionChunk(Root, kw_only=True):
    """One event of a streamed completion."""

    _links = ("choices", "usage")
    id: str | None = None
    object: str | None = None
    created: int | None = None
    model: str | None = None
    choices: list[CompletionChunkChoice] = msgspec.field(default_factory=list)
    usage: Usage | None = None
    system_fingerprint: str | None = None

    @property
    def text(self) -> str:
        """The text this chunk adds to its first choice, `""` when it adds none."""
        return (self.choices[0].text or "") if self.choices else ""


class ChatCompletionChunkChoice(Base, kw_only=True):
    """What a chunk adds to one answer."""

    _links = ("delta", "logprobs")
    delta: Delta = msgspec.field(default_factory=Delta)
    index: int = 0
    logprobs: ChatLogprobs | None = None
    finish_reason: str | None = None


class ChatCompletionChunk(Root, kw_only=True):
    """One event of a streamed chat."""

    _links = ("choices", "usage")
    id: str | None = None
    object: str | None = None
    created: int | None = None
    model: str | None = None
    choices: list[ChatCompletionChunkChoice] = msgspec.field(default_factory=list)
    usage: Usage | None = None
    system_fingerprint: str | None = None
    service_tier: str | None = None

    @property
    def text(self) -> str:
        """The text this chunk adds to its first choice, `""` when it adds none."""
        return (self.choices[0].delta.content or "") if self.choices else ""

    @property
    def delta(self) -> Delta:
        """What this chunk adds to its first choice; empty when it has no choice."""
        return self.choices[0].delta if self.choices else Delta()


class Embedding(Base, kw_only=True):
    """One embedding: numbers, or base64 text when that was asked for."""

    embedding: list[float] | str
    index: int = 0
    object: str | None = None


class EmbeddingResponse(Root, kw_only=True):
    """The answer of `embeddings.create`."""

    _links = ("data", "usage")
    data: list[Embedding]
    object: str | None = None
    model: str | None = None
    usage: Usage | None = None


class Model(Root, kw_only=True):
    """A model the server knows."""

    id: str
    object: str | None = None
    created: int | None = None
    owned_by: str | None = None
    parameters: int | None = None
    format: str | None = None
    root: str | None = None
    parent: str | None = None


class ModelPage(Root, kw_only=True):
    """The document of `GET /v1/models`."""

    _links = ("data",)
    data: list[Model]
    object: str | None = None


class ModelList(list[Model]):
    """The models, as a list; `.data`, `.object`, `.http` and `.extra` are the document's."""

    def __init__(self, page: ModelPage | None = None) -> None:
        super().__init__(page.data if page else ())
        self._page = page

    @property
    def data(self) -> list[Model]:
        """The list itself."""
        return self

    @property
    def object(self) -> str | None:
        """`"list"`, as the server sent it."""
        return self._page.object if self._page else None

    @property
    def http(self) -> Http | None:
        """How the answer came."""
        return self._page.http if self._page else None

    @property
    def extra(self) -> dict[str, Any]:
        """Fields of the document that are not known."""
        return self._page.extra if self._page else {}


class ServerInfo(Root, kw_only=True):
    """What the server says about itself; `gpu_memory` in the server's own unit, `uptime` in seconds."""

    version: str | None = None
    models: list[str] = msgspec.field(default_factory=list)
    gpu_memory: dict[str, float] = msgspec.field(default_factory=dict)
    uptime: float | None = None
