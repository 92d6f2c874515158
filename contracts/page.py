"""The report as one HTML page: law x target, filters, and of each failure the request, the wire, and a picture.

The page holds all it needs, and its content security policy lets it load nothing. Without scripts only the filters are
missing. Whatever a server has said is escaped.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable
from html import escape
from pathlib import Path
from typing import Any

from contracts import timeline
from contracts.headline import headline
from contracts.law import Law, find, laws
from contracts.pasted import request_of
from contracts.report import WORDS, Column, Report, head, summary

POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'"
SIDES = (("Server laws", "server", ("live", "recorded")), ("Client laws", "client", ("client",)))
LONG = 20_000
"""So many characters of a body are shown."""


def to_html(report: Report) -> str:
    """The page."""
    here = Path(__file__).parent
    style, script = ((here / name).read_text(encoding="utf-8") for name in ("page.css", "page.js"))
    title = f"Contracts: {headline(report)}"
    parts = [
        '<!doctype html><html lang="en"><head><meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">',
        '<meta name="viewport" content="width=device-width">',
        f'<link rel="icon" href="data:,"><title>{escape(title)}</title><style>{style}</style></head><body>',
        f"<h1>{escape(title)}</h1>",
        *_heads(report),
    ]
    kept = ("ok", "unsupported", "unjudged")
    shown = [v for v in report.of("live", "client", "recorded") if report.word(v) not in kept]
    anchors = {(v["law"], v["where"], v["target"]): f"f{number}" for number, v in enumerate(shown, 1)}
    parts += [*_broken(report, anchors), *_filters(report)]
    for name, side, where in SIDES:
        if columns := report.side(where):
            parts += _matrix(report, name, laws(side), columns, anchors)
    if shown:
        parts.append("<h2>What was found</h2>")
    parts += [_article(report, verdict, anchors) for verdict in shown]
    return "\n".join([*parts, f"<script>{script}</script></body></html>"]) + "\n"


TARGET = re.compile(r"(?P<target>.*): (?P<counts>\d+ laws?: .*)")
"""A line of the summary that counts the verdicts on one target."""


def _heads(report: Report) -> Iterable[str]:
    *lines, seconds = summary(report)
    yield f'<p class="soft">{escape(seconds)}, {report.today.isoformat()}</p><ul class="targets">'
    alarms = []
    for line in lines:
        if found := TARGET.fullmatch(line):
            yield f"<li><b>{escape(found['target'])}</b>{escape(found['counts'])}</li>"
        elif "recorded servers" in line:
            target, _, rest = line.partition(": ")
            yield f"<li><b>{escape(target)}</b>{escape(rest)}</li>"
        else:
            alarms.append(line)
    yield "</ul>"
    alarms += [f"recorded {one['server']}: {one['text']}" for one in report.surprises]
    yield from (f'<p class="alarm">{escape(line)}</p>' for line in alarms)


def _broken(report: Report, anchors: dict[tuple[str, str, str], str]) -> Iterable[str]:
    """What is red, as links, before anything else."""
    if red := report.red():
        yield '<ul class="red">'
        for v in red:
            where = f'{escape(find(v["law"]).title)} <span class="soft">on {escape(report.name(v["target"]))}</span>'
            yield f'<li><a href="#{anchors[v["law"], v["where"], v["target"]]}">{v["law"]}</a> {where}</li>'
        yield "</ul>"


def _filters(report: Report) -> Iterable[str]:
    names = [f'<option value="{escape(_key(c))}">{escape(_name(report, c))}</option>' for c in report.columns]
    seen = {report.word(verdict) for verdict in report.verdicts.values()}
    yield '<form><input type="search" name="text" placeholder="law, words, family" aria-label="words of a law">'
    yield f'<select name="target" aria-label="target"><option value="">all targets</option>{"".join(names)}</select>'
    yield '<select name="level" aria-label="level"><option value="">MUST and SHOULD</option>'
    yield '<option value="must">MUST</option><option value="should">SHOULD</option></select>'
    yield '<select name="side" aria-label="side"><option value="">servers and clients</option>'
    yield '<option value="server">servers</option><option value="client">clients</option></select>'
    for word in WORDS:
        if word in seen:
            box = f'<input type="checkbox" name="verdict" value="{word}" checked>'
            yield f'<label class="w-{word}">{box} {word}</label>'
    yield '<button type="reset">all</button> <span id="shown" class="soft"></span></form>'


def _matrix(
    report: Report, name: str, found: list[Law], columns: list[Column], anchors: dict[tuple[str, str, str], str]
) -> Iterable[str]:
    yield f'<section class="side"><h2>{name}</h2><table class="matrix"><thead><tr><th>law</th><th>says</th>'
    for column in columns:
        head = escape(_name(report, column).removeprefix("http://")).replace(":", ":<wbr>")
        yield f'<th class="target" data-column="{escape(_key(column))}">{head}</th>'
    yield "</tr></thead><tbody>"
    for law in found:
        verdicts = {
            column: report.verdicts[law.id, column] for column in columns if (law.id, column) in report.verdicts
        }
        if verdicts:
            yield _row(report, law, columns, verdicts, anchors)
    yield "</tbody></table></section>"


def _row(
    report: Report,
    law: Law,
    columns: list[Column],
    verdicts: dict[Column, dict[str, Any]],
    anchors: dict[tuple[str, str, str], str],
) -> str:
    words = [[_key(column), report.word(verdict)] for column, verdict in verdicts.items()]
    cells = []
    for column in columns:
        inner = _cell(report, verdicts[column], anchors) if column in verdicts else ""
        cells.append(f'<td class="cell" data-column="{escape(_key(column))}">{inner}</td>')
    rest = law.description.partition("\n")[2].strip()
    says = f"<summary>{escape(law.title)}</summary><p>{escape(rest)}</p><p>source: {escape(law.source)}</p>"
    mark = "" if law.level == "must" else ' <span class="soft" title="SHOULD">*</span>'
    return (
        f'<tr {_data(law, words)}><td class="id">{law.id}{mark}</td>'
        f"<td><details>{says}</details></td>{''.join(cells)}</tr>"
    )


def _data(law: Law, words: list[list[str]]) -> str:
    """What the filters read."""
    text = f"{law.id} {law.title} {law.family} {law.source}".lower()
    return (
        f'data-law="{law.id}" data-level="{law.level}" data-side="{law.side}" data-text="{escape(text)}" '
        f'data-words="{escape(json.dumps(words))}"'
    )


def _cell(report: Report, verdict: dict[str, Any], anchors: dict[tuple[str, str, str], str]) -> str:
    word = report.word(verdict)
    shown = "–" if word == "unsupported" else word
    tip = escape(verdict["reason"][:300] or f"{verdict['cases']} cases")
    anchor = anchors.get((verdict["law"], verdict["where"], verdict["target"]))
    inner = f'<a href="#{anchor}">{shown}</a>' if anchor else shown
    return f'<span class="w-{word}" title="{tip}">{inner}</span>'


def _article(report: Report, verdict: dict[str, Any], anchors: dict[tuple[str, str, str], str]) -> str:
    law, word, column = find(verdict["law"]), report.word(verdict), (verdict["where"], verdict["target"])
    anchor = anchors[law.id, *column]
    name = escape(_name(report, column))
    parts = [
        f'<article id="{anchor}" {_data(law, [[_key(column), word]])}>',
        f'<h3>{law.id} <span class="w-{word}">{word}</span> on {name}</h3>',
        f"<p>{escape(law.title if word != 'lost' else head(report, verdict))}</p><dl>",
    ]
    failure = verdict["failure"]
    entry = report.known(verdict)
    facts = [("known", f"expired on {entry.expires}: {entry}" if word != "known" else str(entry))] if entry else []
    if failure is None:
        facts.append(("reason", verdict["reason"]))
    else:
        facts += [("expected", failure["expected"]), ("got", failure["got"]), ("case", failure["case"])]
        facts += [("seen", failure["seen"]), ("again", report.again(verdict))]
    facts += [("why", " ".join(law.description.partition("\n")[2].split())), ("source", law.source)]
    parts += [f"<dt>{label}</dt><dd>{escape(value)}</dd>" for label, value in facts if value]
    parts.append("</dl>")
    if failure is not None:
        parts.append(f"<pre>{escape(chr(10).join(request_of(verdict)))}</pre>")
        parts += [_wire(number, one) for number, one in enumerate(failure["exchanges"], 1)]
    return "".join([*parts, "</article>"])


def _wire(number: int, exchange: dict[str, Any]) -> str:
    """One exchange: the picture where it is a stream, then the lines that went both ways."""
    if "script" in exchange:
        rows, title = timeline.of_scene(exchange), "What the fake sent and the client gave"
        log = escape(json.dumps({key: exchange[key] for key in ("task", "outcomes")}, indent=1, ensure_ascii=False))
        sent = [one for seen in exchange["journal"] for one in (seen["request"],)]
        log += "".join(f"\n\n{_message('&gt;', _request(one), one)}" for one in sent)
    else:
        rows, title = timeline.of_exchange(exchange), f"Exchange {number}: when its events came"
        log = _message("&gt;", _request(exchange["request"]), exchange["request"])
        response = exchange["response"]
        if response is None:
            log += "\n\n(no response)"
        else:
            log += "\n\n" + _message("&lt;", f"{response['status']}", response)
            log += f"\n\n({exchange['ended']}, {exchange['seconds'] * 1000:.0f} ms)"
    picture = timeline.to_svg(rows, title)
    figure = f'<figure><figcaption class="soft">{title}</figcaption>{picture}</figure>' if picture else ""
    return f"{figure}<details><summary>wire log {number}</summary><pre>{log}</pre></details>"


def _request(request: dict[str, Any]) -> str:
    return f"{request['method']} {request['path']}"


def _message(way: str, first: str, message: dict[str, Any]) -> str:
    lines = [first, *(f"{name}: {value}" for name, value in message["headers"]), "", *_body(message)]
    return "\n".join(f'<span class="way">{way}</span> {escape(_visible(line))}' for line in lines)


def _body(message: dict[str, Any]) -> list[str]:
    text = message.get("body")
    if text is None:
        data = base64.b64decode(message.get("body_base64") or "")
        text = data.decode("utf-8", "backslashreplace")
    cut = f"{text[:LONG]}… ({len(text)} characters)" if len(text) > LONG else text
    return cut.split("\n") if cut else []


def _visible(text: str) -> str:
    """Control characters as their pictures, so that a wire log shows them and a page stays a page."""
    return "".join(
        chr(0x2400 + ord(c)) if c < " " and c != "\t" else "\ufffd" if "\ud800" <= c <= "\udfff" else c for c in text
    )


def _key(column: Column) -> str:
    return f"{column[0]} {column[1]}"


def _name(report: Report, column: Column) -> str:
    return f"recorded {column[1]}" if column[0] == "recorded" else report.name(column[1])
