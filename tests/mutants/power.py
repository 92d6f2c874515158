"""`docs/power.md`: what the judge finds of the mutants, in what time, and what Schemathesis finds of the same."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .catalogue import SERVERS
from .client_catalogue import CLIENTS

Line = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Results:
    """The lines of the judge (`kind` server, client or clean) and of Schemathesis; `seconds` of the one run, if one."""

    ours: list[Line]
    theirs: list[Line]
    seconds: float | None
    version: str


def found(line: Line) -> bool:
    """Whether all laws that the mutant names turned red."""
    return set(line["wanted"]) <= set(line["red"])


def share(part: int, of: int) -> str:
    """A part of a number, in words and percent."""
    return f"{part} of {of} ({100 * part / of:.0f} %)" if of else "none"


def document(results: Results) -> str:
    """The page."""
    servers = [line for line in results.ours if line["kind"] == "server"]
    clients = [line for line in results.ours if line["kind"] == "client"]
    clean = [line for line in results.ours if line["kind"] == "clean"]
    said = {line["name"]: line for line in results.theirs}
    defects = {one.name: one.defect for one in SERVERS}
    client_defects = {one.name: one.defect for one in CLIENTS}
    more = sum(one.tries > 1 for one in SERVERS) + sum(one.tries > 1 for one in CLIENTS)
    both = [line for line in servers if line["name"] in said]
    lines = [
        "# Power: the judge is judged",
        "",
        "Wrong on purpose, one defect each: the servers are made from the fake by rewriting its plans, the clients",
        "from ours by editing what it is told, what it says, or what it sends and reads (`tests/mutants/`). A mutant",
        "counts as found when every law that it names (bold) is red; the others are consequences of the same defect.",
        "Written by `python -m tests.mutants`; nothing here is by hand.",
        "",
        "| | mutants | found by our laws | seconds for one, on average |",
        "|---|---|---|---|",
        _row("servers", servers),
        _row("clients", clients),
        "",
        f"False alarms on what is right ({len(clean)} runs: the fake in 20 seeds, our client in both forms): "
        f"{sum(bool(line['red']) for line in clean)}.",
        _took(results),
        "",
        "What these numbers do not say: mutants and laws were written against each other, so a mutant that was not",
        "found became a law, or got more examples. Each law draws 0.3 of its usual examples here, and the laws that a",
        f"mutant names draw more for {more} of the {len(defects) + len(client_defects)} (`tries`): their defects show",
        "in few cases, and a run that short would miss some of them without being told where to look.",
        "",
        "## Compared with Schemathesis",
        "",
    ]
    if said:
        hits = sum(bool(line["red"]) for line in said.values())
        ours = sum(found(line) for line in both)
        lines += [
            f"Schemathesis {results.version} ran on {share(len(said), len(servers))} of the wrong servers"
            + (", every n-th of the list," if len(said) < len(servers) else "")
            + " with our OpenAPI document, in which",
            "the model is narrowed to one that is served (with any string it would get 404s only), all checks, the",
            "phases examples, coverage and fuzzing. A mutant counts as found when a check fails that does not fail on",
            "the right fake in two runs. It fails there too for event streams (our document has the schema of the",
            "data, Schemathesis checks the event around it), so a stream is judged by its head and its end only.",
            "",
            "| on the same servers | found | seconds for one, on average |",
            "|---|---|---|",
            f"| our laws | {share(ours, len(both))} | {_mean(both):.1f} |",
            f"| Schemathesis | {share(hits, len(said))} | {_mean(list(said.values())):.1f} |",
            "",
        ]
    else:
        lines += ["Not run.", ""]
    lines += ["## Servers", "", "| mutant | defect | red laws | seconds | Schemathesis |", "|---|---|---|---|---|"]
    for line in servers:
        their = said.get(line["name"])
        told = "" if their is None else ("found" if their["red"] else "not found")
        lines.append(
            f"| {line['name']} | {defects.get(line['name'], '')} | {_red(line)} | {line['seconds']:.1f} | {told} |"
        )
    lines += ["", "## Clients", "", "| mutant | defect | red laws | seconds |", "|---|---|---|---|"]
    for line in clients:
        lines.append(
            f"| {line['name']} | {client_defects.get(line['name'], '')} | {_red(line)} | {line['seconds']:.1f} |"
        )
    return "\n".join(lines) + "\n"


def _took(results: Results) -> str:
    if results.seconds is None:
        total = sum(line["seconds"] for line in results.ours)
        return f"The verdicts are of several runs on busy cores, in which judging took {total:.0f} s in sum."
    return f"The whole run took {results.seconds:.0f} s on the machine that wrote this page."


def _red(line: Line) -> str:
    missed = [f"**{law} not found**" for law in line["wanted"] if law not in line["red"]]
    named = [f"**{law}**" for law in line["wanted"] if law in line["red"]]
    return ", ".join([*missed, *named, *(law for law in line["red"] if law not in line["wanted"])])


def _mean(lines: list[Line]) -> float:
    return sum(line["seconds"] for line in lines) / len(lines) if lines else 0.0


def _row(name: str, lines: list[Line]) -> str:
    return f"| {name} | {len(lines)} | {share(sum(map(found, lines)), len(lines))} | {_mean(lines):.1f} |"
