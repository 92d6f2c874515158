"""Messages: each of them reaches the model, and its parts are one text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from contracts.answers import read
from contracts.domains import CHATS, Domain, ask
from contracts.exchange import Call
from contracts.law import Unsupported, Vacuous, expect, law
from contracts.server_laws.same import same
from contracts.target import Target

A, B = "My name is Ada and I live in Paris.", "Say hello to me."
LONGER = " ".join(["The old robot counted seven green apples twice."] * 3)
USERS = [{"role": "user", "content": A}, {"role": "user", "content": B}]
TURNS = [{"role": "user", "content": A}, {"role": "assistant", "content": "Good morning, Ada."}, USERS[1]]
SYSTEM = [{"role": "system", "content": "Answer in three words, and in French."}, USERS[1]]
DEVELOPER = [{**SYSTEM[0], "role": "developer"}, USERS[1]]


@dataclass(frozen=True, slots=True)
class Fewer:
    """A chat, and the same chat without some of its messages."""

    whole: Call
    fewer: Call
    without: str


def _cases(*cases: tuple[list[dict[str, str]], list[int]]) -> Any:
    def draw(target: Any) -> st.SearchStrategy[Fewer]:
        found = []
        for messages, dropped in cases:
            rest = [one for at, one in enumerate(messages) if at not in dropped]
            roles = " and ".join(messages[at]["role"] for at in dropped)
            whole, fewer = (ask(target, "", chat=True, messages=said) for said in (messages, rest))
            place = "first" if 0 in dropped else "last"
            found.append(Fewer(whole, fewer, f"the {place} of its messages ({roles})"))
        return st.sampled_from(found)

    return draw


CHAT = frozenset({"chat"})
SAID: Domain[Fewer] = Domain(
    "a chat, and the same without a message",
    _cases((USERS, [0]), (USERS, [1]), (TURNS, [0, 1]), (SYSTEM, [0])),
    None,
    CHAT,
)
DEVELOPED: Domain[Fewer] = Domain(
    "a chat with a developer's message, and without", _cases((DEVELOPER, [0])), None, CHAT
)


def counts(target: Target, call: Call) -> tuple[int, dict[int, str]]:
    """The prompt tokens and the texts of the answer; `Unsupported` where the chat is refused, `Vacuous` where nothing
    is counted."""
    exchange = target.send(call)
    if 400 <= exchange.status < 500:
        raise Unsupported(f"answered {exchange.status}")
    reading = read(exchange)
    used = reading.usage.get("prompt_tokens") if isinstance(reading.usage, dict) else None
    if type(used) is not int:
        raise Vacuous("no prompt_tokens are told (S-USAGE-02 judges that)")
    return used, reading.texts


def counted(target: Target, case: Fewer) -> None:
    """The messages that make the difference cost tokens, or change the text, where other words do."""
    (used, texts), (fewer, others) = counts(target, case.whole), counts(target, case.fewer)
    if used > fewer or texts != others:
        return
    *before, last = case.fewer.document["messages"]
    longer = [case.fewer.with_(messages=[*before, {**last, "content": text}]) for text in (LONGER, LONGER * 2)]
    said = [fewer, *(counts(target, call)[0] for call in longer)]
    if not said[0] < said[1] < said[2]:
        raise Vacuous(f"prompt_tokens do not grow with the prompt: {said}")
    got = f"{used} and {fewer} prompt_tokens, and the same text {texts}"
    expect(False, f"more prompt_tokens with than without {case.without}, or another text", got)


@law("S-USAGE-14", over=SAID, examples=16, live=True, source="metamorphic; api.md, REST: messages are a list")
def each_message_counts(target: Target, case: Fewer) -> None:
    """A message more costs prompt tokens, or changes the text: none is dropped.

    A server that reads only the first or the last message answers a question that nobody asked, with status 200.
    """
    counted(target, case)


@law(
    "S-USAGE-15",
    over=DEVELOPED,
    examples=1,
    live=True,
    borne={"openai", "engine"},
    source="OpenAI's reference: developer messages replace system messages",
)
def a_developer_is_heard(target: Target, case: Fewer) -> None:
    """A message of the role developer, where it is accepted, is read as any other.

    Templates of older models print only the roles that they know, so where no more is promised than to be compatible
    this is lenient.
    """
    counted(target, case)


def _in_parts(call: Call, texts: list[str]) -> Call:
    *before, last = call.document["messages"]
    return call.with_(messages=[*before, {**last, "content": [{"type": "text", "text": text} for text in texts]}])


@law("S-SAME-15", over=CHATS, needs={"det", "parts"}, examples=6, borne={"openai", "engine"}, source="metamorphic")
def two_text_parts_are_one(target: Target, call: Call) -> None:
    """A text cut into two parts gives what it gives in one: nothing is put between parts.

    Some engines put a line break there, for models that cannot tell parts apart; where no more is promised than to be
    compatible this is lenient.
    """
    text = call.document["messages"][-1]["content"]
    if not isinstance(text, str) or len(text) < 2:
        raise Vacuous("a text of one character has no parts")
    at = max(text.find(" "), 0) or len(text) // 2
    one, two = _in_parts(call, [text]), _in_parts(call, [text[:at], text[at:]])
    same(target, one, two, "in two parts")
    if text[at] != " ":
        return  # a word that is cut may have other tokens
    used = [usage.get("prompt_tokens") for usage in _usages(target, one, two)]
    expect(len(set(used)) < 2, f"the same prompt_tokens in two parts: {used[:1]}", used[1:])


def _usages(target: Target, *calls: Call) -> list[dict[str, Any]]:
    found = [read(target.send(call)).usage for call in calls]
    return [usage for usage in found if isinstance(usage, dict)] if all(found) else []
