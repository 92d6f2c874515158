"""Where a user's function raised: the user's own file, never ours."""

from __future__ import annotations

import pytest

from mockserver.scripting.blame import PACKAGE, placed, sentence_of


def raised_in(file: str) -> BaseException:
    """What a function `asked` in that file raises."""
    scope: dict[str, object] = {}
    exec(compile("def asked():\n    raise LookupError", file, "exec"), scope)  # a file of any name, without making it
    with pytest.raises(LookupError) as caught:
        scope["asked"]()  # type: ignore[operator]  # the function that was made above
    trace = caught.value.__traceback__
    assert trace is not None
    return caught.value.with_traceback(trace.tb_next)


def test_only_files_of_the_package_are_ours() -> None:
    """A folder beside the package whose name begins like its own holds the user's files."""
    users = f"{PACKAGE.rstrip('/')}-suite/test_x.py"
    told = placed("it failed", raised_in(users))
    assert told.endswith("test_x.py:2")
    assert sentence_of(told) == "it failed"
    assert placed("it failed", raised_in(f"{PACKAGE}x.py")) == "it failed"
