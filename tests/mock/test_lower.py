"""Lowering: the bytes of heads and bodies, and the laws of framing. No sockets."""

from __future__ import annotations

import h11
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mockserver.lower import Framer, lower
from mockserver.plan import Body, Close, End, Head, Headers, Plan, Raw, Repeat, Stall, Step, Wait

DATE = b"Thu, 01 Jan 1970 00:00:00 GMT"

pieces = st.lists(st.binary(max_size=50), max_size=6)


def wire(plan: Plan, **how: object) -> bytes:
    return b"".join(step.data for step in lower(plan, **how).steps if isinstance(step, Raw))  # type: ignore[arg-type]  # any setting


def test_a_plain_response() -> None:
    """Status line, the fields as they are, the date last, the body bare where a length is given."""
    plan = Plan((Head(200, ((b"Content-Type", b"text/plain"), (b"content-length", b"2"))), Body(b"ok")))
    assert wire(plan, date=DATE) == (
        b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\ncontent-length: 2\r\ndate: " + DATE + b"\r\n\r\nok"
    )


def test_a_date_of_its_own_is_kept() -> None:
    """No second `date` is added, in whatever case the first one is written."""
    assert wire(Plan((Head(404, ((b"Date", b"never"),)),)), date=DATE).count(b"ate: ") == 1


@given(pieces)
def test_chunks_give_the_body_back(parts: list[bytes]) -> None:
    """Without a length the body is chunked, one chunk per piece, and an empty piece does not end it."""
    plan = Plan((Head(200), *map(Body, parts)))
    head, _, rest = wire(plan).partition(b"\r\n\r\n")
    assert b"transfer-encoding: chunked" in head
    body = b""
    while rest:
        size, _, rest = rest.partition(b"\r\n")
        body += rest[: int(size, 16)]
        assert rest[int(size, 16) :].startswith(b"\r\n")
        rest = rest[int(size, 16) + 2 :]
    assert body == b"".join(parts)


@given(
    st.sampled_from([200, 201, 299, 404, 429, 500, 503]),
    pieces,
    st.sampled_from(["GET", "POST", "HEAD"]),
    st.sampled_from(["1.0", "1.1"]),
    st.booleans(),
    st.booleans(),
)
def test_another_reader_reads_it(
    status: int, parts: list[bytes], method: str, version: str, length: bool, keep: bool
) -> None:
    """h11, as a client, reads status and body of every response that is not wrong on purpose."""
    body = b"".join(parts)
    fields: Headers = ((b"content-length", b"%d" % len(body)),) if length else ()
    peer = h11.Connection(h11.CLIENT)
    peer.send(h11.Request(method=method, target="/", headers=[("host", "a")], http_version="1.1"))
    peer.send(h11.EndOfMessage())
    plan = Plan((Head(status, fields), *map(Body, parts)))
    peer.receive_data(wire(plan, method=method, http_version=version, keep_alive=keep, date=DATE))
    peer.receive_data(b"")
    response = peer.next_event()
    assert isinstance(response, h11.Response)
    assert response.status_code == status
    read = b""
    while isinstance(event := peer.next_event(), h11.Data):
        read += event.data
    assert isinstance(event, h11.EndOfMessage)
    assert read == (b"" if method == "HEAD" else body)
    closes = [value for name, value in response.headers if name == b"connection"]
    assert closes == ([] if keep and version == "1.1" else [b"close"])


@pytest.mark.parametrize("status", [204, 304])
def test_statuses_without_a_body(status: int) -> None:
    """204 and 304 are framed by their head alone."""
    assert wire(Plan((Head(status), Body(b"never")))).endswith(b"\r\n\r\n")
    assert b"chunked" not in wire(Plan((Head(status), Body(b"never"))))


def test_informational_heads_come_before_the_response() -> None:
    """1xx heads have no body and no date, and the final head is framed as if they were not there."""
    plan = Plan((Head(103, ((b"link", b"</x>"),)), Head(200), Body(b"x")))
    assert wire(plan, date=DATE) == (
        b"HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n"
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ndate: " + DATE + b"\r\n\r\n1\r\nx\r\n0\r\n\r\n"
    )


def test_a_second_response_follows_a_whole_first_one() -> None:
    """A second head closes the body before it."""
    got = wire(Plan((Head(200), Body(b"a"), Head(500), Body(b"b"))))
    assert got.count(b"0\r\n\r\n") == 2
    assert got.index(b"0\r\n\r\n") < got.index(b"HTTP/1.1 500")


def test_a_lying_head_is_sent_as_it_is() -> None:
    """A wrong length, both framings, an unknown status, a reason of its own: not corrected."""
    assert wire(Plan((Head(200, ((b"content-length", b"99"),)), Body(b"x")))).endswith(b"content-length: 99\r\n\r\nx")
    both = Head(299, ((b"content-length", b"1"), (b"Transfer-Encoding", b"chunked")), b"Odd")
    assert wire(Plan((both, Body(b"x")))) == (
        b"HTTP/1.1 299 Odd\r\ncontent-length: 1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n"
    )
    assert wire(Plan((Head(299),))).startswith(b"HTTP/1.1 299 \r\n")


def test_a_body_without_a_head_is_bare() -> None:
    """Where a fault has replaced the head by raw bytes, the body is not framed."""
    assert wire(Plan((Raw(b"HTTP/1.1 abc\r\n\r\n"), Body(b"x")))) == b"HTTP/1.1 abc\r\n\r\nx"


def test_a_cut_response_has_no_last_chunk() -> None:
    """Only `End` closes the body."""
    for ending in (Close("rst"), Stall(None)):
        assert wire(Plan((Head(200), Body(b"x")), ending)).endswith(b"1\r\nx\r\n")
        assert lower(Plan((), ending)).ending == ending


steps: st.SearchStrategy[Step] = st.deferred(
    lambda: st.one_of(
        st.builds(Wait, st.floats(0, 1)),
        st.builds(Head, st.sampled_from([103, 200, 204])),
        st.builds(Body, st.binary(max_size=9), st.sampled_from(["", "role", "done"])),
        st.builds(Raw, st.binary(max_size=9)),
        st.builds(Repeat, st.lists(steps, max_size=2).map(tuple), st.sampled_from([0, 2, None])),
    )
)


@given(st.builds(Plan, st.lists(steps, max_size=6).map(tuple), st.sampled_from([End(), Close("fin"), Stall(1)])))
def test_lowering_twice_changes_nothing(plan: Plan) -> None:
    """The lowered plan is below HTTP, keeps the waits, the marks and the ending, and lowers to itself."""

    def flat(steps: tuple[Step, ...]) -> list[Step]:
        return [leaf for step in steps for leaf in (flat(step.steps) if isinstance(step, Repeat) else [step])]

    lowered = lower(plan)
    assert all(isinstance(step, Raw | Wait) for step in flat(lowered.steps))
    assert [step for step in flat(lowered.steps) if isinstance(step, Wait)] == [
        step for step in flat(plan.steps) if isinstance(step, Wait)
    ]
    assert lowered.ending == plan.ending
    assert lower(lowered) == lowered


def test_rendered_heads_are_remembered_within_bounds() -> None:
    """Thousands of different heads do not fill the memory, and come out right."""
    for number in range(3000):
        head = Head(200, ((b"x", b"%d" % number),))
        assert Framer("GET", "1.1", True, b"").head(head).startswith(b"HTTP/1.1 200 OK\r\nx: %d\r\n" % number)


@pytest.mark.parametrize(
    ("fields", "date", "expected"),
    [
        ((), DATE, b"Thu, 01 Jan 1970 00:00:05 GMT"),
        ((), b"", b"Thu, 01 Jan 1970 00:00:05 GMT"),
        (((b"Date", b"Fri, 02 Jan 1970 02:00:00 +0200"),), DATE, b"Fri, 02 Jan 1970 00:00:05 GMT"),
        (((b"date", b"Fri, 02 Jan 1970 00:00:00 -0000"),), DATE, b"Fri, 02 Jan 1970 00:00:05 GMT"),
        (((b"date", b"never"),), DATE, b"Thu, 01 Jan 1970 00:00:05 GMT"),
        (((b"date", b"Fri, 31 Dec 9999 23:59:58 GMT"),), DATE, b"Fri, 31 Dec 9999 23:59:58 GMT"),
    ],
)
def test_a_retry_after_counts_from_the_date(fields: Headers, date: bytes, expected: bytes) -> None:
    """`date+5` is the HTTP date five seconds after the response's own date; what no calendar holds is that date."""
    head = Head(429, (*fields, (b"Retry-After", b"date+5"), (b"retry-after", b"date+5"), (b"x", b"date+5")))
    told = wire(Plan((head,)), date=date)
    assert told.count(b"etry-" + b"After: " + expected + b"\r\n") == 1
    assert told.count(b"retry-after: " + expected + b"\r\n") == 1
    assert b"x: date+5\r\n" in told


def test_a_retry_after_before_the_date() -> None:
    """`date-5` is in the past; other texts are left as they are."""
    assert b"retry-after: Wed, 31 Dec 1969 23:59:55 GMT\r\n" in wire(
        Plan((Head(429, ((b"retry-after", b"date-5"),)),)), date=DATE
    )
    assert b"retry-after: date 5\r\n" in wire(Plan((Head(429, ((b"retry-after", b"date 5"),)),)), date=DATE)
