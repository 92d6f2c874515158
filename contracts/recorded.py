"""A recording is a target that answers only the requests it holds, with the bytes a real server once sent.

A law over a recording runs as it does live: its cases are the requests of the recording that its domain holds, and a
request that was never recorded raises `NotRecorded`, which makes the case say nothing.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from contracts._fixtures import fixtures
from contracts.exchange import Call, Exchange
from contracts.law import NotRecorded
from contracts.oracle import Malformed, read_response
from contracts.profile import PROFILES, Profile

MARK = b"### RESPONSE\n"
CONNECTION_FIELDS = {"host", "content-length", "connection", "authorization"}


@dataclass(frozen=True, slots=True)
class Odd:
    """A recorded exchange that is no plain request and response, and why."""

    name: str
    reason: str


def read_call(data: bytes) -> Call | None:
    """The recorded request, or None when it is no single well-formed HTTP/1.1 request with a counted body."""
    head, found, body = data.partition(b"\r\n\r\n")
    lines = head.split(b"\r\n")
    words = lines[0].split(b" ")
    if not found or len(words) != 3 or words[2] != b"HTTP/1.1" or b"\n" in head.replace(b"\r\n", b""):
        return None
    fields = []
    length = 0
    for line in lines[1:]:
        name, _, value = line.partition(b":")
        key = name.decode("latin-1").lower()
        if key in ("transfer-encoding", "expect", "upgrade"):
            return None
        if key == "content-length":
            if not value.strip().isdigit():
                return None
            length = int(value)
        if key not in CONNECTION_FIELDS:
            fields.append((name.decode("latin-1"), value.strip().decode("latin-1")))
    if len(body) not in (length, length + 1):
        return None
    return Call(words[0].decode(), words[1].decode(), body[:length], tuple(fields))


class RecordedTarget:
    """One server's recorded exchanges, answered by request."""

    live = False

    def __init__(
        self, folder: Path, profile: Profile = PROFILES["openai"], lacks: frozenset[str] = frozenset()
    ) -> None:
        self.lacks = lacks
        self.name = folder.name
        self.profile = profile
        self.odd: list[Odd] = []
        self.log: list[Exchange] = []
        self.sent: list[Call] = []
        self._asked: Counter[tuple[str, str, str]] = Counter()
        self._answers: dict[tuple[str, str, str], list[Exchange]] = {}
        for entry in json.loads((folder / "index.json").read_bytes()):
            self._read(folder / entry["file"], entry)
        self.model = self._usual_model()

    def _read(self, path: Path, entry: dict[str, object]) -> None:
        name = str(entry["name"])
        data = path.read_bytes().removeprefix(b"### REQUEST\n")
        request, _, answer = data.partition(MARK)
        call = read_call(request)
        if call is None:
            self.odd.append(Odd(name, "the request is not one plain HTTP/1.1 request"))
            return
        try:
            response = read_response(answer, call.method, closed=entry["end"] == "eof")
        except Malformed as error:
            self.odd.append(Odd(name, str(error)))
            return
        if response is None:
            self.odd.append(Odd(name, "no response"))
            return
        ended = "whole" if response.complete else "fin" if entry["end"] == "eof" else "timeout"
        exchange = Exchange(call, response, ended, name=name)
        self.log.append(exchange)
        self._answers.setdefault(call.key(), []).append(exchange)

    def _usual_model(self) -> str:
        models = Counter(
            exchange.call.document["model"]
            for exchange in self.log
            if exchange.status == 200 and isinstance(exchange.call.document, dict)
            if isinstance(exchange.call.document.get("model"), str)
        )
        return models.most_common(1)[0][0] if models else ""

    def begin(self) -> None:
        """A new case begins: each recorded answer may be had once more."""
        self._asked.clear()
        self.sent.clear()

    def send(self, call: Call, timeout: float | None = None) -> Exchange:
        """The recorded answer; the n-th equal request gets the n-th recorded answer to it. Raises `NotRecorded`."""
        self.sent.append(call)
        key = call.key()
        answers = self._answers.get(key, [])
        if self._asked[key] >= len(answers):
            raise NotRecorded(f"{call.method} {call.path} with this body was not recorded")
        self._asked[key] += 1
        return answers[self._asked[key] - 1]

    def can(self, capability: str) -> tuple[bool, str]:
        """Recordings are not probed: what they do not hold is not judged."""
        if capability in self.lacks:
            return False, "says contracts/field_notes.toml"
        if capability == "model_get":
            found = [x.status for x in self.log if x.call.path == f"/v1/models/{self.model}"]
            return found == [200], f"recorded: {found}"
        return True, "recorded"


def servers() -> list[str]:
    """The names of the recorded servers."""
    return sorted(p.name for p in fixtures("recorded").iterdir() if (p / "index.json").is_file())


def load(name: str) -> RecordedTarget:
    """The recording of that server, with the profile that the field notes give it."""
    from contracts.notes import notes

    known = notes().get(name)
    profile = PROFILES[known.profile] if known else PROFILES["openai"]
    return RecordedTarget(fixtures("recorded") / name, profile, known.lacks if known else frozenset())
