"""Why a request was, or was not, matched: every rule, every field, what was expected and what came. Made when asked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from mockserver.count import counted
from mockserver.request import Request
from mockserver.scripting.index import PredicateError
from mockserver.scripting.match import Finding, explain_matcher
from mockserver.scripting.script import Script
from mockserver.scripting.state import State
from mockserver.scripting.view import View
from mockserver.scripting.would import Would
from mockserver.settings import shown

_NEAR = 3
TOLD = 20
"""Rules shown where somebody asks over HTTP."""

_LONG = 1000
"""Characters shown of one value."""


@dataclass(frozen=True, slots=True)
class RuleFindings:
    """One rule: its label, how often it was called, its fields."""

    rule: str
    hits: int
    findings: tuple[Finding, ...]

    @property
    def misses(self) -> int:
        """How many fields do not hold; 0: it matches."""
        return sum(not finding.holds for finding in self.findings)

    def __str__(self) -> str:
        """One line: the fields that do not hold."""
        wrong = "; ".join(str(finding) for finding in self.findings if not finding.holds)
        return f"{self.rule} ({counted(self.hits, 'call')}): {wrong or 'matches'}"

    def to_json(self) -> dict[str, Any]:
        """For the door."""
        fields = [
            {"field": one.field, "expected": _jsonable(one.expected), "got": _jsonable(one.got), "ok": one.holds}
            for one in self.findings
        ]
        return {"rule": self.rule, "hits": self.hits, "matches": not self.misses, "fields": fields}


def _jsonable(value: Any) -> Any:
    if value is None or isinstance(value, bool | int | float):
        return value
    text = str(value)
    if len(text) > _LONG:
        return f"{text[:_LONG]}... ({counted(len(text), 'character')})"
    return value if isinstance(value, str | dict | list) else text


@dataclass(frozen=True, slots=True)
class Explanation:
    """`rule`: the label of the rule that answers, None where none does. `rules`: nearest first. `would`: what the
    nearest would have sent, where that was asked.
    """

    request: str
    rule: str | None
    rules: tuple[RuleFindings, ...]
    would: Would | None = None

    def __str__(self) -> str:
        """For people: the request, then the nearest rules."""
        if self.rule is not None:
            return f"{self.request}: rule {self.rule} matches"
        near = "".join(f"\n  {rule}" for rule in self.rules[:_NEAR])
        more = len(self.rules) - _NEAR
        return f"{self.request}: no rule matches{':' if near else ', the script has none'}{near}" + (
            f"\n  ... and {more} more" if more > 0 else ""
        )

    def told(self, limit: int | None = None) -> list[str]:
        """For people, line by line: every rule (at most `limit`) with each field, and what the nearest would send."""
        told = [self.request]
        for rule in self.rules[:limit]:
            answers = " <- answers" if rule.rule == self.rule else ""
            told.append(
                f"rule {rule.rule} ({counted(rule.hits, 'call')}): {'matches' if not rule.misses else 'no'}{answers}"
            )
            told.extend(f"    {finding}" for finding in rule.findings)
        if not self.rules:
            told.append("the script has no rules")
        if limit is not None and len(self.rules) > limit:
            told.append(f"... and {counted(len(self.rules) - limit, 'more rule')}")
        return told if self.would is None else [*told, *self.would.told()]

    def to_json(self) -> dict[str, Any]:
        """For the door: the nearest rules, and how many more there are."""
        near = [rule.to_json() for rule in self.rules[:TOLD]]
        would = {} if self.would is None else {"would": self.would.to_json()}
        more = len(self.rules) - len(near)
        return {"request": self.request, "rule": self.rule, "rules": near, "more_rules": more, **would}


def explain(script: Script, state: State, request: Request) -> Explanation:
    """Every rule against `request`, nearest first."""
    view = View(request, state.named)
    try:
        number = script.index.first(view)
    except PredicateError:  # told as the finding of its rule
        number = None
    found = []
    for each, rule in enumerate(script.rules):
        label = script.label(each)
        found.append(RuleFindings(label, state.hits.get(label, 0), tuple(explain_matcher(rule.matcher, view))))
    found.sort(key=_distance)
    told = f" {shown(view.text())}" if view.lines else ""
    model = f" model {view.model!r}" if view.model is not None else ""
    request_line = f"{request.method} {request.path}{model}{told}"
    return Explanation(request_line, None if number is None else script.label(number), tuple(found))


def _distance(rule: RuleFindings) -> tuple[int, int]:
    """Fewest misses first; among those the rule with the most fields that hold."""
    return rule.misses, rule.misses - len(rule.findings)
