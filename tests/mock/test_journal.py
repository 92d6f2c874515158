"""The journal: order, bounds, waiting, and the exchange as a document."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from typing import Any

import pytest

from mockserver.connection import ORDERLY
from mockserver.plan import Body, Close, Head, Plan, Raw, Wait
from mockserver.record.journal import Exchange, Journal, plan_status
from mockserver.request import Request

PLAN = Plan((Head(200, ((b"x", b"y"),)), Wait(0.5), Body(b"a", "role")), Close("rst"))


@dataclass
class Decided:
    plan: Plan = PLAN
    rule: str | None = "flaky"
    reply: int | None = 0
    faults: tuple[Any, ...] = ()
    connection: Any = ORDERLY
    explanation: Any = None
    ticket: Any = None


def exchange(number: int = 1, body: bytes = b"", plan: Plan = PLAN) -> Exchange:
    return Exchange(Request("POST", "/v1/x", body=body, number=number, query=b"a=1"), Decided(plan), 10.0)


def test_an_exchange_is_there_from_its_request_on() -> None:
    """It is `open` until its response has ended, then it says how."""
    journal = Journal()
    one = exchange()
    journal.add(one)
    assert (len(journal), journal.open, one.ended) == (1, 1, "open")
    journal.close(one, "rst", 123, 0.25, 0.001)
    assert (journal.open, one.ended, one.sent_bytes, one.seconds, one.late) == (0, "rst", 123, 0.25, 0.001)
    assert journal[0] is one
    assert list(journal) == [one]


def test_the_document_of_an_exchange() -> None:
    """What the door shows is JSON, with bytes that are no text in base64."""
    one = exchange(body=b"\xff\xfe")
    one.error = "why"
    document = json.loads(json.dumps(one.to_json()))
    assert document["request"]["body"] is None
    assert document["request"]["body_base64"] == "//4="
    assert document["request"]["query"] == "a=1"
    assert document["plan"]["ending"] == {"close": "rst"}
    assert document["plan"]["steps"][1] == {"wait": 0.5}
    assert (document["rule"], document["reply"], document["status"], document["ended"]) == ("flaky", 0, 200, "open")
    assert document["error"] == "why"
    assert exchange(body=b"{}").to_json()["request"]["body"] == "{}"
    assert exchange().to_json()["request"]["body"] is None


def test_long_plans_are_shown_in_part() -> None:
    """A plan of many steps is cut in the document, and the rest is counted."""
    document = exchange(plan=Plan((Head(200), *[Body(b"x")] * 2499))).to_json()
    assert (len(document["plan"]["steps"]), document["plan"]["more_steps"]) == (2000, 500)


@pytest.mark.parametrize(
    ("plan", "status"),
    [
        (PLAN, 200),
        (Plan((Head(103), Head(404))), 404),
        (Plan((Raw(b"HTTP/1.1 100 Continue\r\n\r\n"), Raw(b"HTTP/1.1 503 No\r\n\r\n"))), 503),
        (Plan((Raw(b"HTTP/1.1 abc\r\n\r\n"),)), None),
        (Plan((Body(b"x"),)), None),
    ],
)
def test_the_status_is_read_off_the_plan(plan: Plan, status: int | None) -> None:
    """From the first final head, or from the bytes where there is none."""
    assert plan_status(plan) == status


def test_the_oldest_go_first() -> None:
    """Bounded in number and in bytes; what went is counted; the newest always stays."""
    journal = Journal(size=3)
    for number in range(1, 6):
        journal.add(exchange(number))
    assert ([one.number for one in journal], journal.dropped, journal.arrived) == ([3, 4, 5], 2, 5)
    journal = Journal(max_bytes=10)
    for number in range(1, 4):
        journal.add(exchange(number, b"x" * 6))
    assert [one.number for one in journal] == [3]
    journal.add(exchange(4, b"x" * 99))
    assert [one.number for one in journal] == [4]


def test_pages() -> None:
    """`after` is a number of an exchange, `limit` a count."""
    journal = Journal()
    for number in range(1, 6):
        journal.add(exchange(number))
    assert [one.number for one in journal.page(2, 2)] == [3, 4]
    assert [one.number for one in journal.page()] == [1, 2, 3, 4, 5]


def test_waiting_is_woken_by_the_exchange() -> None:
    """For ends or for arrivals; at once when there are enough; a cancelled wait leaves nothing behind."""

    async def main() -> None:
        journal = Journal()
        await journal.wait_for(0)
        arrived = asyncio.create_task(journal.wait_for(1, arrived=True))
        ended = asyncio.create_task(journal.wait_for(1))
        never = asyncio.create_task(journal.wait_for(5))
        await asyncio.sleep(0)
        one = exchange()
        journal.add(one)
        await arrived
        assert not ended.done()
        journal.close(one, "end", 1, 0)
        await ended
        never.cancel()
        await asyncio.gather(never, return_exceptions=True)
        assert not journal._waiters

    asyncio.run(main())
