"""From a URL alone: the model is found, also where none is listed, and what is no such server is told in a sentence."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator

import pytest
from stranger import Stranger, serving

from contracts import wire
from contracts.connect import Unreachable, connect
from contracts.judge import Effort, judge
from contracts.law import find, laws
from contracts.options import Options


class Unlisted(Stranger):
    """A right server without a list of models, which knows one of the usual names."""

    models = ("gpt-4o-mini",)

    def do_GET(self) -> None:  # noqa: N802 - the name that http.server calls
        """No list, no single model."""
        if self.path.startswith("/v1/models"):
            self.answer(404, self.refusal(404, "nothing here"))
        else:
            super().do_GET()


class Locked(Unlisted):
    """A server without a list that wants a key."""

    def do_POST(self) -> None:  # noqa: N802 - the name that http.server calls
        """401."""
        self.rfile.read(int(self.headers["Content-Length"]))
        self.answer(401, self.refusal(401, "no key"))


class Files(Stranger):
    """A server of files: every GET is a page or 404, every POST 501."""

    def do_GET(self) -> None:  # noqa: N802 - the name that http.server calls
        """Nothing here."""
        self.answer(404, {})

    def do_POST(self) -> None:  # noqa: N802 - the name that http.server calls
        """Not implemented."""
        self.rfile.read(int(self.headers["Content-Length"]))
        self.answer(501, {})


class Moved(Files):
    """A server that lives elsewhere."""

    def do_GET(self) -> None:  # noqa: N802 - the name that http.server calls
        """301."""
        self.answer(301, {}, {"Location": "https://api.example.com/v1/models"})


class Yes(Files):
    """200 and an empty object for everything."""

    def do_GET(self) -> None:  # noqa: N802 - the name that http.server calls
        """200."""
        self.answer(200, {})

    def do_POST(self) -> None:  # noqa: N802 - the name that http.server calls
        """200."""
        self.rfile.read(int(self.headers["Content-Length"]))
        self.answer(200, {})


def test_a_server_that_lists_no_model_is_judged_by_a_usual_name() -> None:
    """And the missing list is no red law, nor one for each law that would read it."""
    with serving(Unlisted) as url:
        target = connect(url, Options())
        assert target.model == "gpt-4o-mini"
        found = [judge(law, target, Effort(examples=0.2)) for law in laws("server") if law.id.startswith("S-MODEL")]
    assert [v for v in found if v.word in ("failed", "broken")] == []
    assert {v.law: v.word for v in found}["S-MODEL-01"] == "unsupported"
    assert {v.law: v.word for v in found}["S-MODEL-07"] == "ok"


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        (Locked, "was answered 404 and lists no model; give --api-key"),
        (Files, "POST /v1/chat/completions was answered 501: is this the base URL of an API like OpenAI's?"),
        (Moved, "it leads to 'https://api.example.com/v1/models': give that server's URL"),
        (Yes, "POST /v1/chat/completions was answered 200: is this the base URL of an API like OpenAI's?"),
    ],
)
def test_what_cannot_be_judged_is_told(kind: type[Stranger], told: str) -> None:
    """With what to try."""
    with serving(kind) as url, pytest.raises(Unreachable) as caught:
        connect(url, Options())
    assert told in str(caught.value)


class Slow(Unlisted):
    """A server without a list that does not answer a request for a model."""

    def do_POST(self) -> None:  # noqa: N802 - the name that http.server calls
        """Nothing, until the caller has gone."""
        self.rfile.read(int(self.headers["Content-Length"]))
        self.rfile.read(1)
        self.close_connection = True


def test_one_name_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that does not answer the first guess is not asked for the others: each would take as long."""
    monkeypatch.setattr("contracts.connect.LOADING", 0.2)
    with serving(Slow) as url, pytest.raises(Unreachable, match="the model 'gpt-4o-mini' within"):
        connect(url, Options())


def saying(data: bytes) -> Iterator[str]:
    """The URL of a server that answers each connection's first bytes with these, and closes."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = listener.accept()
                    with connection:
                        connection.recv(4096)
                        connection.sendall(data)

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        # Closing alone does not wake a thread that waits in accept().
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
    thread.join(5)


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"", "it closes the connection before it answers (fin: before a response; 0 bytes came); if it speaks TLS"),
        (b"\x15\x03\x01\x00\x02\x02\x46", "it answers in TLS; try https://127.0.0.1"),
        (b"\x00\x00\x12\x04\x00\x00\x00\x00\x00" + b"\x00" * 18, "it answers in HTTP/2 only"),
        (b"SSH-2.0-OpenSSH_9.6\r\n\r\n", "a status line reads 'HTTP/1.1 200 reason'; got b'SSH-2.0-OpenSSH_9.6'"),
        (
            b"HTTP/1.1 429 Too Many\r\nRetry-After: 30\r\nContent-Length: 0\r\n\r\n",
            "the server limits the rate of requests: 429, come again in 30 s",
        ),
        (b"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n", "was answered 500 too: it is broken, or not ready yet"),
    ],
)
def test_what_is_no_server_of_the_api_is_told(data: bytes, told: str) -> None:
    """In words that say what to try, and never by a traceback."""
    with contextlib.contextmanager(saying)(data) as url, pytest.raises(Unreachable) as caught:
        connect(url, Options())
    assert told in str(caught.value)


def test_an_answer_that_never_stops_coming_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    """However fast it comes: the time is over, or it is too much to be an answer."""
    monkeypatch.setattr(wire, "MOST", 1 << 20)
    data = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n" + b" " * (1 << 21)
    with contextlib.contextmanager(saying)(data) as url, pytest.raises(Unreachable) as caught:
        connect(url, Options())
    assert "its answer to GET /v1/models does not end within 10 s" in str(caught.value)


@pytest.mark.parametrize("end", ["", "/", "/v1", "/v1/", "/v1/chat/completions", "/v1/models"])
def test_what_users_leave_at_the_end_of_a_url_is_taken_off(end: str) -> None:
    """The base is the same, and a path before it stays."""
    assert wire.parse_url(f"http://127.0.0.1:8000{end}").url == "http://127.0.0.1:8000"
    assert wire.parse_url(f"http://127.0.0.1:8000/openai{end}").url == "http://127.0.0.1:8000/openai"


class Embeds(Stranger):
    """A server of embeddings alone."""

    chats = False

    def do_POST(self) -> None:  # noqa: N802 - the name that http.server calls
        """A vector, or nothing here; a picky one knows the chat's path and answers none of the judge's questions."""
        self.rfile.read(int(self.headers["Content-Length"]))
        vector = {"object": "embedding", "index": 0, "embedding": [0.6, 0.8]}
        if self.path == "/v1/embeddings":
            self.answer(200, {"object": "list", "data": [vector], "usage": {"prompt_tokens": 1, "total_tokens": 1}})
        elif self.path == "/v1/chat/completions" and self.chats:
            self.answer(404, self.refusal(404, "no answer was made for this question"))
        else:
            self.answer(404, self.refusal(404, f"nothing at {self.path}"))


class Picky(Embeds):
    """A fake whose answers match no question of the judge."""

    chats = True


@pytest.mark.parametrize(("kind", "word"), [(Embeds, "unsupported"), (Picky, "failed")])
def test_a_server_of_embeddings_is_told_from_one_that_does_not_answer(kind: type[Stranger], word: str) -> None:
    """The one has no model that generates; of the other nothing was judged, and that is said."""
    with serving(kind) as url:
        assert judge(find("S-MODEL-07"), connect(url, Options()), Effort()).word == word
