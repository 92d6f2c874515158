"""The laws of all faults, whatever their kind."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from strategies import (
    always,
    certain_faults,
    chunk,
    fault_lists,
    fault_of,
    faults,
    json_plan,
    plans,
    stream_plan,
    wild_plans,
)

from mockserver.connection import ORDERLY
from mockserver.errors import ScriptError
from mockserver.faults import Fault, When, fault_definitions, kinds, parse_fault, parse_faults
from mockserver.faults.edit import leaves, total, wire_bytes
from mockserver.faults.fault import fault as register
from mockserver.lower import lower
from mockserver.plan import Body, Close, End, Head, Plan, Raw, Repeat, Stall, Step, Wait

KINDS = sorted(kinds())
SCHEMA = Draft202012Validator({"$defs": fault_definitions(), "$ref": "#/$defs/fault"})


def applied(plan: Plan, many: tuple[Fault, ...], seed: int = 0) -> Plan:
    """The plan after all the faults."""
    for number, one in enumerate(many):
        plan = one.apply(plan, Random(f"{seed} {number}"))
    return plan


def tool_plan() -> Plan:
    """A stream that calls a tool."""
    call = {"index": 0, "id": "t", "type": "function", "function": {"name": "f", "arguments": '{"a":1}'}}
    value = {"choices": [{"index": 0, "delta": {"tool_calls": [call]}, "finish_reason": None}]}
    head, *rest = stream_plan().steps
    return Plan((head, *rest[:1], Body(b"data: " + json.dumps(value).encode() + b"\n\n", "tool[0]"), *rest[1:]))


SAMPLES = (stream_plan("Hel", "l\u00f6", "!"), json_plan(), tool_plan())


def check_playable(steps: tuple[Step, ...]) -> int:
    """Only legal steps; how many values there are."""
    count = 0
    for step in steps:
        count += 1
        match step:
            case Wait(seconds):
                assert 0 <= seconds < math.inf
            case Body(data, mark) | Raw(data, mark):
                assert (type(data), type(mark)) == (bytes, str)
            case Head(status, headers, reason):
                assert (type(status), type(reason)) == (int, bytes)
                assert all(isinstance(part, bytes) for field in headers for part in field)
            case Repeat(inner, times):
                assert times is None or times >= 0
                count += check_playable(inner)
            case _:
                raise AssertionError(f"no step: {step!r}")
    return count


def test_there_is_a_whole_catalogue() -> None:
    """Every group of the catalogue has its kinds."""
    groups = {cls.group for cls in kinds().values()}
    assert groups == {"connection", "endings", "time", "head", "body", "content", "sse", "meaning", "api", "any"}
    assert len(kinds()) >= 90


@pytest.mark.parametrize("kind", KINDS)
@given(data=st.data())
@settings(max_examples=6)
def test_every_fault_goes_through_json(kind: str, data: st.DataObject) -> None:
    """`parse_fault(json) == fault`, through real JSON text, and the schema accepts it."""
    one = data.draw(fault_of(kinds()[kind]))
    told = json.loads(json.dumps(one.to_json()))
    assert parse_fault(told) == one
    SCHEMA.validate(told)


@given(fault_lists)
def test_every_list_of_faults_goes_through_json(many: tuple[Fault, ...]) -> None:
    """A list comes back equal and in order."""
    assert parse_faults(json.loads(json.dumps([one.to_json() for one in many]))) == many


@given(faults, plans)
@settings(max_examples=100)
def test_probability_0_changes_nothing(one: Fault, plan: Plan) -> None:
    """With probability 0 the plan is the very same object."""
    told = one.to_json()
    told["when"] = {**told.get("when", {}), "probability": 0}
    assert parse_fault(told).apply(plan, Random(0)) is plan


@given(fault_lists, plans, st.integers(0, 1000))
@settings(max_examples=100)
def test_the_same_seed_gives_the_same_bytes(many: tuple[Fault, ...], plan: Plan, seed: int) -> None:
    """All chance comes from the generator that is given."""
    assert applied(plan, many, seed) == applied(plan, many, seed)


@pytest.mark.slow
@given(st.lists(certain_faults, min_size=1, max_size=4).map(tuple), plans)
@settings(max_examples=250)
def test_any_faults_on_any_plan_play(many: tuple[Fault, ...], plan: Plan) -> None:
    """The result is a plan of legal steps with one ending, of bounded size, and it can be lowered."""
    result = applied(plan, many)
    assert isinstance(result.ending, End | Close | Stall)
    assert check_playable(result.steps) < 2_000_000
    low = lower(result)
    assert all(isinstance(leaf, Raw | Wait) for leaf in leaves(low.steps))
    assert lower(low) == low


@pytest.mark.parametrize("kind", KINDS)
@given(data=st.data())
@settings(max_examples=7)
def test_every_kind_plays_on_wild_plans(kind: str, data: st.DataObject) -> None:
    """Each kind by itself, on plans that no model would make."""
    one = data.draw(fault_of(kinds()[kind], always))
    plan = data.draw(wild_plans)
    check_playable(applied(plan, (one,)).steps)


@pytest.mark.parametrize("kind", KINDS)
def test_every_example_does_something(kind: str) -> None:
    """The settings of a kind's example change a plan or the treatment of connections, and say so in JSON."""
    cls = kinds()[kind]
    one = parse_fault({"kind": kind, **cls.example})
    changed = [one.rewrite(plan, Random(1)) for plan in SAMPLES]
    assert changed != list(SAMPLES) or one.connect(ORDERLY) != ORDERLY
    assert one.to_json()["kind"] == kind
    assert (one.connect(ORDERLY) != ORDERLY) == (cls.group == "connection")


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_says_what_the_peer_sees(kind: str) -> None:
    """A docstring of its own, and every setting with a word about it (or one that speaks for itself)."""
    assert len((kinds()[kind].__doc__ or "").split()) > 8
    assert not (kinds()[kind].__doc__ or "").startswith(kinds()[kind].__name__ + "(")


def test_a_kind_cannot_be_taken_twice() -> None:
    """The refusal names both classes."""

    @dataclass(frozen=True, slots=True)
    class Other(Fault):
        """Another one."""

    with pytest.raises(ValueError, match=r"'cut' is taken by mockserver\.faults\.cut\.Cut; .*Other"):
        register("cut", "endings")(Other)
    assert kinds()["cut"].__name__ == "Cut"


@pytest.mark.parametrize(
    ("value", "path", "words"),
    [
        ({"kind": "cutt"}, "$.kind", "did you mean 'cut'"),
        ({"kind": "cut", "after_event": 1}, "$.after_event", "did you mean 'after_events'"),
        ({"kind": "cut", "how": "FIN"}, "$.how", "did you mean 'fin'"),
        ({"kind": "cut", "after_events": 1, "at": "done"}, "$.at", "one place is enough"),
        ({"kind": "cut", "wire": True}, "$.wire", "give 'after_bytes'"),
        ({"kind": "delay"}, "$", "'seconds' is missing"),
        ({"kind": "delay", "seconds": "1"}, "$.seconds", "expected a number (seconds) >= 0, got '1'"),
        ({"kind": "delay", "seconds": float("nan")}, "$.seconds", "expected a number"),
        ({"kind": "status", "status": 42}, "$.status", "from 100 to 599"),
        ({"kind": "status", "status": 429, "retry_after": {}}, "$.retry_after", "seconds, a text"),
        ({"kind": "status", "status": 429, "retry_after": "a\nb"}, "$.retry_after", "printable"),
        ({"kind": "status", "status": 429, "form": "json"}, "$.form", "needs 'body'"),
        ({"kind": "status", "status": 429, "headers": {"a": "b\r\nc"}}, "$.headers.a", "no CR, LF or NUL"),
        ({"kind": "bad-json", "event": 1, "at": "done"}, "$.at", "not both"),
        ({"kind": "flip"}, "$.offset", "'offset' or 'rate'"),
        ({"kind": "loading", "seconds": 1, "when": {"until": 2}}, "$.seconds", "when.until"),
        ({"kind": "key-expired", "calls": 1, "when": {"after": 2}}, "$.calls", "when.after"),
        ({"kind": "redirect", "location": "a\nb"}, "$.location", "printable"),
        ({"kind": "content-type", "value": "caf\u00e9"}, "$.value", "printable"),
        ({"kind": "delay", "seconds": 1, "when": {"frist": 1}}, "$.when.frist", "did you mean 'first'"),
        ({"kind": "delay", "seconds": 1, "when": {"first": 0}}, "$.when.first", ">= 1"),
        ({"status": 429}, "$", "needs the key 'kind'"),
        ({"kind": 3}, "$.kind", "unknown fault kind 3"),
        (3, "$", "expected a fault"),
    ],
)
def test_what_means_nothing_is_refused(value: object, path: str, words: str) -> None:
    """With the JSON path, the value seen, and what would be right."""
    with pytest.raises(ScriptError) as caught:
        parse_fault(value)
    assert caught.value.path == path
    assert words in caught.value.message


def test_a_fault_built_in_python_is_checked_too() -> None:
    """Illegal states cannot be built, and numbers take their one form."""
    with pytest.raises(ScriptError, match="seconds: expected a number"):
        kinds()["delay"](seconds=-1)  # type: ignore[call-arg]  # the class is only known at run time
    assert repr(parse_fault({"kind": "delay", "seconds": 1})) == repr(parse_fault({"kind": "delay", "seconds": 1.0}))
    assert parse_fault("cut") == parse_fault({"kind": "cut"})
    assert parse_fault(parse_fault("cut")) == parse_fault("cut")
    assert parse_faults("cut") == (parse_fault("cut"),)


@pytest.mark.parametrize(
    ("when", "calls"),
    [
        (When(), [1, 2, 3, 4, 5, 6]),
        (When(first=2), [1, 2]),
        (When(after=4), [5, 6]),
        (When(every=3), [3, 6]),
        (When(after=1, every=2), [3, 5]),
        (When(after=2, first=1), [3]),
        (When(until=3.5), [1, 2, 3]),
    ],
)
def test_when_counts_calls_and_seconds(when: When, calls: list[int]) -> None:
    """The first n, after n, every n-th of what is left, until a time (here one call a second)."""
    assert [call for call in range(1, 7) if when.holds(call, float(call))] == calls


def test_probability_is_a_share_of_the_calls() -> None:
    """0.25 strikes a quarter of many draws."""
    when = When(probability=0.25)
    assert 200 < sum(when.drawn(Random(number)) for number in range(1000)) < 300


@given(st.integers(0, 900))
@settings(max_examples=100)
def test_a_cut_on_the_wire_is_exact(at: int) -> None:
    """`after_bytes: n, wire: true` leaves the first n bytes of the whole response, framing included."""
    for plan in SAMPLES:
        whole = b"".join(leaf.data for leaf in leaves(lower(plan).steps) if isinstance(leaf, Raw))
        cut = parse_fault({"kind": "cut", "after_bytes": at, "wire": True, "how": "fin"}).apply(plan, Random(0))
        sent = b"".join(leaf.data for leaf in leaves(lower(cut).steps) if isinstance(leaf, Raw))
        if at <= len(whole):
            assert sent == whole[:at]
            assert cut.ending == Close("fin")
        else:
            assert cut is plan


@given(st.integers(0, 2000), st.sampled_from([None, 0, 1, 2, 5, 1000]))
@settings(max_examples=100)
def test_a_cut_counts_through_repeats(at: int, times: int | None) -> None:
    """Body bytes are counted through repeats, endless ones too, and no wait behind the last byte is left."""
    rounds = Repeat((Body(b"cde"), Wait(1.0), Repeat((Body(b"f"),), 2)), times)
    steps: tuple[Step, ...] = (Head(200), Body(b"ab"), rounds)
    cut = parse_fault({"kind": "cut", "after_bytes": at}).apply(Plan(steps), Random(0))
    size = math.inf if times is None else 2 + 5 * times
    if at > size:
        assert cut.steps == steps
    else:
        assert total(cut.steps, wire_bytes) == at
        assert not cut.steps or not isinstance(cut.steps[-1], Wait)


def test_an_event_in_an_endless_stream_can_be_hit() -> None:
    """Rounds before it stay one value; the stream goes on for ever behind it."""
    endless = Plan((Head(200), Repeat((chunk("x", "content[0]"),))))
    hit = parse_fault({"kind": "bad-json", "event": 10**6, "form": "words"}).apply(endless, Random(0))
    one = chunk("x", "content[0]")
    broken = Body(b"data: not json\n\n", "content[0]")
    assert hit.steps[1:] == (Repeat((one,), 10**6 - 1), one, broken, Repeat((one,)))


@pytest.mark.parametrize(
    ("at", "meant"),
    [("contnt[1]", "content[1]"), ("content", "content[0]"), ("1:tol[2]", "1:tool[2]"), ("finnish", "finish")],
)
def test_a_misspelt_mark_is_refused_with_the_nearest(at: str, meant: str) -> None:
    """A place that no response has would be a fault that never strikes."""
    for kind in ("cut", "stall", "drop"):
        with pytest.raises(ScriptError) as caught:
            parse_fault({"kind": kind, "at": at})
        assert caught.value.path == "$.at"
        assert "known: role, content[i], tool[i], finish, usage, done" in caught.value.message
        assert caught.value.message.endswith(f"; did you mean '{meant}'?")


@pytest.mark.parametrize("at", ["banana", "", "content[-1]", "0:role", "1:done", "content[1]\n"])
def test_what_is_no_mark_is_refused(at: str) -> None:
    """Also where nothing known is near."""
    with pytest.raises(ScriptError, match="unknown mark"):
        parse_fault({"kind": "cut", "at": at})


def test_every_mark_is_taken() -> None:
    """The edges only where a fault strikes between two pieces."""
    for at in ("role", "content[0]", "tool[12]", "finish", "usage", "done", "1:content[0]", "2:finish"):
        assert parse_fault({"kind": "drop", "at": at}).to_json()["at"] == at
    assert parse_fault({"kind": "cut", "at": "end"}).to_json()["at"] == "end"
    with pytest.raises(ScriptError, match="unknown mark 'end'"):
        parse_fault({"kind": "drop", "at": "end"})
