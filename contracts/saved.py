"""A broken law as a file: the case, what was asked and answered, and a script with which the fake answers the same.

Such a file is what `--save DIR` writes, `replay` judges again, `inferneo-mock serve --script` can be fed with (its
`script`), and `fixtures/regressions/` holds.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from contracts.case import from_json
from contracts.exchange import MESSAGE, Call

FORMAT = "inferneo-contracts failure 1"
FRAMING = {"content-length", "transfer-encoding", "connection", "keep-alive", "date", "server"}
SHOWN = ("expected", "got", "case", "seen", "seed", "model", "profile", "curl", "value", "exchanges")


@dataclass(frozen=True, slots=True)
class Saved:
    """One file. `value` is the case in the form of `contracts.case`: `{"case": ...}`, `{}` for a law that draws none,
    None where it has no such form and the seed must draw it again; `asked` the requests that showed the failure."""

    path: Path
    law: str
    target: str
    model: str
    profile: str
    seed: int
    value: dict[str, Any] | None
    script: dict[str, Any]
    expected: str = ""
    got: str = ""
    asked: tuple[Call, ...] = ()

    def arguments(self, model: str = "") -> tuple[Any, ...]:
        """What the law is called with beyond the target; `model` takes the place of the model that was asked for."""
        value = self.value or {}
        if model and self.model and model != self.model:
            value = _renamed(value, json.dumps(self.model, ensure_ascii=False), json.dumps(model, ensure_ascii=False))
        return tuple(from_json(one) for one in value.values())


def file_name(verdict: dict[str, Any]) -> str:
    """The law and the target, without what a file system would not take."""
    name = f"{verdict['law']}-{verdict['target']}".replace("http://", "")
    return "".join(c if c.isalnum() or c in "-." else "_" for c in name) + ".json"


def to_file(verdict: dict[str, Any], target: str) -> dict[str, Any]:
    """What is written for a verdict with a failure; `target` is what to call its target."""
    failure = verdict["failure"]
    exchanges = failure["exchanges"]
    scene = exchanges[-1] if exchanges and "script" in exchanges[-1] else None
    script = scene["script"] if scene else {"strict": False, "rules": rules(exchanges)}
    return {
        "format": FORMAT,
        "law": verdict["law"],
        "target": target,
        **{key: failure[key] for key in SHOWN},
        "script": script,
    }


def rules(exchanges: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rules that give each request the answer it once got; the n-th equal request the n-th answer.

    What was said on a socket is no answer to a request, and has no rule.
    """
    found: dict[str, dict[str, Any]] = {}
    for exchange in exchanges:
        request = exchange["request"]
        if request["method"] == MESSAGE or (exchange["response"] or {}).get("status") == 101:
            continue
        match = {"method": request["method"], "path": request["path"].partition("?")[0]}
        try:
            document = json.loads(request.get("body") or "")
        except (ValueError, RecursionError):  # too deep to be read, on purpose: its method and path must do
            document = None
        if isinstance(document, dict) and document:
            match["json"] = document
        rule = found.setdefault(json.dumps(match, sort_keys=True), {"match": match, "replies": [], "faults": []})
        reply, faults = _answer(exchange)
        rule["replies"].append(reply)
        rule["faults"].append(faults)
    # A request that says more is another one: the rule that asks for more comes first.
    ordered = sorted(found.values(), key=lambda rule: -len(json.dumps(rule["match"])))
    return [{"name": f"exchange-{number}", **rule} for number, rule in enumerate(ordered, 1)]


def _answer(exchange: dict[str, Any]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    response = exchange["response"]
    if response is None:
        return {"raw": ""}, [{"kind": "cut", "after_bytes": 0, "wire": True, "how": "rst"}]
    raw = {"base64": response["body_base64"]} if "body_base64" in response else response["body"]
    headers = {name: value for name, value in response["headers"] if name.lower() not in FRAMING}
    reply = {"raw": raw, "status": response["status"], "headers": headers, "unsafe": True}
    if exchange["ended"] == "reset":
        size = len(raw.encode()) if isinstance(raw, str) else len(raw["base64"]) * 3 // 4
        return reply, [{"kind": "cut", "after_bytes": size, "how": "rst"}]
    return reply, []


def load(path: str | Path) -> list[Saved]:
    """The file, or all files of a folder. Raises `ValueError` that names the file, `OSError`."""
    place = Path(path)
    if place.is_dir():
        found = sorted(place.glob("*.json"))
        if not found:
            raise ValueError(f"{place} has no file of a failure; inferneo-contracts run --save {place} writes them")
        return [_read(one) for one in found]
    return [_read(place)]


def _read(path: Path) -> Saved:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} is no file of a failure: {error}") from None
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        seen = document.get("format") if isinstance(document, dict) else type(document).__name__
        raise ValueError(f"{path} is no file of a failure: format {seen!r}, expected {FORMAT!r}")
    try:
        value = document["value"]
        found = Saved(
            path,
            str(document["law"]),
            str(document["target"]),
            str(document["model"]),
            str(document["profile"]),
            int(document["seed"]),
            None if value is None else dict(value),
            dict(document["script"]),
            str(document["expected"]),
            str(document["got"]),
            tuple(_call(one["request"]) for one in document["exchanges"] if one.get("request")),
        )
        found.arguments()
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path} cannot be replayed: {error!r}") from None
    return found


def _call(request: dict[str, Any]) -> Call:
    """A request as it was saved, without what its sending adds."""
    body = (
        base64.b64decode(request["body_base64"]) if "body_base64" in request else str(request.get("body", "")).encode()
    )
    fields = tuple((str(name), str(value)) for name, value in request["headers"] if str(name).lower() not in FRAMING)
    return Call(str(request["method"]), str(request["path"]), body, fields)


def _renamed(value: Any, old: str, new: str) -> Any:
    """The value with another model's name in the texts that are JSON."""
    if isinstance(value, str):
        return value.replace(old, new)
    if isinstance(value, list):
        return [_renamed(item, old, new) for item in value]
    if isinstance(value, dict):
        return {key: _renamed(item, old, new) for key, item in value.items()}
    return value
