"""What can be wrong with a client, one law each, judged on one call. Pure.

Law: each judge gives the evidence (and the advice, where the law's own does not fit), or the empty string.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from mockserver.count import counted
from mockserver.record.case import Case, error_at, left, retry_after, wire_text
from mockserver.record.saw import besides, folded, holds, is_timeout, shown_error

Level = Literal["fail", "warn", "note"]

PERMANENT = frozenset(range(400, 500)) - {408, 409, 425, 429} | {501, 505}
"""Statuses that the same request gets again."""

SLACK = 0.05
"""Seconds that a retry may come earlier than Retry-After says: clocks and timers differ."""

WIRE = 8
"""Characters of a text that stand in an unfinished event or body only where they came from it."""

Judge = Callable[[Case], str | tuple[str, str]]
"""The evidence (with the advice, where the law's own does not fit), or the empty string."""


@dataclass(frozen=True, slots=True)
class Law:
    """What a finding means. `source`: where its right behaviour is written down."""

    level: Level
    title: str
    advice: str
    judge: Judge


def unreported(case: Case) -> str:
    """The wire went wrong and the test did not say what came of it."""
    if case.saw.told or (case.last.whole and (case.last.status or 500) < 400):
        return ""
    given = f"; what call.run gave ({case.saw.unfinished}) was not iterated to its end" if case.saw.unfinished else ""
    return f"the last attempt {case.ending}, and nobody said what the user of the client saw{given}"


def no_request(case: Case) -> str:
    """The session was asked nothing, and no fault of a connection can have kept it: the test has tested nothing."""
    return ""  # a case has attempts; `judge` finds this before there is one


def raised_on_success(case: Case) -> str:
    """The answer was whole, no fault had touched it, and the code under test raised all the same (the test has not
    seen it: `call.run` notes errors). An error of time is excused, and what `call(..., may_raise=SomeError)` names; one
    that left the block is the test's own business.
    """
    error = case.saw.error
    if error is None or case.saw.left or not case.clean:
        return ""
    if isinstance(error, case.limits.may_raise) or is_timeout(error):
        return ""
    return f"the user saw {shown_error(error)}, although the last attempt was answered with {case.last.status}, whole"


def truncated_accepted(case: Case) -> str | tuple[str, str]:
    """A part was handed on as the whole: what the user got has (a part of) the text that the model said, or all of the
    body. An answer that shares no such text is the client's own ("Sorry, no summary today"), and right.
    """
    if not _broken(case) or not _given(case):
        return ""
    what = f"the response {case.ending}, and the user was given it as an answer: {_compared(case)}"
    if case.last.error:
        number = error_at(case.last)
        return what, f"Raise when an event carries an error, as event {number} does here, whatever comes after it"
    return what


def _broken(case: Case) -> bool:
    """Whether the user has an answer, and what came to the last attempt, no refusal, was none that is whole."""
    last, ended = case.last, case.exchange.ended
    if not case.saw.answered or last.whole or (last.status or 500) >= 400 or ended == "open":
        return False
    return not (last.streamed and ended == "client" and not last.error)  # who leaves of its own will has what it wants


def _given(case: Case) -> bool:
    """Whether what came of the last attempt is in what the user got."""
    return _shared(case) is not None


def _shared(case: Case) -> tuple[str, str] | None:
    """What was said in what came (what is before it has no words: the body itself), and the text of the user that has
    it. Keys, ids and names are nobody's words: an answer of the client's own may well have them.
    """
    texts, said = case.saw.texts, case.last.text
    if not folded(said) and texts and not any(map(folded, texts)):
        return said, texts[0]  # nothing came, and nothing was handed on as an answer
    heard = said + case.last.begun
    for text in texts:
        if folded(said) and holds(text, said):
            return said, text
        if case.last.begun and _long(text, heard) and holds(text, heard):
            return heard, text
    body = wire_text(case.exchange)
    whole = (text for text in texts if len(folded(body)) >= WIRE and folded(body) in folded(text))
    return next(((body, text) for text in whole), None)


def _long(text: str, part: str) -> bool:
    """Whether two texts are the same, or long enough that the one stands in the other by no chance."""
    return folded(text) == folded(part) or min(len(folded(text)), len(folded(part))) >= WIRE


def _compared(case: Case) -> str:
    """What was compared with what, for the evidence."""
    said, text = _shared(case) or (case.last.text, "")
    return f"it came as far as {_short(said)}, the user got {_short(text)} (compared without case and white space)"


def _short(text: str) -> str:
    return repr(text) if len(text) <= 60 else f"{text[:60]!r}..."


def damaged_accepted(case: Case) -> str:
    """An event that is no JSON was passed over."""
    if case.saw.answered and case.last.damaged and _given(case):
        return f"an event of the stream was no JSON, and the user was given the rest as an answer: {_compared(case)}"
    return ""


def retried_after_output(case: Case) -> str:
    """The question was asked again although the user had seen a part of the answer: pieces of a watched stream were
    handed out before the retry, or what the user got has the abandoned part besides the answer that came after it.
    """
    for number, exchange, told, after in case.retries():
        if not told.streamed or not told.visible:
            continue
        again = f"and attempt {number + 1} asked again"
        broke = f"attempt {number} had sent {counted(len(told.text), 'character')} ({_short(told.text)})"
        early = case.saw.before(exchange.started, after.started)
        if folded(early) and (folded(told.text).startswith(folded(early)) or holds(early, told.text)):
            return f"{broke} when it broke off, {_short(early)} of it had been handed out, {again}"
        for text in case.saw.texts:
            if besides(text, told.text, case.last.text):
                return (
                    f"{broke} when it broke off, {again}; the user got {_short(text)}, which has that part besides "
                    "the answer that came after it (compared without case and white space)"
                )
    return ""


def cannot_tell(case: Case) -> str:
    """An attempt broke off, and what the user got has no text to compare (a number, a bool, None)."""
    if not case.saw.answered:
        return ""
    broken = _broken(case)
    if not broken and not any(told.streamed and told.visible for _, _, told, _ in case.retries()):
        return ""
    if case.saw.texts:  # last, for it looks into all that the user got
        return ""
    kind = "None" if case.saw.value is None else f"of type {type(case.saw.value).__name__}"
    if broken:
        return f"the response {case.ending}; whether the user was given the part, a value that is {kind} does not show"
    return f"an attempt broke off after its first token; whether the user saw it, a value that is {kind} hides"


def one_sign(case: Case) -> str:
    """A stream that ended in order with a finish reason or [DONE], and without the other, was taken for whole. One of
    both is enough for a reader: a cut stream has neither.
    """
    last = case.last
    if not case.saw.answered or not last.streamed or not last.whole or case.exchange.ended in ("client", "open"):
        return ""
    if last.finished == last.done:
        return ""
    had, lacked = ("a finish reason", "[DONE]") if last.finished else ("[DONE]", "a finish reason")
    return f"the stream ended with {had} and without {lacked}, and the user was given it as an answer"


def ignored_retry_after(case: Case) -> str:
    """The server said when to come back, and the client came before."""
    for number, exchange, told, after in case.retries():
        wanted = retry_after(told)
        waited = case.passed(exchange.started + exchange.seconds, after.started)
        if wanted is not None and waited < wanted - max(SLACK, wanted * 0.05):
            return f"attempt {number} was told to wait {wanted:g} s, attempt {number + 1} came after {waited:.2f} s"
    return ""


def retry_storm(case: Case) -> str:
    """More attempts than any failure is worth."""
    count = len(case.call.attempts)
    if count <= case.limits.attempts:
        return ""
    first, last = case.call.attempts[0], case.call.attempts[-1]
    enough = "1 is" if case.limits.attempts == 1 else f"{case.limits.attempts} are"
    return f"{counted(count, 'attempt')} in {last.started - first.started:.2f} s; {enough} plenty"


def no_pause(case: Case) -> str:
    """Attempts one upon the other."""
    waits = [case.passed(one.started + one.seconds, after.started) for _, one, _, after in case.retries()]
    if len(waits) >= 3 and max(waits) < 0.01:
        return f"{len(waits)} retries, none of them more than {max(waits) * 1000:.0f} ms after the failure"
    return ""


def retried_permanent(case: Case) -> str:
    """Asked again what the server had refused for good."""
    for number, _, told, _ in case.retries():
        said = (told.header("x-should-retry") or "").lower()
        if told.status in PERMANENT and said != "true":
            return f"attempt {number} was refused with {told.status}, and attempt {number + 1} asked the same again"
        if said == "false" and told.status is not None and told.status >= 400:
            return f"attempt {number} said 'x-should-retry: false', and attempt {number + 1} asked again"
    return ""


def gave_up(case: Case) -> str:
    """A failure that asking again may cure, before the user saw anything, was not asked again."""
    last, exchange = case.last, case.call.attempts[-1]
    if case.saw.answered or not case.saw.told or len(case.call.attempts) > case.limits.retries:
        return ""
    if exchange.ended == "open" or left(exchange) or (last.streamed and last.visible):
        return ""  # it waited long enough, or must not ask again
    wait = retry_after(last)
    if (wait is not None and wait > case.limits.patience) or (last.header("x-should-retry") or "").lower() == "false":
        return ""
    transient = last.status is None or (last.status >= 400 and last.status not in PERMANENT)
    broken = not transient and not last.whole and not last.error and not last.visible and exchange.ended != "end"
    if not transient and not broken:
        return ""
    return f"the failure (it {case.ending}) came before the first token, and only {len(case.call.attempts)} tried"


def no_time_limit(case: Case) -> str:
    """Silence was endured without end."""
    patience = case.limits.patience
    for number, (exchange, told) in enumerate(zip(case.call.attempts, case.sent, strict=True)):
        silence = told.silence
        if exchange.ended in ("stall", "server"):
            silence = max(silence, exchange.seconds)
        if silence > patience and exchange.ended not in ("client", "open"):
            return f"attempt {number + 1} was silent for {silence:g} s and the client waited it out"
    return ""


def leaked_connection(case: Case) -> str:
    """The call was over and a connection with an unread response was left open."""
    for number, exchange in enumerate(case.call.attempts):
        if exchange.ended == "open" and case.saw.told:
            return (
                f"the call is over, and the response to attempt {number + 1} is still open "
                f"on connection {exchange.request.connection}"
            )
    return ""


FINDINGS: dict[str, Law] = {
    "no-request": Law(
        "fail",
        "No request came",
        "Give the code under test the session's URL, and let it make its call inside the block",
        no_request,
    ),
    "raised-on-success": Law(
        "fail",
        "Raised although the answer was whole",
        "Mend the code that raised; an error that is right here is named in call(..., may_raise=SomeError), or leaves "
        "the block into pytest.raises",
        raised_on_success,
    ),
    "truncated-accepted": Law(
        "fail",
        "A truncated response was accepted as an answer",
        "Raise when a stream ends with neither a finish reason nor [DONE], or a body before its length",
        truncated_accepted,
    ),
    "damaged-accepted": Law(
        "fail",
        "A damaged event was passed over",
        "Raise on an event that is no JSON: what it said is lost",
        damaged_accepted,
    ),
    "retried-after-output": Law(
        "fail",
        "Retried after visible output",
        "Raise once a token was handed out; only a client that keeps the part to itself may ask again",
        retried_after_output,
    ),
    "ignored-retry-after": Law(
        "fail",
        "Retry-After was ignored",
        "Wait at least as long as Retry-After says, or give up where that is too long",
        ignored_retry_after,
    ),
    "retry-storm": Law(
        "fail",
        "A storm of retries",
        "Bound the attempts of one call, and let the waits between them grow",
        retry_storm,
    ),
    "no-pause": Law(
        "warn",
        "Retries without a pause",
        "Wait longer before each retry, with some chance in it, so that a server can recover",
        no_pause,
    ),
    "retried-permanent": Law(
        "fail",
        "Retried what is permanent",
        "Raise at once on a status that the same request will get again (400, 401, 403, 404, 422)",
        retried_permanent,
    ),
    "gave-up": Law(
        "fail",
        "Gave up too early",
        "Ask again after a failure that may pass (429, 5xx, a lost connection) while nothing was handed out",
        gave_up,
    ),
    "no-time-limit": Law(
        "fail",
        "No time limit",
        "Limit the time without a byte, and close the connection when it is over",
        no_time_limit,
    ),
    "leaked-connection": Law(
        "fail",
        "A connection was leaked",
        "Close the response when the call is over, also when it raises: use a `with` block or close()",
        leaked_connection,
    ),
    "unreported": Law(
        "fail",
        "Nobody said what the user saw",
        "Let the code under test be called by call.run(function, ...), or the exception leave the block (pytest.raises "
        "around it, not in it), or say call.returned(value), call.raised(error) or call.watch(stream)",
        unreported,
    ),
    "cannot-tell": Law(
        "note",
        "It cannot be told what the user saw",
        "Return the text from what call.run calls, or hand the stream through call.watch",
        cannot_tell,
    ),
    "one-sign": Law(
        "note",
        "A stream was taken for whole by one sign",
        "Nothing is wrong: a finish reason or [DONE] says that nothing is missing. drop(at='done') leaves the one, "
        "drop(at='finish') the other; the fault no-end takes both",
        one_sign,
    ),
}
"""Every finding, in the order of judging."""
