"""What the model is given: the texts of a request and how many tokens they are.

Content parts of one message are joined, so a text and the same text in parts are the same prompt. Token ids stand for
as many tokens. `cached_count` remembers short texts, because test suites repeat themselves.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from mockserver.model.profile import Profile
from mockserver.model.tokenizer import count
from mockserver.model.validate import texts_of

_SHORT = 2000


@dataclass(frozen=True, slots=True)
class Prompt:
    """One prompt: `text` says which (the key of the answer), `shown` is what `echo` repeats."""

    text: str
    tokens: int
    shown: str = ""


_remembered = lru_cache(maxsize=4096)(count)


def cached_count(text: str) -> int:
    """The number of tokens of `text`."""
    return _remembered(text) if len(text) <= _SHORT else count(text)


def of_completion(prompt: Any) -> list[Prompt]:
    """The prompts of a completion: one text, a list of texts, token ids, or a list of lists of token ids."""
    if isinstance(prompt, str):
        return [Prompt(prompt, cached_count(prompt), prompt)]
    if prompt and isinstance(prompt[0], int):
        return [_of_ids(prompt)]
    return [_of_ids(one) if isinstance(one, list) else Prompt(one, cached_count(one), one) for one in prompt]


def _of_ids(ids: Sequence[int]) -> Prompt:
    text = " ".join(map(str, ids))
    return Prompt(text, len(ids), text)


def of_chat(profile: Profile, messages: Sequence[Any]) -> Prompt:
    """The one prompt of a chat. A message is a value of the typed decoder or a plain object."""
    per_message, tokens = profile.overhead
    parts = []
    for message in messages:
        if isinstance(message, dict):
            role, content = message.get("role", ""), message.get("content")
            text = "".join(texts_of(content))
            if isinstance(content, list):
                tokens += sum(profile.image_tokens.get(part.get("type", ""), 0) for part in content)
        else:
            role, text = message.role, message.content
        tokens += per_message + cached_count(text)
        parts.append(role)
        parts.append(text)
    return Prompt("\0".join(parts), tokens)
