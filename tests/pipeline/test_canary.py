"""A canary goes all the way: `dijla collect`, a real broker, `dijla run` on Prism, the reports topic, and health."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from urllib.error import HTTPError

import pytest

from connectors._canary import canary
from pipeline.canary import Canary
from pipeline.detect_language import with_language
from pipeline.metrics import REGISTRY
from pipeline.normalise import normalise
from pipeline.references import refer
from pipeline.tag import Tagger, tag
from schemas.records import Event, Report
from tests.pipeline.live import Live

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
LIMIT = timedelta(minutes=5)
SOURCES = '[[sources]]\nid = "sample.outlet-a"\ntype = "rss"\nurl = "http://127.0.0.1:9/feed"\nallow_private = true\n'


def test_no_stage_finds_anything_in_it() -> None:
    report = with_language(normalise(canary(NOW)))
    assert refer([report]).counts == [1], "nothing but its id: it is a copy of nothing, and nothing a copy of it"
    assert tag(report, Tagger.load()) == ()
    assert (report.first_seen, report.published, report.text, report.title) == (NOW, NOW, "", None)
    assert canary(NOW).item_id != canary(NOW + timedelta(microseconds=1)).item_id


def test_it_is_judged_by_when_it_was_made() -> None:
    found = Canary()
    assert "no canary has come yet" in (found.problem(NOW, LIMIT) or "")
    found.reached(NOW - timedelta(minutes=4), NOW)
    assert found.problem(NOW, LIMIT) is None
    assert found.problem(NOW + timedelta(minutes=2), LIMIT) == "stale: the newest canary was made 360 s ago, the limit is 300 s"
    found.reached(NOW - timedelta(minutes=9), NOW)
    assert found.made == NOW - timedelta(minutes=4), "one that comes late, as after a rebuild, takes nothing back"
    assert REGISTRY.get_sample_value("dijla_canary_latency_seconds") == 240
    assert REGISTRY.get_sample_value("dijla_canary_made_timestamp_seconds") == found.made.timestamp()


@pytest.fixture
def watched(live: Live) -> Live:
    live.environment |= {"DIJLA_COLLECT__CANARY": "PT1S", "DIJLA_RUN__CANARY": "PT15S"}
    (live.folder / "sources.toml").write_text(SOURCES)
    return live


@contextmanager
def collecting(live: Live) -> Iterator[None]:
    command = live.command("collect", "--sources", str(live.folder / "sources.toml"))
    with subprocess.Popen(command, env={**os.environ, **live.environment}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            yield
        finally:
            process.kill()


def problem(live: Live) -> str | None:
    """What /readyz says of canaries; None where all is well."""
    try:
        live.monitored("/readyz")
    except HTTPError as error:
        with error:
            return str(json.loads(error.read())["checks"]["canary"])
    return None


def test_it_reaches_the_reports_and_where_it_does_not_health_says_so(watched: Live) -> None:
    """`Live.start` waits until the run is ready, which it is when a canary has come out."""
    with collecting(watched):
        process = watched.start()
        watched.wait(lambda: watched.count(watched.topics.reports) >= 3, "canaries")
    watched.wait(lambda: (problem(watched) or "").startswith("stale"), "stale")
    with collecting(watched):
        watched.wait(lambda: problem(watched) is None, "ready again")
    page = {name: float(value) for name, _, value in (line.rpartition(" ") for line in watched.monitored("/metrics").splitlines() if "canary" in line[:12])}
    assert page["dijla_canary_made_timestamp_seconds"] > datetime.now(UTC).timestamp() - 60
    assert 0 < page["dijla_canary_latency_seconds"] < 30
    assert watched.stop(process) == 0
    reports = watched.read(watched.topics.reports, Report)
    assert {(report.source_id, report.source_type, report.events, report.story_layer) for report in reports} == {("dijla.canary", "canary", (), "none")}
    assert len({report.story_id for report in reports}) == len(reports)
    assert watched.read(watched.topics.events, Event) == []


def test_files_alone_show_no_canary(watched: Live) -> None:
    found = watched.dijla("run", "--sink", "avro", "--out", str(watched.folder / "out"))
    assert found.returncode == 2
    assert "run.canary needs the Kafka sink" in found.stderr
