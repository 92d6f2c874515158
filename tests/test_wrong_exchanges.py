"""What only a whole exchange shows: each file of `fixtures/wrong/laws` holds raw bytes, refused by the law it names."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from recordings import ROOT, read_messages

from contracts.judge import Effort, judge
from contracts.law import find
from contracts.profile import PROFILES
from contracts.recorded import RecordedTarget

FILES = sorted((ROOT / "wrong" / "laws").rglob("*.json"))


def raw(exchange: dict[str, Any], name: str) -> bytes:
    """The bytes of the request or the response: text is UTF-8, all else is base64."""
    if f"{name}_base64" in exchange:
        return base64.b64decode(exchange[f"{name}_base64"], validate=True)
    text: str = exchange[name]
    return text.encode()


def as_recording(exchanges: list[dict[str, Any]], folder: Path) -> RecordedTarget:
    """The exchanges as if a real server had been recorded saying them."""
    index = []
    for number, exchange in enumerate(exchanges):
        file = f"{number}.http"
        data = b"### REQUEST\n" + raw(exchange, "request") + b"\n### RESPONSE\n" + raw(exchange, "response")
        (folder / file).write_bytes(data)
        index.append({"name": str(number), "file": file, "end": "eof"})
    (folder / "index.json").write_text(json.dumps(index))
    return RecordedTarget(folder, PROFILES["docs"])


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_a_wrong_exchange_is_refused(path: Path, tmp_path: Path) -> None:
    """The law that the file names is broken by its bytes; no more than a SHOULD may be broken leniently."""
    wrong = json.loads(path.read_text("utf-8"))
    assert set(wrong) == {"refused_by", "because", "exchanges"}
    assert wrong["refused_by"] == path.parent.name
    assert wrong["because"]
    law = find(wrong["refused_by"])
    verdict = judge(law, as_recording(wrong["exchanges"], tmp_path), Effort())
    assert verdict.word == ("failed" if law.level == "must" else "lenient"), verdict
    assert verdict.failure is not None


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_a_wrong_exchange_is_wrong_in_content_only(path: Path) -> None:
    """Its bytes are readable messages, so that it is the law, not a parser, that refuses them."""
    for exchange in json.loads(path.read_text("utf-8"))["exchanges"]:
        (request,) = read_messages(raw(exchange, "request"), path.name)
        (response,) = read_messages(raw(exchange, "response"), path.name, [request.method])
        assert request.complete
        assert response.status == 200


def test_many_laws_have_wrong_exchanges() -> None:
    """Framing, shape, order and accounting are all covered."""
    families = {path.parent.name.split("-")[1] for path in FILES}
    assert families >= {"FRAME", "SHAPE", "STREAM", "USAGE", "SAME", "ID", "MODEL"}
    assert len(FILES) >= 40
