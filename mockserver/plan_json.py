"""A plan as JSON, for journals, bundles and previews. `plan_from_json(plan_to_json(plan)) == plan`.

Steps: `{"wait": s}`, `{"head": status, "headers": [[k, v]], "reason"?}`, `{"body": text, "mark"?}`,
`{"raw": text, "mark"?}`, `{"repeat": [...], "times"?}`; bytes that are no UTF-8 are `{"base64": ...}`.
Ending: `{"end": true}`, `{"close": "fin"|"rst"|"half"}`, `{"stall": s|null}`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, assert_never

from mockserver.errors import ScriptError
from mockserver.plan import Body, Close, End, Ending, Head, Plan, Raw, Repeat, Stall, Step, Wait
from mockserver.settings import Seconds as SecondsHint
from mockserver.settings import child, codec_of, dump_bytes, parse_bytes, shown, wrong

_SECONDS = codec_of(SecondsHint)
_KEYS = {
    "wait": {"wait"},
    "head": {"head", "headers", "reason"},
    "body": {"body", "mark"},
    "raw": {"raw", "mark"},
    "repeat": {"repeat", "times"},
}


def plan_to_json(plan: Plan) -> dict[str, Any]:
    """The plan as JSON."""
    return {"steps": [_step_to_json(step) for step in plan.steps], "ending": ending_to_json(plan.ending)}


def ending_to_json(ending: Ending) -> dict[str, Any]:
    """The ending as JSON."""
    match ending:
        case End():
            return {"end": True}
        case Close(how):
            return {"close": how}
        case Stall(seconds):
            return {"stall": seconds}
        case _:
            assert_never(ending)


def _step_to_json(step: Step) -> dict[str, Any]:
    match step:
        case Wait(seconds):
            return {"wait": seconds}
        case Head(status, headers, reason):
            fields = [[name.decode("latin-1"), value.decode("latin-1")] for name, value in headers]
            return {"head": status, "headers": fields, **({"reason": reason.decode("latin-1")} if reason else {})}
        case Body(data, mark):
            return {"body": dump_bytes(data), **({"mark": mark} if mark else {})}
        case Raw(data, mark):
            return {"raw": dump_bytes(data), **({"mark": mark} if mark else {})}
        case Repeat(steps, times):
            return {"repeat": [_step_to_json(inner) for inner in steps], **({} if times is None else {"times": times})}
        case _:
            assert_never(step)


def plan_from_json(value: Any, path: str = "$") -> Plan:
    """The plan from JSON. Raises `ScriptError` with the path."""
    if not isinstance(value, Mapping) or set(value) - {"steps", "ending"} or "steps" not in value:
        raise wrong("a plan: {steps: [...], ending: {...}}", value, path)
    ending = value.get("ending", {"end": True})
    return Plan(_steps(value["steps"], child(path, "steps")), _ending(ending, child(path, "ending")))


def _steps(value: Any, path: str) -> tuple[Step, ...]:
    if not isinstance(value, list | tuple):
        raise wrong("a list of steps", value, path)
    return tuple(_step(item, child(path, number)) for number, item in enumerate(value))


def _step(value: Any, path: str) -> Step:
    kinds = [kind for kind in _KEYS if isinstance(value, Mapping) and kind in value]
    if len(kinds) != 1 or set(value) - _KEYS[kinds[0]]:
        raise wrong(f"a step with one of the keys {', '.join(_KEYS)}", value, path)
    return _READ[kinds[0]](value, path)


def _wait(value: Mapping[str, Any], path: str) -> Wait:
    return Wait(_SECONDS.parse(value["wait"], child(path, "wait")))


def _head(value: Mapping[str, Any], path: str) -> Head:
    status, pairs = value["head"], value.get("headers", [])
    if isinstance(status, bool) or not isinstance(status, int):
        raise wrong("a status", status, child(path, "head"))
    try:
        headers = tuple((name.encode("latin-1"), text.encode("latin-1")) for name, text in pairs)
        reason = value.get("reason", "").encode("latin-1")
    except (TypeError, ValueError, AttributeError) as error:
        message = f"headers are pairs of Latin-1 texts, the reason is one; got {shown(pairs)}"
        raise ScriptError(message, child(path, "headers")) from error
    return Head(status, headers, reason)


def _mark(value: Mapping[str, Any], path: str) -> str:
    mark = value.get("mark", "")
    if not isinstance(mark, str):
        raise wrong("a text", mark, child(path, "mark"))
    return mark


def _body(value: Mapping[str, Any], path: str) -> Body:
    return Body(parse_bytes(value["body"], child(path, "body")), _mark(value, path))


def _raw(value: Mapping[str, Any], path: str) -> Raw:
    return Raw(parse_bytes(value["raw"], child(path, "raw")), _mark(value, path))


def _repeat(value: Mapping[str, Any], path: str) -> Repeat:
    times = value.get("times")
    if times is not None and (isinstance(times, bool) or not isinstance(times, int) or times < 0):
        raise wrong("a whole number >= 0", times, child(path, "times"))
    return Repeat(_steps(value["repeat"], child(path, "repeat")), times)


_READ: dict[str, Callable[[Mapping[str, Any], str], Step]] = {
    "wait": _wait,
    "head": _head,
    "body": _body,
    "raw": _raw,
    "repeat": _repeat,
}


def _ending(value: Any, path: str) -> Ending:
    match value:
        case {"end": True, **rest} if not rest:
            return End()
        case {"close": ("fin" | "rst" | "half") as how, **rest} if not rest:
            return Close(how)
        case {"stall": seconds, **rest} if not rest:
            return Stall(None if seconds is None else _SECONDS.parse(seconds, child(path, "stall")))
        case _:
            raise wrong('{"end": true}, {"close": "fin"|"rst"|"half"} or {"stall": seconds or null}', value, path)
