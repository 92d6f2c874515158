"""What was served, counted from the journal: nothing is counted before somebody asks or an exchange is forgotten.

Laws: each exchange that has ended counts once; tokens are those that were sent, also of a response that broke off;
times are the plan's, as far as it was played. So the counters agree with what the clients have.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from itertools import accumulate, pairwise, repeat
from operator import add

from mockserver.filled import Account, Filled
from mockserver.flow import Flow, Layout
from mockserver.lower import Framer, lower_steps
from mockserver.model.frames import SOCKET, Frames
from mockserver.model.metrics import BUCKETS, WINDOW, Metrics, Series
from mockserver.plan import Body, Plan, Raw, Repeat, Wait
from mockserver.record.journal import Exchange


class Tally:
    """The counters of one session. `account` says what an exchange costs; None: no model says it."""

    __slots__ = ("_account", "_finished", "_gaps", "_open", "_prompt", "_seconds", "_tokens", "_ttft", "_whole")

    def __init__(self, account: Callable[[Exchange], Account | None]) -> None:
        self._account = account
        self._open: list[Exchange] = []
        self._prompt = self._tokens = self._finished = 0
        self._seconds = 0.0
        self._ttft, self._gaps, self._whole = _Times(), _Times(), _Times()

    def forget(self, exchange: Exchange) -> None:
        """The journal drops the exchange."""
        if exchange.ended == "open":
            self._open.append(exchange)
        else:
            self.count(exchange)

    def count(self, exchange: Exchange) -> None:
        """Count what has ended."""
        if exchange.counted:
            return
        exchange.counted = True
        if exchange.request.method != "POST":
            return
        steps = exchange.plan.steps
        if isinstance(steps, Filled):
            status, cost = steps.blank.head.status, steps.blank.account
        else:
            status = exchange.status or 0
            cost = self._account(exchange) if status == 200 else None
        if status != 200 or cost is None:
            return
        seconds, ticket = exchange.seconds, exchange.ticket
        tokens, due = measure(exchange, cost, () if ticket is None else ticket.waits)
        self._prompt += cost.prompt_tokens
        self._tokens += tokens
        self._seconds += seconds
        if exchange.ended == "end":
            self._finished += 1
            self._whole.add(seconds)
        if tokens:
            first = due[0] if due and due[-1] > 0 else seconds
            self._ttft.add(first + ticket.waited if ticket is not None else first)
        if isinstance(steps, Flow) and exchange.ended == "end":
            self._gaps.join(gaps_of(steps.layout, steps.waits))
        else:
            for sooner, later in pairwise(due):
                self._gaps.add(later - sooner)

    def read(self, exchanges: Iterable[Exchange]) -> Metrics:
        """The counters with these exchanges in them; `running` are those that are still open."""
        running = 0
        waiting = self._open
        self._open = [one for one in waiting if one.ended == "open"]
        for exchange in (*waiting, *exchanges):
            if exchange.ended != "open":
                self.count(exchange)
            elif exchange.request.method == "POST" and exchange.status == 200:
                running += self._account(exchange) is not None
        return Metrics(
            running=running,
            prompt_tokens=self._prompt,
            generation_tokens=self._tokens,
            finished=self._finished,
            seconds=self._seconds,
            ttft=self._ttft.series(),
            gaps=self._gaps.series(),
            whole=self._whole.series(),
        )


class _Times:
    """A histogram that grows in place."""

    __slots__ = ("_counts", "_last", "_total")

    def __init__(self) -> None:
        self._counts = [0] * (len(BUCKETS) + 1)
        self._total = 0.0
        self._last: deque[float] = deque(maxlen=WINDOW)

    def add(self, seconds: float) -> None:
        self._counts[bisect_left(BUCKETS, seconds)] += 1
        self._total += seconds
        self._last.append(seconds)

    def join(self, series: Series) -> None:
        """Add all of a series of at most `WINDOW` values."""
        self._counts = [*map(add, self._counts, series.counts)]
        self._total += series.total
        self._last.extend(series.last)

    def series(self) -> Series:
        return Series(tuple(self._counts), self._total, tuple(self._last))


def measure(exchange: Exchange, cost: Account, waits: tuple[float, ...]) -> tuple[int, Sequence[float]]:
    """The tokens that were sent, and when each was due, in seconds; `waits`: those before the tokens of a whole body.

    Of a whole body without waits nobody knows when its tokens came.
    """
    whole = exchange.ended == "end"
    steps = exchange.plan.steps
    due = times_of(exchange.plan) if isinstance(steps, Flow) or len(steps) != 2 else ()
    if not due:
        tokens = cost.tokens if whole else 0
        return tokens, list(accumulate(waits[:tokens])) if waits else ()
    if not whole:
        due = due[: arrived(exchange)]
    return (cost.tokens if whole and not exchange.faults else min(cost.tokens, len(due))), due


def arrived(exchange: Exchange) -> int:
    """How many events with a token went out whole, of a response that broke off."""
    request, left = exchange.request, exchange.sent_bytes
    socket = request.http_version == SOCKET
    framer = Frames() if socket else Framer(request.method, request.http_version, True, b"x" * 29)
    count = 0
    for step in lower_steps(exchange.plan.steps, framer):
        if isinstance(step, Raw):
            left -= len(step.data)
            if left < 0:
                break
            count += has_token(step.mark)
        elif isinstance(step, Repeat):
            break
    return count


def has_token(mark: str) -> bool:
    """Whether a mark names an event that holds a token."""
    return "content[" in mark or "tool[" in mark


@lru_cache(maxsize=256)
def due_of(layout: Layout, waits: tuple[float, ...] | None) -> tuple[float, ...]:
    """When each event with a token is due. Streams of one answer share it, and journals forget thousands of them."""
    at = repeat(0.0) if waits is None else accumulate(waits)
    return tuple(moment for (_, mark), moment in zip(layout.parts, at, strict=False) if has_token(mark))


@lru_cache(maxsize=256)
def gaps_of(layout: Layout, waits: tuple[float, ...] | None) -> Series:
    """The times between those."""
    return Series().add([later - sooner for sooner, later in pairwise(due_of(layout, waits))])


def times_of(plan: Plan) -> Sequence[float]:
    """When each event with a token is due, in seconds from the start; empty for a body that is no stream."""
    steps = plan.steps
    if isinstance(steps, Flow):
        return due_of(steps.layout, steps.waits)
    now, due = 0.0, []
    for step in steps:
        if type(step) is Body:
            if step.mark and has_token(step.mark):
                due.append(now)
        elif type(step) is Wait:
            now += step.seconds
    return due
