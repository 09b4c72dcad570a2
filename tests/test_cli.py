"""The commands as a user types them: what they print, and with which status they end."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from pipeline.cli import main

ROOT = Path(__file__).resolve().parent.parent
SEED = str(ROOT / "seeds" / "000_a6554d4f7dcfda61.txt")


def run(*args: str, stdin: str | bytes = "") -> tuple[int, str, str]:
    result = CliRunner().invoke(main, list(args), input=stdin)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.stdout, result.stderr


def test_help_everywhere() -> None:
    for path in ([], ["replay"], ["analyse"], ["explain"], ["schemas"], ["schemas", "show"], ["schemas", "check"]):
        status, out, _ = run(*path, "--help")
        assert status == 0
        assert len(out.splitlines()) > 4


def test_replay_prints_the_table_and_where_the_files_are(tmp_path: Path) -> None:
    status, out, _ = run("replay", SEED, "--out", str(tmp_path / "out"))
    assert status == 0
    assert "rocket_mortar_attack" in out
    assert "Green Zone" in out
    assert str(tmp_path / "out" / "events") in out.replace("\n", "")
    assert "dead-letters" not in out, "there are none"


def test_replay_with_dead_letters_ends_with_three_and_json_is_json(tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_text('{"text": "words", "id": "a"}\nbroken\n', encoding="utf8")
    status, out, _ = run("replay", str(tmp_path / "in.jsonl"), "--out", str(tmp_path / "out"), "--json", "--format", "jsonl")
    assert status == 3
    assert {name: json.loads(out)[name] for name in ("items", "dead_letters", "reports_written", "events")} == {
        "items": 1, "dead_letters": 1, "reports_written": 1, "events": [],
    }  # fmt: skip
    assert list((tmp_path / "out" / "reports").glob("*.jsonl"))


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["replay"], "Missing argument"),
        (["replay", SEED], "Missing option '--out'"),
        (["replay", "no/such/place", "--out", "x"], "does not exist"),
        (["replay", SEED, "--out", SEED], "is a file: choose a folder"),
        (["replay", SEED, "--out", "x", "--format", "xml"], "is not one of"),
        (["schemas", "show", "nothing"], "no schema 'nothing'"),
        (["flee"], "No such command"),
    ],
)
def test_wrong_use_ends_with_two_and_says_why(args: list[str], says: str) -> None:
    status, _, err = run(*args)
    assert status == 2
    assert says in err


def test_analyse_answers_and_ends_with_three_after_a_bad_line() -> None:
    good, bad = '{"id": "a", "text": "Baghdad said that oil exports rose."}\n', "nothing\n"
    status, out, _ = run("analyse", stdin=good)
    assert status == 0
    assert json.loads(out)["events"] == []
    status, out, _ = run("analyse", stdin=good + bad)
    assert status == 3
    assert [json.loads(line)["id"] for line in out.splitlines()] == ["a", None]


def test_explain_shows_evidence_rules_and_what_was_missing() -> None:
    status, out, _ = run("explain", SEED)
    assert status == 0
    for words in ("rocket_mortar_attack, intercepted, Green Zone (city), 2020-12-20", "slot.killed", "groupe hors-la-loi", "did not fire"):
        assert words in out
    assert "rocket_mortar_attack.claimed" not in out, "its type has an event"
    assert len(out.splitlines()) < 60
    _, everything, _ = run("explain", SEED, "--all")
    for words in (
        "slot.killed",
        "rocket_mortar_attack.claimed",
        "rule that fired",
        "rule that did not fire",
        "place named",
        "may mean",
        "De multiples roquettes",
    ):
        assert words in everything
    status, out, _ = run("explain", "-", "--json", "--published", "2020-12-20", "--title", "Rockets", stdin="Rockets hit the Green Zone in Baghdad today.")
    explanation = json.loads(out)
    assert explanation["events"][0]["event_date"] == "2020-12-20"
    assert explanation["matches"][0]["field"] == "title"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("Rockets hit Damascus on Monday.", ["no event: the text names nothing of Iraq"]),
        ("Baghdad said on Monday that oil exports rose.", ["no event: no rule begins with any word of it"]),
        ("A rocket was seen in Baghdad.", ["no event\n", "did not fire", "lacks act.destroy_in_air or act.intercept"]),
        ("No rockets hit Baghdad on Monday.", ["no event\n", "fired, but gave no event", "negated (No)", "places named"]),
    ],
)
def test_explain_says_why_there_is_no_event(text: str, says: list[str]) -> None:
    status, out, _ = run("explain", text)
    assert status == 0
    assert all(words in out for words in says)


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["no-such-file.txt"], "cannot be read: No such file"),
        (["seeds/"], "cannot be read: Is a directory"),
        (["tests/samples/archive/feed.xml.gz"], "is no text file"),
        ([" "], "no text"),
        (["words", "--published", "whenever"], "no date that we can read"),
    ],
)
def test_explain_says_what_it_cannot_use(args: list[str], says: str) -> None:
    status, _, err = run("explain", *args)
    assert status == 2
    assert says in err


def test_explain_takes_text_for_text() -> None:
    """Markup of a terminal or a page in a text stays what it is."""
    status, out, _ = run("explain", "[bold]Rockets[/bold] hit <b>the Green Zone</b> in Baghdad. \x1b[31m", "--all")
    assert status == 0
    assert "[bold]Rockets[/bold] hit <b>the Green Zone</b>" in out
    assert "\x1b[31m" not in out


def test_schemas_are_shown_and_checked() -> None:
    status, out, _ = run("schemas", "show")
    assert status == 0
    assert all(name in out for name in ("raw_item", "report", "event", "dead_letter"))
    assert "information_credibility" in run("schemas", "show", "event")[1]
    assert json.loads(run("schemas", "show", "event", "--json")[1])["name"] == "Event"
    status, out, _ = run("schemas", "check")
    assert (status, "compatible" in out) == (0, True)


def test_a_reader_that_leaves_is_no_error() -> None:
    command = f'(for i in 1 2 3 4 5 6 7 8 9; do echo \'{{"id": 1, "text": "words"}}\'; done) | "{sys.executable}" -m pipeline.cli analyse | head -1'
    done = subprocess.run(["bash", "-c", command], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert json.loads(done.stdout)["id"] == 1
    assert "Traceback" not in done.stderr


def test_a_feed_text_cannot_write_to_the_terminal(tmp_path: Path) -> None:
    (tmp_path / "[red]bad[bold]\x1b[2J.jsonl").write_text('{"id": \x1b[31m', encoding="utf8")
    _, out, _ = run("replay", str(tmp_path), "--out", str(tmp_path / "out"))
    assert "[red]bad[bold]" in out, "a file's name is shown as it is"
    assert "\x1b" not in out, "but for what a terminal would obey"
