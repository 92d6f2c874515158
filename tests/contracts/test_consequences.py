"""One cause is told once: what cannot be judged because a told law is broken is no further finding."""

from __future__ import annotations

import pytest

from contracts.consequences import named, quiet


def verdict(law: str, word: str, reason: str = "", target: str = "a") -> dict[str, str]:
    """One verdict, as a run tells it."""
    return {"law": law, "word": word, "reason": reason, "target": target}


@pytest.mark.parametrize(
    ("reason", "laws"),
    [
        ("no list of models (S-MODEL-01 judges that)", ["S-MODEL-01"]),
        ("the document has no list of choices (the S-SHAPE laws judge that)", ["S-SHAPE"]),
        ("there is not one choice (S-CHOICE and S-SHAPE laws judge that)", ["S-CHOICE", "S-SHAPE"]),
        ("the law could not be judged: KeyError('S-MODEL-01')", []),
    ],
)
def test_a_reason_names_laws(reason: str, laws: list[str]) -> None:
    """Those that judge what is wrong, and no others."""
    assert named(reason) == laws


def test_a_consequence_of_a_told_law_is_quiet() -> None:
    """Also one of a consequence, and of a family; on another target, or of a law that is kept, it stays."""
    found = [
        verdict("S-SHAPE-08", "failed"),
        verdict("S-ID-03", "broken", "created is no integer (S-SHAPE-08 judges that)"),
        verdict("S-ID-04", "broken", "no number (S-ID-03 judges that)"),
        verdict("S-USAGE-01", "broken", "no choices (the S-SHAPE laws judge that)"),
        verdict("S-TOOL-05", "broken", "the answer is no event stream (S-FRAME-01 judges that)"),
        verdict("S-ID-03", "broken", "created is no integer (S-SHAPE-08 judges that)", "b"),
        verdict("S-PLAIN-01", "broken", "the law could not be judged: KeyError('x')"),
    ]
    words = [one["word"] for one in quiet(dict(enumerate(found))).values()]
    assert words == ["failed", "unsupported", "unsupported", "unsupported", "broken", "broken", "broken"]
    assert [one["word"] for one in found].count("broken") == 6
