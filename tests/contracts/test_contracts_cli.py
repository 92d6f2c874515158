"""The command: its exit codes, its files, its one line for a mistake."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest
from stranger import Stranger, serving
from wrong_servers import NoDone

from contracts.cli import main

ONE = ["--law", "S-FRAME-03", "--no-recorded", "--budget", "5s"]


def test_a_kept_law_is_exit_0(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """The table has the verdict, the files have it too."""
    files = [tmp_path / name for name in ("r.json", "r.xml", "r.md")]
    with serving(Stranger) as url:
        flags = ["--json", str(files[0]), "--junit", str(files[1]), "--markdown", str(files[2])]
        assert main(["run", url, *ONE, *flags]) == 0
    assert "S-FRAME-03" in capfd.readouterr().out
    document = json.loads(files[0].read_text())
    assert [v["word"] for v in document["verdicts"]] == ["ok"]
    assert document["exit_code"] == 0
    (suite,) = ElementTree.parse(files[1]).getroot()
    assert suite.get("failures") == "0"
    assert "1 law: 1 ok" in files[2].read_text()


def test_a_broken_law_is_exit_1(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """It is shown with its request, and saved as a file that a fake can replay."""
    from mockserver.scripting.script import parse_script

    with serving(NoDone) as url:
        assert (
            main(["run", url, *ONE, "--profile", "openai", "--save", str(tmp_path), "--junit", str(tmp_path / "r.xml")])
            == 1
        )
    out = capfd.readouterr().out
    assert "S-FRAME-03 FAILED" in out
    assert "curl -sS" in out
    (saved,) = tmp_path.glob("*.json")
    fixture = json.loads(saved.read_text())
    assert fixture["law"] == "S-FRAME-03"
    assert fixture["exchanges"]
    assert parse_script(fixture["script"]).rules
    (suite,) = ElementTree.parse(tmp_path / "r.xml").getroot()
    assert suite.get("failures") == "1"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["run", "http://127.0.0.1:9"], "cannot judge http://127.0.0.1:9: refused"),
        (["run", "localhost:8000"], "'localhost:8000' is no base URL; expected http://HOST:PORT"),
        (["run", "http://127.0.0.1:9", "--budget", "soon"], "'soon' is no budget; expected a time like 60s, 5m or 1h"),
        (["run", "http://127.0.0.1:9", "--law", "X-1"], "no law's id begins with X-1"),
        (
            ["run", "http://127.0.0.1:9", "--law", "S-FRME-03"],
            "no law's id begins with S-FRME-03; did you mean S-FRAME-03",
        ),
        (["run", "--target", "/no/such/file.toml"], "/no/such/file.toml"),
        (["explain", "S-FRME-03"], "did you mean S-FRAME-"),
        (["run", "http://127.0.0.1:9", "-n", "many"], "-n 'many' is no number of processes; expected auto, 1, 2"),
        (["run", "http://127.0.0.1:9", "--database", "s3://x"], "--database 's3://x' is none that is known"),
        (["clients", "--client", "curl"], "unknown client 'curl'; known clients: inferneo"),
    ],
)
def test_a_mistake_is_exit_2_and_one_line(arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    """No traceback for a user's mistake."""
    assert main(arguments) == 2
    captured = capsys.readouterr()
    assert words in captured.err
    assert captured.err.count("\n") == 1
    assert captured.err.startswith("inferneo-contracts: ")
    assert captured.out == ""


def test_a_target_file_is_checked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An unknown key is named."""
    file = tmp_path / "t.toml"
    file.write_text('url = "http://127.0.0.1:9"\nmodle = "x"\n')
    assert main(["run", "--target", str(file)]) == 2
    assert "unknown key 'modle'" in capsys.readouterr().err


def test_list_and_explain(capsys: pytest.CaptureFixture[str]) -> None:
    """All laws, as lines and as JSON; one law at length, with who breaks it."""
    assert main(["list"]) == 0
    assert "server laws" in capsys.readouterr().out
    assert main(["list", "--json"]) == 0
    assert {"id", "level", "title", "needs"} <= set(json.loads(capsys.readouterr().out)[0])
    assert main(["explain", "s-frame-03"]) == 0
    out = capsys.readouterr().out
    assert "broken by transformers-serve-5.23" in out
    assert "a proxy has cut" in out
    assert "to judge by it alone: inferneo-contracts run URL --law S-FRAME-03" in out
    assert main(["explain", "C-SEND-01"]) == 0
    assert "to judge by it alone: inferneo-contracts clients --law C-SEND-01" in capsys.readouterr().out


@pytest.mark.slow
def test_the_clients_are_judged_against_the_embedded_fake(capfd: pytest.CaptureFixture[str]) -> None:
    """No URL needed: the fake is started for it; both forms of our client keep the laws asked for."""
    assert main(["clients", "--law", "C-READ-01", "--law", "C-SEND-05", "--budget", "30s"]) == 0
    assert "inferneo: 2 laws: 2 ok" in capfd.readouterr().out


@pytest.mark.slow
def test_several_processes_give_the_verdicts_of_one(tmp_path: Path) -> None:
    """Nothing is lost or told twice: the laws that measure a server come after those that bear company."""
    words = []
    with serving(Stranger) as url:
        for number, workers in enumerate(("1", "3")):
            file = tmp_path / f"{number}.json"
            flags = ["--recorded", "--law", "S-FRAME", "--law", "S-HEALTH-01", "--law", "S-STREAM", "--budget", "60s"]
            assert main(["run", url, *flags, "--profile", "openai", "-n", workers, "--json", str(file)]) == 0
            verdicts = json.loads(file.read_text())["verdicts"]
            words.append(sorted((v["law"], v["where"], v["target"], v["word"]) for v in verdicts))
    assert words[0] == words[1]
    assert len(words[0]) > 100


@pytest.mark.slow
@pytest.mark.parametrize("law", ["S-FRAME-03", "S-HEALTH-03"])
def test_several_processes_judge_one_law(law: str, capfd: pytest.CaptureFixture[str]) -> None:
    """Though only one of the suite's two parts has a law then."""
    with serving(Stranger) as url:
        assert main(["run", url, "--law", law, "--no-recorded", "--profile", "openai", "-n", "2"]) == 0
    assert "1 law: 1 ok" in capfd.readouterr().out


@pytest.mark.slow
def test_what_failed_is_kept_for_the_next_run(tmp_path: Path) -> None:
    """The folder of --database holds the case under the law's id."""
    with serving(NoDone) as url:
        assert main(["run", url, *ONE, "--profile", "openai", "--database", str(tmp_path / "cases")]) == 1
    assert [path for path in (tmp_path / "cases").rglob("*") if path.is_file()]
