"""Scripts in Python: `on(chat(contains="report")).fail(status(429, retry_after=0.2), times=2).reply("Done.")`.

The words build the very values that JSON builds, so what is written here can be sent, saved and read back without
loss. Faults: `fault(kind, **settings)` makes any kind; `mockserver.faults` has the classes.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from mockserver import faults as faults_
from mockserver.count import counted
from mockserver.errors import ScriptError
from mockserver.faults import Fault, parse_fault
from mockserver.reply import (
    Choices,
    Embedding,
    Error,
    ErrorBody,
    Fixture,
    Json,
    Pacing,
    RawBytes,
    Reply,
    Template,
    Text,
    ToolCall,
    ToolCalls,
    parse_reply,
)
from mockserver.scripting.match import EVERYTHING, Match, Matcher, Where, parse_matcher
from mockserver.scripting.rule import After, Rule
from mockserver.scripting.script import Script, parse_script
from mockserver.settings import shown

if TYPE_CHECKING:
    from mockserver.faults import BadJson, Cut, Delay, Drop, Stalled, Status

    status = Status
    cut = Cut
    stall = Stalled
    delay = Delay
    drop = Drop
    bad_json = BadJson

CHAT, COMPLETIONS, EMBEDDINGS, MODELS = "/v1/chat/completions", "/v1/completions", "/v1/embeddings", "/v1/models"

_FAULTS = {
    "status": "Status",
    "cut": "Cut",
    "stall": "Stalled",
    "delay": "Delay",
    "drop": "Drop",
    "bad_json": "BadJson",
}

text = Text
pacing = Pacing
choices = Choices
json = Json
embedding = Embedding
raw = RawBytes
fixture = Fixture
template = Template
where = Where
"""`where(lambda view: view.document.get("seed") == 7)`: what no field says."""
request = Match
"""`request(path="/health", method="GET")`: any request, by any field."""


def __getattr__(name: str) -> Any:
    """The faults that have a word of their own: `status(429)`, `cut(after_events=2)`, ..."""
    if name in _FAULTS:
        return getattr(faults_, _FAULTS[name])
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def chat(**fields: Any) -> Match:
    """Requests for a chat completion; the fields are those of `Match`."""
    return Match(method="POST", path=CHAT, **fields)


def completion(**fields: Any) -> Match:
    """Requests for a completion."""
    return Match(method="POST", path=COMPLETIONS, **fields)


def embeddings(**fields: Any) -> Match:
    """Requests for embeddings."""
    return Match(method="POST", path=EMBEDDINGS, **fields)


def models(**fields: Any) -> Match:
    """Requests for the list of models."""
    return Match(method="GET", path=MODELS, **fields)


def fault(kind: str, **settings: Any) -> Fault:
    """A fault of any kind. Raises `ScriptError` for a kind or a setting that is not known."""
    return parse_fault({"kind": kind, **settings}, "$")


def error(status: int = 500, message: str = "the script says so", **parts: Any) -> Error:
    """A reply that refuses, in the words of the profile; `parts`: `type`, `code`, `param`."""
    return Error(ErrorBody(status, message, **parts))


def tool_calls(*calls: ToolCall | tuple[str, Any], text: str | None = None) -> ToolCalls:
    """A reply that calls tools: `tool_calls(("get_weather", {"city": "Oslo"}))`."""
    return ToolCalls(tuple(one if isinstance(one, ToolCall) else ToolCall(*one) for one in calls), text)


@dataclasses.dataclass(frozen=True, slots=True)
class Call:
    """What one call of a rule gets; `reply` None: the next that is written."""

    faults: tuple[Fault, ...] = ()
    reply: Reply | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class RuleDraft:
    """A rule being written: each word gives a new draft and hands the rule to `publish`, so it is in force at once.

    A rule's calls are written in their order. `fail(..., times=n)`: the next n calls suffer these faults; without
    `times` all further ones. `reply(x)`: answers the calls written so far that have no reply yet, and (unless they
    fail for ever) one call more, without faults. The last call repeats.
    """

    frame: Rule = dataclasses.field(default_factory=Rule)
    calls: tuple[Call, ...] = ()
    endless: bool = False
    publish: Callable[[Rule], object] | None = dataclasses.field(default=None, compare=False)

    @property
    def rule(self) -> Rule:
        """The rule as it stands."""
        calls = self.calls
        failing = bool(calls and calls[-1].faults) and not self.endless
        if self.frame.after == "repeat-last" and failing:
            calls = (*calls, Call())  # "n times" means that the call after them goes well
        answered = [call.reply for call in calls if call.reply is not None]
        replies = (*answered, *(answered[-1:] * (len(calls) - len(answered))))
        faults = tuple(call.faults for call in calls)
        if self.frame.after == "repeat-last":
            faults, replies = _trimmed(faults), _trimmed(replies)
        return dataclasses.replace(self.frame, replies=replies, faults=faults if any(faults) else ())

    def _published(self) -> RuleDraft:
        if self.publish is not None:
            self.publish(self.rule)
        return self

    def fail(self, *faults: Fault | str, times: int | None = None) -> RuleDraft:
        """The next `times` calls (None: all further ones) suffer `faults`, in order."""
        whole = isinstance(times, int) and not isinstance(times, bool)
        if not faults or (times is not None and not (whole and times >= 1)):
            raise ScriptError(
                f"fail() takes at least one fault and times >= 1; got {counted(len(faults), 'fault')}, times={times!r}",
                "fail",
            )
        if self.endless:
            raise ScriptError("the fail() before has no times, so it holds for ever", "fail")
        for one in faults:
            if isinstance(one, Reply):
                what = f"status({one.error.status})" if isinstance(one, Error) else "a fault"
                raise ScriptError(
                    f"fail() takes faults, and {shown(one)} is a reply: write fail({what}), or reply(...) with it",
                    "fail",
                )
        call = Call(tuple(parse_fault(one, "fail") for one in faults))
        return dataclasses.replace(self, calls=self.calls + (call,) * (times or 1), endless=times is None)._published()

    def reply(self, reply: Reply | str | dict[str, Any] | Callable[[Any], Any]) -> RuleDraft:
        """The calls written so far that have no reply get this one, and one call more."""
        if isinstance(reply, Fault):
            raise ScriptError(f"reply() takes a reply, and {shown(reply)} is a fault: write fail(...) with it", "reply")
        parsed = parse_reply(reply, "reply")
        calls = tuple(Call(call.faults, call.reply or parsed) for call in self.calls)
        more = () if self.endless else (Call((), parsed),)
        return dataclasses.replace(self, calls=calls + more)._published()

    def _framed(self, **changes: Any) -> RuleDraft:
        return dataclasses.replace(self, frame=dataclasses.replace(self.frame, **changes))._published()

    def after(self, after: After) -> RuleDraft:
        """What comes behind the last call: `repeat-last`, `cycle` or `fail`."""
        return self._framed(after=after)

    def hold(self, barrier: str = "hold") -> RuleDraft:
        """The response waits at this barrier until the session releases it: `session.release(barrier)`."""
        return self._framed(hold=barrier)

    def sets(self, **states: str | None) -> RuleDraft:
        """Named states of the session from this rule's first call on; None unsets."""
        return self._framed(sets={**(self.frame.sets or {}), **states})

    def named(self, name: str) -> RuleDraft:
        """The rule's name in journals and errors."""
        return self._framed(name=name)

    def unsafe(self, unsafe: bool = True) -> RuleDraft:
        """The rule may answer requests that a real server would refuse, and answer what breaks the schema."""
        return self._framed(unsafe=unsafe)

    def first(self, priority: int = 1) -> RuleDraft:
        """The rule is asked before those of a lower priority (0)."""
        return self._framed(priority=priority)


def _trimmed(items: tuple[Any, ...]) -> tuple[Any, ...]:
    """Without the repetitions at the end, which repeat anyway."""
    while len(items) > 1 and items[-1] == items[-2]:
        items = items[:-1]
    return items


def on(
    matcher: Matcher | Callable[[Any], object] = EVERYTHING, publish: Callable[[Rule], object] | None = None
) -> RuleDraft:
    """Begin a rule for the requests that `matcher` matches; until more is said a model answers them."""
    return RuleDraft(Rule(matcher=parse_matcher(matcher)), publish=publish)._published()


def script(*rules: RuleDraft | Rule, **settings: Any) -> Script:
    """A script of these rules; `settings` are those of `Script`."""
    return parse_script({**settings, "rules": [one.rule if isinstance(one, RuleDraft) else one for one in rules]})
