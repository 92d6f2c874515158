"""What takes the place of a test's functions in a replay: the record of what they said.

Laws: a rule with a predicate matches the requests that it matched before, and raises what it raised; a rule whose reply
was a function gives what the function gave to the request of this number, or raises what it raised. What a coroutine
function gave is given when the replay says so (`finish`), and never where it had not come.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from mockserver.record.bundle import Recorded
from mockserver.reply import Function
from mockserver.scripting.blame import sentence_of
from mockserver.scripting.match import Where


class StandIns:
    """The stand-ins of one bundle, by the numbers of its requests."""

    def __init__(self, recorded: Mapping[int, Recorded]) -> None:
        self._recorded = recorded
        self._ready: dict[int, asyncio.Event] = {}

    def script(self, document: dict[str, Any]) -> dict[str, Any]:
        """The script of a bundle, to be parsed, with a stand-in in the place of each function."""
        rules = document.get("rules")
        if not isinstance(rules, list):
            return document
        return {**document, "rules": [self._rule(rule, number) for number, rule in enumerate(rules)]}

    def finish(self, number: int) -> None:
        """What was awaited for the request `number` has come."""
        self._event(number).set()

    def _event(self, number: int) -> asyncio.Event:
        return self._ready.setdefault(number, asyncio.Event())

    def _rule(self, rule: Any, number: int) -> Any:
        if not isinstance(rule, dict):
            return rule
        label = rule.get("name") or f"rules[{number}]"
        found = dict(rule)
        if has_predicate(rule.get("match")):
            found["match"] = Where(lambda view: self._matched(label, view.request.number))
        if "reply" in rule:
            found["reply"] = self._reply(rule["reply"], label)
        if isinstance(rule.get("replies"), list):
            found["replies"] = [self._reply(one, label) for one in rule["replies"]]
        return found

    def _matched(self, label: str, number: int) -> bool:
        before = self._recorded.get(number)
        _raise(before, f"the predicate of {label} raised ")
        return before is not None and before.rule == label

    def _reply(self, reply: Any, label: str) -> Any:
        if not is_function(reply):
            return reply

        def answer(asked: Any) -> Any:
            before = self._recorded[asked.number]
            return self._later(before, label) if before.awaited else _given(before, label)

        return Function(answer)

    async def _later(self, before: Recorded, label: str) -> Any:
        await self._event(before.number).wait()
        return _given(before, label)


def _given(before: Recorded, label: str) -> Any:
    _raise(before, f"rule {label}: the reply could not be made: ")
    return before.made


def _raise(before: Recorded | None, prefix: str) -> None:
    """Raise what was raised, if its sentence begins with `prefix`."""
    if before is not None and before.failure is not None and before.failure.startswith(prefix):
        kind, _, message = sentence_of(before.failure).removeprefix(prefix).partition(": ")
        raise type(kind, (Exception,), {})(message)


def is_function(reply: Any) -> bool:
    """Whether this reply of a bundle's script was a function."""
    return isinstance(reply, dict) and "function" in reply


def has_predicate(match: Any) -> bool:
    """Whether there is a predicate in this match of a bundle's script."""
    if not isinstance(match, dict):
        return False
    parts = [*_items(match.get("all")), *_items(match.get("any")), match.get("not")]
    return "where" in match or any(has_predicate(part) for part in parts)


def _items(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
