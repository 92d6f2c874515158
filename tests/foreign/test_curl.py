"""curl: what no SDK sends. Old protocol versions, odd methods, chunked uploads, a hesitant client, huge bodies."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from mock_door import HELLO, Mock

JSON = ("-H", "Content-Type: application/json")


@dataclass(frozen=True, slots=True)
class Answer:
    """The last response of a curl call: what `-i` shows before it, and its body."""

    version: str
    status: int
    headers: dict[str, str]
    body: str
    earlier: list[int]

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def curl(*words: str, data: str | None = None) -> Answer:
    """Run curl with `-i`; a failure to talk HTTP is an error with curl's own sentence."""
    command = ["curl", "--silent", "--show-error", "--noproxy", "*", "--max-time", "20", "-i", *words]
    done = subprocess.run(command, input=data and data.encode(), capture_output=True, check=False)
    assert done.returncode == 0, f"curl exit {done.returncode}: {done.stderr.decode()}"
    text = done.stdout.decode()
    earlier: list[int] = []
    while True:
        head, _, text = text.partition("\r\n\r\n")
        first, *lines = head.split("\r\n")
        version, status = first.split(" ")[:2]
        if int(status) >= 200:
            fields = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
            return Answer(version, int(status), fields, text, earlier)
        earlier.append(int(status))


def chat(mock: Mock, **more: Any) -> str:
    return json.dumps({"model": mock.chat_model, "messages": HELLO, "max_tokens": 6, "temperature": 0, **more})


def test_get_and_head_agree(mock: Mock) -> None:
    """HEAD has GET's status and headers and no body, or is refused as a method; either leaves the server well."""
    got, head = curl(f"{mock.base}/models"), curl("--head", f"{mock.base}/models")
    assert (got.status, got.headers["content-type"]) == (200, "application/json")
    assert int(got.headers["content-length"]) == len(got.body.encode())
    assert head.body == ""
    assert head.status in {200, 405}
    if head.status == 200:
        assert head.headers["content-length"] == got.headers["content-length"]
    assert curl(f"{mock.base}/models").status == 200


def test_options_and_a_wrong_method(mock: Mock) -> None:
    """OPTIONS and a refused method both say which methods there are."""
    options = curl("-X", "OPTIONS", f"{mock.base}/chat/completions")
    assert options.status in {200, 204, 405}
    assert "POST" in options.headers["allow"]
    refused = curl("-X", "DELETE", f"{mock.base}/chat/completions")
    assert (refused.status, "POST" in refused.headers["allow"]) == (405, True)
    assert refused.json["error"]["message"]


def test_a_preflight(docs_mock: Mock) -> None:
    """A browser's preflight is allowed the origin, the method and the headers it names."""
    asked = ("-H", "Origin: http://localhost:3000", "-H", "Access-Control-Request-Method: POST")
    headers = ("-H", "Access-Control-Request-Headers: authorization,content-type")
    answer = curl("-X", "OPTIONS", *asked, *headers, f"{docs_mock.base}/chat/completions")
    assert answer.status in {200, 204}
    assert answer.headers["access-control-allow-origin"] in {"*", "http://localhost:3000"}
    assert "POST" in answer.headers["access-control-allow-methods"]
    allowed = {name.strip().lower() for name in answer.headers["access-control-allow-headers"].split(",")}
    assert {"authorization", "content-type"} <= allowed


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_http_1_0(mock: Mock, stream: bool) -> None:
    """An HTTP/1.0 client gets the same text without chunking; a stream ends with the connection."""
    words = (*JSON, "-d", chat(mock, stream=stream), f"{mock.base}/chat/completions")
    old, new = curl("--http1.0", *words), curl(*words)
    assert (old.status, new.status) == (200, 200)
    assert "transfer-encoding" not in old.headers
    assert _text(old) == _text(new) != ""


def _text(answer: Answer) -> str:
    if answer.headers["content-type"].startswith("application/json"):
        return str(answer.json["choices"][0]["message"]["content"])
    events = [line.removeprefix("data: ") for line in answer.body.split("\n") if line.startswith("data: ")]
    assert events.pop() == "[DONE]"
    choices = [choice for event in events for choice in json.loads(event)["choices"]]
    return "".join(choice["delta"].get("content") or "" for choice in choices)


def test_a_chunked_upload(mock: Mock) -> None:
    """A body of unknown length, in chunks."""
    upload = ("-T", "-", "-X", "POST", "-H", "Transfer-Encoding: chunked")
    answer = curl(*upload, *JSON, f"{mock.base}/chat/completions", data=chat(mock))
    assert answer.status == 200
    assert answer.json["choices"][0]["message"]["content"]


def test_expect_100_continue(mock: Mock) -> None:
    """A client that waits for leave to send its body gets it: 100 and then the answer."""
    words = ("-H", "Expect: 100-continue", "--expect100-timeout", "15", *JSON, "-d", "@-")
    answer = curl(*words, f"{mock.base}/chat/completions", data=chat(mock))
    assert (answer.earlier, answer.status) == ([100], 200)


def test_a_stream_is_framed(mock: Mock) -> None:
    """`text/event-stream`, chunked, nothing but `data:` lines and blank ones."""
    answer = curl("-N", *JSON, "-d", chat(mock, stream=True), f"{mock.base}/chat/completions")
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.headers["transfer-encoding"] == "chunked"
    assert answer.body.endswith("data: [DONE]\n\n")
    assert all(line == "" or line.startswith("data: ") for line in answer.body.split("\n"))


def test_a_connection_is_kept(docs_mock: Mock) -> None:
    """Three requests of one curl call travel on one connection, an error among them."""
    bad = ("--next", *JSON, "-d", "{", f"{docs_mock.base}/chat/completions")
    curl(f"{docs_mock.base}/models", *bad, "--next", f"{docs_mock.base}/models")
    exchanges = docs_mock.ended(3)
    assert [exchange["status"] for exchange in exchanges] == [200, 400, 200]
    assert len({exchange["connection"] for exchange in exchanges}) == 1


@pytest.mark.parametrize(
    "body", ["", "{", "[]", "null", '"text"', "{} {}", '{"model": NaN}', "[" * 5000, "\ufeff{}", "{'model': 1}"]
)
def test_a_bad_body(mock: Mock, body: str) -> None:
    """400 with a message; the next request works."""
    answer = curl(*JSON, "--data-binary", "@-", f"{mock.base}/chat/completions", data=body)
    assert answer.status == 400
    assert answer.json["error"]["message"]
    assert curl(*JSON, "-d", chat(mock), f"{mock.base}/chat/completions").status == 200


def test_a_form(mock: Mock) -> None:
    """What `curl -d` sends without a content type is a form: refused in words, never a 500."""
    answer = curl("-d", chat(mock), f"{mock.base}/chat/completions")
    assert answer.status in {200, 400, 415, 422}
    assert (answer.status == 200) == ("choices" in answer.json)


def test_a_body_over_the_limit(docs_mock: Mock, tmp_path: Path) -> None:
    """More than 10 MB is a 413 with a message; the server goes on."""
    big = tmp_path / "big.json"
    big.write_text(json.dumps({"model": "m", "messages": [{"role": "user", "content": "x" * 11_000_000}]}))
    answer = curl(*JSON, "--data-binary", f"@{big}", f"{docs_mock.base}/chat/completions")
    assert answer.status == 413
    assert answer.json["error"]["message"]
    assert curl(f"{docs_mock.base}/models").status == 200


def test_a_compressed_upload(docs_mock: Mock) -> None:
    """A body in an encoding that is not spoken is a 4xx in words."""
    answer = curl(*JSON, "-H", "Content-Encoding: gzip", "-d", "nonsense", f"{docs_mock.base}/chat/completions")
    assert 400 <= answer.status < 500
    assert answer.json["error"]["message"]


@pytest.mark.parametrize("path", ["/v1/nowhere", "/", "//v1/models", "/v1/models/nobody%2Fknows", "/v1/../health/x"])
def test_an_unknown_path(mock: Mock, path: str) -> None:
    """404 in the documented envelope."""
    answer = curl("--path-as-is", f"{mock.url}{path}")
    assert answer.status == 404
    assert answer.json["error"]["message"]


def test_a_model_by_raw_and_by_encoded_id(mock: Mock) -> None:
    """The slash of an id may stand as it is or encoded."""
    for model in mock.models():
        for spelling in (model, model.replace("/", "%2F")):
            answer = curl(f"{mock.base}/models/{spelling}")
            assert (answer.status, answer.json["id"]) == (200, model)


def test_a_large_header(docs_mock: Mock) -> None:
    """100 kB of header are answered, with whatever status, and the next request works."""
    answer = curl("-H", f"X-Large: {'x' * 100_000}", f"{docs_mock.base}/models")
    assert answer.status in {200, 400, 431}
    assert curl(f"{docs_mock.base}/models").status == 200


def test_the_pages_beside_the_api(docs_mock: Mock) -> None:
    """Health, metrics and the API's description."""
    assert curl(f"{docs_mock.url}/health").json["status"]
    assert curl(f"{docs_mock.url}/metrics").headers["content-type"].startswith("text/plain")
    assert curl(f"{docs_mock.url}/openapi.json").json["openapi"].startswith("3.")
    assert curl(f"{docs_mock.base}/info").json["models"] == docs_mock.models()
