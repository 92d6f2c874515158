"""An outage of the whole session, and its end. A test that forgets the end fails."""

import pytest

from inferneo import InferneoAPIError
from mockserver import chat, status

ASK = {"model": "m", "messages": [{"role": "user", "content": "Hello!"}]}


def test_the_service_comes_back(inferneo_mock, inferneo_client):
    inferneo_mock.on(chat()).reply("Done.")
    inferneo_mock.faults(status(503))
    client = inferneo_client.with_options(max_retries=0)
    with pytest.raises(InferneoAPIError, match="the script says so"):
        client.chat.completions.create(**ASK)
    inferneo_mock.heal()
    assert client.chat.completions.create(**ASK).choices[0].message.content == "Done."
    inferneo_mock.assert_called(chat(contains="Hello"), times=2)
