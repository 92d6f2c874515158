"""A plan as a JSON document and back: what the journal shows and a replay reads.

Law: `load_plan(dump_plan(plan)) == plan`. Bytes that are UTF-8 stand as text, others in base64 under `..._base64`.
Steps: `{"wait": s}`, `{"head": status, "headers": [[k, v]], "reason"?}`, `{"body": text, "mark"?}`, `{"raw": text,
"mark"?}`, `{"repeat": [...], "times": n|null}`. Endings: `{"end": true}`, `{"close": how}`, `{"stall": s|null}`.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable
from typing import Any, assert_never

from mockserver.errors import ScriptError
from mockserver.plan import Body, Close, End, Ending, Head, Plan, Raw, Repeat, Stall, Step, Wait

MAX_STEPS = 2000
"""Steps shown of one plan; what is beyond is counted under `more_steps`."""


def dump_plan(plan: Plan, max_steps: int | None = None) -> dict[str, Any]:
    """`plan` as JSON values; at most `max_steps` of its steps (the rest is only counted)."""
    steps = plan.steps if max_steps is None else plan.steps[:max_steps]
    more = len(plan.steps) - len(steps)
    return {
        "steps": [_dump_step(step) for step in steps],
        **({"more_steps": more} if more else {}),
        "ending": _dump_ending(plan.ending),
    }


def _dump_step(step: Step) -> dict[str, Any]:
    match step:
        case Wait(seconds):
            return {"wait": seconds}
        case Head(status, headers, reason):
            named = {"reason": reason.decode("latin-1")} if reason else {}
            pairs = [[name.decode("latin-1"), value.decode("latin-1")] for name, value in headers]
            return {"head": status, "headers": pairs, **named}
        case Body(data, mark):
            return {**_dump_bytes("body", data), **({"mark": mark} if mark else {})}
        case Raw(data, mark):
            return {**_dump_bytes("raw", data), **({"mark": mark} if mark else {})}
        case Repeat(steps, times):
            return {"repeat": [_dump_step(inner) for inner in steps], "times": times}
        case _:
            assert_never(step)


def _dump_bytes(key: str, data: bytes) -> dict[str, str]:
    try:
        return {key: data.decode()}
    except UnicodeDecodeError:
        return {f"{key}_base64": base64.b64encode(data).decode()}


def _dump_ending(ending: Ending) -> dict[str, Any]:
    match ending:
        case End():
            return {"end": True}
        case Close(how):
            return {"close": how}
        case Stall(seconds):
            return {"stall": seconds}
        case _:
            assert_never(ending)


def load_plan(obj: Any, path: str = "$") -> Plan:
    """The plan that `obj` describes. Raises `ScriptError` with the JSON path of what is wrong."""
    if not isinstance(obj, dict):
        raise ScriptError(f"a plan is an object with 'steps' and 'ending', not {_seen(obj)}", path)
    if unknown := set(obj) - {"steps", "ending"}:
        raise ScriptError(f"unknown key {min(unknown)!r} in a plan; known: 'steps', 'ending'", path)
    return Plan(
        _load_steps(obj.get("steps", []), f"{path}.steps"), _load_ending(obj.get("ending", {"end": True}), f"{path}.ending")
    )


def _load_steps(items: Any, path: str) -> tuple[Step, ...]:
    if not isinstance(items, list):
        raise ScriptError(f"steps are a list, not {_seen(items)}", path)
    return tuple(_load_step(item, f"{path}[{index}]") for index, item in enumerate(items))


def _load_step(obj: Any, path: str) -> Step:
    match obj:
        case {"wait": int() | float() as seconds} if _only(obj, ("wait",)) and not isinstance(seconds, bool):
            return Wait(seconds)
        case {"head": int() as status} if _only(obj, ("head", "headers", "reason")):
            return Head(status, _load_headers(obj.get("headers", []), f"{path}.headers"), _latin(obj, "reason", path))
        case {"body": _} | {"body_base64": _} if _only(obj, ("body", "body_base64", "mark")):
            return Body(_load_bytes(obj, "body", path), str(obj.get("mark", "")))
        case {"raw": _} | {"raw_base64": _} if _only(obj, ("raw", "raw_base64", "mark")):
            return Raw(_load_bytes(obj, "raw", path), str(obj.get("mark", "")))
        case {"repeat": list() as steps} if _only(obj, ("repeat", "times")):
            times = obj.get("times")
            if times is not None and (not isinstance(times, int) or isinstance(times, bool) or times < 0):
                raise ScriptError(f"'times' is a whole number from 0, or null for ever, not {times!r}", path)
            return Repeat(_load_steps(steps, f"{path}.repeat"), times)
        case _:
            raise ScriptError(
                "a step is one of {'wait': seconds}, {'head': status, 'headers': [[name, value]], 'reason'}, "
                f"{{'body': text}}, {{'raw': text}}, {{'repeat': [steps], 'times': n}}, not {_seen(obj)}",
                path,
            )


def _load_headers(items: Any, path: str) -> tuple[tuple[bytes, bytes], ...]:
    try:
        return tuple((name.encode("latin-1"), value.encode("latin-1")) for name, value in items)
    except (TypeError, ValueError, AttributeError) as error:
        raise ScriptError(f"headers are a list of [name, value], not {_seen(items)}", path) from error


def _latin(obj: dict[str, Any], key: str, path: str) -> bytes:
    try:
        return str(obj.get(key, "")).encode("latin-1")
    except UnicodeEncodeError as error:
        raise ScriptError(f"{key!r} is Latin-1 text, not {obj[key]!r}", path) from error


def _load_bytes(obj: dict[str, Any], key: str, path: str) -> bytes:
    text = obj.get(key)
    if isinstance(text, str):
        return text.encode()
    coded = obj.get(f"{key}_base64")
    try:
        return base64.b64decode(coded, validate=True)  # type: ignore[arg-type]  # TypeError is caught
    except (TypeError, binascii.Error, ValueError) as error:
        raise ScriptError(f"{key!r} is text, or '{key}_base64' is base64, not {_seen(obj)}", path) from error


def _load_ending(obj: Any, path: str) -> Ending:
    match obj:
        case {"end": True} if len(obj) == 1:
            return End()
        case {"close": "fin" | "rst" | "half" as how} if len(obj) == 1:
            return Close(how)
        case {"stall": None | int() | float() as seconds} if len(obj) == 1 and not isinstance(seconds, bool):
            return Stall(seconds)
        case _:
            raise ScriptError(
                "an ending is {'end': true}, {'close': 'fin'|'rst'|'half'} or {'stall': seconds|null}, "
                f"not {_seen(obj)}",
                path,
            )


def _only(obj: dict[str, Any], keys: Iterable[str]) -> bool:
    return set(obj) <= set(keys)


def _seen(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 120 else text[:117] + "..."
