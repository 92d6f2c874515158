"""Was the client right? The verdict weighs what the wire carried against what the client's user saw."""

from mockserver import chat, cut, status

ASK = {"model": "m", "messages": [{"role": "user", "content": "the report, please"}]}


def summarize(client):
    return client.chat.completions.create(**ASK).choices[0].message.content


def test_the_client_obeys(inferneo_mock, inferneo_client):
    inferneo_mock.on(chat()).fail(status(503), times=1).reply("Done.")
    with inferneo_mock.call("summary") as call:
        assert call.run(summarize, inferneo_client) == "Done."
    assert call.verdict()


def test_the_client_raises_after_the_first_token(inferneo_mock, inferneo_client):
    inferneo_mock.on(chat(stream=True)).fail(cut(at="content[2]", how="rst")).reply("one two three")
    with inferneo_mock.call("story") as call:
        call.run(lambda: list(call.watch(inferneo_client.chat.completions.create(**ASK, stream=True))))
    assert call.verdict()


def test_a_careless_client_is_found(inferneo_mock, inferneo_client):
    inferneo_mock.on(chat(stream=True)).fail(cut(after_events=2, how="fin")).reply("one two three")
    with inferneo_mock.call("story") as call:
        parts = []
        try:
            for chunk in inferneo_client.chat.completions.create(**ASK, stream=True):
                parts.append(chunk.text or "")
        except Exception:
            pass  # the mistake: the part is taken for the whole
        call.returned("".join(parts))
    assert call.verdict().ids == ("truncated-accepted",)
