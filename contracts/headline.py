"""One sentence on a whole run, as a heading: what failed it, or how it was cut short; else what is known, else nothing.

It claims no more than was judged: a run that died, or was interrupted, has not kept all laws.
"""

from __future__ import annotations

from contracts.report import Report


def headline(report: Report) -> str:
    """`All laws kept`, `2 broken; 7 known`, `aborted: the server died during S-ID-05`."""
    words = [report.word(verdict) for verdict in report.of("live", "client")]
    red, known, late = len(report.red()), words.count("known"), words.count("unjudged")
    said = [*_ends(report)]
    if red:
        said.append(f"{red} broken")
    if report.surprises:
        number = len(report.surprises)
        said.append(f"{number} surprise{'s' if number > 1 else ''} in the recordings")
    if bare := [report.name(verdict["target"]) for verdict in report.unjudged()]:
        said.append(f"NOT JUDGED: {', '.join(bare)}")
    if known:
        said.append(f"{known} known" if said else f"No new failure; {known} known")
    if late and not report.interrupted:
        said.append(f"{'' if said else 'No law broken; '}{late} not judged, the budget was used up")
    return "; ".join(said) or "All laws kept"


def _ends(report: Report) -> list[str]:
    """How the run, or a server, came to an end before all was judged."""
    found = [f"aborted: {report.interrupted}"] if report.interrupted else []
    several = len({target for _, target in report.side(("live", "client"))}) > 1
    told = set()
    # What ended the judging comes first; several processes tell the same death.
    for death in sorted(report.deaths, key=lambda one: not one["problem"]):
        if death["target"] not in told:
            told.add(death["target"])
            who = report.name(death["target"]) if several else "the server"
            what = f"{who} {how(death)} {death['law']}"
            found.append(f"aborted: {what}" if death["problem"] else f"{what}, and was started again")
    return found


def how(death: dict[str, str]) -> str:
    """How a server was lost, with the word that leads to the law."""
    return "hangs since" if death.get("how") == "hangs" else "died during"
