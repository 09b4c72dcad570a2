"""`dijla run --schema-registry` with a real registry: what it writes, and a registry that refuses, is down at start, or goes down later."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

import httpx
import pytest
from pydantic import HttpUrl

from pipeline.broker.ports import HOST, free_ports
from pipeline.replay import replay
from pipeline.settings import Settings
from pipeline.sinks.avro_files import EVENTS, read_files
from pipeline.subscribe import Subscription
from schemas.avro import definition
from schemas.kafka.registry import Confluent, Registry, RegistrySettings
from schemas.records import DeadLetter, Event, Report
from tests.pipeline.live import Live, items
from tests.pipeline.on_topics import Sent, read_all, send
from tests.schemas.apicurio import apicurio

# One registry for all of them, where the workers share out by group.
pytestmark = [pytest.mark.faults, pytest.mark.xdist_group("registry")]

RecordT = TypeVar("RecordT", Report, Event, DeadLetter)
COUNT = 60


@pytest.fixture(scope="module")
def url(kafka_installed: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with apicurio(tmp_path_factory.mktemp("apicurio")) as (url, _):
        yield url


@pytest.fixture
def codec(url: str) -> Iterator[Confluent]:
    with closing(Registry(RegistrySettings(url=HttpUrl(url)))) as registry:
        yield Confluent(registry)


def decoded(live: Live, codec: Confluent, topic: str, cls: type[RecordT]) -> list[RecordT]:
    """All records of a topic, each in the Confluent wire format."""
    return [codec.decode(message.value, cls) for message in read_all(live.broker, topic)]


def check_everything_is_written(live: Live, codec: Confluent, folder: Path) -> None:
    """A report of each item and the events that a replay gives, none twice."""
    reports = decoded(live, codec, live.topics.reports, Report)
    assert sorted(report.item_id for report in reports) == sorted(item.item_id for item in items(COUNT))
    replay(iter(items(COUNT)), folder / "replay", Settings(shards=1))
    wanted = sorted((event.event_id, event.content_hash) for event in read_files(folder / "replay", EVENTS))
    assert sorted((event.event_id, event.content_hash) for event in decoded(live, codec, live.topics.events, Event)) == wanted


def run_to_the_end(live: Live, url: str) -> None:
    process = live.start("--schema-registry", url)
    live.wait(lambda: live.count(live.topics.reports) == COUNT, "all")
    assert live.stop(process) == 0


def refused_run(live: Live, url: str) -> subprocess.CompletedProcess[str]:
    """A run that ends by itself, having read nothing."""
    answer = live.dijla("run", "--schema-registry", url)
    assert answer.returncode == 1
    assert "Traceback" not in answer.stderr
    assert live.count(live.topics.reports) == live.count(live.topics.events) == live.count(live.topics.dead_letters) == 0
    return answer


def test_records_arrive_in_the_confluent_wire_format(live: Live, url: str, codec: Confluent, tmp_path: Path) -> None:
    live.publish(items(COUNT))
    send(live.broker, live.topics.raw, [Sent(b"no record at all")])
    run_to_the_end(live, url)
    check_everything_is_written(live, codec, tmp_path)
    assert [letter.payload for letter in decoded(live, codec, live.topics.dead_letters, DeadLetter)] == [b"no record at all"]
    subjects = set(httpx.get(f"{url}/subjects").json())
    assert {f"{topic}-value" for topic in (live.topics.reports, live.topics.events, live.topics.events_latest, live.topics.dead_letters)} <= subjects
    events = decoded(live, codec, live.topics.events, Event)
    registry = RegistrySettings(url=HttpUrl(url))
    with Subscription(live.kafka, group=live.prefix, timeout=timedelta(seconds=2), topics=live.settings, registry=registry) as subscription:
        assert {(event.event_id, event.revision): event for event in subscription} == {(event.event_id, event.revision): event for event in events}
    watched = live.dijla("watch", "--schema-registry", url, "--from", "earliest", "--json", "--timeout", "2")
    assert len(watched.stdout.splitlines()) == len(events) > 0


def test_a_registry_that_refuses_a_schema_is_said_at_start_and_nothing_is_lost(live: Live, url: str, codec: Confluent, tmp_path: Path) -> None:
    subject = f"{url}/subjects/{live.topics.events}-value"
    other = {**definition(Event), "fields": [{"name": "event_id", "type": "int"}]}
    assert httpx.post(f"{subject}/versions", json={"schema": json.dumps(other)}).is_success
    live.publish(items(COUNT))
    told = refused_run(live, url).stderr
    assert f"schema registry {url} refuses the schema" in told
    assert f"{live.topics.events}-value" in told
    assert httpx.delete(subject).is_success
    run_to_the_end(live, url)
    check_everything_is_written(live, codec, tmp_path)


def test_a_registry_that_is_down_at_start_is_said_and_nothing_is_lost(live: Live, url: str, codec: Confluent, tmp_path: Path) -> None:
    nobody = f"http://{HOST}:{free_ports(1)[0]}/apis/ccompat/v7"
    live.publish(items(COUNT))
    told = refused_run(live, nobody).stderr
    assert f"schema registry {nobody} does not answer" in told
    assert "start it, or correct its URL" in told
    run_to_the_end(live, url)
    check_everything_is_written(live, codec, tmp_path)


def test_a_run_goes_on_while_the_registry_is_down(live: Live, tmp_path: Path) -> None:
    """Down before the first record comes: what is needed is known from the start."""
    with apicurio(tmp_path / "apicurio") as (url, process), closing(Registry(RegistrySettings(url=HttpUrl(url)))) as registry:
        running = live.start("--schema-registry", url)
        registry.schema_of(registry.id_of(Report, live.topics.reports))
        registry.schema_of(registry.id_of(Event, live.topics.events))
        process.kill()
        process.wait()
        live.publish(items(COUNT))
        send(live.broker, live.topics.raw, [Sent(b"no record at all")])
        live.wait(lambda: live.count(live.topics.reports) == COUNT and live.count(live.topics.dead_letters) == 1, "all")
        assert live.stop(running) == 0
        check_everything_is_written(live, Confluent(registry), tmp_path)
