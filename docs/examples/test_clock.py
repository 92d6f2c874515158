"""Time without waiting: the session's own clock stops, advances and is set; no other session notices."""

import pytest

from inferneo import InferneoRateLimitError

ASK = {"model": "meta-llama/Llama-2-7b-chat-hf", "messages": [{"role": "user", "content": "Hello!"}]}


def test_the_limit_is_over_when_the_server_says(inferneo_mock, inferneo_client):
    inferneo_mock.load({"limits": {"requests_per_minute": 2}})
    inferneo_mock.clock.freeze(at="2026-12-31T23:59:00Z")
    create = inferneo_client.with_options(max_retries=0).chat.completions.create
    assert [create(**ASK).created for _ in range(2)] == [1798761540] * 2
    with pytest.raises(InferneoRateLimitError) as caught:
        create(**ASK)
    assert caught.value.retry_after == 30
    inferneo_mock.clock.advance(30)
    assert create(**ASK).created == 1798761570
