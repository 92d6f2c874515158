"""What a new user gets wrong: one line that says what, what was seen and what would be right, and exit 2."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from stranger import Stranger, serving

from contracts.cli import main

WITHOUT = (
    "import sys; sys.modules['hypothesis'] = None; sys.argv = ['inferneo-contracts', *sys.argv[1:]]\n"
    "from contracts.cli import main; raise SystemExit(main())"
)
"""The command where the extra is not installed."""


def run(*words: str) -> subprocess.CompletedProcess[str]:
    """Python, with these words."""
    return subprocess.run([sys.executable, *words], check=False, capture_output=True, text=True, timeout=60)


def without_the_extra(*words: str) -> subprocess.CompletedProcess[str]:
    """What the command says then."""
    return run("-c", WITHOUT, *words)


@pytest.mark.parametrize("flag", ["--help", "--version"])
def test_help_and_version_need_no_extra(flag: str) -> None:
    """They say what the command is, and end with 0."""
    said = without_the_extra(flag)
    assert (said.returncode, said.stderr) == (0, "")
    assert "inferneo-contracts" in said.stdout


@pytest.mark.parametrize("words", [["list"], ["run"], ["clients"], ["replay", "x.json"], ["explain", "S-FRAME-03"]])
def test_the_missing_extra_is_named(words: list[str]) -> None:
    """One line, no traceback."""
    said = without_the_extra(*words)
    assert (said.returncode, said.stdout) == (2, "")
    assert said.stderr.count("\n") == 1, said.stderr
    assert "pip install 'inferneo[contracts]'" in said.stderr


@pytest.mark.parametrize("plugin", [(), ("-p", "contracts.plugin")])
def test_the_suite_as_pytest_names_the_missing_extra(plugin: tuple[str, ...], tmp_path: Path) -> None:
    """The same line, as pytest tells a mistake, whether or not the plugin is named."""
    # pytest imports what it rewrites past every finder: the folder it runs in comes first. Other plugins of the
    # environment may import hypothesis, or warn, before ours is asked.
    (tmp_path / "hypothesis.py").write_text("raise ModuleNotFoundError('No module', name='hypothesis')")
    words = ["-p", "_inferneo_pytest", "-p", "no:cacheprovider", *plugin, "--pyargs", "contracts.suite"]
    unset = ("PYTEST_ADDOPTS", "PYTEST_PLUGINS", "PYTHONSAFEPATH")
    kept = {name: value for name, value in os.environ.items() if name not in unset}
    paths = filter(None, (str(tmp_path), kept.get("PYTHONPATH")))
    kept |= {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONPATH": os.pathsep.join(paths)}
    said = subprocess.run(
        [sys.executable, "-m", "pytest", *words, "--inferneo-url", "http://127.0.0.1:9"],
        cwd=tmp_path,
        env=kept,
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    needed = "contracts.suite needs 'hypothesis', which is not installed: pip install 'inferneo[contracts]'"
    assert said.stderr.split("\n") == [f"ERROR: {needed}", "", ""], said.stderr
    assert said.returncode == 4


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (
            ["--help"],
            ["run http://127.0.0.1:8000", "explain S-FRAME-03", "replay failures/", "no server, or interrupted"],
        ),
        (["run", "--help"], ["explain LAW", "replay FILE"]),
        (["list", "--help"], ["Show all laws.", "explain LAW"]),
        (["explain", "--help"], ["list shows"]),
        (["replay", "--help"], ["run --save", "explain LAW"]),
    ],
)
def test_each_command_says_which_comes_next(
    words: list[str], told: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """A newcomer finds the others from any of them."""
    with pytest.raises(SystemExit):
        main(words)
    text = " ".join(capsys.readouterr().out.split())
    assert [one for one in told if one not in text] == []


def test_the_package_is_the_command() -> None:
    """`python -m contracts` is another name for it; a word it does not know is one line."""
    said = run("-m", "contracts", "rnu")
    assert said.returncode == 2
    assert said.stderr.count("\n") == 1, said.stderr
    assert "invalid choice: 'rnu'" in said.stderr


def mistake(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """The one line on stderr."""
    assert main(words) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("\n") == 1, said.err
    return said.err


class Choosy(Stranger):
    """A server that refuses a model it does not list."""

    def do_POST(self) -> None:  # noqa: N802 - the name that http.server calls
        """404 with the name."""
        self.rfile.read(int(self.headers["Content-Length"]))
        text = b'{"error": {"message": "the model does not exist"}}'
        self.send_response(404)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)


def test_an_unknown_model_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    """With those that there are."""
    with serving(Choosy) as url:
        said = mistake(capsys, "run", url, "--model", "nope")
    assert "the server has no model 'nope'; it lists 'org/small', 'org/large'" in said


@pytest.mark.slow
def test_a_server_that_answers_no_plain_request_is_not_kept(capfd: pytest.CaptureFixture[str]) -> None:
    """All laws unsupported is no success: exit 1, and why."""
    with serving(Choosy) as url:
        assert main(["run", url, "--law", "S-PLAIN-01", "--no-recorded", "--budget", "5s"]) == 1
    assert "NOT JUDGED" in capfd.readouterr().out


def test_https_on_a_plain_server_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    """The URL and what to try."""
    with serving(Stranger) as url:
        said = mistake(capsys, "run", url.replace("http://", "https://"))
    assert url.replace("http://", "https://") in said
    assert f"try {url}" in said


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("run http://127.0.0.1:9 --law C-CUT-01", "C-CUT-01 is a client law; use `inferneo-contracts clients`"),
        ("clients --law S-FRAME-03", "S-FRAME-03 is a server law; use `inferneo-contracts run URL`"),
        ("clients --mock-url http://127.0.0.1:9", "no fake server answers at http://127.0.0.1:9"),
        ("clients --client command:/nonexistent", "cannot start '/nonexistent': no such program"),
        ("run --html /no/such/r.html", "--html '/no/such/r.html': there is no folder '/no/such'"),
        ("run --junit /", "--junit '/' is a folder"),
        ("run --baseline /no/such.toml", "'/no/such.toml': no such file; --update-baseline makes it"),
        ("run --target /no/such.toml", "--target '/no/such.toml': no such file"),
        ("replay /no/such.json", "replay '/no/such.json': no such file"),
    ],
)
def test_a_mistake_is_told_before_the_run(words: str, told: str, capsys: pytest.CaptureFixture[str]) -> None:
    """It names the option, what was given and what would be right."""
    assert told in mistake(capsys, *words.split())


def test_a_folder_of_saved_failures_is_no_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`--save` wants a folder."""
    file = tmp_path / "x"
    file.write_text("")
    assert "expected a folder" in mistake(capsys, "run", "--save", str(file))


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (
            "run --budjet=3s",
            "run: unrecognized arguments: --budjet=3s; did you mean '--budget'?; see inferneo-contracts r",
        ),
        ("clients --cleint=openai", "clients: unrecognized arguments: --cleint=openai; did you mean '--client'?"),
        (
            "run --url=http://127.0.0.1:1",
            "--url=http://127.0.0.1:1; a server's URL stands by itself, without an option",
        ),
        ("list --html", "inferneo-contracts list: unrecognized arguments: --html; see inferneo-contracts list --help"),
        ("rnu", "did you mean 'run'?; see inferneo-contracts --help"),
        ("run --profile engin", "did you mean 'engine'?; see inferneo-contracts run --help"),
    ],
)
def test_a_misspelt_word_is_told_with_the_nearest(words: str, told: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Options, commands and choices, in one line of the command that was meant."""
    with pytest.raises(SystemExit) as left:
        main(words.split())
    said = capsys.readouterr().err
    assert (left.value.code, said.count("\n")) == (2, 1)
    assert told in said
