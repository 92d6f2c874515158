"""`inferneo-contracts replay FILE`: the one case of a failure that was saved is judged again.

Against the server of the file, another one (`--url`), the embedded fake server where the file names none, or the
answers that were saved (`--as-saved`): these must break the law again, or the judge has lost an eye.
"""

from __future__ import annotations

import argparse
import json
import re
import shlex
from contextlib import ExitStack, suppress
from dataclasses import replace
from typing import Any

from contracts.adapters import subject
from contracts.bench import Bench
from contracts.connect import connect
from contracts.files import readable
from contracts.judge import NOTHING, Effort, Verdict, judge, judge_case
from contracts.law import Law, Unjudgeable, Unsupported, find
from contracts.mock import Door, MockProcess
from contracts.options import Options
from contracts.pasted import request_of, standing
from contracts.saved import Saved, load
from contracts.wire import NoAnswer

SCRIPT = 'import json,sys; print(json.dumps(json.load(open(sys.argv[1]))["script"]))'
"""A saved file is more than the script of its server."""
SESSION = re.compile(r"(http://127\.0\.0\.1:\d+)/@[\w-]+")
"""A session ends with the command; what it answered, a server of its own answers."""
NOT_SAVED = (
    "is not broken by the saved answers: what broke it is in no file (framing, connections, time), or the judge has "
    "lost an eye: ask a server by --url"
)


def replay(options: argparse.Namespace) -> int:
    """Judges each file; 0: all laws are kept, 1: one is broken. Raises `Unjudgeable`, once all that can be was judged:
    answers that were saved and no longer break the law show nothing, least of all that it is kept."""
    for path in options.files:
        readable("replay", path)
    files = [one for path in options.files for one in load(path)]
    red, problems = 0, []
    with ExitStack() as stack:
        fake = _Fake(stack)
        for saved in files:
            law = find(saved.law)
            as_saved = options.as_saved and law.side == "server"
            try:
                verdict = again(saved, law, _target(saved, law, options, fake))
            except Unjudgeable as error:
                problems.append(str(error))
                continue
            if as_saved and verdict.word == "ok":
                problems.append(f"{saved.path.name}: {law.id} {NOT_SAVED}")
                continue
            red += verdict.word in ("failed", "lenient")
            print(_told(saved, law, verdict, fake.starts(saved, as_saved)))
    if problems:
        raise Unjudgeable("; ".join(problems))
    return 1 if red else 0


def again(saved: Saved, law: Law, target: Any) -> Verdict:
    """The verdict on the saved case. Raises `Unjudgeable`."""
    effort = Effort(saved.seed)
    if saved.value is None:
        _ask_again(saved, target)
        verdict = judge(law, target, effort)
    else:
        arguments = saved.arguments(str(getattr(target, "model", "")))
        verdict = judge_case(law, target, arguments[0] if arguments else NOTHING, effort)
    if verdict.word in ("unsupported", "broken"):
        raise Unjudgeable(f"{saved.path.name}: {law.id} cannot be judged on {target.name}: {verdict.reason}")
    return verdict


def _ask_again(saved: Saved, target: Any) -> None:
    """The requests of the file, once: a law that reads all that was said must find what it found then."""
    if not hasattr(target, "log"):
        return
    for call in saved.asked:
        if call.is_socket:
            continue
        renamed = call.body.replace(json.dumps(saved.model).encode(), json.dumps(target.model).encode())
        with suppress(NoAnswer, Unsupported):
            target.send(replace(call, body=renamed if saved.model else call.body))


class _Fake:
    """The embedded fake server, started when it is first needed."""

    def __init__(self, stack: ExitStack) -> None:
        self.stack = stack
        self.urls: dict[str, str] = {}

    def url(self, profile: str) -> str:
        """Its URL."""
        if profile not in self.urls:
            self.urls[profile] = self.stack.enter_context(MockProcess(profile)).url
        return self.urls[profile]

    def starts(self, saved: Saved, as_saved: bool) -> dict[str, str]:
        """What starts such a server in a reader's terminal, by the URL of the one that ends with the command."""
        script = f" --script <(python3 -c {shlex.quote(SCRIPT)} {shlex.quote(str(saved.path))})" if as_saved else ""
        return {url: f"inferneo-mock serve --profile {profile}{script}" for profile, url in self.urls.items()}


def _target(saved: Saved, law: Law, options: argparse.Namespace, fake: _Fake) -> Any:
    """The server or the client that the case is judged on."""
    if law.side == "client":
        return Bench(subject(options.client or saved.target), Door(fake.url("docs")))
    profile = options.profile or saved.profile
    settings = Options(model=options.model, api_key=options.api_key, profile=profile)
    if options.as_saved:
        return as_saved(saved, law, fake.url(profile))
    url = options.url or (saved.target if "://" in saved.target else "")
    target = connect(url or fake.url(profile), settings)
    if not url:
        target.name = "the fake server"
    return target


def as_saved(saved: Saved, law: Law, fake: str) -> Any:
    """The answers of the file, given by a fake server at that URL. Raises `Unjudgeable` for a law about sockets."""
    if "websocket" in law.needs:
        raise Unjudgeable(
            f"{saved.path.name}: {law.id} is about sockets, whose frames are not saved: ask a server by --url"
        )
    session = Door(fake).arm(saved.script)
    target = connect(session.url, Options(model=saved.model, profile=saved.profile))
    needs = law.needs | (law.over.needs if law.over else frozenset())
    target.known |= dict.fromkeys({*needs, "chat", "completions"}, (True, "it was judged"))
    target.name = "the saved answers"
    return target


def _told(saved: Saved, law: Law, verdict: Verdict, starts: dict[str, str]) -> str:
    """What a reader wants to know of one case; its requests go to a server that is there, or can be started."""
    head = f"{saved.path.name}: {law.id} on {verdict.target}"
    if verdict.failure is None:
        return f"{head}: kept ({law.title})"
    failure = verdict.failure
    lines = [f"{head}: BROKEN ({law.title})", f"  expected  {failure.expected}", f"  got       {failure.got}"]
    curl = [SESSION.sub(r"\1", line) for line in failure.curl] if law.side == "server" else failure.curl
    shown = standing({"failure": {"curl": curl}}, starts)
    lines += [f"  request   {line}" for line in request_of(shown)]
    return "\n".join([*lines, f"  {failure.seen}"])
