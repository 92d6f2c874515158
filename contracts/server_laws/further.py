"""Further request fields: those that must change nothing change nothing, the others do what they say."""

from __future__ import annotations

from contracts.answers import answer, choices, read
from contracts.domains import PROMPTS, WHOLE
from contracts.exchange import Call
from contracts.law import Unsupported, Vacuous, expect, law
from contracts.server_laws.same import same
from contracts.target import Target

SOURCE = "api.md, Request fields"


@law("S-FIELD-01", over=WHOLE, needs={"det", "priority"}, examples=4, live=True, source=SOURCE)
def a_priority_does_not_change_the_text(target: Target, call: Call) -> None:
    """The priority of a request changes when it is answered, not what is answered."""
    same(target, call, call.with_(priority=1), "with a priority")


@law("S-FIELD-02", over=PROMPTS, needs={"best_of"}, examples=4, live=True, source=SOURCE)
def best_of_gives_the_best_one(target: Target, call: Call) -> None:
    """best_of=3 without n gives one choice, the best of three."""
    if len(choices(answer(target.send(call)))) != 1:
        raise Vacuous("without best_of there is not one choice either (S-CHOICE and S-SHAPE laws judge that)")
    found = choices(answer(target.send(call.with_(best_of=3, temperature=1))))
    expect(len(found) == 1, "one choice", len(found))


@law("S-FIELD-03", over=PROMPTS, needs={"best_of"}, examples=4, live=True, borne={"openai"}, source=SOURCE)
def best_of_is_not_below_n(target: Target, call: Call) -> None:
    """n above best_of is refused: there are not so many to choose from."""
    exchange = target.send(call.with_(best_of=2, n=3, temperature=1))
    expect(400 <= exchange.status < 500, "a 4xx for n=3 of best_of=2", exchange.status)


@law("S-FIELD-04", over=WHOLE, needs={"ignore_eos"}, examples=4, live=True, source=SOURCE)
def an_ignored_end_is_no_end(target: Target, call: Call) -> None:
    """With ignore_eos an answer ends only by max_tokens.

    Only the docs promise the field; elsewhere it may be an unknown one, which is ignored.
    """
    if target.profile.name != "docs":
        raise Unsupported(f"profile {target.profile.name} does not promise it")
    reading = read(target.send(call.with_(ignore_eos=True)))
    used = reading.usage.get("completion_tokens") if isinstance(reading.usage, dict) else None
    if not isinstance(reading.finish, str) or used == call.document.get("max_tokens"):
        return
    expect(reading.finish == "length", "finish_reason 'length'", f"{reading.finish!r} after {used} tokens")


@law("S-FIELD-05", over=WHOLE, needs={"det"}, examples=4, live=True, source="metamorphic")
def defaults_are_defaults(target: Target, call: Call) -> None:
    """top_p 1 and penalties of 0, the documented defaults, give what leaving them out gives at temperature 0."""
    told = call.with_(top_p=1, presence_penalty=0, frequency_penalty=0)
    exchange = target.send(told)
    if exchange.status != 200:
        raise Unsupported(f"answered {exchange.status}")
    same(target, call, told, "with the defaults written out")


@law("S-FIELD-06", over=PROMPTS, needs={"seed"}, examples=1, level="should", live=True, source=SOURCE)
def a_temperature_has_an_effect(target: Target, call: Call) -> None:
    """At temperature 2 eight seeds do not all give one and the same text.

    A server that takes the temperature and always says what is likeliest tells a silent lie; one that says what was
    written down for it, as fakes do, does no harm, so this is a SHOULD.
    """
    hot = call.with_(temperature=2, max_tokens=16, n=..., stream=...)
    texts = {read(target.send(hot.with_(seed=seed))).text for seed in range(8)}
    expect(len(texts) > 1 or not any(texts), "several texts at temperature 2", f"eight times {next(iter(texts))!r}")
