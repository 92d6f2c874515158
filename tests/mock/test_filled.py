"""A filled answer is its steps: whoever looks sees the tuple, and the peer gets the bytes that lowering it gives."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mockserver.filled import Account, Blank, Filled
from mockserver.flow import CREATED, ID
from mockserver.lower import lower
from mockserver.model.prepared import prepare
from mockserver.plan import Body, Head, Plan, Raw
from mockserver.plan_json import plan_to_json

DATE = b"Sun, 06 Nov 1994 08:49:37 GMT"
data = st.lists(st.sampled_from([b'{"id":"', ID, CREATED, b"\n\n", b"\xff" * 20]), max_size=6).map(b"".join)
fields = st.lists(
    st.sampled_from(
        [
            (b"content-type", b"application/json"),
            (b"connection", b"close"),
            (b"Connection", b"keep-alive, Close"),
            (b"date", b"Mon, 01 Jan 2024 00:00:00 GMT"),
            (b"retry-after", b"date+3"),
            (b"transfer-encoding", b"chunked"),
        ]
    ),
    max_size=3,
).map(tuple)
statuses = st.sampled_from([200, 201, 204, 304, 404, 503])
identities = st.sampled_from([b"", b"abc", b"0123456789abcdef"])


def bytes_of(plan: Plan) -> bytes:
    """What goes over the wire for a plan, on a connection that stays."""
    return b"".join(step.data for step in lower(plan, date=DATE).steps if isinstance(step, Raw))


@given(statuses, fields, data, identities)
def test_a_filled_answer_is_what_filling_by_hand_gives(
    status: int, headers: tuple[tuple[bytes, bytes], ...], body: bytes, identity: bytes
) -> None:
    """Steps, length, order, text, JSON and the length in the head are those of the tuple."""
    holed = Plan((Head(status, ((b"content-length", b"0"), *headers)), Body(body)))
    made = prepare(holed).fill(identity, b"17")
    filled = body.replace(ID, identity).replace(CREATED, b"17")
    steps = (Head(status, ((b"content-length", b"%d" % len(filled)), *headers)), Body(filled))
    assert isinstance(made.steps, Filled)
    assert made.steps == steps
    assert steps == made.steps
    assert made == Plan(steps)
    assert hash(made.steps) == hash(steps)
    assert (len(made.steps), made.steps[1], repr(made.steps)) == (2, steps[1], repr(steps))
    assert plan_to_json(made) == plan_to_json(Plan(steps))


@given(statuses, fields, data, identities)
def test_its_bytes_are_those_of_its_steps(
    status: int, headers: tuple[tuple[bytes, bytes], ...], body: bytes, identity: bytes
) -> None:
    """Where it answers with bytes at all they are the lowered steps', twice the same; else it closes or has chunks."""
    blank = Blank(Head(status, ((b"content-length", b"%d" % len(body)), *headers)), body, None)
    filled = Filled(blank, identity, b"1700000000")
    sent = filled.wire(DATE)
    closes = any(name.lower() == b"connection" and b"close" in value.lower() for name, value in headers)
    chunks = (b"transfer-encoding", b"chunked") in headers and status not in (204, 304)
    assert (sent is None) == (closes or chunks)
    if sent is not None:
        assert sent == bytes_of(filled.plan())
        assert filled.wire(DATE) == sent


def test_a_new_second_fills_anew() -> None:
    """Neither the date nor the time of creation of the answer before is sent again."""
    blank = Blank(Head(200, ((b"content-length", b"4"),)), ID + CREATED, None)
    first = Filled(blank, b"ab", b"01").wire(DATE)
    later = Filled(blank, b"cd", b"02").wire(DATE.replace(b":37", b":38"))
    assert first is not None
    assert first.endswith(b"date: " + DATE + b"\r\n\r\nab01")
    assert later is not None
    assert later.endswith(b":38 GMT\r\n\r\ncd02")


def test_it_knows_what_it_costs() -> None:
    """The counters need not ask again."""
    cost = Account(3, 5)
    made = prepare(Plan((Head(200, ((b"content-length", b"1"),)), Body(ID))), cost).fill(b"x", b"1")
    assert isinstance(made.steps, Filled)
    assert made.steps.blank.account is cost
