"""Choices that follow from (seed, request): what the model half of the fake says, before it is rendered.

The text depends on the session's seed, the model, the prompt and the suffix; at a temperature above 0 also on the
request's `seed` and the choice's number. It does not depend on how it is asked for: `max_tokens` and `stop` cut it,
`stream`, `n` and `logprobs` show it in another way.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from hashlib import blake2b

from mockserver.filled import Account
from mockserver.model import logprobs, prompt, structured, tools
from mockserver.model.ask import Ask
from mockserver.model.model import Choice, complete, speak
from mockserver.model.models_list import Models
from mockserver.model.profile import Profile
from mockserver.model.prompt import Prompt
from mockserver.model.refuse import refuse
from mockserver.model.render import Response, usage
from mockserver.model.tokenizer import split
from mockserver.plan import Plan


def respond(
    profile: Profile, models: Models, action: str, ask: Ask, head: Mapping[str, bytes], seed: int
) -> Response | Plan:
    """The response to a valid request, or a refusal: no room in the context, tools that do not fit."""
    chat = action == "chat"
    if chat:
        prompts = [prompt.of_chat(profile, ask.messages)]
    else:
        prompts = prompt.of_completion(ask.prompts if action == "batch" else ask.prompt)
    context = models.setting(ask.model, "context", profile.context)
    wanted = ask.max_completion_tokens or ask.max_tokens
    stops = (ask.stop,) if isinstance(ask.stop, str) else ask.stop or ()
    refused = _refused(profile, ask, prompts, context, wanted, "messages" if chat else "prompt")
    if refused is not None:
        return refused
    count: int = ask.n if ask.best_of is None else ask.best_of
    plain = not ask.response_format and ask.tool_choice in (None, "none", "auto")
    rule = None if plain else _special(profile, ask)
    if isinstance(rule, Plan):
        return rule
    choices: list[Choice] = []
    keys: list[bytes] = []
    for given in prompts:
        base = b"%d\0%s\0%s\0%s" % (seed, ask.model.encode(), (ask.suffix or "").encode(), given.text.encode())
        limit = context - given.tokens if wanted is None else min(wanted, context - given.tokens)
        found = []
        for number in range(count):
            key = base + (b"\0%s\0%d" % (str(ask.seed).encode(), number) if ask.temperature else b"")
            if rule is not None:
                choice = rule(key, limit, stops)
            else:
                pieces, ended = speak(key, limit, bool(ask.ignore_eos))
                if ask.min_tokens and ended and len(pieces) < ask.min_tokens:
                    pieces, ended = speak(key, min(limit, ask.min_tokens), True)[0], ask.min_tokens < limit
                choice = complete(pieces, ended, limit, stops, profile.end_token)
            found.append((choice, key))
        if count > ask.n:
            found = sorted(found, key=lambda one: blake2b(one[1]).digest())[: ask.n]
        for choice, key in found:
            if ask.echo:
                choice = Choice([*split(given.shown), *(choice.pieces or ())], choice.finish, choice.tokens)
            choices.append(choice)
            keys.append(key)
    return response(
        profile,
        chat,
        ask,
        head,
        choices,
        "\0".join(one.text for one in prompts),
        sum(one.tokens for one in prompts),
        keys,
    )


def response(
    profile: Profile,
    chat: bool,
    ask: Ask,
    head: Mapping[str, bytes],
    choices: Sequence[Choice],
    text: str,
    prompt_tokens: int,
    keys: Sequence[bytes] = (),
) -> Response:
    """The choices with all that stands around them."""
    shape = profile.shapes["chat" if chat else "completion"]
    named = {
        "id": b'"%s%s"' % (shape.id.encode(), head["id"]),
        "created": head["created"],
        "model": profile.style.encode(ask.model),
    }
    options = ask.stream_options
    tokens = sum(choice.tokens for choice in choices)
    wants = logprobs.wanted(ask, chat)
    return Response(
        head=named,
        choices=choices,
        usage=usage(profile, prompt_tokens, tokens),
        account=Account(prompt_tokens, tokens, text),
        include_usage=options is not None and bool(options.get("include_usage")),
        logprobs=None if wants is None else logprobs.giver(choices, keys, wants, chat),
    )


def _refused(
    profile: Profile, ask: Ask, prompts: Sequence[Prompt], context: int, wanted: int | None, where: str
) -> Plan | None:
    """What is valid by itself and yet cannot be served."""
    for one in prompts:
        over = one.tokens >= context
        if not over and wanted and profile.option("over_context") == "refuse":
            over = one.tokens + wanted > context
        if over:
            return refuse(profile, "context_length", tokens=one.tokens, limit=context, model=ask.model, where=where)
    return _contradictory(profile, ask)


def objection(profile: Profile, ask: Ask) -> Plan | None:
    """The refusal of what no model could serve: fields that contradict each other, tools that do not fit."""
    refused = _contradictory(profile, ask)
    if refused is None:
        rule = _special(profile, ask)
        refused = rule if isinstance(rule, Plan) else None
    return refused


def _contradictory(profile: Profile, ask: Ask) -> Plan | None:
    """The refusal of fields that contradict each other."""
    if ask.best_of is not None:
        if ask.best_of < ask.n:
            return refuse(profile, "best_of", input=ask.best_of, limit=ask.n)
        if ask.stream and ask.best_of > ask.n:
            return refuse(profile, "best_of_stream", input=ask.best_of)
    if ask.top_logprobs and not ask.logprobs:
        return refuse(profile, "top_logprobs")
    return None


def _special(profile: Profile, ask: Ask) -> Callable[[bytes, int, Sequence[str]], Choice] | Plan | None:
    """How a choice is made where it is a call of a tool or a JSON text; None: as always."""
    called = tools.chosen(profile, ask)
    if isinstance(called, Plan):
        return called
    if called is not None:
        return tools.caller(profile, called)
    return structured.writer(profile, ask.response_format)
