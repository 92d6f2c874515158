"""requests, or any HTTP library: the base URL is all it needs."""

import requests

from mockserver import chat


def test_requests(inferneo_mock, inferneo_url):
    inferneo_mock.on(chat(contains="report")).reply("Done.")
    body = {"model": "m", "messages": [{"role": "user", "content": "the report, please"}]}
    with requests.post(f"{inferneo_url}/v1/chat/completions", json=body, timeout=10) as response:
        assert response.json()["choices"][0]["message"]["content"] == "Done."
