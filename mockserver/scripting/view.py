"""What matchers ask of a request, worked out once per request and only when asked."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from mockserver.model.tokenizer import count
from mockserver.request import NotJSON, Request


class _Unknown:
    """Not worked out yet."""


_UNKNOWN = _Unknown()

NO_STATES: Mapping[str, str] = MappingProxyType({})


def text_of(content: Any) -> str:
    """The text of a message's content: a string, or the text parts of a list of parts."""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        texts = [part.get("text") if isinstance(part, dict) else part for part in content]
        return "\n".join(text for text in texts if isinstance(text, str))
    return ""


class Said(dict[str | None, str]):
    """What was said by each role, and (None) by all, one message per line; joined when it is first asked for."""

    __slots__ = ("_lines",)

    def __init__(self, lines: tuple[tuple[str, str], ...]) -> None:
        super().__init__()
        self._lines = lines

    def __missing__(self, role: str | None) -> str:
        joined = "\n".join([text for speaker, text in self._lines if role is None or speaker == role])
        self[role] = joined
        return joined


class View:
    """A request as matchers see it, and the named states of its session. Nothing here raises: what is not there is None
    or empty.
    """

    __slots__ = ("_document", "_lines", "request", "said", "states")

    def __init__(self, request: Request, states: Mapping[str, str] = NO_STATES) -> None:
        self.request = request
        self.states = states
        self._document: Any = _UNKNOWN
        self._lines: tuple[tuple[str, str], ...] | None = None

    def __getattr__(self, name: str) -> Said:
        """`said`, when it is first asked for: a thousand rules then look it up without a call."""
        if name != "said":
            raise AttributeError(f"a View has no {name!r}")
        self.said = Said(self.lines)
        return self.said

    @property
    def document(self) -> Any:
        """The body as JSON values; None where it is no JSON."""
        if self._document is _UNKNOWN:
            try:
                self._document = self.request.json() if self.request.body else None
            except NotJSON:
                self._document = None
        return self._document

    def key(self, name: str) -> Any:
        """A top-level key of the body; None where there is none."""
        document = self.document
        return document.get(name) if isinstance(document, dict) else None

    @property
    def model(self) -> Any:
        """The model asked for: named in the body, else in the path."""
        document = self.document
        named = document.get("model") if isinstance(document, dict) else None
        if named is None and self.request.path.startswith("/v1/models/"):
            return self.request.path.removeprefix("/v1/models/")
        return named

    @property
    def stream(self) -> bool:
        """Whether a stream is asked for."""
        return self.key("stream") is True

    @property
    def lines(self) -> tuple[tuple[str, str], ...]:
        """(role, text) of each message; a prompt or an input is said by the user."""
        if self._lines is None:
            messages = self.key("messages")
            if isinstance(messages, list):
                told = [item for item in messages if isinstance(item, dict)]
                self._lines = tuple((str(item.get("role", "")), text_of(item.get("content"))) for item in told)
            else:
                given = self.key("prompt") if self.key("prompt") is not None else self.key("input")
                self._lines = (("user", text_of(given)),) if given is not None else ()
        return self._lines

    def text(self, role: str | None = None) -> str:
        """All that was said, by all or by one role, one message per line."""
        return self.said[role]

    @property
    def tokens(self) -> int:
        """How many tokens of the fake model all that was said has."""
        return sum(count(text) for _, text in self.lines)

    @property
    def roles(self) -> tuple[str, ...]:
        """Who speaks, message by message."""
        return tuple(role for role, _ in self.lines)

    @property
    def tools(self) -> tuple[str, ...]:
        """The names of the tools that are offered."""
        tools = self.key("tools")
        functions = (
            [item.get("function") for item in tools if isinstance(item, dict)] if isinstance(tools, list) else []
        )
        return tuple(str(function.get("name")) for function in functions if isinstance(function, dict))
