"""The catalogue of faults as text, made from the classes: the page `docs/faults.md`, lists, example scripts.

`python -m mockserver.scripting.catalogue` writes the page and `fixtures/schema/script.json` into the checkout; tests
fail when either differs from what it would write.
"""

from __future__ import annotations

import inspect
import json
import sys
from pathlib import Path
from typing import Any

from mockserver.faults import Fault, kinds, parse_fault
from mockserver.scripting.script import script_schema
from mockserver.settings import Setting, settings_of

GROUPS = {
    "connection": "Listener and connection: before there is a request",
    "endings": "Endings: where and how a response breaks off",
    "time": "Time",
    "head": "HTTP head",
    "body": "HTTP body: framing, encoding, bytes",
    "content": "Content",
    "sse": "Server-sent events",
    "meaning": "Meaning: right JSON that says wrong things",
    "api": "API: refusals and headers",
    "any": "Anything at all",
}

_HEAD = """# The fault catalogue

Made from the classes in `mockserver/faults` by `python -m mockserver.scripting.catalogue`; a test fails on drift.

A fault is an object with a `kind` and settings, in a rule's `faults` (one list per call), in a script's `faults` (every
request and connection), in `PUT /_mock/faults`, or in the request header `X-Inferneo-Fault` (only peers on this host
are heeded). In Python: `fault("cut", after_events=2)`. Times are seconds, sizes are bytes. The faults of a list act in
its order, each on what those before it made. What clients do under each is in [faults-measured.md](faults-measured.md).
A fault that finds nothing to do (no such mark, fewer events) leaves the response as it is and is
reported as unused. A setting with no default is required.

Over TLS (`MockServer(tls=True)`, `serve --tls`) every fault can be had but the half-close: a plan with one is answered
500 with the reason before a byte of it is sent. Faults of accepted connections strike when the handshake is over. The
wire carries a reset as a reset, but Python 3.10 to 3.12.1 read it under TLS as a clean end: allow "truncated" there.

## `when`: every fault has it
All that is given must hold. Calls count from 1. For faults of connections the accepted connections are counted; what
the port does (`refused`, `syn-black-hole`) is settled when the fault is armed, as for the first of them.

| setting | means |
|---|---|
| `first` | only the first n calls (behind those that `after` skips) |
| `after` | not the first n calls |
| `every` | each n-th of the calls left |
| `until` | not later than so many seconds after the session's first request (or the first connection that it strikes) |
| `probability` | 0 to 1; at 0 the response is byte for byte the one without the fault |
| `seed` | where chance comes from; default: the session's seed |

A sequence (`503, 503, ok`) is a rule's list of fault lists: `faults: [[{kind: status, status: 503}],
[{kind: status, status: 503}], []]`.

## Places and pieces
"""


def summary(cls: type[Fault]) -> str:
    """The first paragraph of the docstring in one line: what the peer sees."""
    return " ".join(inspect.cleandoc(cls.__doc__ or "").split("\n\n")[0].split())


def type_words(schema: dict[str, Any]) -> str:
    """A JSON Schema of a setting in a few words."""
    if "description" in schema:
        return str(schema["description"])
    if "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema["enum"])
    if "anyOf" in schema:
        parts = [type_words(part) for part in schema["anyOf"]]
        return " or ".join(part for part in dict.fromkeys(parts) if part != "null")
    kind = schema.get("type")
    if isinstance(kind, list):
        return " or ".join(kind)
    if kind in ("integer", "number"):
        low, high = schema.get("minimum"), schema.get("maximum")
        bounds = "" if low is None else f" {low:g} to {high:g}" if high is not None else f" >= {low:g}"
        return f"{kind}{bounds}"
    return str(kind) if kind else "any JSON"


def _default(setting: Setting) -> str:
    return "" if setting.required else f"`{json.dumps(setting.codec.dump(setting.default), ensure_ascii=False)}`"


def settings_table(cls: type[Fault]) -> list[dict[str, str]]:
    """The settings of a kind but `when`: name, type, default (empty: required)."""
    settings = [setting for setting in settings_of(cls) if setting.key != "when"]
    return [{"name": one.key, "type": type_words(one.codec.schema()), "default": _default(one)} for one in settings]


def example_fault(kind: str) -> dict[str, Any]:
    """The JSON of a kind's example. Raises `ScriptError` for a kind that is not known."""
    made = parse_fault({"kind": kind, **(kinds()[kind].example if kind in kinds() else {})})
    told = made.to_json()
    if told.get("when") and kind in ("loading", "key-expired"):
        del told["when"]
    return told


def example_script(kind: str) -> str:
    """A YAML script that shows a kind: on the second call of any chat, or on every connection."""
    import yaml

    one = example_fault(kind)
    if kinds()[kind].group == "connection":
        script: dict[str, Any] = {"faults": [one]}
    else:
        match = {"path": "/v1/chat/completions"}
        script = {"rules": [{"name": kind, "match": match, "faults": [[one], []], "reply": {"text": "Hello, world."}}]}
    comment = "".join(f"# {line}\n" for line in inspect.cleandoc(kinds()[kind].__doc__ or "").splitlines())
    return comment.replace("# \n", "#\n") + str(yaml.safe_dump(script, sort_keys=False, allow_unicode=True, width=100))


def listing() -> list[dict[str, Any]]:
    """Every kind with its group, what a peer sees, its settings and an example: `inferneo-mock faults --json`."""
    return [
        {
            "kind": kind,
            "group": cls.group,
            "sees": inspect.cleandoc(cls.__doc__ or ""),
            "settings": settings_table(cls),
            "example": example_fault(kind),
        }
        for kind, cls in kinds().items()
    ]


def markdown() -> str:
    """The page `docs/faults.md`."""
    from mockserver.faults import place, select

    parts = [_HEAD, inspect.cleandoc(place.__doc__ or ""), "\n\n"]
    parts.append(
        f"Faults that change one piece take `event` or `at`: {inspect.cleandoc(select.PieceFault.__doc__ or '')}\n"
    )
    for group, title in GROUPS.items():
        parts.append(f"\n## {title}\n")
        for kind, cls in kinds().items():
            if cls.group == group:
                parts.append(_section(kind, cls))
    return "".join(parts)


def _section(kind: str, cls: type[Fault]) -> str:
    rows = settings_table(cls)
    table = "".join(f"| `{row['name']}` | {row['type']} | {row['default']} |\n" for row in rows)
    head = "\n| setting | type | default |\n|---|---|---|\n" if rows else ""
    example = json.dumps(example_fault(kind), ensure_ascii=False)
    return f"\n### `{kind}`\n{inspect.cleandoc(cls.__doc__ or '')}\n{head}{table}\nExample: `{example}`\n"


def schema_text() -> str:
    """The file `fixtures/schema/script.json`."""
    return json.dumps(script_schema(), indent=1, ensure_ascii=False) + "\n"


def files(root: Path) -> dict[Path, str]:
    """What is made, and where it belongs in a checkout."""
    return {root / "docs" / "faults.md": markdown(), root / "fixtures" / "schema" / "script.json": schema_text()}


def main() -> int:
    """Write the files into the checkout this module belongs to."""
    for path, text in files(Path(__file__).resolve().parents[2]).items():
        path.write_bytes(text.encode())
        print(path, file=sys.stdout)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
