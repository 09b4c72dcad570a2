"""An archive onto the raw topic: all of it, in order, at the speed asked for."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from random import Random

import pytest
from click.testing import CliRunner, Result

from connectors import archive
from connectors._publish import Publisher
from pipeline.broker.cluster import Cluster
from pipeline.commands.publish import publish as command
from pipeline.normalise import first_seen
from pipeline.publishing import publish
from schemas import avro
from schemas.errors import UsageError
from schemas.kafka.delivery import LARGEST, Delivery, Message, Undelivered
from schemas.kafka.envelope import SingleObject
from schemas.kafka.settings import TopicSettings
from schemas.kafka.topics import Topics
from schemas.records import DeadLetter, RawItem
from tests.pipeline.on_topics import START, a_letter, an_item, create_topic, new_topic, read_all, settings

SEEDS = Path(__file__).resolve().parents[2] / "seeds"


class Kept:
    """A sink in memory."""

    def __init__(self) -> None:
        self.records: list[RawItem | DeadLetter] = []
        self.flushed = 0

    def send(self, record: RawItem | DeadLetter) -> None:
        self.records.append(record)

    def flush(self) -> None:
        self.flushed = len(self.records)


@pytest.fixture
def topics(broker: Cluster) -> Topics:
    found = Topics.of(TopicSettings(prefix=new_topic(broker) + "."))
    create_topic(broker, found.raw, message_timestamp_type="LogAppendTime", retention_ms="2592000000")
    create_topic(broker, found.dead_letters, retention_ms="7776000000")
    create_topic(broker, found.schemas, cleanup_policy="compact")
    return found


def dijla_publish(broker: Cluster, topics: Topics, *arguments: str) -> Result:
    environment = {"DIJLA_TOPICS__PREFIX": topics.raw.removesuffix("raw"), "DIJLA_TOPICS__PARTITIONS": "1"}
    return CliRunner().invoke(command, [*arguments, "--bootstrap-servers", broker.bootstrap], env=environment)


def published(broker: Cluster, topics: Topics) -> list[RawItem]:
    return [avro.decode_single_object(record.value, RawItem) for record in read_all(broker, topics.raw)]


def letters(broker: Cluster, topics: Topics) -> list[DeadLetter]:
    return [avro.decode_single_object(record.value, DeadLetter) for record in read_all(broker, topics.dead_letters)]


def test_an_archive_is_published_whole_and_in_logical_order(broker: Cluster, topics: Topics) -> None:
    result = dijla_publish(broker, topics, str(SEEDS), "--mode", "live", "--json")
    expected = list(archive.read([SEEDS], now=datetime.now(UTC), mode="live"))
    items = [record for record in expected if isinstance(record, RawItem)]
    found = published(broker, topics)
    assert json.loads(result.stdout) == {"items": len(items), "dead_letters": len(expected) - len(items), "topic": topics.raw, "mode": "live"}
    assert result.exit_code == 3
    assert Counter(item.item_id for item in found) == Counter(item.item_id for item in items)
    assert {item.item_id: item for item in found} == {item.item_id: item for item in items}
    assert [first_seen(item)[0] for item in found] == sorted(first_seen(item)[0] for item in items)
    assert {letter.file for letter in letters(broker, topics)} == {record.file for record in expected if isinstance(record, DeadLetter)}
    records = read_all(broker, topics.raw)
    assert [record.key.decode() for record in records] == [item.item_id for item in found]
    assert {dict(record.headers)["mode"] for record in records} == {b"live"}
    assert avro.fingerprint(avro.schema(RawItem)).hex().encode() in [record.key for record in read_all(broker, topics.schemas)]


def test_rebased_the_newest_item_is_now_and_intervals_stay(broker: Cluster, topics: Topics, tmp_path: Path) -> None:
    lines = [{"id": str(number), "text": "words", "published": f"2020-12-{day}T10:00:00Z"} for number, day in enumerate((20, 18, 19))]
    (tmp_path / "in.jsonl").write_text("\n".join([*map(json.dumps, lines), '{"id": "undated", "text": "words"}']), encoding="utf8")
    before = datetime.now(UTC) - timedelta(seconds=1)
    result = dijla_publish(broker, topics, str(tmp_path / "in.jsonl"), "--rebase-times")
    assert (result.exit_code, result.stdout) == (0, f"4 items to {topics.raw} as replay, 0 dead letters to {topics.dead_letters}\n")
    undated, *dated = published(broker, topics)
    assert (undated.native_id, undated.published_raw) == ("undated", None)
    assert [item.native_id for item in dated] == ["1", "2", "0"]
    times = [first_seen(item)[0] for item in dated]
    assert before <= times[2] <= datetime.now(UTC)
    assert [later - earlier for earlier, later in pairwise(times)] == [timedelta(days=1)] * 2


def test_versions_of_one_moment_keep_their_order(tmp_path: Path) -> None:
    versions = [an_item(1, body=f"version {position}", archive_position=position, fetched_at=START) for position in (2, 0, 10, 1)]
    sink = Kept()
    publish(versions, sink, tmp_path)
    assert [record.archive_position for record in sink.records if isinstance(record, RawItem)] == [0, 1, 2, 10]


def test_everything_is_flushed_and_counted(tmp_path: Path) -> None:
    sink, read, sent = Kept(), [], []
    records: Iterable[RawItem | DeadLetter] = [an_item(2), a_letter(b"a line"), an_item(1)]
    done = publish(records, sink, tmp_path, on_read=read.append, on_sent=lambda done, items: sent.append((done, items)))
    assert (done.items, done.dead_letters, sink.flushed) == (2, 1, 3)
    assert (read, sent) == ([1, 2], [(1, 2), (2, 2)])


def test_the_rate_is_kept(tmp_path: Path) -> None:
    started = time.monotonic()
    publish([an_item(number) for number in range(11)], Kept(), tmp_path, rate=20)
    assert 0.5 <= time.monotonic() - started < 2


def test_an_item_that_no_broker_takes_becomes_a_dead_letter(broker: Cluster, topics: Topics) -> None:
    large = an_item(1, body="x" * LARGEST, archive_file="a.jsonl", archive_position=4)
    told: list[DeadLetter] = []
    with closing(Delivery(settings(broker))) as delivery:
        publisher = Publisher(delivery, topics, SingleObject(), now=START, on_letter=told.append)
        for item in (an_item(0), large, an_item(2)):
            publisher.send(item)
        publisher.flush()
    assert publisher.refused == 1
    assert published(broker, topics) == [an_item(0), an_item(2)]
    (letter,) = letters(broker, topics)
    assert told == [letter]
    assert (letter.stage, letter.error_class, letter.file, letter.position, letter.first_failed_at) == ("write", "Refused", "a.jsonl", 4, START)
    assert (letter.payload_truncated, letter.payload_size) == (True, len(avro.encode_single_object(large)))
    assert "sample.outlet-a, item 1: 1,04" in letter.error_message


def test_an_item_that_this_broker_does_not_take_becomes_a_dead_letter_and_the_others_arrive(broker: Cluster, topics: Topics) -> None:
    small = topics._replace(raw=new_topic(broker, max_message_bytes="2000"))
    with closing(Delivery(settings(broker))) as delivery:
        publisher = Publisher(delivery, small, SingleObject(), now=START)
        for item in (an_item(0), an_item(1, original=Random(1).randbytes(5000)), *map(an_item, range(2, 50))):
            publisher.send(item)
        publisher.flush()
    assert publisher.refused == 1
    found = {item.native_id for item in published(broker, small)}
    assert found == {str(number) for number in range(50) if number != 1}
    assert [letter.error_class for letter in letters(broker, topics)] == ["Refused"]


def test_what_is_not_acknowledged_is_sent_again_in_order_then_given_up(broker: Cluster, topics: Topics, monkeypatch: pytest.MonkeyPatch) -> None:
    with closing(Delivery(settings(broker))) as delivery:
        publisher = Publisher(delivery, topics, SingleObject(), now=START)
        send, failures = delivery.send, 2

        def flaky(message: Message) -> None:
            nonlocal failures
            if failures and message.key == an_item(1).item_id.encode():
                failures -= 1
                raise Undelivered("away", [message], [])
            send(message)

        monkeypatch.setattr(delivery, "send", flaky)
        for number in range(3):
            publisher.send(an_item(number))
        publisher.flush()
        assert published(broker, topics) == [an_item(0), an_item(1), an_item(2)]
        failures = 3
        with pytest.raises(Undelivered):
            publisher.send(an_item(1))


def test_what_could_not_be_read_is_named(broker: Cluster, topics: Topics, tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_text('{"id": "0", "text": "words"}\n' + "broken\x1b[31m\n" * 22, encoding="utf8")
    result = dijla_publish(broker, topics, str(tmp_path / "in.jsonl"))
    assert (result.exit_code, f"22 dead letters to {topics.dead_letters}" in result.stdout) == (3, True)
    lines = [line.strip() for line in result.stderr.splitlines()]
    assert [line.partition(" (from 0): ")[0] for line in lines] == [*(f"in.jsonl, entry {number}" for number in range(1, 21)), "... and 2 more"]
    assert all(line.partition("): ")[2] for line in lines[:-1]), "each says why"
    assert "\x1b" not in result.stderr


def test_topics_that_are_missing_are_said(broker: Cluster) -> None:
    result = dijla_publish(broker, Topics.of(TopicSettings(prefix="none.")), str(SEEDS))
    assert isinstance(result.exception, UsageError)
    assert "none.raw is missing" in str(result.exception)
