"""First tests: a scripted answer, a fault that is retried, a stream that breaks off."""

import pytest

from inferneo import InferneoStreamTruncatedError
from mockserver import chat, cut, status

ASK = {"model": "m", "messages": [{"role": "user", "content": "the report, please"}]}


def test_survives_a_rate_limit(inferneo_mock, inferneo_client):
    inferneo_mock.on(chat(contains="report")).fail(status(429, retry_after=0.2), times=2).reply("Done.")
    assert inferneo_client.chat.completions.create(**ASK).choices[0].message.content == "Done."
    assert inferneo_mock.calls.attempts == 3


def test_a_cut_stream_is_not_an_answer(inferneo_mock, inferneo_client):
    inferneo_mock.on(chat(stream=True)).fail(cut(at="content[2]", how="fin")).reply("one two three four")
    with pytest.raises(InferneoStreamTruncatedError):
        "".join(chunk.text or "" for chunk in inferneo_client.chat.completions.create(**ASK, stream=True))
