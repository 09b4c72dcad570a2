"""An archive that went through the raw topic replays like itself."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from connectors import archive
from pipeline.replay import Summary, replay
from pipeline.settings import Settings
from pipeline.sinks.avro_files import EVENTS, read_files
from schemas.records import Event
from tests.pipeline.live import Live
from tests.pipeline.on_topics import Sent, send

SEEDS = Path(__file__).resolve().parents[2] / "seeds"


def replayed(paths: list[Path], out: Path) -> Summary:
    return replay(archive.read(paths, now=datetime.now(UTC)), out, Settings(shards=1))


def events(out: Path) -> list[Event]:
    """Without why they alert nobody: on the topic, what was read from the archive was old news when it came."""
    revisions = (replace(event, alert_reason=None) for event in read_files(out, EVENTS))
    return sorted(revisions, key=lambda event: (event.event_id, event.revision))


def test_publish_archive_replay_gives_what_a_replay_of_the_original_gives(live: Live, tmp_path: Path) -> None:
    original = replayed([SEEDS], tmp_path / "original")
    assert live.dijla("publish", str(SEEDS)).returncode == 3, "the samples hold broken files on purpose"
    send(live.broker, live.topics.raw, [Sent(b"no record at all", partition=0)])
    kept = live.dijla("archive", "--out", str(tmp_path / "kept"), "--until-end", "--json")
    assert kept.returncode == 3, kept.stderr
    assert json.loads(kept.stdout) == {"out": str(tmp_path / "kept"), "items": original.items, "dead_letters": 1, "missed": 0}
    again = replayed([tmp_path / "kept"], tmp_path / "again")
    assert (again.items, again.dead_letters) == (original.items, 0), "the archive's own dead letters are not read as items"
    assert events(tmp_path / "again") == events(tmp_path / "original")


def test_an_archive_of_nothing_but_poison_is_empty(live: Live, tmp_path: Path) -> None:
    send(live.broker, live.topics.raw, [Sent(b"no record at all")])
    assert live.dijla("archive", "--out", str(tmp_path / "kept"), "--until-end").returncode == 3
    assert list(archive.read([tmp_path / "kept"], now=datetime.now(UTC))) == []
