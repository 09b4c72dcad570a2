"""Today's rules over an archive of reports: nothing where nothing changed, and each difference named."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from pipeline.cli import main
from pipeline.retag import changes, retag
from pipeline.sinks.avro_files import REPORTS, read_files, write_files
from pipeline.tag import load_tagger, with_events
from schemas.errors import UsageError
from schemas.records import Place, Report
from tests.pipeline.test_tag_sentences import report

TEXTS = (
    "Three rockets hit the Green Zone in Baghdad on Sunday, wounding two soldiers.",
    "A roadside bomb killed four people in the Karrada district of Baghdad on Sunday.",
    "Baghdad said on Monday that oil exports rose.",
)
ATTACK = "rocket_mortar_attack"


@pytest.fixture
def archive() -> list[Report]:
    """Reports as today's rules tag them, in the order of an archive."""
    tagged = with_events(load_tagger())
    drafts = (report(text, language="en", published="2020-12-20") for text in TEXTS)
    return [tagged(replace(draft, item_id=f"{number:016x}")) for number, draft in enumerate(drafts)]


def other(first: Report) -> Report:
    """The report as other rules might have tagged it: other toll, no alert, an arrest that there was not."""
    (event,) = first.events
    changed = replace(event, injured_min=1, injured_max=1, alert=False, alert_reason="stale")
    return replace(first, events=(changed, replace(event, type="security_operation")), lexicon_version="earlier")


def test_rules_that_did_not_change_change_nothing(archive: list[Report], tmp_path: Path) -> None:
    write_files(archive, REPORTS, tmp_path / "old")
    found = list(retag(tmp_path / "old", tmp_path / "new", with_events(load_tagger())))
    assert [one.report for one in found] == archive
    assert not [change for one in found for change in one.changes]
    assert list(read_files(tmp_path / "new", REPORTS)) == archive


def test_what_is_gained_lost_and_changed_is_named(archive: list[Report], tmp_path: Path) -> None:
    write_files([other(archive[0]), replace(archive[1], events=(), lexicon_version="earlier"), archive[2]], REPORTS, tmp_path / "old")
    found = list(retag(tmp_path / "old", tmp_path / "new", with_events(load_tagger())))
    told = [(change.kind, change.event.type, change.fields) for one in found for change in one.changes]
    assert told == [
        ("changed", ATTACK, ("injured_min", "injured_max", "alert", "alert_reason")),
        ("lost", "security_operation", ()),
        ("gained", "ied_attack", ()),
    ]
    assert [one.old_version for one in found[:2]] == ["earlier", "earlier"]
    assert list(read_files(tmp_path / "new", REPORTS)) == archive, "what is written is today's"


def test_of_several_events_of_a_type_those_that_are_alike_stand_for_each_other(archive: list[Report]) -> None:
    (event,) = archive[0].events
    assert isinstance(event.place, Place)
    elsewhere = replace(event, place=replace(event.place, name="Karrada"))
    was, now = replace(archive[0], events=(event, elsewhere)), replace(archive[0], events=(elsewhere, replace(event, killed_min=1)))
    assert [(change.before, change.after, change.fields) for change in changes(was, now)] == [(event, now.events[1], ("killed_min",))]


def test_other_words_for_the_same_are_no_change(archive: list[Report]) -> None:
    (event,) = archive[0].events
    assert list(changes(archive[0], replace(archive[0], events=(replace(event, evidence=event.evidence[:1]),)))) == []


def test_folders_that_cannot_be_meant_are_refused(archive: list[Report], tmp_path: Path) -> None:
    tagged = with_events(load_tagger())
    write_files(archive, REPORTS, tmp_path)
    with pytest.raises(UsageError, match="already holds reports"):
        next(retag(tmp_path, tmp_path, tagged))
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match="holds no reports"):
        next(retag(tmp_path / "empty", tmp_path / "new", tagged))


def test_the_command_counts_and_shows_examples(archive: list[Report], tmp_path: Path) -> None:
    write_files([other(archive[0]), replace(archive[1], events=()), archive[2]], REPORTS, tmp_path / "old")
    shown = CliRunner().invoke(main, ["retag", str(tmp_path / "old"), "--out", str(tmp_path / "new")], catch_exceptions=False)
    assert shown.exit_code == 0
    assert "3 reports; events gained 1, lost 1, changed 1; alerts gained 2, lost 1" in shown.output
    assert "injured_min: 1 -> 2" in shown.output
    assert "alert: False -> True" in shown.output

    told = CliRunner().invoke(main, ["retag", str(tmp_path / "old"), "--out", str(tmp_path / "json"), "--examples", "1", "--json"], catch_exceptions=False)
    found = json.loads(told.output)
    assert (found["gained"], found["lost"], found["changed"]) == ({"ied_attack": 1}, {"security_operation": 1}, {ATTACK: 1})
    assert found["lexicon_versions"] == {"before": sorted({"earlier", archive[0].lexicon_version}), "now": archive[0].lexicon_version}
    (changed,) = found["examples"]["changed"]
    assert (changed["before"]["injured_max"], changed["after"]["injured_max"]) == (1, 2)
