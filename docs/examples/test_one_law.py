"""One law of the contract suite in a test of one's own: of a server by its URL, of a client by its name."""

import pytest

from contracts import C_READ_02, S_FRAME_03


@pytest.mark.inferneo(strict=False)
def test_our_server_ends_its_streams(inferneo_url):
    S_FRAME_03(inferneo_url, seed=1)


@pytest.mark.inferneo(strict=False)
def test_a_broken_law_says_what_was_asked(inferneo_mock, inferneo_url):
    inferneo_mock.on().fail({"kind": "no-done"})
    with pytest.raises(AssertionError, match=r"data: .DONE."):
        S_FRAME_03(inferneo_url)


def test_our_client_reads_streams():
    C_READ_02("inferneo", examples=0.3)
