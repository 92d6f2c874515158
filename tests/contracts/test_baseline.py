"""Known failures do not fail a run until they expire; those that are gone are said; the file survives its writing."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stranger import Stranger, serving
from wrong_servers import NoDone

from contracts.baseline import Baseline, Known, load, pattern, to_toml, updated
from contracts.cli import main
from contracts.law import laws

TODAY = date(2026, 3, 1)
IDS = [law.id for law in laws()]
ENTRIES = st.builds(
    Known,
    st.sampled_from(IDS),
    st.text(min_size=1).filter(str.strip),
    st.sampled_from(["*", "http://127.0.0.1:*", "inferneo"]),
    st.text(),
    st.none() | st.dates(),
)


@given(st.lists(ENTRIES, max_size=4))
def test_what_is_written_is_read(tmp_path_factory: pytest.TempPathFactory, entries: list[Known]) -> None:
    """Any text; a lone surrogate, which TOML does not have, is replaced."""
    path = tmp_path_factory.mktemp("b") / "b.toml"
    path.write_text(to_toml(Baseline(path, tuple(entries))), encoding="utf-8")
    assert load(str(path)).entries == tuple(
        replace(one, reason=_plain(one.reason), ticket=_plain(one.ticket)) for one in entries
    )


def _plain(text: str) -> str:
    return "".join("\ufffd" if "\ud800" <= c <= "\udfff" else c for c in text)


def test_an_entry_speaks_of_its_law_on_its_target() -> None:
    """Until the day it expires."""
    entry = Known("S-FRAME-03", "a proxy cuts", "http://127.0.0.1:*", expires=TODAY)
    assert entry.covers("S-FRAME-03", "http://127.0.0.1:8000")
    assert not entry.covers("S-FRAME-03", "http://example.com")
    assert not entry.covers("S-FRAME-04", "http://127.0.0.1:8000")
    assert entry.is_expired(TODAY)
    assert not entry.is_expired(TODAY - timedelta(days=1))
    assert not replace(entry, expires=None).is_expired(TODAY)


@pytest.mark.parametrize(
    ("target", "others", "named"),
    [
        ("http://127.0.0.1:8000", [], "http://127.0.0.1:*"),
        ("http://localhost:8000/api", [], "http://localhost:*/api"),
        ("http://[::1]:8000", [], "http://[::1]:*"),
        ("https://example.com:8000", [], "https://example.com:8000"),
        ("http://127.0.0.1:8000", ["http://127.0.0.1:8000", "http://10.0.0.1:8001"], "http://127.0.0.1:*"),
        ("http://127.0.0.1:8000", ["http://127.0.0.1:8001"], "http://127.0.0.1:8000"),
        ("http://127.0.0.1:8000/a", ["http://127.0.0.1:8000/b"], "http://127.0.0.1:*/a"),
        ("inferneo", [], "inferneo"),
    ],
)
def test_the_port_of_this_machine_is_not_remembered(target: str, others: list[str], named: str) -> None:
    """It is another one in each run; unless two servers of one run would be taken for each other. What is written
    covers what was judged, whatever the characters of its name."""
    assert pattern(target, others) == named
    assert Known("S-ID-01", "r", named).covers("S-ID-01", target)


def test_only_an_asterisk_has_a_meaning() -> None:
    """A bracket and a question mark are themselves: both occur in URLs."""
    assert Known("S-ID-01", "r", "http://[::1]:80").covers("S-ID-01", "http://[::1]:80")
    assert not Known("S-ID-01", "r", "http://a?").covers("S-ID-01", "http://ab")


def test_an_update_adds_and_renews() -> None:
    """What is known and not expired stays as it is, reason and ticket too."""
    old = Known("S-FRAME-03", "why", ticket="T-1", expires=TODAY)
    kept = Known("S-ID-01", "why not")
    new = updated(
        Baseline(Path("b"), (old, kept)),
        [("S-FRAME-03", "u", "r"), ("S-ID-01", "u", "r"), ("S-ID-02", "u", "r")],
        TODAY,
    )
    until = TODAY + timedelta(days=90)
    added = Known("S-ID-02", "not yet explained: r", "u", "", until)
    assert new.entries == (replace(old, expires=until), kept, added)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("known = 1", "expected [[known]] tables"),
        ("[other]", "it holds other; expected"),
        ("x", "is no TOML"),
        ('[[known]]\nlaw = "S-FRAME-03"', "number 1 needs law and reason"),
        ('[[known]]\nlaw = "S-FRAME-03"\nreason = " "', "(S-FRAME-03) has no reason"),
        ('[[known]]\nlaw = "S-FRAME-03"\nreason = "r"\nuntil = 1', "unknown key 'until'; known keys: expires"),
        ('[[known]]\nlaw = "S-FRME-03"\nreason = "r"', "did you mean S-FRAME-03"),
        ('[[known]]\nlaw = "S-FRAME-03"\nreason = "r"\nexpires = "2026-01-01"', "expected a date like"),
    ],
)
def test_a_bad_file_is_exit_2(text: str, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One line that says what would be right."""
    path = tmp_path / "b.toml"
    path.write_text(text)
    assert main(["run", "http://127.0.0.1:9", "--baseline", str(path)]) == 2
    error = capsys.readouterr().err
    assert words in error
    assert error.count("\n") == 1


def test_writing_needs_a_file(capsys: pytest.CaptureFixture[str]) -> None:
    """--update-baseline alone says nothing of where."""
    assert main(["run", "http://127.0.0.1:9", "--update-baseline"]) == 2
    assert "need --baseline FILE" in capsys.readouterr().err


@pytest.mark.slow
def test_the_life_of_a_known_failure(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Found, taken into the baseline, known, expired, mended, said to be gone, pruned."""
    path = tmp_path / "known.toml"
    flags = ["--law", "S-FRAME-03", "--no-recorded", "--budget", "5s", "--profile", "openai", "--baseline", str(path)]
    with serving(NoDone) as url:
        assert main(["run", url, *flags[:-2]]) == 1
        assert main(["run", url, *flags]) == 2, "the file is not there yet"
        assert main(["run", url, *flags, "--update-baseline", "--junit", str(tmp_path / "r.xml")]) == 0
        assert "known: not yet explained" in (tmp_path / "r.xml").read_text()
        capfd.readouterr()
        assert main(["run", url, *flags, "--markdown", str(tmp_path / "r.md")]) == 0
        assert "1 law: 1 known" in capfd.readouterr().out
        assert "Known failures" in (tmp_path / "r.md").read_text()
        text = path.read_text()
        assert 'target = "http://127.0.0.1:*"' in text
        (line,) = [line for line in text.splitlines() if line.startswith("expires")]
        path.write_text(text.replace(line, "expires = 2020-01-01"))
        assert main(["run", url, *flags]) == 1
        assert "but expired on 2020-01-01" in capfd.readouterr().out
    with serving(Stranger) as url:
        assert main(["run", url, *flags]) == 0
        assert "baseline: S-FRAME-03 is no longer broken" in capfd.readouterr().out
        assert main(["run", url, *flags, "--prune-baseline"]) == 0
    assert load(str(path)).entries == ()
