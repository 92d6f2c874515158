"""The error tree: drawn, picklable, readable."""

from __future__ import annotations

import copy
import inspect
import pickle
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import inferneo
from inferneo import InferneoAPIError, InferneoError, InferneoTimeoutError, Partial, _errors
from inferneo._failure import read_failure, status_error, status_said
from inferneo._headers import Headers

CLASSES = [kind for kind in vars(_errors).values() if inspect.isclass(kind) and issubclass(kind, InferneoError)]
PLAIN = (
    st.none() | st.text(max_size=8) | st.integers() | st.dictionaries(st.text(max_size=3), st.integers(), max_size=2)
)


def test_tree_is_drawn() -> None:
    """Each class stands in the module's drawing, under its parent, and is exported."""
    drawing = _errors.__doc__ or ""
    for kind in CLASSES:
        assert kind.__name__ in drawing
        assert getattr(inferneo, kind.__name__) is kind
        assert kind.__doc__
    assert len(CLASSES) == 15


@pytest.mark.parametrize("kind", CLASSES)
@given(message=st.text(max_size=20), body=PLAIN, text=st.text(max_size=5))
def test_round_trips(kind: type[InferneoError], message: str, body: Any, text: str) -> None:
    """pickle, copy and deepcopy keep class, message and every attribute."""
    error = kind(
        message,
        status_code=429,
        body=body,
        code=text,
        headers=Headers([(b"a", b"b")]),
        partial=Partial({0: text}),
        elapsed=0.5,
        attempts=2,
        retryable=True,
    )
    if isinstance(error, InferneoTimeoutError):
        error.phase = "idle"
    for other in (pickle.loads(pickle.dumps(error)), copy.copy(error), copy.deepcopy(error)):
        assert type(other) is kind
        for name in (*_errors.ATTRIBUTES, "message", "retryable", "phase"):
            assert getattr(other, name, None) == getattr(error, name, None)
        assert str(other) == str(error) == error.message != ""


def test_unknown_attribute_is_refused() -> None:
    """A misspelt attribute is a TypeError, not a silent one."""
    with pytest.raises(TypeError, match="status"):
        InferneoError("x", status=5)


def test_unset_attributes_are_none() -> None:
    """All attributes exist on every error."""
    error = InferneoError("x")
    assert [getattr(error, name) for name in _errors.ATTRIBUTES] == [None] * len(_errors.ATTRIBUTES)
    assert error.retryable is False


KEYS = st.sampled_from(["error", "message", "detail", "code", "type", "loc", "msg", "title"])
BODIES = st.recursive(
    PLAIN | st.floats() | st.booleans(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner),
)


@given(BODIES)
def test_any_body_makes_an_error(body: Any) -> None:
    """Whatever a server says, the message is text and not empty."""
    said = read_failure(body)
    assert all(part is None or isinstance(part, str) for part in said)
    status_said(said)
    error = status_error(500, body, b"", url="u")
    assert isinstance(error, InferneoAPIError)
    assert error.message.startswith("HTTP 500: ")


@pytest.mark.parametrize(
    ("status", "name"),
    [
        (400, "InferneoBadRequestError"),
        (401, "InferneoAuthenticationError"),
        (403, "InferneoPermissionError"),
        (404, "InferneoNotFoundError"),
        (409, "InferneoConflictError"),
        (422, "InferneoUnprocessableEntityError"),
        (429, "InferneoRateLimitError"),
        (418, "InferneoAPIError"),
        (500, "InferneoServerError"),
        (599, "InferneoServerError"),
        (600, "InferneoAPIError"),
    ],
)
def test_class_of_status(status: int, name: str) -> None:
    """Each status has its class."""
    assert type(status_error(status, None, b"")).__name__ == name


def test_partial() -> None:
    """A dict by choice index whose text is that of the first choice."""
    assert str(Partial({1: "b", 0: "a"})) == "a"
    assert Partial().text == ""
