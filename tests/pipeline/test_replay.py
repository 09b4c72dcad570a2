"""Replay, end to end on the pinned in-process runner: the sample archive, the seed document, and input that is hard to bear."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import fastavro
import pytest

from connectors import archive
from pipeline import replay as module
from pipeline.replay import Summary, replay
from pipeline.revisions import content_hash
from pipeline.settings import Settings
from pipeline.show import latest_events
from pipeline.sinks.avro_files import DEAD_LETTERS, EVENTS, REPORTS, read_files
from schemas.records import Event, Report

SEEDS = Path(__file__).resolve().parents[2] / "seeds"
SEED = SEEDS / "000_a6554d4f7dcfda61.txt"
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def run(paths: Iterable[Path], out: Path, **settings: Any) -> Summary:
    return replay(archive.read(list(paths), now=NOW), out, Settings(shards=8, **settings))


@pytest.fixture(scope="module")
def seeds(tmp_path_factory: pytest.TempPathFactory) -> tuple[Summary, Path]:
    out = tmp_path_factory.mktemp("seeds") / "out"
    return run([SEEDS], out), out


def files(out: Path) -> dict[str, bytes]:
    return {str(file.relative_to(out)): file.read_bytes() for file in sorted(out.rglob("*")) if file.is_file()}


def told(out: Path) -> dict[str, Report]:
    """Reports by the source's own id; of an edited item the last version."""
    return {report.native_id: report for report in sorted(read_files(out, REPORTS), key=lambda r: r.item_revision)}


def incident_of(out: Path, native_id: str) -> list[Event]:
    return [event for event in latest_events(out) if any(ref.native_id == native_id for ref in event.reports)]


def test_the_seed_document_is_one_intercepted_rocket_attack(tmp_path: Path) -> None:
    summary = run([SEED], tmp_path / "out")
    assert (summary.items, summary.dead_letters) == (1, 0)
    (report,) = read_files(tmp_path / "out", REPORTS)
    assert report.language == "fr"
    assert [(post.handle, post.published) for post in report.quotes] == [
        ("disclosetv", "2020-12-20"),
        ("PMBreakingNews", "2020-12-20"),
        ("BarzanSadiq", "2020-12-20"),
    ]
    assert report.quotes[0].links == ("pic.twitter.com/wb3PgXrL9w",)
    assert [event.status for event in report.events if event.alert] == ["intercepted"]
    assert {event.status for event in report.events if not event.alert} <= {"retrospective"}
    (event,) = [event for event in latest_events(tmp_path / "out") if event.status != "retrospective"]
    assert (event.type, event.status, event.event_date, event.weapon, event.target) == (
        "rocket_mortar_attack", "intercepted", "2020-12-20", "rocket", "diplomatic",
    )  # fmt: skip
    assert event.place is not None
    assert (event.place.name, event.place.scope, event.place.geo_precision) == ("Green Zone", "city", 1)
    assert (event.place.latitude, event.place.longitude) == pytest.approx((33.305, 44.39), abs=0.009)
    assert (event.killed_min, event.killed_max, event.injured_min, event.injured_max) == (0, 0, 0, 0)
    assert (event.projectiles_min, event.damage) == (3, "minor")
    assert (event.actor_alleged, event.actor_claimed) == ("outlaw group", None)
    assert (event.mode, event.alert, event.alert_reason) == ("replay", False, "replay")
    slots = {span.rule for span in event.evidence}
    wanted = {"place.green_zone", "status.intercepted", *(f"slot.{name}" for name in ("killed", "injured", "projectiles", "event_date", "weapon", "target"))}
    assert wanted | {"slot.actor_alleged", "slot.damage"} <= slots
    assert all(report.text[span.start : span.end] == span.text for span in event.evidence)


def test_one_night_is_one_incident_in_four_languages(seeds: tuple[Summary, Path]) -> None:
    _, out = seeds
    languages = {report.item_id: report.language for report in read_files(out, REPORTS)}
    (night,) = [event for event in latest_events(out) if event.event_date == "2020-12-20" and len(event.families) > 3]
    assert (night.type, night.status, night.place and night.place.name) == ("rocket_mortar_attack", "intercepted", "Green Zone")
    assert {languages[ref.item_id] for ref in night.reports} == {"fr", "en", "ar", "ckb"}
    members = {ref.native_id for ref in night.reports}
    assert {"000_a6554d4f7dcfda61.txt", "p-001", "p-002", "outlet-a-88031", "outlet-a-88064", "outlet-d:7569"} <= members
    assert (night.killed_max, night.injured_max) == (0, 2) or night.injured_max == 1
    assert not night.alert


def test_the_second_incident_stays_apart(seeds: tuple[Summary, Path]) -> None:
    _, out = seeds
    (bomb,) = [event for event in latest_events(out) if event.event_date == "2020-12-22" and len(event.families) > 2]
    assert (bomb.type, bomb.place and bomb.place.name, bomb.injured_min) == ("ied_attack", "Karrada", 2)
    assert not {ref.native_id for ref in bomb.reports} & {"p-001", "000_a6554d4f7dcfda61.txt"}


@pytest.mark.parametrize("native_id", ["outlet-a-87755", "http://outlet-c.example/news/2188", "http://outlet-c.example/news/2204", "outlet-d:7561", "b-003"])
def test_a_baghdad_that_is_no_place_of_an_event_gives_none(seeds: tuple[Summary, Path], native_id: str) -> None:
    _, out = seeds
    assert told(out)[native_id].events == ()
    assert incident_of(out, native_id) == []


def test_a_drill_and_an_anniversary_never_alert(seeds: tuple[Summary, Path]) -> None:
    _, out = seeds
    drill = told(out)["http://outlet-c.example/news/2140"]
    assert {event.status for event in drill.events} <= {"drill"}
    for name in ("outlet-d:7719", "outlet-a-88412"):
        assert not any(event.alert for event in told(out)[name].events)


def test_repeats_copies_and_edits_are_told_apart(seeds: tuple[Summary, Path]) -> None:
    summary, out = seeds
    assert (summary.items, summary.repeats, summary.dead_letters) == (48, 3, 2)
    edit = told(out)["p-002"]
    assert (edit.item_revision, edit.story_layer) == (1, "edit")
    layers = [report.story_layer for report in read_files(out, REPORTS)]
    assert layers.count("url") >= 3
    assert layers.count("text") >= 1
    assert len(list(read_files(out, REPORTS))) == 45


def test_what_cannot_be_read_is_a_dead_letter_with_its_place(seeds: tuple[Summary, Path]) -> None:
    _, out = seeds
    letters = list(read_files(out, DEAD_LETTERS))
    assert [(letter.file, letter.position, letter.stage) for letter in letters] == [("sample.broken.jsonl", 1, "read"), ("sample.broken.zip", None, "read")]
    assert all(letter.payload and letter.error_message for letter in letters)
    assert {"b-001", "b-003"} <= told(out).keys(), "the lines around the broken one are read"


def test_every_evidence_span_is_the_text(seeds: tuple[Summary, Path]) -> None:
    _, out = seeds
    texts = {(report.item_id, report.item_revision): report for report in read_files(out, REPORTS)}
    spans = 0
    for report in texts.values():
        for event in report.events:
            assert event.evidence
            for span in event.evidence:
                assert getattr(report, span.field)[span.start : span.end] == span.text
                spans += 1
    assert spans > 300


def test_revisions_count_up_and_hash_their_content(seeds: tuple[Summary, Path]) -> None:
    _, out = seeds
    seen: dict[str, list[Event]] = {}
    for event in read_files(out, EVENTS):
        assert event.content_hash == content_hash(event)
        seen.setdefault(event.event_id, []).append(event)
    for revisions in seen.values():
        assert [event.revision for event in revisions] == list(range(len(revisions)))
        assert revisions[0].change == "new"
        assert all(event.change != "new" for event in revisions[1:])


def test_twice_is_byte_for_byte_the_same(seeds: tuple[Summary, Path], tmp_path: Path) -> None:
    run([SEEDS], tmp_path / "again")
    assert files(tmp_path / "again") == files(seeds[1])


def test_another_order_of_files_gives_the_same_records(seeds: tuple[Summary, Path], tmp_path: Path) -> None:
    items = list(archive.read([SEEDS], now=NOW))
    replay(reversed(items), tmp_path / "out", Settings(shards=8))
    assert files(tmp_path / "out") == files(seeds[1])


@pytest.mark.parametrize(("slice_items", "run_bytes"), [(1, 64_000_000), (7, 2_000), (20, 64_000_000)])
def test_slices_change_no_record(seeds: tuple[Summary, Path], tmp_path: Path, slice_items: int, run_bytes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Cut anywhere, sorted in memory or on disk."""
    monkeypatch.setattr(module, "RUN_BYTES", run_bytes)
    summary = run([SEEDS], tmp_path / "out", slice_items=slice_items)
    assert summary.slices == -(-48 // slice_items) or slice_items == 1
    for family in (REPORTS, EVENTS):
        whole, cut = (sorted(read_files(out, family), key=family.order) for out in (seeds[1], tmp_path / "out"))  # type: ignore[arg-type, type-var]
        assert cut == whole


def test_shards_change_no_record(seeds: tuple[Summary, Path], tmp_path: Path) -> None:
    replay(archive.read([SEEDS], now=NOW), tmp_path / "out", Settings(shards=64))
    assert files(tmp_path / "out") == files(seeds[1])


def test_json_lines_stand_beside_the_avro_files(tmp_path: Path) -> None:
    replay(archive.read([SEED], now=NOW), tmp_path / "out", Settings(shards=1), jsonl=True)
    for avro_file in (tmp_path / "out").rglob("*.avro"):
        lines = avro_file.with_suffix(".jsonl").read_text(encoding="utf8").splitlines()
        with avro_file.open("rb") as opened:
            assert len(lines) == len(list(fastavro.reader(opened))), "plain fastavro reads what we wrote"
        assert all(json.loads(line) for line in lines)


def test_an_empty_folder_gives_empty_folders(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    assert run([tmp_path / "in"], tmp_path / "out").items == 0
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["dead-letters", "events", "replay.json", "reports"]


def test_a_second_replay_takes_the_place_of_the_first(tmp_path: Path) -> None:
    run([SEEDS], tmp_path / "out")
    run([SEED], tmp_path / "out")
    assert len(list(read_files(tmp_path / "out", REPORTS))) == 1


def test_two_folders_with_files_of_one_name_are_two_archives(tmp_path: Path) -> None:
    for folder, text in (("a", "Three rockets hit the Green Zone in Baghdad on 20 December 2020."), ("b", "The bakery opened again.")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "x.txt").write_text(f"date 2020-12-20 {text}", encoding="utf8")
    run([tmp_path / "a", tmp_path / "b"], tmp_path / "out")
    assert sorted(report.source_id for report in read_files(tmp_path / "out", REPORTS)) == ["a/x.txt", "b/x.txt"]
    assert [event.change for event in latest_events(tmp_path / "out")] == ["new"]


def test_of_two_versions_of_one_moment_the_later_line_is_the_newer(tmp_path: Path) -> None:
    """Whatever their hashes: in the report and in the event alike."""
    for killed in range(2, 9):
        lines = [f"Rockets hit the Green Zone in Baghdad on 20 December 2020, killing {n} people." for n in (9, killed)]
        rows = [json.dumps({"id": "same", "text": text, "published": "2020-12-20T19:00:00Z"}) for text in lines]
        (tmp_path / "in.jsonl").write_text("\n".join(rows), encoding="utf8")
        run([tmp_path / "in.jsonl"], tmp_path / "out")
        last = max(read_files(tmp_path / "out", REPORTS), key=lambda report: report.item_revision)
        assert (last.item_revision, f"killing {killed} " in last.text) == (1, True)
        assert [event.killed_max for event in latest_events(tmp_path / "out")] == [killed]


def test_a_replay_does_not_read_its_own_results(tmp_path: Path) -> None:
    shutil.copy(SEED, tmp_path)
    for _ in range(3):
        summary = replay(archive.read([tmp_path], now=NOW), tmp_path / "out", Settings(shards=1), jsonl=True)
        assert (summary.items, summary.dead_letters) == (1, 0)


def test_slices_never_part_two_versions_of_one_moment() -> None:
    entries = [(1, b"a", b"1"), (1, b"a", b"2"), (1, b"a", b"3"), (1, b"b", b"4"), (2, b"b", b"5")]
    cut = list(module._slices(entries, Settings(slice_items=1)))
    assert cut == [entries[:3], entries[3:4], entries[4:]]
    assert [len(part) for part in module._slices([(n, b"", b"x" * 10) for n in range(6)], Settings(slice_bytes=20))] == [2, 2, 2]
