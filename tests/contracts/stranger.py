"""A small server of the API that shares no line with the fake: right, or wrong in one way.

It is made of the standard library's `http.server`. Wrong ones override one method; a law that does not turn red on
its wrong server, or a right one that turns red, is a mistake of the judge.
"""

from __future__ import annotations

import itertools
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

WORDS = ["the", "café", "robot", "said", "😀", "then", "wrote", "日", "and", "stopped", "at", "last"]
RANGES = {"temperature": (0, 2), "top_p": (0, 1), "frequency_penalty": (-2, 2), "presence_penalty": (-2, 2)}


class Refused(Exception):  # noqa: N818 - it is an answer, not an error
    """What the caller did wrong."""

    def __init__(self, status: int, message: str) -> None:
        self.status = status
        super().__init__(message)


class Stranger(BaseHTTPRequestHandler):
    """The right server. `numbers` makes ids."""

    protocol_version = "HTTP/1.1"
    numbers = itertools.count(1)
    models: tuple[str, ...] = ("org/small", "org/large")

    def log_message(self, *_: Any) -> None:
        """Nothing is logged."""

    # What a wrong server overrides.

    def tokens(self, body: dict[str, Any], text: str) -> list[str]:
        """The tokens of an answer: words, the same for the same prompt."""
        start = sum(map(ord, text)) % len(WORDS)
        words = (WORDS[start:] + WORDS)[: 5 + len(text) % 4]
        return [word if at == 0 else f" {word}" for at, word in enumerate(words)]

    def stop(self, body: dict[str, Any], tokens: list[str]) -> tuple[list[str], str]:
        """The tokens that are sent, and why they end."""
        limit = body.get("max_tokens") or 16
        finish = "length" if len(tokens) > limit else "stop"
        sent = tokens[:limit]
        stops = body.get("stop") or []
        found = [at for one in ([stops] if isinstance(stops, str) else stops) if (at := "".join(sent).find(one)) >= 0]
        return (["".join(sent)[: min(found)]], "stop") if found else (sent, finish)

    def usage(self, text: str, tokens: list[str]) -> dict[str, int]:
        """What was used."""
        asked = len(text.split()) + 1
        return {"prompt_tokens": asked, "completion_tokens": len(tokens), "total_tokens": asked + len(tokens)}

    def chunks(self, head: dict[str, Any], chat: bool, tokens: list[str], finish: str) -> list[dict[str, Any]]:
        """The documents of a stream."""

        def chunk(text: str | None, role: bool, why: str | None) -> dict[str, Any]:
            delta = {"role": "assistant"} if role else {} if text is None else {"content": text}
            choice = {"delta": delta} if chat else {"text": text or ""}
            return {**head, "choices": [{"index": 0, **choice, "finish_reason": why}]}

        middle = [chunk(token, False, None) for token in tokens]
        return [*([chunk(None, True, None)] if chat else []), *middle, chunk(None, False, finish)]

    def new_id(self, chat: bool) -> str:
        """An id that was never given."""
        return f"{'chatcmpl' if chat else 'cmpl'}-{next(self.numbers)}"

    def refusal(self, status: int, message: str) -> dict[str, Any]:
        """An error body."""
        return {"error": {"message": message, "type": "invalid_request_error", "param": None, "code": None}}

    def events(self, documents: list[dict[str, Any]]) -> list[bytes]:
        """The events of a stream."""
        sent = [json.dumps(document, ensure_ascii=False) for document in documents]
        return [f"data: {data}\n\n".encode() for data in [*sent, "[DONE]"]]

    # How it answers.

    def do_GET(self) -> None:
        """Models, health; a known path of POST is 405."""
        path = self.path.partition("?")[0]
        data = [{"id": m, "object": "model", "created": 1, "owned_by": "me"} for m in self.models]
        match path:
            case "/v1/models":
                self.answer(200, {"object": "list", "data": data})
            case "/health":
                self.answer(200, {"status": "ok"})
            case "/v1/completions" | "/v1/chat/completions":
                self.answer(405, self.refusal(405, "POST only"), {"Allow": "POST"})
            case _:
                self.answer(404, self.refusal(404, f"nothing at {path}"))

    def other(self) -> None:
        """Any other method."""
        length = int(self.headers.get("content-length") or 0)
        self.rfile.read(length)
        self.answer(405, self.refusal(405, "method not allowed"), {"Allow": "GET, POST"})

    do_PUT = do_DELETE = do_PATCH = do_HEAD = do_OPTIONS = do_TRACE = other  # noqa: N815 - names of http.server

    def do_POST(self) -> None:
        """Completions."""
        if self.headers.get("transfer-encoding"):
            self.close_connection = True
            self.answer(411, self.refusal(411, "Content-Length is needed"), {"Connection": "close"})
            return
        lengths = self.headers.get_all("content-length") or ["0"]
        if len(set(lengths)) > 1 or not lengths[0].isdigit():
            self.close_connection = True
            self.answer(400, self.refusal(400, "bad Content-Length"), {"Connection": "close"})
            return
        data = self.rfile.read(int(lengths[0]))
        path = self.path.partition("?")[0]
        if path not in ("/v1/completions", "/v1/chat/completions"):
            self.answer(404 if path != "/v1/models" else 405, self.refusal(404, "nothing here"), {"Allow": "GET"})
            return
        try:
            body, text = self.read(data, path.startswith("/v1/chat"))
        except Refused as error:
            self.answer(error.status, self.refusal(error.status, str(error)))
            return
        self.generate(body, text, path.startswith("/v1/chat"))

    def read(self, data: bytes, chat: bool) -> tuple[dict[str, Any], str]:
        """The request, checked, and the text that it asks about."""
        try:
            body = json.loads(data)
        except (ValueError, RecursionError):
            raise Refused(400, "the body is no JSON") from None
        if not isinstance(body, dict):
            raise Refused(400, "the body is no object")
        for name, (low, high) in RANGES.items():
            value = body.get(name)
            good = value is None or (type(value) in (int, float) and low <= value <= high)
            if not good:
                raise Refused(422, f"{name} must be a number from {low} to {high}")
        if not (
            body.get("max_tokens") is None or (type(body["max_tokens"]) is int and 1 <= body["max_tokens"] < 2**31)
        ):
            raise Refused(422, "max_tokens must be a positive integer")
        if body.get("n") not in (None, 1):
            raise Refused(422, "n must be 1")
        for name in ("logprobs", "echo", "top_logprobs"):
            if body.get(name):
                raise Refused(422, f"{name} is not supported")
        if not isinstance(body.get("stream", False), bool):
            raise Refused(422, "stream must be true or false")
        stops = body.get("stop")
        if not (
            stops is None
            or isinstance(stops, str)
            or (isinstance(stops, list) and all(isinstance(s, str) for s in stops))
        ):
            raise Refused(422, "stop must be a string or strings")
        if not isinstance(body.get("model"), str):
            raise Refused(422, "model is missing")
        if body["model"] not in self.models:
            raise Refused(404, f"the model {body['model']} does not exist")
        return body, self.prompt(body, chat)

    def prompt(self, body: dict[str, Any], chat: bool) -> str:
        """The text that is asked about."""
        if not chat:
            if not isinstance(body.get("prompt"), str):
                raise Refused(422, "prompt must be a string")
            return str(body["prompt"])
        messages = body.get("messages")
        if not isinstance(messages, list) or not messages:
            raise Refused(422, "messages must be a list")
        for message in messages:
            good = isinstance(message, dict) and isinstance(message.get("role"), str)
            if not good or not isinstance(message.get("content"), str):
                raise Refused(422, "each of messages needs a role and a content that is a string")
        return "\n".join(message["content"] for message in messages)

    def generate(self, body: dict[str, Any], text: str, chat: bool) -> None:
        """An answer, whole or streamed."""
        sent, finish = self.stop(body, self.tokens(body, text))
        kind = "chat.completion" if chat else "text_completion"
        head = {"id": self.new_id(chat), "object": kind, "created": int(time.time()), "model": body["model"]}
        if body.get("stream"):
            head["object"] = "chat.completion.chunk" if chat else kind
            documents = self.chunks(head, chat, sent, finish)
            if (body.get("stream_options") or {}).get("include_usage"):
                documents.append({**head, "choices": [], "usage": self.usage(text, sent)})
            self.stream(documents)
            return
        said = "".join(sent)
        choice = {"message": {"role": "assistant", "content": said}} if chat else {"text": said}
        document = {
            **head,
            "choices": [{"index": 0, **choice, "finish_reason": finish}],
            "usage": self.usage(text, sent),
        }
        self.answer(200, document)

    def answer(self, status: int, document: Any, fields: dict[str, str] | None = None) -> None:
        """A whole JSON response."""
        data = json.dumps(document, ensure_ascii=False).encode("utf-8", "surrogatepass")
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **(fields or {})}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def stream(self, documents: list[dict[str, Any]]) -> None:
        """A stream in chunked coding."""
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        try:
            for event in self.events(documents):
                self.wfile.write(b"%x\r\n%s\r\n" % (len(event), event))
            self.wfile.write(b"0\r\n\r\n")
        except OSError:
            self.close_connection = True


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A caller that leaves is no event."""


@contextmanager
def serving(kind: type[Stranger]) -> Iterator[str]:
    """The URL of a running server of that kind."""
    server = _Server(("127.0.0.1", 0), kind)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)
