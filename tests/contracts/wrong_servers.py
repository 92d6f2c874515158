"""Servers wrong in one way each, made of the right stranger, with the law that must turn red."""

from __future__ import annotations

import json
import queue
import random
import threading
import time
from typing import Any

from stranger import Stranger


class NoDone(Stranger):
    """A stream without [DONE]."""

    def events(self, documents: list[dict[str, Any]]) -> list[bytes]:
        return super().events(documents)[:-1]


class TwoDones(Stranger):
    """[DONE] twice."""

    def events(self, documents: list[dict[str, Any]]) -> list[bytes]:
        return [*super().events(documents), b"data: [DONE]\n\n"]


class LostToken(Stranger):
    """The first token of a stream is lost."""

    def chunks(self, head: dict[str, Any], chat: bool, tokens: list[str], finish: str) -> list[dict[str, Any]]:
        return super().chunks(head, chat, tokens[1:], finish)


class NewIdEachChunk(Stranger):
    """Every chunk has an id of its own."""

    def chunks(self, head: dict[str, Any], chat: bool, tokens: list[str], finish: str) -> list[dict[str, Any]]:
        return [{**d, "id": f"{d['id']}-{at}"} for at, d in enumerate(super().chunks(head, chat, tokens, finish))]


class OneId(Stranger):
    """Every answer has the same id."""

    def new_id(self, chat: bool) -> str:
        return "chatcmpl-1" if chat else "cmpl-1"


class BadSum(Stranger):
    """total_tokens is one too many."""

    def usage(self, text: str, tokens: list[str]) -> dict[str, int]:
        usage = super().usage(text, tokens)
        return {**usage, "total_tokens": usage["total_tokens"] + 1}


class OneTooMany(Stranger):
    """max_tokens is off by one."""

    def stop(self, body: dict[str, Any], tokens: list[str]) -> tuple[list[str], str]:
        return super().stop({**body, "max_tokens": (body.get("max_tokens") or 16) + 1}, tokens)


class AlwaysStop(Stranger):
    """finish_reason is always stop."""

    def stop(self, body: dict[str, Any], tokens: list[str]) -> tuple[list[str], str]:
        return super().stop(body, tokens)[0], "stop"


class StopsIgnored(Stranger):
    """Stop strings are accepted and ignored."""

    def stop(self, body: dict[str, Any], tokens: list[str]) -> tuple[list[str], str]:
        return super().stop({**body, "stop": None}, tokens)


class LeakedStop(Stranger):
    """A stream ignores stop strings."""

    def stop(self, body: dict[str, Any], tokens: list[str]) -> tuple[list[str], str]:
        return super().stop({**body, "stop": None} if body.get("stream") else body, tokens)


class NoRole(Stranger):
    """No chunk names the role."""

    def chunks(self, head: dict[str, Any], chat: bool, tokens: list[str], finish: str) -> list[dict[str, Any]]:
        return super().chunks(head, chat, tokens, finish)[1 if chat else 0 :]


class EmptyFinish(Stranger):
    """finish_reason is an empty string until the end."""

    def chunks(self, head: dict[str, Any], chat: bool, tokens: list[str], finish: str) -> list[dict[str, Any]]:
        documents = super().chunks(head, chat, tokens, finish)
        for document in documents[:-1]:
            document["choices"][0]["finish_reason"] = ""
        return documents


class TornCharacters(Stranger):
    """Characters beyond the basic plane are torn into replacement characters in a stream."""

    def chunks(self, head: dict[str, Any], chat: bool, tokens: list[str], finish: str) -> list[dict[str, Any]]:
        torn = [token.replace("😀", "\ufffd") for token in tokens]
        return super().chunks(head, chat, torn, finish)


class PlainErrors(Stranger):
    """Errors have a shape of their own."""

    def refusal(self, status: int, message: str) -> dict[str, Any]:
        return {"oops": message}


class Crashes(Stranger):
    """A body that is no JSON is a 500."""

    def read(self, data: bytes, chat: bool) -> tuple[dict[str, Any], str]:
        try:
            json.loads(data)
        except (ValueError, RecursionError):
            from stranger import Refused

            raise Refused(500, "Internal Server Error") from None
        return super().read(data, chat)


class AnyModel(Stranger):
    """Any model name is taken."""

    def read(self, data: bytes, chat: bool) -> tuple[dict[str, Any], str]:
        body = json.loads(data)
        if isinstance(body, dict) and isinstance(body.get("model"), str):
            checked, text = super().read(json.dumps({**body, "model": self.models[0]}).encode(), chat)
            return {**checked, "model": body["model"]}, text
        return super().read(data, chat)


class Clips(Stranger):
    """A temperature out of range is clipped in silence."""

    def read(self, data: bytes, chat: bool) -> tuple[dict[str, Any], str]:
        try:
            body = json.loads(data)
        except (ValueError, RecursionError):
            return super().read(data, chat)
        if isinstance(body, dict) and type(body.get("temperature")) in (int, float):
            body["temperature"] = max(0, min(2, body["temperature"]))
            return super().read(json.dumps(body).encode(), chat)
        return super().read(data, chat)


class Traces(Stranger):
    """A refusal shows a stack trace."""

    def refusal(self, status: int, message: str) -> dict[str, Any]:
        trace = 'Traceback (most recent call last):\n  File "/home/me/server.py", line 3, in read'
        return super().refusal(status, f"{message}\n{trace}")


class EchoesKeys(Stranger):
    """A refusal shows the key."""

    def refusal(self, status: int, message: str) -> dict[str, Any]:
        return super().refusal(status, f"{message} for {self.headers.get('authorization')}")


class Injects(Stranger):
    """The user's name becomes a header."""

    def answer(self, status: int, document: Any, fields: dict[str, str] | None = None) -> None:
        user = getattr(self, "user", None)
        super().answer(status, document, {**(fields or {}), **({"X-User": user} if user else {})})

    def generate(self, body: dict[str, Any], text: str, chat: bool) -> None:
        self.user = str(body.get("user", "")).encode("ascii", "ignore").decode()
        super().generate(body, text, chat)


class Mixes(Stranger):
    """Two requests at once get each other's prompts."""

    last = "nothing"

    def generate(self, body: dict[str, Any], text: str, chat: bool) -> None:
        type(self).last = text
        time.sleep(0.05)  # long enough for the others that were sent at once to be here too
        super().generate(body, type(self).last, chat)


class Rude(Stranger):
    """A refusal does not read the body, and keeps the connection."""

    def do_POST(self) -> None:  # noqa: N802 - a name of http.server
        if int(self.headers.get("content-length") or 0) > 5000:
            self.answer(413, self.refusal(413, "too large"))
            return
        super().do_POST()


class Forgetful(Stranger):
    """A seed is taken, and the text is another each time at temperature 1."""

    def tokens(self, body: dict[str, Any], text: str) -> list[str]:
        tokens = super().tokens(body, text)
        return [*tokens[:1], f" {random.random()}", *tokens[1:]] if body.get("temperature") else tokens


class Cut(Stranger):
    """A stream ends without the last chunk of HTTP."""

    def stream(self, documents: list[dict[str, Any]]) -> None:
        self.close_connection = True
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for event in self.events(documents):
            self.wfile.write(b"%x\r\n%s\r\n" % (len(event), event))


class Sulks(Stranger):
    """After a large request the next answer is short."""

    large = False

    def generate(self, body: dict[str, Any], text: str, chat: bool) -> None:
        sulks, type(self).large = type(self).large, len(text) > 50_000
        super().generate({**body, "max_tokens": 1} if sulks else body, text, chat)


class OneQueue(Stranger):
    """All streams are read from one queue of tokens; what was made for a caller who has gone stays in it."""

    made: queue.Queue[dict[str, Any] | None] = queue.Queue()

    def make(self, documents: list[dict[str, Any]]) -> None:
        """Tokens come one after the other, whether anyone reads them or not."""
        for document in (*documents, None):
            time.sleep(random.uniform(0.001, 0.01))
            self.made.put(document)

    def stream(self, documents: list[dict[str, Any]]) -> None:
        threading.Thread(target=self.make, args=(documents,), daemon=True).start()
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        head = {name: documents[0][name] for name in ("id", "created", "model", "object")}
        try:
            while (document := self.made.get(timeout=5)) is not None:
                event = f"data: {json.dumps({**document, **head})}\n\n".encode()
                self.wfile.write(b"%x\r\n%s\r\n" % (len(event), event))
            self.wfile.write(b"e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n")
        except (OSError, queue.Empty):
            self.close_connection = True


class OneQueueOfEchoes(OneQueue):
    """The same, where each answer repeats its question."""

    made: queue.Queue[dict[str, Any] | None] = queue.Queue()

    def tokens(self, body: dict[str, Any], text: str) -> list[str]:
        return [f"{word} " for word in text.split()]


WRONG: tuple[tuple[type[Stranger], str], ...] = (
    (NoDone, "S-FRAME-03"),
    (TwoDones, "S-FRAME-03"),
    (Cut, "S-FRAME-05"),
    (LostToken, "S-SAME-01"),
    (NewIdEachChunk, "S-STREAM-01"),
    (OneId, "S-ID-02"),
    (BadSum, "S-USAGE-01"),
    (OneTooMany, "S-USAGE-03"),
    (AlwaysStop, "S-LIMIT-02"),
    (StopsIgnored, "S-LIMIT-04"),
    (LeakedStop, "S-LIMIT-07"),
    (NoRole, "S-STREAM-05"),
    (EmptyFinish, "S-STREAM-09"),
    (TornCharacters, "S-STREAM-12"),
    (PlainErrors, "S-REFUSE-03"),
    (Crashes, "S-REFUSE-08"),
    (AnyModel, "S-REFUSE-01"),
    (Clips, "S-REFUSE-11"),
    (Traces, "S-SECURE-05"),
    (EchoesKeys, "S-SECURE-02"),
    (Injects, "S-SECURE-06"),
    (Mixes, "S-ALONE-01"),
    (OneQueue, "S-ALONE-06"),
    (OneQueueOfEchoes, "S-ALONE-07"),
    (Rude, "S-HEALTH-02"),
    (Forgetful, "S-SAME-10"),
    (Sulks, "S-STATE-02"),
)
