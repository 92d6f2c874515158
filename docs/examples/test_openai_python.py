"""OpenAI's Python SDK: `openai_env` points it at the test's own session."""

from openai import OpenAI

from mockserver import chat, status


def test_openai(inferneo_mock, openai_env):
    inferneo_mock.on(chat(contains="report")).fail(status(429, retry_after=0), times=1).reply("Done.")
    with OpenAI() as client:
        answer = client.chat.completions.create(model="m", messages=[{"role": "user", "content": "the report, please"}])
    assert answer.choices[0].message.content == "Done."
    assert inferneo_mock.calls.attempts == 2
