"""The benchmark harness where it can be tested without a clock: what it counts, how it judges, what it writes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks import __main__ as command
from benchmarks import machine, report, svg
from benchmarks.load import read_wrk
from benchmarks.machine import RefusedError
from benchmarks.payload import EVENTS, events, request_body, text
from benchmarks.rows import ROWS, SERVER, Result, Row, broken, shown
from benchmarks.run import Options, alternate, attempt, ratio
from benchmarks.scheduled import carries, judge
from benchmarks.sse import BadResponseError, Meter, arrivals
from benchmarks.stats import median, percentile, spread

LOWER = Row("low", "less is better", "x", "bare", 2.2, 1.5, gated=True)
HIGHER = Row("high", "more is better", "x", "bare", 0.7, 1.3, "higher", gated=True)
TIME = Row("time", "told only", "ms", "absolute", 5, 1)

HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"


def chunked(*pieces: bytes) -> bytes:
    """A whole streamed response, a chunk per piece."""
    return HEAD + b"".join([b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces]) + b"0\r\n\r\n"


# numbers


@pytest.mark.parametrize(
    ("percent", "expected"), [(0, 1), (1, 1), (50, 50), (50.5, 51), (99, 99), (99.5, 100), (100, 100)]
)
def test_percentile_is_the_nearest_rank(percent: float, expected: int) -> None:
    """The smallest value that so many percent of all do not exceed, in whatever order they come."""
    assert percentile(list(range(100, 0, -1)), percent) == expected


def test_percentile_of_one_value_is_that_value() -> None:
    """No interpolation invents a number that was never measured."""
    assert [percentile([7.0], percent) for percent in (0, 50, 99, 100)] == [7.0] * 4


def test_no_values_are_refused() -> None:
    """Nothing has neither a percentile nor a median; a percentage lies between 0 and 100."""
    with pytest.raises(ValueError, match="no values"):
        percentile([], 50)
    with pytest.raises(ValueError, match="no values"):
        median([])
    with pytest.raises(ValueError, match="between 0 and 100"):
        percentile([1], 101)


def test_median_and_spread() -> None:
    """The middle, or the mean of two; the spread is a part of it."""
    assert median([3, 1, 2]) == 2
    assert median([4, 1, 2, 3]) == 2.5
    assert spread([9, 10, 11]) == pytest.approx(0.2)
    assert spread([0, 0]) == 0


# verdicts


@pytest.mark.parametrize(
    ("row", "value", "verdict"),
    [
        (LOWER, 1.5, "goal"),
        (LOWER, 1.51, "must"),
        (LOWER, 2.2, "must"),
        (LOWER, 2.21, "missed"),
        (LOWER, float("inf"), "missed"),
        (LOWER, None, "not measured"),
        (HIGHER, 1.3, "goal"),
        (HIGHER, 1.29, "must"),
        (HIGHER, 0.7, "must"),
        (HIGHER, 0.69, "missed"),
    ],
)
def test_verdict(row: Row, value: float | None, verdict: str) -> None:
    """A limit itself still keeps it, on both sides."""
    assert row.verdict(value) == verdict


def test_limits_are_told_with_their_side() -> None:
    """A reader sees which side is good."""
    assert (LOWER.limit("must"), HIGHER.limit("goal"), TIME.limit("goal")) == ("<= 2.2x", ">= 1.3x", "<= 1 ms")
    assert (shown(12345.6, "events"), shown(0.1234, "%"), shown(3, "ms")) == ("12,346 events", "0.123%", "3 ms")


def test_every_row_has_a_goal_beyond_its_must() -> None:
    """A goal is the harder of the two, keys are unique, and gates are ratios or CPU time."""
    rows = [row for group in ROWS.values() for row in group]
    assert len({row.key for row in rows}) == len(rows)
    for row in rows:
        assert row.verdict(row.goal) == "goal"
        assert row.verdict(row.must) == "must"
        assert not row.gated or row.unit in ("x", "us")


def test_gate_fails_by_gated_rows_only() -> None:
    """What is missed or missing fails the build, with the value and the limit; what is only told does not."""
    results = {"low": Result("low", 2.5), "time": Result("time", 99.0), "high": Result("high", None, note="no node")}
    assert broken((LOWER, HIGHER, TIME), results) == [
        "low: 2.5x, must be <= 2.2x (less is better)",
        "high: not measured (no node), must be >= 0.7x",
    ]
    assert broken((LOWER, HIGHER), {"low": Result("low", 2.2), "high": Result("high", 0.7)}) == []
    assert broken((LOWER,), {}) == ["low: not measured (no result), must be <= 2.2x"]


def test_ratio_compares_medians() -> None:
    """The ratio of the medians, not the mean of ratios; rivals are measured against the same reference."""
    result = ratio("k", [30e-6, 20e-6, 90e-6], [10e-6, 10e-6, 50e-6], "us", 1e6, {"other": [40e-6], "none": []})
    assert result.value == pytest.approx(3)
    assert (result.subject, result.reference) == ("30 us", "10 us")
    assert result.rivals == {"other": pytest.approx(4)}


def test_turns_alternate() -> None:
    """Each measure once per turn, in order: what the machine does hits all of them."""
    calls: list[str] = []
    taken = alternate({"a": lambda: calls.append("a"), "b": lambda: calls.append("b")}, 3)
    assert calls == ["a", "b"] * 3
    assert [len(values) for values in taken.values()] == [3, 3]


def test_a_refusal_is_a_result_with_its_reason(capsys: pytest.CaptureFixture[str]) -> None:
    """One figure that cannot be had does not cost the others."""

    def refuse() -> list[Result]:
        raise RefusedError("no such server")

    assert attempt(("a", "b"), refuse) == [
        Result("a", None, note="no such server"),
        Result("b", None, note="no such server"),
    ]
    assert "no such server" in capsys.readouterr().err


# reading responses


@pytest.mark.parametrize("size", [1, 2, 3, 7, 64, 10_000])
def test_meter_counts_events_however_the_bytes_are_split(size: int) -> None:
    """Events and responses are counted once, whatever each read brings."""
    meter = Meter()
    wire = chunked(*events(5))
    for _ in range(2):
        ends = [meter.feed(wire[at : at + size]) for at in range(0, len(wire), size)]
        assert ends == [False] * (len(ends) - 1) + [True]
    assert (meter.responses, meter.events, meter.refused) == (2, 12, {})


@pytest.mark.parametrize("size", [1, 5, 1000])
def test_meter_reads_plain_responses(size: int) -> None:
    """Content-Length ends a response; another status than 200 is counted as refused."""
    meter = Meter()
    wire = b'HTTP/1.1 404 Not Found\r\nContent-Length: 11\r\n\r\n{"a": "b"}\n'
    ends = [meter.feed(wire[at : at + size]) for at in range(0, len(wire), size)]
    assert ends[-1] is True
    assert not any(ends[:-1])
    assert meter.refused == {404: 1}


def test_arrivals_name_the_moment_of_the_last_byte() -> None:
    """An event has come when its blank line has, read by read; several events of one read come together."""
    wire = chunked(b"data: a\n\n", b"data: b\n\ndata: c\n\n", b"data: [DO", b"NE]\n\n")
    cut = wire.index(b"data: b") + 3
    log = [(1.0, wire[:20]), (2.0, wire[20:cut]), (3.0, wire[cut : wire.index(b"NE]\n\n") + 4]), (4.0, wire[-12:])]
    log[3] = (4.0, wire[wire.index(b"NE]\n\n") + 4 :])
    assert arrivals(log) == [(2.0, b"a"), (3.0, b"b"), (3.0, b"c"), (4.0, b"[DONE]")]


def test_arrivals_byte_by_byte_are_those_of_the_whole() -> None:
    """Framing and splits change when events come, never which."""
    wire = chunked(*events(3))
    bytewise = [(float(at), wire[at : at + 1]) for at in range(len(wire))]
    times = [when for when, _ in arrivals(bytewise)]
    assert [data for _, data in arrivals(bytewise)] == [data for _, data in arrivals([(0.0, wire)])]
    assert times == sorted(times)
    assert len(set(times)) == 4


@pytest.mark.parametrize(
    ("wire", "said"),
    [
        (b"HTTP/1.1 200", "no head"),
        (b"HTTP/1.1 500 No\r\ncontent-length: 2\r\n\r\n{}", "status 500"),
        (b"HTTP/1.1 200 OK\r\n\r\nx", "neither Content-Length nor chunks"),
        (HEAD + b"a\r\ndata", "breaks off in a chunk of 10 bytes"),
        (HEAD + b"a", "breaks off in a chunk's size"),
    ],
)
def test_a_response_that_cannot_be_measured_is_said(wire: bytes, said: str) -> None:
    """A broken response is an error with the bytes, not a figure."""
    with pytest.raises(BadResponseError, match=said):
        arrivals([(0.0, wire)])


def test_only_content_is_on_the_schedule() -> None:
    """Roles, finish reasons and the end come with their neighbours."""
    said = [event.removeprefix(b"data: ").strip() for event in events(2)]
    assert [carries(data) for data in said] == [True, True, False]
    assert not carries(b'{"choices":[{"delta":{"role":"assistant","content":""}}]}')
    assert not carries(b'{"choices":[],"usage":{}}')


def test_a_perfect_schedule_has_no_error() -> None:
    """On time means zero everywhere."""
    figures = judge([[number * 0.02 for number in range(200)]] * 3, 0.02)
    assert figures["mean_gap"] == pytest.approx(0.02)
    for key in ("gap_p50", "gap_p99", "late_p99", "drift", "drift_p99"):
        assert figures[key] == pytest.approx(0, abs=1e-9)


def test_a_stretched_schedule_drifts_and_a_late_event_does_not() -> None:
    """A sleep after each event adds up; with absolute deadlines one late event is late alone."""
    stretched = judge([[number * 0.021 for number in range(200)]], 0.02)
    assert stretched["drift"] == pytest.approx(0.099)
    assert stretched["mean_gap"] == pytest.approx(0.021)
    one_late = judge([[number * 0.02 + (0.005 if number == 50 else 0) for number in range(200)]], 0.02)
    assert one_late["drift"] == pytest.approx(0, abs=1e-9)
    assert one_late["late_p99"] == pytest.approx(0, abs=1e-9)
    assert judge([], 0.02)["gap_p99"] is None


def test_payload_has_the_events_it_promises() -> None:
    """As many words as events, and a request that asks for a stream only when it should."""
    assert len(text().split()) == EVENTS == len(events()) - 1
    assert json.loads(request_body(stream=True))["stream"] is True
    assert "stream" not in json.loads(request_body())


def test_wrk_is_read_and_its_failures_are_not_figures() -> None:
    """Requests, rate, p99; refused answers are an error."""
    said = "  Latency\n     99%    4.50ms\n  28800 requests in 1.00s, 20.00MB read\nRequests/sec:  28790.50\n"
    count, rate, late = read_wrk(said)
    assert (count, rate) == (28800, 28790.5)
    assert late == pytest.approx(0.0045)
    with pytest.raises(RefusedError, match="Non-2xx"):
        read_wrk(said + "  Non-2xx or 3xx responses: 12\n")
    with pytest.raises(RefusedError, match="nothing that can be used"):
        read_wrk("")


# what is written


def test_table_has_a_line_per_row_and_aligned_columns() -> None:
    """All rows are there, measured or not, with their verdicts."""
    results = {"low": Result("low", 1.4, "42 us", "30 us", 0.1, rivals={"aimock": 4.3}), "time": Result("time", 7.0)}
    lines = report.table((LOWER, HIGHER, TIME), results).splitlines()
    assert len(lines) == 5
    assert len({len(line) for line in lines}) == 1
    assert "1.4x (±5 %)" in lines[2]
    assert "42 us against 30 us" in lines[2]
    assert "goal reached" in lines[2]
    assert "aimock 4.3x" in lines[2]
    assert "not measured" in lines[3]
    assert "not run" in lines[3]
    assert "**missed**" in lines[4]


def test_page_weaves_what_was_kept_and_what_was_written(tmp_path: Path) -> None:
    """A run is kept and comes again on the page, with its charts; the hand-written sections are taken in."""
    results = [
        Result("plain-cpu", 1.4, "42 us", "30 us"),
        Result("gap-100", 2.0, "2 ms", "1 ms", rivals={"aimock": 9.0}),
    ]
    report.keep("server", "python -m benchmarks server", {"Python": "3.11"}, results, tmp_path)
    (tmp_path / "performance-client.md").write_text("# The client\n\nFast.\n\n```\n# kept\n```\n", encoding="utf-8")
    (tmp_path / "performance-notes.md").write_text("Nothing is missed.\n", encoding="utf-8")
    page = report.page(tmp_path)
    assert report.load("server", tmp_path) == (
        "python -m benchmarks server",
        {"Python": "3.11"},
        {result.key: result for result in results},
    )
    assert "chat completion, reply from a rule" in page
    assert "Not measured yet: `python -m benchmarks fixture`." in page
    assert "## The client\n\nFast.\n\n```\n# kept\n```" in page
    assert "## Where a goal is missed\n\nNothing is missed." in page
    for name in ("ratios.svg", "gaps.svg"):
        assert f"(performance/{name})" in page
        assert (tmp_path / "performance" / name).read_text(encoding="utf-8").startswith("<svg ")


def test_page_says_what_is_not_written_yet(tmp_path: Path) -> None:
    """Without any run the page says which command makes each part."""
    page = report.page(tmp_path)
    assert page.count("Not measured yet") == len(ROWS)
    assert page.count("Not written yet") == 2


def test_charts_are_well_formed() -> None:
    """The drawings are XML, whatever the labels say."""
    from xml.etree import ElementTree

    drawings = [
        svg.bars("a < b & c", [("one & only", 1.0, 2.0, 1.5), ("far <out>", 99.0, 2.0, 1.5), ("near", 1.8, 2.0, 1.5)]),
        svg.lines("a < b", (100, 500), {"x & y": [1.0, 30.0], "z": [None, 2.0]}, "ms"),
        svg.lines("empty", (100, 500), {"x": [None, None]}, "ms"),
    ]
    for drawing in drawings:
        assert ElementTree.fromstring(drawing).tag == "{http://www.w3.org/2000/svg}svg"


# the command


def test_elsewhere_it_is_refused_with_the_reason(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without /proc there is no CPU time of another process, so there is no figure: one line, exit 2."""
    monkeypatch.setattr(machine, "PROC", tmp_path)
    assert command.main(["server", "--quick"]) == 2
    said = capsys.readouterr().err
    assert "/proc" in said
    assert len(said.splitlines()) == 1


def measured(monkeypatch: pytest.MonkeyPatch, value: float) -> list[Options]:
    """Let `server` give `value` for every row, without measuring."""
    asked: list[Options] = []

    def measure(options: Options) -> list[Result]:
        asked.append(options)
        return [Result(row.key, value) for row in SERVER]

    monkeypatch.setitem(command.MEASURES, "server", measure)
    monkeypatch.setattr(command, "require_linux", lambda: None)
    monkeypatch.setattr(command, "allow_files", lambda: None)
    monkeypatch.setattr(command, "describe", lambda: {"Python": "3"})
    return asked


def test_gate_is_an_exit_code(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """1 when a ratio of CPU time breaks its must, with the rows that do."""
    asked = measured(monkeypatch, 3.0)
    assert command.main(["server", "--gate", "--quick"]) == 1
    assert asked == [Options(quick=True, gated=True)]
    assert "plain-cpu: 3x, must be <= 2.2x" in capsys.readouterr().out


def test_results_are_written_as_json(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """`--json` has every row; a quick run leaves the page alone."""
    measured(monkeypatch, 1.0)
    monkeypatch.setattr(report, "DOCS", tmp_path)
    assert command.main(["server", "--quick", "--json", str(tmp_path / "run.json")]) == 0
    document = json.loads((tmp_path / "run.json").read_text(encoding="utf-8"))
    assert [item["key"] for item in document["results"]] == [row.key for row in SERVER]
    assert not (tmp_path / "performance.md").exists()


def test_a_part_without_gates_has_no_gate(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Asking for a gate that cannot fail is a mistake, not a success."""
    measured(monkeypatch, 1.0)
    assert command.main(["fixture", "--gate"]) == 2
    assert "none is a gate" in capsys.readouterr().err
