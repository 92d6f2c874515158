"""The report as JUnit XML: a suite per column, a case per law; what is neither kept nor red is skipped, with reason."""

from __future__ import annotations

from xml.etree import ElementTree

from contracts.report import BAD, Report, block


def to_junit(report: Report) -> str:
    """The XML document."""
    top = ElementTree.Element("testsuites")
    for where, name in report.columns:
        found = [v for (_, column), v in report.verdicts.items() if column == (where, name)]
        bad = [v for v in found if report.word(v) in BAD]
        suite = ElementTree.SubElement(
            top, "testsuite", name=f"{where} {name}", tests=str(len(found)), failures=str(len(bad)), errors="0"
        )
        for verdict in found:
            case = ElementTree.SubElement(
                suite, "testcase", classname=f"{where}.{name}", name=verdict["law"], time=str(verdict["seconds"])
            )
            message = _printable(verdict["reason"])
            if verdict in bad:
                ElementTree.SubElement(case, "failure", message=message).text = _printable(block(report, verdict))
            elif verdict["word"] != "ok":
                entry = report.known(verdict)
                why = f"{entry}; {message}" if entry else message
                ElementTree.SubElement(case, "skipped", message=_printable(f"{report.word(verdict)}: {why}"))
    ElementTree.indent(top)
    return ElementTree.tostring(top, encoding="unicode", xml_declaration=True) + "\n"


def _printable(text: str) -> str:
    """XML 1.0 has no control characters and no surrogates."""
    return "".join(c if c in "\t\n" or (c >= " " and not "\ud800" <= c <= "\udfff") else "\ufffd" for c in text)
