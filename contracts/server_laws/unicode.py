"""Unicode: any text goes in, whole characters come out."""

from __future__ import annotations

import unicodedata

from hypothesis import strategies as st

from contracts.answers import read
from contracts.domains import CALLS, STREAMS, Domain, ask, endpoints
from contracts.exchange import Call
from contracts.law import Vacuous, expect, law
from contracts.target import Target

SOURCE = "laws.md 24, 25"
HARD = (
    "\u0000nul",
    "\u2028\u2029\u0085 separators",
    "\ufeff byte order mark",
    "👨‍👩‍👧‍👦 🏳️‍🌈 🇩🇪",
    "\u202e right to left \u202c",
    "Z̸̢͘a̶͜l̴g̵o̴",
    "\U0010ffff\U0001f600",
    "\ue000 private",
    "\x7f\x1b[31mred\x1b[0m",
    "İıſẞ",
    "Say \u200b\u200d\u2060",
)


def _hard(target: Target) -> st.SearchStrategy[Call]:
    anything = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20).map(lambda t: f"Say {t}")
    text = st.sampled_from(HARD) | anything
    return st.builds(lambda chat, t: ask(target, t, chat=chat), st.sampled_from(endpoints(target)), text)


UNICODE = Domain("a call with hard Unicode in its prompt", _hard, None, frozenset({"generate"}))


def _normal(text: str) -> str:
    """A text as tokenizers that normalise see it: compatibility forms, visible characters only."""
    kept = (c for c in unicodedata.normalize("NFKC", text) if not unicodedata.category(c).startswith(("Z", "C")))
    return "".join(kept)


@law("S-UNI-01", over=UNICODE, examples=25, source=SOURCE)
def any_text_is_taken(target: Target, call: Call) -> None:
    """Any text without lone surrogates is accepted as a prompt: NUL, separators, emoji families, private use."""
    exchange = target.send(call)
    expect(exchange.status == 200, "status 200", f"{exchange.status} {exchange.response.body[:200]!r}")


@law("S-UNI-02", over=CALLS, source=SOURCE)
def no_text_has_half_characters(target: Target, call: Call) -> None:
    """No text has a lone surrogate: it could not be encoded again."""
    for text in read(target.send(call)).texts.values():
        expect(
            not any("\ud800" <= c <= "\udfff" for c in text), "whole characters", text.encode("unicode_escape").decode()
        )


@law("S-UNI-03", over=STREAMS, live=True, source=SOURCE)
def characters_survive_chunks(target: Target, call: Call) -> None:
    """Each event of a stream is valid UTF-8 by itself: no character is split over two events."""
    body = target.send(call).response.body
    for event in body.replace(b"\r\n", b"\n").split(b"\n\n"):
        try:
            event.decode("utf-8")
        except UnicodeDecodeError:
            expect(False, "valid UTF-8 in each event", event[-60:])


@law("S-UNI-04", over=UNICODE, needs={"completions", "echo"}, source=SOURCE)
def an_echo_is_the_prompt(target: Target, call: Call) -> None:
    """With echo the text begins with the prompt, character for character."""
    if call.is_chat:
        raise Vacuous("chat does not echo")
    prompt = call.document["prompt"]
    text = read(target.send(call.with_(echo=True))).text
    if not text.startswith(prompt) and _normal(text).startswith(_normal(prompt)):
        raise Vacuous("the tokenizer changes such characters")
    expect(text.startswith(prompt), f"a text that begins with {prompt!r}", text)
