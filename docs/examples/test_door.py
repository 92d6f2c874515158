"""From another process or language: arm a session over HTTP, in the same words, and ask what happened."""

import json
import urllib.request

SCRIPT = {
    "rules": [
        {
            "name": "flaky report",
            "match": {"path": "/v1/chat/completions", "contains": "report"},
            "faults": [[{"kind": "status", "status": 429, "retry_after": 0}], []],
            "reply": {"text": "Done."},
        }
    ]
}


def http(method, url, document=None):
    data = None if document is None else json.dumps(document).encode()
    with urllib.request.urlopen(urllib.request.Request(url, data, method=method), timeout=10) as response:
        return json.load(response)


def test_the_door(inferneo_url, inferneo_client):
    assert http("PUT", f"{inferneo_url}/_mock/script", SCRIPT) == {"rules": 1}
    inferneo_client.chat.completions.create(model="m", messages=[{"role": "user", "content": "the report"}])
    journal = http("GET", f"{inferneo_url}/_mock/journal?wait_for=2&within=5&rule=flaky+report")
    assert [exchange["status"] for exchange in journal["exchanges"]] == [429, 200]
