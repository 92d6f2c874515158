"""What a run found, as a terminal table, JUnit XML, JSON, Markdown, and one file for each broken law."""

from __future__ import annotations

import argparse
import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from contracts.law import Law, laws
from contracts.notes import notes
from contracts.options import Options

SIGNS = {
    "ok": ("ok", "green"),
    "lenient": ("lenient", "yellow"),
    "failed": ("FAILED", "bold red"),
    "unsupported": ("-", "dim"),
    "broken": ("BROKEN", "bold red"),
}
BAD = ("failed", "broken")


@dataclass(slots=True)
class Report:
    """`columns` are (where, target) in the order of the table; `verdicts` by law and column; `surprises` are recorded
    verdicts that the field notes do not know, or know wrongly."""

    columns: list[tuple[str, str]]
    verdicts: dict[tuple[str, tuple[str, str]], dict[str, Any]]
    surprises: list[dict[str, Any]]
    seconds: float
    names: dict[str, str] = field(default_factory=dict)
    output: str = ""

    def side(self, where: tuple[str, ...]) -> list[tuple[str, str]]:
        """The columns of one table."""
        return [column for column in self.columns if column[0] in where]

    def of(self, where: str) -> list[dict[str, Any]]:
        """All verdicts of one kind."""
        return [verdict for (_, column), verdict in self.verdicts.items() if column[0] == where]


def collect(lines: list[dict[str, Any]], options: Options, embedded: str, seconds: float) -> Report:
    """The report on the results of a run."""
    columns: dict[tuple[str, str], None] = {}
    verdicts = {}
    for line in lines:
        if line["kind"] == "verdict":
            column = (line["where"], line["target"])
            columns[column] = None
            verdicts[line["law"], column] = line
    order = {"live": 0, "recorded": 1, "client": 2}
    names = dict.fromkeys(options.urls, embedded) if embedded else {}
    surprises = [line for line in lines if line["kind"] == "surprise"]
    return Report(sorted(columns, key=lambda c: (order[c[0]], c[1])), verdicts, surprises, seconds, names)


def exit_code(report: Report) -> int:
    """1 when a judged target breaks a law (a SHOULD is only lenient) or a recording surprises."""
    judged = [*report.of("live"), *report.of("client")]
    return 1 if report.surprises or any(verdict["word"] in BAD for verdict in judged) else 0


def show(report: Report) -> None:
    """The tables, then each broken law at length, then one line that sums up."""
    console = Console(highlight=False)
    width = None if console.is_terminal else 160
    console = Console(highlight=False, width=width)
    for title, side, where in (("Server laws", "server", ("live", "recorded")), ("Client laws", "client", ("client",))):
        columns = report.side(where)
        if columns:
            console.print(_table(report, title, laws(side), columns, console.width))
    for verdict in [*report.of("live"), *report.of("client")]:
        if verdict["word"] in BAD:
            console.print(Text(_block(verdict)), style=None)
    for surprise in report.surprises:
        console.print(Text(f"recorded {surprise['server']}: {surprise['text']}\n", style="red"))
    for line in summary(report):
        console.print(Text(line))


def _short(name: str) -> str:
    """A server's name without its version and scheme, for the head of a column."""
    return re.sub(r"-\d[\d.]*$", "", name).removeprefix("http://").replace("-", " ")


def _table(report: Report, title: str, found: list[Law], columns: list[tuple[str, str]], width: int) -> Table:
    room = max(30, width - 16 - 12 * len(columns))
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("law", no_wrap=True)
    table.add_column("says", no_wrap=True, width=room)
    for where, name in columns:
        shown = report.names.get(name, name)
        words = f"recorded {_short(name)}" if where == "recorded" else _short(shown)
        table.add_column(words, justify="center", width=10, overflow="fold")
    for law in found:
        row = [report.verdicts.get((law.id, column)) for column in columns]
        if not any(row):
            continue
        cells = [_cell(law, column, verdict) for column, verdict in zip(columns, row, strict=True)]
        table.add_row(law.id + ("" if law.level == "must" else "*"), _cut(law.title, room), *cells)
    table.caption = "* SHOULD    - unsupported or not recorded    broken: known, see contracts/field_notes.toml"
    return table


def _cut(text: str, room: int) -> str:
    return text if len(text) <= room else f"{text[: room - 1]}…"


def _cell(law: Law, column: tuple[str, str], verdict: dict[str, Any] | None) -> Text:
    if verdict is None:
        return Text("")
    word, style = SIGNS[verdict["word"]]
    known = notes().get(column[1])
    if column[0] == "recorded" and known and law.id in known.breaks and verdict["word"] in BAD:
        return Text("broken", style="red")
    return Text(word, style=style)


def _block(verdict: dict[str, Any]) -> str:
    found = next(law for law in laws() if law.id == verdict["law"])
    lines = ["", f"{found.id} {verdict['word'].upper()} on {verdict['target']}: {found.title}"]
    failure = verdict["failure"]
    if failure is None:
        return "\n".join([*lines, f"  {verdict['reason']}"])
    lines += [f"  expected  {failure['expected']}", f"  got       {failure['got']}"]
    lines += [f"  case      {failure['case']}"] if failure["case"] else []
    lines += [f"  request   {curl}" for curl in failure["curl"]]
    reason = " ".join(found.description.partition("\n")[2].split())
    lines += [f"  why       {reason}"] if reason else []
    return "\n".join(
        [*lines, f"  source    {found.source}; {failure['seen']}; --seed {failure['seed']} --law {found.id}"]
    )


def summary(report: Report) -> list[str]:
    """One line per judged target, one for the recordings."""
    lines = []
    for column in report.side(("live", "client")):
        words = [verdict["word"] for (_, c), verdict in report.verdicts.items() if c == column]
        counts = ", ".join(f"{words.count(word)} {word}" for word in SIGNS if word in words)
        lines.append(f"{report.names.get(column[1], column[1])}: {len(words)} laws: {counts}")
    if recorded := report.side(("recorded",)):
        known = sum(len(notes()[name].breaks) for _, name in recorded if name in notes())
        surprise = f"{len(report.surprises)} surprises" if report.surprises else "no surprise"
        lines.append(f"{len(recorded)} recorded servers: {known} known breaches, {surprise}")
    return [*lines, f"{report.seconds:.1f} s"]


def write(report: Report, options: argparse.Namespace) -> None:
    """The files that were asked for. Raises `OSError`."""
    if options.json:
        _put(options.json, json.dumps(to_json(report), indent=2, ensure_ascii=False) + "\n")
    if options.junit:
        _put(options.junit, to_junit(report))
    if options.markdown:
        _put(options.markdown, to_markdown(report))
    if options.save:
        folder = Path(options.save)
        folder.mkdir(parents=True, exist_ok=True)
        for verdict in [*report.of("live"), *report.of("client")]:
            if verdict["failure"]:
                name = "".join(c if c.isalnum() or c in "-." else "_" for c in f"{verdict['law']}-{verdict['target']}")
                _put(folder / f"{name}.json", json.dumps(to_fixture(verdict), indent=2, ensure_ascii=False) + "\n")


def _put(path: str | Path, text: str) -> None:
    Path(path).write_text(text, encoding="utf-8", errors="backslashreplace")


def to_json(report: Report) -> dict[str, Any]:
    """The whole report as plain values."""
    keys = ("law", "where", "target", "word", "reason", "cases", "seconds", "failure")
    return {
        "exit_code": exit_code(report),
        "seconds": round(report.seconds, 2),
        "verdicts": [{key: verdict[key] for key in keys} for verdict in report.verdicts.values()],
        "surprises": [{"server": s["server"], "text": s["text"]} for s in report.surprises],
    }


def to_junit(report: Report) -> str:
    """JUnit XML: a suite per column, a case per law; lenient and unsupported are skipped with the reason."""
    top = ElementTree.Element("testsuites")
    for where, name in report.columns:
        found = [v for (_, column), v in report.verdicts.items() if column == (where, name)]
        known = notes()[name].breaks if where == "recorded" and name in notes() else {}
        bad = [v for v in found if v["word"] in BAD and v["law"] not in known]
        suite = ElementTree.SubElement(
            top, "testsuite", name=f"{where} {name}", tests=str(len(found)), failures=str(len(bad)), errors="0"
        )
        for verdict in found:
            case = ElementTree.SubElement(
                suite, "testcase", classname=f"{where}.{name}", name=verdict["law"], time=str(verdict["seconds"])
            )
            message = _printable(verdict["reason"])
            if verdict in bad:
                ElementTree.SubElement(case, "failure", message=message).text = _printable(_block(verdict))
            elif verdict["word"] != "ok":
                ElementTree.SubElement(case, "skipped", message=f"{verdict['word']}: {message}")
    ElementTree.indent(top)
    return ElementTree.tostring(top, encoding="unicode", xml_declaration=True) + "\n"


def _printable(text: str) -> str:
    """XML 1.0 has no control characters and no surrogates."""
    return "".join(c if c in "\t\n" or (c >= " " and not "\ud800" <= c <= "\udfff") else "\ufffd" for c in text)


def to_markdown(report: Report) -> str:
    """A summary for a CI page: the counts, and what is broken."""
    lines = ["## Contracts", "", *[f"- {line}" for line in summary(report)], ""]
    bad = [v for v in [*report.of("live"), *report.of("client")] if v["word"] in BAD]
    if bad:
        lines += ["| law | target | expected | got |", "|---|---|---|---|"]
    for verdict in bad:
        failure = verdict["failure"] or {"expected": "", "got": verdict["reason"]}
        cells = [verdict["law"], verdict["target"], failure["expected"], failure["got"]]
        lines.append("| " + " | ".join(str(c).replace("|", "\\|").replace("\n", " ") for c in cells) + " |")
    return "\n".join(lines) + "\n"


def to_fixture(verdict: dict[str, Any]) -> dict[str, Any]:
    """A broken law as a file: what was asked and answered, and a script with which the fake answers the same."""
    rules = []
    for number, exchange in enumerate(verdict["failure"]["exchanges"]):
        request, response = exchange["request"], exchange["response"]
        raw = {"base64": response["body_base64"]} if "body_base64" in response else response["body"]
        kept = [h for h in response["headers"] if h[0].lower() in ("content-type", "retry-after", "allow", "location")]
        match = {"method": request["method"], "path": request["path"].partition("?")[0]}
        reply = {"raw": raw, "status": response["status"], "headers": dict(kept)}
        rules.append({"name": f"exchange-{number}", "match": match, "reply": reply})
    return {
        "law": verdict["law"],
        "target": verdict["target"],
        **{key: verdict["failure"][key] for key in ("expected", "got", "case", "seen", "seed", "curl", "exchanges")},
        "script": {"strict": False, "rules": rules},
    }
