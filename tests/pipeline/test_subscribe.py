"""Subscribing to events: what is handed out, what comes again, what does not."""

from __future__ import annotations

import json
import threading
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta
from io import BytesIO
from itertools import islice
from pathlib import Path
from typing import Any

import fastavro
import msgspec
import pytest
from kafka import KafkaProducer
from pydantic import HttpUrl

from pipeline import subscribe
from pipeline.broker.cluster import Cluster
from pipeline.subscribe import Filter, Seen, Subscription
from pipeline.topic_positions import MissingTopicError, parse_start
from schemas.avro import definition, encode_single_object, fingerprint
from schemas.errors import UsageError
from schemas.kafka.envelope import event_message
from schemas.kafka.registry import Confluent, Registry, RegistrySettings, RegistryUnreachable
from schemas.kafka.settings import TopicSettings
from schemas.kafka.topics import Topics
from schemas.plain import AVRO_TYPES
from schemas.records import Event, Place
from schemas.wire import SINGLE_OBJECT
from tests.pipeline.on_topics import Sent, an_event, committed, create_topic, delete_before, new_topic, send, send_events
from tests.schemas.apicurio import apicurio

SHORT = timedelta(seconds=1)


@pytest.fixture
def prefix(broker: Cluster) -> TopicSettings:
    settings = TopicSettings(prefix=new_topic(broker) + ".")
    create_topic(broker, Topics.of(settings).events, partitions=2)
    create_topic(broker, Topics.of(settings).schemas)
    return settings


@pytest.fixture
def topic(prefix: TopicSettings) -> str:
    return Topics.of(prefix).events


def subscription(broker: Cluster, prefix: TopicSettings, **options: Any) -> Subscription:
    return Subscription(broker.bootstrap, group=f"pager-{prefix.prefix}", topics=prefix, **{"timeout": SHORT, **options})


def received(broker: Cluster, prefix: TopicSettings, **options: Any) -> list[Event]:
    with subscription(broker, prefix, **options) as events:
        return list(events)


def ids(events: list[Event]) -> list[tuple[int, int]]:
    return [(int(event.event_id, 16), event.revision) for event in events]


def test_events_come_as_they_were_written_and_once(broker: Cluster, prefix: TopicSettings, topic: str) -> None:
    written = [an_event(1), an_event(1, 1), an_event(2)]
    send_events(broker, topic, [*written, *written], partition=0)
    assert received(broker, prefix) == written
    assert received(broker, prefix) == []
    send_events(broker, topic, [an_event(3)])
    assert ids(received(broker, prefix)) == [(3, 0)]


def test_a_repetition_after_a_restart_is_dropped(broker: Cluster, prefix: TopicSettings, topic: str) -> None:
    send_events(broker, topic, [an_event(1), an_event(2)], partition=1)
    assert len(received(broker, prefix)) == 2
    send_events(broker, topic, [an_event(2), an_event(3)], partition=1)
    assert ids(received(broker, prefix)) == [(3, 0)]


def test_how_far_back_a_restart_remembers(broker: Cluster, prefix: TopicSettings, topic: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subscribe, "LOOK_BACK", 2)
    send_events(broker, topic, [an_event(1), an_event(2), an_event(3)], partition=0)
    received(broker, prefix)
    send_events(broker, topic, [an_event(1), an_event(2), an_event(3)], partition=0)
    assert ids(received(broker, prefix)) == [(1, 0)]


def test_what_was_not_dealt_with_comes_again(broker: Cluster, prefix: TopicSettings, topic: str) -> None:
    send_events(broker, topic, [an_event(number) for number in range(4)], partition=0)

    def fails_at_two() -> None:
        with subscription(broker, prefix) as events:
            for event in events:
                assert event != an_event(2)

    with pytest.raises(AssertionError):
        fails_at_two()
    assert committed(broker, f"pager-{prefix.prefix}", topic) == 2
    with subscription(broker, prefix) as events:
        assert ids(list(islice(events, 1))) == [(2, 0)]
        events.acknowledge()
    assert ids(received(broker, prefix)) == [(3, 0)]


def test_what_is_dealt_with_is_written_down_within_a_second(broker: Cluster, prefix: TopicSettings, topic: str) -> None:
    """A process that is killed in the midst of many has not dealt with them for nothing."""
    send_events(broker, topic, [an_event(number) for number in range(50)], partition=0)
    with subscription(broker, prefix) as events:
        for event in islice(events, 30):
            if event in (an_event(5), an_event(20)):
                time.sleep(1.1)
        assert committed(broker, f"pager-{prefix.prefix}", topic) == 21


def test_events_that_are_filtered_out_are_dealt_with(broker: Cluster, prefix: TopicSettings, topic: str) -> None:
    send_events(broker, topic, [an_event(1, severity="minor"), an_event(2), an_event(3, severity="minor")], partition=0)
    assert ids(received(broker, prefix, filter=Filter(severity="severe"))) == [(2, 0)]
    assert committed(broker, f"pager-{prefix.prefix}", topic) == 3


def test_where_to_start(broker: Cluster, prefix: TopicSettings, topic: str) -> None:
    day = datetime.now(UTC) - timedelta(days=5)  # older ones the topic's retention would remove
    with closing(KafkaProducer(bootstrap_servers=broker.bootstrap)) as producer:
        for number in range(3):
            moment = int((day + timedelta(days=number)).timestamp() * 1000)
            producer.send(topic, encode_single_object(an_event(number)), partition=0, timestamp_ms=moment).get(30)
    assert received(broker, prefix, start="latest") == []
    assert received(broker, prefix) == [], "the group's place is where `latest` was"
    assert ids(received(broker, prefix, start=day + timedelta(hours=23))) == [(1, 0), (2, 0)]
    assert ids(received(broker, prefix, start="earliest")) == [(0, 0), (1, 0), (2, 0)]
    assert received(broker, prefix, start=day + timedelta(days=9)) == []


def test_a_record_that_cannot_be_decoded_is_passed_over(broker: Cluster, prefix: TopicSettings, topic: str, caplog: pytest.LogCaptureFixture) -> None:
    unknown, confluent = SINGLE_OBJECT + bytes(8) + b"body", b"\0\0\0\0\1body"
    cut = encode_single_object(an_event(9))[:60]
    send(broker, topic, [Sent(value, b"key", partition=0) for value in (b"poison", None, unknown, confluent, cut)])
    send_events(broker, topic, [an_event(1)], partition=0)
    with subscription(broker, prefix) as events:
        assert list(events) == [an_event(1)]
        assert events.unreadable == 5
    assert [record.__dict__["offset"] for record in caplog.records if "passed over" in record.message] == [0, 1, 2, 3, 4]


def test_an_event_of_a_later_version_is_decoded_through_the_schemas_topic(broker: Cluster, prefix: TopicSettings, topic: str) -> None:
    later = json.loads(json.dumps(definition(Event)))
    later["fields"].append({"name": "new_in_a_later_version", "type": "string", "default": ""})
    send(broker, topic, [Sent(b"" + SINGLE_OBJECT + fingerprint(later) + _body(later, an_event(1)), b"key")])
    send(broker, Topics.of(prefix).schemas, [Sent(json.dumps(later).encode(), fingerprint(later).hex().encode())])
    assert received(broker, prefix) == [an_event(1)]


def test_what_was_deleted_before_it_was_read_is_counted(broker: Cluster, prefix: TopicSettings, topic: str, caplog: pytest.LogCaptureFixture) -> None:
    send_events(broker, topic, [an_event(1)], partition=0)
    received(broker, prefix)
    send_events(broker, topic, [an_event(number) for number in range(2, 6)], partition=0)
    delete_before(broker, topic, 3)
    with subscription(broker, prefix) as events:
        assert ids(list(events)) == [(4, 0), (5, 0)]
        assert events.missed == 2
    assert "deleted before the group had read them" in caplog.text


def test_members_of_a_group_share_the_events_and_none_is_lost_or_doubled(broker: Cluster, prefix: TopicSettings, topic: str) -> None:
    """One member comes, one goes, while events are written."""
    found: list[list[Event]] = [[], []]
    members: list[Subscription] = []

    def read(number: int, ready: threading.Event) -> None:
        with subscription(broker, prefix, timeout=timedelta(seconds=6)) as events:
            members.append(events)
            for event in events:
                found[number].append(event)
                ready.set()

    threads: list[threading.Thread] = []
    for number in range(2):
        ready = threading.Event()
        threads.append(threading.Thread(target=read, args=(number, ready), daemon=True))
        threads[-1].start()
        for event in range(100 * number, 100 * number + 400):
            if ready.is_set():
                break
            for partition in (0, 1):
                send_events(broker, topic, [an_event(1000 * partition + event)], partition=partition)
    members[0].stop()
    threads[0].join(20)
    send_events(broker, topic, [an_event(9000)], partition=0)
    send_events(broker, topic, [an_event(9001)], partition=1)
    threads[1].join(30)
    both = ids(found[0]) + ids(found[1])
    assert found[0]
    assert {(9000, 0), (9001, 0)} <= set(ids(found[1]))
    assert len(both) == len(set(both))
    assert sorted(both) == sorted(ids(received(broker, prefix, start="earliest")))


def test_stop_ends_it_from_another_thread(broker: Cluster, prefix: TopicSettings) -> None:
    with subscription(broker, prefix, timeout=None) as events:
        threading.Timer(0.5, events.stop).start()
        assert list(events) == []


def test_a_topic_that_is_missing_is_said(broker: Cluster) -> None:
    with pytest.raises(MissingTopicError, match=r"there is no topic none\.events .* `dijla broker topics --bootstrap-servers"):
        received(broker, TopicSettings(prefix="none."))


@pytest.mark.parametrize(
    ("wanted", "fits"),
    [
        (Filter(), True),
        (Filter(severity="severe"), True),
        (Filter(severity="minor"), True),
        (Filter(severity="extreme"), False),
        (Filter(types=["protest", "rocket_mortar_attack"]), True),
        (Filter(types={"drone_attack"}), True),
        (Filter(types=["protest"]), False),
        (Filter(places=["green zone"]), True),
        (Filter(places=["KARKH"]), True),
        (Filter(places=["Taji", "Dora"]), False),
        (Filter(scopes=["city", "belt"]), True),
        (Filter(scopes=["belt"]), False),
        (Filter(credibility=2), True),
        (Filter(credibility=1), False),
        (Filter(alerts=True), True),
        (Filter(severity="severe", scopes=["elsewhere"]), False),
    ],
)
def test_filter(wanted: Filter, fits: bool) -> None:
    assert wanted(an_event(1, labels=("rocket_mortar_attack", "drone_attack"))) is fits


def test_filter_of_what_is_not_known() -> None:
    bare = an_event(1, place=None, severity="of a later version", information_credibility=6, alert=False, labels=())
    assert Filter(scopes=["unknown"], types=["rocket_mortar_attack"])(bare)
    assert not Filter(places=["Green Zone"])(bare)
    assert not Filter(severity="minor")(bare)
    assert not Filter(credibility=5)(bare)
    assert Filter(credibility=6)(bare)
    assert not Filter(alerts=True)(bare)
    assert not Filter(places=["Karkh"])(an_event(1, place=Place(name="Taji", scope="belt")))


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"severity": "high"}, "no severity 'high': there are unknown, minor"),
        ({"types": ["rockets", "protest"]}, "no type 'rockets': there are suicide_bombing"),
        ({"types": "protest"}, "no type 'p'"),
        ({"scopes": ["town"]}, "no scope 'town': there are city, belt"),
        ({"credibility": 0}, "from 1 .* to 6"),
        ({"places": "Taji"}, r"give a list of names, as \['Taji'\]"),
    ],
)
def test_a_filter_with_a_slip_in_it_is_refused(wrong: dict[str, Any], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        Filter(**wrong)


def test_start_as_it_is_typed() -> None:
    assert [parse_start(word) for word in ("group", "earliest", "latest")] == ["group", "earliest", "latest"]
    assert parse_start("2026-11-22") == datetime(2026, 11, 22, tzinfo=UTC)
    assert parse_start("2026-11-22T03:00:00+03:00") == datetime(2026, 11, 22, tzinfo=UTC)
    with pytest.raises(UsageError, match=r"'yesterday' is no time: give it as .*; or group, earliest, latest"):
        parse_start("yesterday")


def test_memory_is_bounded_and_keeps_the_newest() -> None:
    seen = Seen(2)
    assert [seen.add(thing) for thing in ("a", "b", "a", "c", "b", "c")] == [True, True, False, True, True, False]


def _body(schema: dict[str, Any], event: Event) -> bytes:
    out = BytesIO()
    values = msgspec.to_builtins(event, builtin_types=AVRO_TYPES)
    fastavro.schemaless_writer(out, fastavro.parse_schema(schema), values)
    return out.getvalue()


def test_the_example_of_the_module_is_real(broker: Cluster, prefix: TopicSettings, topic: str) -> None:
    assert 'Subscription("localhost:9092", group="pager", filter=Filter(severity="severe", alerts=True))' in (subscribe.__doc__ or "")
    send_events(broker, topic, [an_event(1), an_event(2, alert=False)])
    assert ids(received(broker, prefix, filter=Filter(severity="severe", alerts=True))) == [(1, 0)]


def test_both_wire_formats_with_a_registry_and_nothing_is_lost_while_it_is_down(broker: Cluster, prefix: TopicSettings, topic: str, tmp_path: Path) -> None:
    with apicurio(tmp_path) as (url, process):
        registry = RegistrySettings(url=HttpUrl(url))
        with closing(Registry(registry)) as client:
            first, later = (event_message(topic, an_event(number), Confluent(client)) for number in (1, 3))
        send(broker, topic, [Sent(first.value, first.key, first.headers, 0)])
        send_events(broker, topic, [an_event(2)], partition=0)
        assert received(broker, prefix, registry=registry) == [an_event(1), an_event(2)]
        send(broker, topic, [Sent(later.value, later.key, later.headers, 0)])
        process.kill()
        process.wait()
        with pytest.raises(RegistryUnreachable):
            received(broker, prefix, registry=registry)
        assert committed(broker, f"pager-{prefix.prefix}", topic) == 2
