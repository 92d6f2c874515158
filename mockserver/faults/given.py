"""Any response at all, written down byte by byte."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Annotated, Any

from mockserver.plan import Plan
from mockserver.plan_json import plan_from_json, plan_to_json
from mockserver.settings import Codec

from .fault import Fault, fault

_BYTES: dict[str, Any] = {
    "anyOf": [{"type": "string"}, {"type": "object", "properties": {"base64": {"type": "string"}}}],
}


def _schema() -> dict[str, Any]:
    """A plan's JSON Schema; what is in a repeat is checked when it is read."""
    step = {
        "type": "object",
        "properties": {
            "wait": {"type": "number", "minimum": 0},
            "head": {"type": "integer"},
            "headers": {"type": "array"},
            "reason": {"type": "string"},
            "body": _BYTES,
            "raw": _BYTES,
            "mark": {"type": "string"},
            "repeat": {"type": "array"},
            "times": {"type": "integer", "minimum": 0},
        },
        "additionalProperties": False,
    }
    endings = [
        {"type": "object", "properties": {key: schema}, "required": [key], "additionalProperties": False}
        for key, schema in (
            ("end", {"const": True}),
            ("close", {"enum": ["fin", "rst", "half"]}),
            ("stall", {"type": ["number", "null"]}),
        )
    ]
    properties = {"steps": {"type": "array", "items": step}, "ending": {"anyOf": endings}}
    return {"type": "object", "properties": properties, "required": ["steps"], "additionalProperties": False}


def _parse(value: Any, path: str) -> Plan:
    return value if isinstance(value, Plan) else plan_from_json(value, path)


PLAN = Codec(_parse, lambda plan: plan_to_json(plan) if isinstance(plan, Plan) else plan, _schema)


@fault("plan", "any", plan={"steps": [{"raw": "HTTP/1.1 200 OK\r\n\r\n"}, {"wait": 0.1}], "ending": {"close": "rst"}})
@dataclass(frozen=True, slots=True)
class Given(Fault):
    """Instead of the response exactly this `plan`, as the journal writes plans: steps, then one ending.

    Steps: `{"wait": seconds}`, `{"head": status, "headers": [[name, value]]}`, `{"body": bytes, "mark"}`,
    `{"raw": bytes}` below HTTP, `{"repeat": [steps], "times": n}` (no `times`: for ever). Bytes are a text or
    `{"base64": text}`. Endings: `{"end": true}`, `{"close": "fin"}`, `"rst"` or `"half"`, `{"stall": seconds}` (null:
    for ever).
    """

    plan: Annotated[Plan, PLAN]

    def rewrite(self, plan: Plan, rng: Random) -> Plan:
        """That plan."""
        return self.plan
