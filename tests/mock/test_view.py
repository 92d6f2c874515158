"""What matchers see of a request."""

from __future__ import annotations

import gc
import json
import weakref

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mockserver.request import Request
from mockserver.scripting.view import Said, View

roles = st.sampled_from(["user", "assistant", "system", ""])
lines = st.lists(st.tuples(roles, st.text(max_size=5)), max_size=5)


@given(lines, st.lists(roles | st.none(), max_size=6))
def test_what_was_said_is_told_by_role_however_often(said: list[tuple[str, str]], asked: list[str | None]) -> None:
    """One message per line, of one role or of all, the same each time it is asked for."""
    messages = [{"role": role, "content": text} for role, text in said]
    view = View(Request("POST", "/", body=json.dumps({"messages": messages}).encode()))
    for role in [*asked, *asked]:
        assert view.text(role) == "\n".join(text for speaker, text in said if role in (None, speaker))


def test_only_what_it_has() -> None:
    """A typing error is told as one."""
    with pytest.raises(AttributeError, match="no 'sayed'"):
        _ = View(Request("GET", "/")).sayed


def test_it_is_gone_with_the_request() -> None:
    """Nothing in it points back at it, so that the collector has nothing to do."""
    view = View(Request("POST", "/", body=b'{"prompt":"x"}'))
    assert view.text() == "x"

    class Witness(Said):
        __slots__ = ("__weakref__",)

    witness = view.said = Witness(view.lines)
    gone = weakref.ref(witness)
    gc.disable()
    try:
        del view, witness
        assert gone() is None
    finally:
        gc.enable()
