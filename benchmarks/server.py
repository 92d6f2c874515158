"""`python -m benchmarks server`: the fake server on one core against references on the same core, in turn.

The server is started as its users start it, armed through its door, and measured with all it does for every request:
the session found by its prefix, the request matched, the reply rendered, the exchange journalled.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

from benchmarks import load
from benchmarks.machine import RefusedError
from benchmarks.payload import ANSWER, EVENTS, GAP, MODEL, PATH, request_body, text
from benchmarks.process import Process, bare, mock, raw, starlette_app
from benchmarks.rivals import aimock, aimock_home
from benchmarks.rows import Result
from benchmarks.run import Options, alternate, attempt, ratio, tell
from benchmarks.stats import median, spread

STREAM = request_body(stream=True)
PACED = f"{PATH}?gap={GAP}"


def script(*rules: dict[str, Any]) -> dict[str, Any]:
    """A script of the fake server."""
    return {"rules": list(rules)}


def rule(reply: Any, **match: Any) -> dict[str, Any]:
    """A rule for chat completions."""
    return {"match": {"path": PATH, **match}, "reply": reply}


SCRIPTS = {
    "bench": script(rule({"text": ANSWER}, model=MODEL)),
    "events": script(rule({"text": text()}, model=MODEL, stream=True)),
    "coalesced": script(rule({"text": text(), "pacing": {"coalesce": True}}, model=MODEL, stream=True)),
    "paced": script(rule({"text": text(), "pacing": {"itl": GAP}}, model=MODEL, stream=True)),
    "one": script(rule({"text": ANSWER}, model=MODEL)),
    "indexed": script(
        *(rule({"text": "no"}, model=f"model-{n}") for n in range(999)), rule({"text": ANSWER}, model=MODEL)
    ),
    "regex": script(rule({"text": ANSWER}, regex="^Hello!$")),
    "scanned": script(
        *(rule({"text": "no"}, regex=f"^question {n} of .*\\?$") for n in range(999)),
        rule({"text": ANSWER}, regex="^Hello!$"),
    ),
}


def armed(server: Process, *names: str) -> None:
    """Load the scripts, each into the session of its name."""
    for name in names:
        server.ask("PUT", f"/@{name}/_mock/script", SCRIPTS[name])


def measure(options: Options) -> list[Result]:
    """All rows of the server."""
    try:
        home = aimock_home(install=options.install)
    except RefusedError as error:
        tell(str(error))
        home, absent = None, str(error)
    else:
        absent = ""
    rival = None if home is None or options.gated else home
    results = attempt(
        ("plain-cpu", "plain-rate", "plain-rate-aimock", "default-cpu"), lambda: plain(options, rival, absent)
    )
    results += attempt(("events-each",), lambda: events(options, rival))
    results += attempt(("events-coalesced",), lambda: coalesced(options))
    results += attempt(("rules-index", "rules-scan"), lambda: rules(options))
    if options.gated:
        return results + attempt(("scheduled-cpu",), lambda: schedule(options, 500 if options.quick else 1000, None))
    for count in (100, 500, 1000):
        keys = (
            (f"gap-{count}",)
            if count < 1000
            else ("gap-1000", "late-1000", "drift-1000", "mean-gap-1000", "scheduled-cpu")
        )
        results += attempt(keys, lambda count=count: schedule(options, count, rival))  # type: ignore[misc]  # bound now
    results += attempt(("mean-gap-2000",), lambda: many(options, rival))
    results += attempt(("early",), early)
    results += attempt(("stream-memory",), lambda: stream_memory(options, rival))
    results += attempt(("idle-memory", "start-time"), lambda: start(options, rival))
    results += attempt(("soak-memory",), lambda: soak(options))
    return results


def plain(options: Options, rival: Any, absent: str) -> list[Result]:
    """Plain chat completions, from a rule and without; a second bare server shows what the measure is worth."""
    with ExitStack() as stack:
        servers = {"bare": stack.enter_context(bare()), "control": stack.enter_context(bare())}
        fake = stack.enter_context(mock())
        armed(fake, "bench")
        measures: dict[str, Callable[[], load.Plain]] = {
            name: lambda server=server: load.plain(server, PATH, options.seconds)  # type: ignore[misc]  # bound now
            for name, server in servers.items()
        }
        measures["mock"] = lambda: load.plain(fake, f"/@bench{PATH}", options.seconds)
        measures["default"] = lambda: load.plain(fake, f"/@nobody{PATH}", options.seconds)
        if not options.gated:
            star = stack.enter_context(starlette_app())
            measures["Starlette app"] = lambda: load.plain(star, PATH, options.seconds)
            limit = stack.enter_context(raw())
            measures["raw protocol"] = lambda: load.plain(limit, PATH, options.seconds)
        if rival is not None:
            other = stack.enter_context(aimock(rival))
            measures["aimock"] = lambda: load.plain(other, PATH, options.seconds)
        taken = alternate(measures, options.turns)
    cpu = {name: [turn.cpu for turn in turns] for name, turns in taken.items()}
    rate = {name: [turn.rate for turn in turns] for name, turns in taken.items()}
    others = [name for name in ("control", "Starlette app", "raw protocol", "aimock") if name in taken]
    results = [
        ratio("plain-cpu", cpu["mock"], cpu["bare"], "us", 1e6, {name: cpu[name] for name in others}),
        ratio("plain-rate", rate["mock"], rate["bare"], "requests/s", 1, {name: rate[name] for name in others}),
        ratio("default-cpu", cpu["default"], cpu["bare"], "us", 1e6),
    ]
    if "aimock" in rate:
        results.append(ratio("plain-rate-aimock", rate["mock"], rate["aimock"], "requests/s"))
    else:
        results.append(Result("plain-rate-aimock", None, note=absent or "rivals are not gated"))
    return results


def events(options: Options, rival: Any) -> list[Result]:
    """Streams as fast as they go, one write per event."""
    with ExitStack() as stack:
        base, fake = stack.enter_context(bare()), stack.enter_context(mock())
        armed(fake, "events")
        measures = {
            "bare": lambda: load.streams(base, PATH, STREAM, options.seconds),
            "mock": lambda: load.streams(fake, f"/@events{PATH}", STREAM, options.seconds),
        }
        if rival is not None:
            other = stack.enter_context(aimock(rival))
            measures["aimock"] = lambda: load.streams(other, PATH, STREAM, options.seconds)
        taken = alternate(measures, options.turns)
    _at_least(taken["mock"])
    rates = {name: [turn.events_per_cpu for turn in turns] for name, turns in taken.items()}
    return [ratio("events-each", rates["mock"], rates["bare"], "events/CPU s", 1, {"aimock": rates.get("aimock", [])})]


def coalesced(options: Options) -> list[Result]:
    """The same where all events may share a write; the reference still has one `send` per event."""
    with bare() as base, mock() as fake:
        armed(fake, "coalesced")
        taken = alternate(
            {
                "bare": lambda: load.streams(base, PATH, STREAM, options.seconds),
                "mock": lambda: load.streams(fake, f"/@coalesced{PATH}", STREAM, options.seconds),
                "at once": lambda: load.streams(base, f"{PATH}?coalesce", STREAM, options.seconds),
            },
            options.turns,
        )
    _at_least(taken["mock"])
    rates = {name: [turn.events_per_cpu for turn in turns] for name, turns in taken.items()}
    others = {"bare, all in one send": rates["at once"]}
    return [ratio("events-coalesced", rates["mock"], rates["bare"], "events/CPU s", 1, others)]


def _at_least(turns: list[load.Streams]) -> None:
    for turn in turns:
        if turn.events_per_stream < EVENTS:
            raise RefusedError(f"a stream of {EVENTS} events was asked for, {turn.events_per_stream:.0f} came")


def rules(options: Options) -> list[Result]:
    """What a thousand rules cost, on the same server as one."""
    with mock() as fake:
        names = ("one", "indexed", "regex", "scanned")
        armed(fake, *names)
        measures: dict[str, Callable[[], load.Plain]] = {
            name: lambda name=name: load.plain(fake, f"/@{name}{PATH}", options.seconds)  # type: ignore[misc]  # bound now
            for name in names
        }
        taken = alternate(measures, options.turns)
    cpu = {name: [turn.cpu for turn in turns] for name, turns in taken.items()}
    more = (median(cpu["scanned"]) - median(cpu["regex"])) * 1e6
    one, thousand = (f"{median(cpu[name]) * 1e6:,.3g} us" for name in ("regex", "scanned"))
    return [
        ratio("rules-index", cpu["indexed"], cpu["one"], "us", 1e6),
        Result("rules-scan", more, thousand, one, spread(cpu["scanned"])),
    ]


def schedule(options: Options, count: int, rival: Any) -> list[Result]:
    """`count` streams at 20 ms against the raw protocol's."""
    with ExitStack() as stack:
        base, fake = stack.enter_context(raw()), stack.enter_context(mock())
        armed(fake, "paced")
        taken = alternate(
            {
                "raw": lambda: load.paced(base, PACED, STREAM, count),
                "mock": lambda: load.paced(fake, f"/@paced{PATH}", STREAM, count),
            },
            1 if options.quick else options.turns,
        )
        if rival is not None:
            other = stack.enter_context(aimock(rival, gap_ms=round(GAP * 1000)))
            taken["aimock"] = [load.paced(other, PATH, STREAM, count)]
    figures = {
        name: {
            key: [turn[key] for turn in turns] for key in ("gap_p99", "late_p99", "drift", "mean_gap", "cpu_per_event")
        }
        for name, turns in taken.items()
    }

    def against(key: str, figure: str, unit: str = "ms", scale: float = 1e3) -> Result:
        others = {name: figures[name][figure] for name in ("aimock",) if name in figures}
        return ratio(key, figures["mock"][figure], figures["raw"][figure], unit, scale, others)

    cpu = against("scheduled-cpu", "cpu_per_event", "us", 1e6)
    if options.gated:
        return [cpu]
    gap = against(f"gap-{count}", "gap_p99")
    if count < 1000:
        return [gap]
    drift = {name: median(figure["drift"]) * 1e3 for name, figure in figures.items()}
    off = {name: abs(median(figure["mean_gap"]) / GAP - 1) * 100 for name, figure in figures.items()}
    return [
        gap,
        against("late-1000", "late_p99"),
        Result("drift-1000", abs(drift.pop("mock")), reference=f"raw {drift['raw']:.3g} ms", rivals=drift),
        Result("mean-gap-1000", off.pop("mock"), reference=f"raw {off['raw']:.3g} %", rivals=off),
        cpu,
    ]


def many(options: Options, rival: Any) -> list[Result]:
    """2,000 streams: whether all end, and whether time is stretched."""

    def longer(figures: dict[str, Any]) -> float:
        whole = figures["finished"] == figures["streams"]
        return (figures["mean_gap"] / GAP - 1) * 100 if whole else float("inf")

    others = {}
    with mock() as fake:
        armed(fake, "paced")
        turns = [load.paced(fake, f"/@paced{PATH}", STREAM, 2000) for _ in range(1 if options.quick else options.turns)]
    with raw() as base:
        others["raw protocol"] = longer(load.paced(base, PACED, STREAM, 2000))
    if rival is not None:
        with aimock(rival, gap_ms=round(GAP * 1000)) as other:
            others["aimock"] = longer(load.paced(other, PATH, STREAM, 2000))
    finished = min(turn["finished"] for turn in turns)
    return [Result("mean-gap-2000", median([longer(t) for t in turns]), f"{finished:,} finished", rivals=others)]


def early() -> list[Result]:
    """The earliest event against its deadline, on the server's clock: the journal says when each response began.

    Few streams, so that an event is received some 0.1 ms after it was sent: what is early by more is seen.
    """
    count = 20
    with mock() as fake:
        armed(fake, "paced")
        figures = load.paced(fake, f"/@paced{PATH}", STREAM, count, keep=True)
        exchanges = fake.ask("GET", "/@paced/_mock/journal")["exchanges"]
    if figures["finished"] != count or len(exchanges) != count:
        raise RefusedError(f"{figures['finished']} streams ended and {len(exchanges)} are in the journal, not {count}")
    worst = 0.0
    for times, exchange in zip(figures["arrivals"], exchanges, strict=True):
        for number, moment in enumerate(times):
            worst = max(worst, exchange["started"] + number * GAP - moment)
    return [Result("early", worst * 1e3, f"{count} streams of {EVENTS}")]


def stream_memory(options: Options, rival: Any) -> list[Result]:
    """What 500 open streams take, in fresh processes that have streamed before."""

    def one(make: Callable[[], Process], path: str, name: str | None = None) -> float:
        with make() as server:
            if name is not None:
                armed(server, name)
            load.paced(server, path, STREAM, 20)
            kib: float = load.paced(server, path, STREAM, 500)["kib_per_stream"]
            return kib

    measures = {
        "bare": lambda: one(bare, PACED),
        "mock": lambda: one(mock, f"/@paced{PATH}", "paced"),
    }
    taken = alternate(measures, 1 if options.quick else options.turns)
    if rival is not None:
        taken["aimock"] = [one(lambda: aimock(rival, gap_ms=round(GAP * 1000)), PATH)]
    return [ratio("stream-memory", taken["mock"], taken["bare"], "KiB", 1, {"aimock": taken.get("aimock", [])})]


def start(options: Options, rival: Any) -> list[Result]:
    """From the start of the process to its first 200, and what it then has in memory."""

    def one(make: Callable[[], Process]) -> tuple[float, float]:
        with make() as server:
            return server.started, float(server.resident)

    measures: dict[str, Callable[[], tuple[float, float]]] = {
        "Starlette app": lambda: one(starlette_app),
        "mock": lambda: one(mock),
    }
    if rival is not None:
        measures["aimock"] = lambda: one(lambda: aimock(rival))
    taken = alternate(measures, 3 if options.quick else 7)
    seconds, memory = ({name: [turn[at] for turn in turns] for name, turns in taken.items()} for at in (0, 1))
    return [
        ratio(
            "idle-memory",
            memory["mock"],
            memory["Starlette app"],
            "MiB",
            1 / 1024,
            {"aimock": memory.get("aimock", [])},
        ),
        ratio("start-time", seconds["mock"], seconds["Starlette app"], "s", 1, {"aimock": seconds.get("aimock", [])}),
    ]


def soak(options: Options) -> list[Result]:
    """Memory over a million requests, from the moment the bounded journal is full."""
    count = 100_000 if options.quick else 1_000_000
    with mock() as fake:
        armed(fake, "bench")
        idle = fake.resident
        load.requests(fake, f"/@bench{PATH}", 20_000)
        full = fake.resident
        load.requests(fake, f"/@bench{PATH}", count - 20_000)
        end = fake.resident
    note = f"{idle / 1024:.0f} MiB idle; {count:,} requests"
    return [Result("soak-memory", (end / full - 1) * 100, f"{end / 1024:.0f} MiB", f"{full / 1024:.0f} MiB", note=note)]
