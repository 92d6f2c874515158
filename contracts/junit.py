"""The report as JUnit XML: a suite per column, a case per law; what is neither kept nor red is skipped, with reason.

A law during which a server died is an error, and so is the end of a run that was interrupted."""

from __future__ import annotations

from xml.etree import ElementTree

from contracts.headline import how
from contracts.report import BAD, Column, Report, block


def to_junit(report: Report) -> str:
    """The XML document."""
    top = ElementTree.Element("testsuites")
    dead = [("live", death["target"]) for death in report.deaths]
    columns = [*report.columns, *(column for column in dict.fromkeys(dead) if column not in report.columns)]
    for where, name in columns or [("live", "none")]:
        found = [v for (_, column), v in report.verdicts.items() if column == (where, name)]
        bad = [v for v in found if report.word(v) in BAD]
        ends = _ends(report, (where, name), {v["law"] for v in found if v["word"] == "lost"})
        errors = sum(v["word"] == "lost" for v in found) + len(ends)
        total = str(len(found) + len(ends))
        suite = ElementTree.SubElement(
            top, "testsuite", name=f"{where} {name}", tests=total, failures=str(len(bad)), errors=str(errors)
        )
        for verdict in found:
            case = ElementTree.SubElement(
                suite, "testcase", classname=f"{where}.{name}", name=verdict["law"], time=str(verdict["seconds"])
            )
            message = _printable(verdict["reason"])
            if verdict in bad:
                ElementTree.SubElement(case, "failure", message=message).text = _printable(block(report, verdict))
            elif verdict["word"] == "lost":
                ElementTree.SubElement(case, "error", message=message).text = _printable(block(report, verdict))
            elif verdict["word"] != "ok":
                entry = report.known(verdict)
                why = f"{entry}; {message}" if entry else message
                ElementTree.SubElement(case, "skipped", message=_printable(f"{report.word(verdict)}: {why}"))
        for message in ends:
            case = ElementTree.SubElement(suite, "testcase", classname=f"{where}.{name}", name="aborted", time="0")
            ElementTree.SubElement(case, "error", message=_printable(message))
    ElementTree.indent(top)
    return ElementTree.tostring(top, encoding="unicode", xml_declaration=True) + "\n"


def _ends(report: Report, column: Column, lost: set[str]) -> list[str]:
    """What ended the judging of a target and is told by no verdict on a law."""
    deaths = [death for death in report.deaths if ("live", death["target"]) == column and death["law"] not in lost]
    told = [f"the server {how(d)} {d['law']}; nothing more of it was judged" for d in deaths if d["problem"]]
    # One case for the whole run, however many targets it has.
    first = report.columns[0] if report.columns else column
    return [*dict.fromkeys(told), *([report.interrupted] if report.interrupted and column == first else [])]


def _printable(text: str) -> str:
    """XML 1.0 has no control characters and no surrogates."""
    return "".join(c if c in "\t\n" or (c >= " " and not "\ud800" <= c <= "\udfff") else "\ufffd" for c in text)
