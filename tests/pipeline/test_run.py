"""The streaming pipeline from end to end: a real broker, Prism, and the commands as a user gives them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from connectors import archive
from pipeline.commands.run import run
from pipeline.replay import replay
from pipeline.settings import Settings
from pipeline.sinks.avro_files import EVENTS, REPORTS, read_files
from schemas import avro
from schemas.kafka import clients
from schemas.records import DeadLetter, Event, RawItem, Report
from tests.pipeline.live import Live, items
from tests.pipeline.on_topics import Sent, committed, send

SEEDS = Path(__file__).resolve().parents[2] / "seeds"
MAY_DIFFER = {"mode", "alert", "alert_reason", "urgency"}


def told(events: list[Event]) -> dict[tuple[str, int], dict[str, Any]]:
    """What events say, by event and revision, without what may differ between live and replay."""
    plain = [avro.to_json(event) for event in events]
    return {(event["event_id"], event["revision"]): {name: value for name, value in event.items() if name not in MAY_DIFFER} for event in plain}


def replayed(paths: list[Path], out: Path) -> list[Event]:
    replay(archive.read(paths, now=datetime.now(UTC), mode="replay"), out, Settings(shards=1))
    return list(read_files(out, EVENTS))


def test_publish_run_watch_gives_what_a_replay_gives(live: Live, tmp_path: Path) -> None:
    """As the README has it: publish an archive, run, watch."""
    expected = told(replayed([SEEDS], tmp_path / "replay"))
    assert live.dijla("publish", str(SEEDS), "--mode", "live").returncode == 3, "the samples hold broken files on purpose"
    process = live.start()
    live.wait(lambda: live.count(live.topics.events) >= len(expected), "complete")
    watched = live.dijla("watch", "--from", "earliest", "--json", "--timeout", "4")
    assert watched.returncode == 0, watched.stderr
    events = [avro.from_json(Event, json.loads(line)) for line in watched.stdout.splitlines()]
    assert told(events) == expected
    assert not any(event.alert for event in events), "an archive of years ago alerts nobody"
    assert {event.alert_reason for event in events} >= {"stale"}, "as the README says"
    assert "replay" not in {event.alert_reason for event in events}
    assert {event.mode for event in events} == {"live"}
    assert live.stop(process) == 0
    latest = {event.event_id: event.revision for event in live.read(live.topics.events_latest, Event)}
    assert latest == {event_id: max(r for e, r in expected if e == event_id) for event_id, _ in expected}


def test_what_is_new_alerts(live: Live) -> None:
    live.start()
    now = datetime.now(UTC)
    text = "Three rockets hit the Green Zone in Baghdad on {day}, wounding two soldiers, the army said.".format(day=f"{now:%A}")
    live.publish(
        [RawItem(item_id="a" * 32, native_id="a", source_id="sample.outlet-a", source_type="test", body=text, published_raw=now.isoformat(), fetched_at=now)]
    )
    live.wait(lambda: live.count(live.topics.events) == 1, "an event")
    (event,) = live.read(live.topics.events, Event)
    assert (event.alert, event.type, event.severity) == (True, "rocket_mortar_attack", event.severity)


def test_sigterm_brings_what_was_read_to_an_end(live: Live) -> None:
    process = live.start()
    live.publish(items(3000))
    live.wait(lambda: live.count(live.topics.reports) > 0, "reading")
    assert live.stop(process) == 0
    done = live.count(live.topics.reports)
    process = live.start()
    live.wait(lambda: live.count(live.topics.reports) >= 3000, "all reports")
    assert live.stop(process) == 0
    reports = live.read(live.topics.reports, Report)
    assert done <= len(reports) == len({report.item_id for report in reports}) == 3000


def test_what_is_done_is_committed_though_partitions_are_idle(live: Live) -> None:
    """One partition gets everything, three get nothing: the watermark goes on, and the group's offsets with it."""
    live.start()
    live.publish(replace(item, item_id="5" * 32) for item in items(400))
    live.wait(lambda: sum(committed(live.broker, "dijla", live.topics.raw, p) or 0 for p in range(4)) == 400, "committed")
    assert live.count(live.topics.reports) == 400, "each is an edit of the one before"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--grup=other"], "No such option '--grup'. Did you mean '--group'?"),
        (["--form", "earliest"], "No such option '--form'. Did you mean '--from'?"),
        (["--runner", "DirectRunner"], "--runner DirectRunner is for inputs that end: take PrismRunner"),
        (["--sink", "topic"], "topic: choose of kafka, avro"),
    ],
)
def test_what_is_misspelt_is_not_run(arguments: list[str], says: str) -> None:
    found = CliRunner().invoke(run, arguments)
    assert says in " ".join((found.output + str(found.exception or "")).split())
    assert found.exit_code != 0


def test_what_a_run_measures(live: Live) -> None:
    live.start()
    live.publish(items(100))
    live.wait(lambda: live.count(live.topics.reports) == 100, "reports")
    live.wait(lambda: live.count(live.topics.events) > 0, "events")
    page = live.monitored("/metrics")
    found = {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in page.splitlines() if line.startswith("dijla_")}
    assert sum(value for name, value in found.items() if name.startswith("dijla_items_read_total")) == 100
    assert found['dijla_records_written_total{kind="reports",sink="kafka"}'] == 100
    assert found['dijla_state_bytes{fold="FoldReferences"}'] >= 44 * 2 * 100, "an entry for each id and each text"
    assert found['dijla_state_bytes{fold="FoldReports"}'] > 0
    assert found['dijla_watermark_age_seconds{split="0"}'] < 60
    assert found['dijla_published_to_sink_seconds_count{kind="reports",mode="live"}'] == 100


def test_files_beside_topics(live: Live, tmp_path: Path) -> None:
    live.environment |= {"DIJLA_RUN__FILE_EVERY": "PT2S"}
    process = live.start("--sink", "kafka,avro", "--out", str(tmp_path / "out"))
    live.publish(items(300), rate=100)
    live.wait(lambda: len(list(read_files(tmp_path / "out", REPORTS))) > 0, "a file")
    assert live.stop(process) == 0
    key: Callable[[Report], str] = lambda report: report.item_id  # noqa: E731
    assert sorted(read_files(tmp_path / "out", REPORTS), key=key) == sorted(live.read(live.topics.reports, Report), key=key)
    assert {e.content_hash for e in read_files(tmp_path / "out", EVENTS)} == {e.content_hash for e in live.read(live.topics.events, Event)}
    assert len(list((tmp_path / "out" / "reports").glob("*"))) < 10, "collected, not a file a bundle"


def test_a_poison_record_and_one_too_large_become_dead_letters(live: Live) -> None:
    live.start()
    live.publish(items(20))
    send(live.broker, live.topics.raw, [Sent(b"no record at all", partition=2), Sent(None, b"tombstone", partition=1)])
    swollen = RawItem(item_id="f" * 32, native_id="f", source_id="sample.outlet-a", source_type="test", body="\0" * 500_000, fetched_at=datetime.now(UTC))
    live.publish([swollen, *items(20, first=20)])
    live.wait(lambda: live.count(live.topics.reports) == 40 and live.count(live.topics.dead_letters) == 3, "all")
    letters = {letter.stage + str(letter.partition): letter for letter in live.read(live.topics.dead_letters, DeadLetter)}
    poison = letters["decode2"]
    assert (poison.payload, poison.topic, poison.partition, poison.error_class) == (b"no record at all", live.topics.raw, 2, "SchemaError")
    assert poison.offset is not None
    (large,) = [letter for letter in letters.values() if letter.stage == "write"]
    assert large.payload_truncated
    assert len(large.payload_sha256) == 64
    assert large.payload_size > 1_000_000


def test_a_partition_that_is_added_is_read(live: Live) -> None:
    live.start()
    live.publish(items(50))
    with clients.admin(live.kafka) as admin:
        admin.create_partitions({live.topics.raw: 8})
    live.wait(lambda: live.count(live.topics.reports) == 50, "the first")
    live.publish(items(200, first=50))
    live.wait(lambda: live.count(live.topics.reports) == 250, "all, from eight partitions")
    assert {report.kafka.partition for report in live.read(live.topics.reports, Report) if report.kafka} == set(range(8))


def test_a_job_whose_inputs_are_nearly_all_bad_stops(live: Live) -> None:
    process = live.start()
    send(live.broker, live.topics.raw, [Sent(b"bad %d" % n) for n in range(800)])
    assert process.wait(30) == 1
    assert "became dead letters: the run stops" in live.log
    assert 500 <= live.count(live.topics.dead_letters) <= 800, "what was read until then is kept all the same"


def test_topics_that_are_not_there_are_named(live: Live) -> None:
    with clients.admin(live.kafka) as admin:
        admin.delete_topics([live.topics.events])
    answer = live.dijla("run")
    assert answer.returncode == 2
    assert live.topics.events in answer.stderr
    assert "dijla broker topics" in answer.stderr
