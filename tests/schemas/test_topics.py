"""Topics as code, against a real broker."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator

import pytest
from kafka import KafkaAdminClient
from kafka.admin import ConfigResource

from pipeline.broker.cluster import Cluster
from schemas.kafka.settings import KafkaSettings, RetentionDays, TopicSettings
from schemas.kafka.topics import Spec, TopicError, Topics, create, missing, problems, specs

DAY = 86_400_000


@pytest.fixture
def admin(broker: Cluster) -> Iterator[KafkaAdminClient]:
    with KafkaAdminClient(bootstrap_servers=broker.bootstrap) as client:
        yield client


@pytest.fixture
def settings() -> TopicSettings:
    return TopicSettings(prefix=f"{uuid.uuid4().hex}.", partitions=2)


def set_config(admin: KafkaAdminClient, topic: str, key: str, value: str) -> None:
    admin.alter_configs([ConfigResource("topic", topic, {key: value})])
    while admin.describe_configs([ConfigResource("topic", topic)])["topic"][topic][key]["value"] != value:
        time.sleep(0.05)


def test_the_topics_of_the_design() -> None:
    found = {spec.name: spec for spec in specs(TopicSettings())}
    names = ["raw", "reports", "events", "events.latest", "dead-letters", "dead-letters.parked", "cursors", "schemas"]
    assert list(found) == [f"osint.{name}" for name in names] == list(Topics.of(TopicSettings()))
    assert found["osint.raw"] == Spec(
        "osint.raw",
        8,
        1,
        {"cleanup.policy": "delete", "retention.ms": str(30 * DAY), "message.timestamp.type": "LogAppendTime", "min.insync.replicas": "1"},
    )
    assert found["osint.schemas"] == Spec("osint.schemas", 1, 1, {"cleanup.policy": "compact", "min.insync.replicas": "1"})
    compacted = {name for name, spec in found.items() if spec.config["cleanup.policy"] == "compact"}
    assert compacted == {"osint.events.latest", "osint.cursors", "osint.schemas"}
    days = {name: int(spec.config["retention.ms"]) // DAY for name, spec in found.items() if name not in compacted}
    assert days == {"osint.raw": 30, "osint.reports": 30, "osint.events": 90, "osint.dead-letters": 90, "osint.dead-letters.parked": 90}


def test_create_is_idempotent_and_what_it_creates_has_no_problems(broker: Cluster, admin: KafkaAdminClient, settings: TopicSettings) -> None:
    wanted = specs(settings)
    missing = problems(admin, wanted)
    assert len(missing) == 8
    assert missing[0] == (
        f"topic {settings.prefix}raw is missing: run `dijla broker topics --bootstrap-servers {broker.bootstrap}`, "
        f"or create it with 2 partitions, replication factor 1, "
        f"cleanup.policy=delete, retention.ms={30 * DAY}, message.timestamp.type=LogAppendTime, min.insync.replicas=1"
    )
    assert create(admin, wanted[:3]) == [spec.name for spec in wanted[:3]]
    assert create(admin, wanted) == [spec.name for spec in wanted[3:]]
    assert create(admin, wanted) == []
    assert problems(admin, wanted) == []


def test_each_problem_is_found(admin: KafkaAdminClient, settings: TopicSettings) -> None:
    create(admin, specs(settings))
    topics = Topics.of(settings)
    set_config(admin, topics.raw, "message.timestamp.type", "CreateTime")
    set_config(admin, topics.reports, "retention.ms", str(29 * DAY))
    set_config(admin, topics.events, "cleanup.policy", "compact")
    set_config(admin, topics.cursors, "cleanup.policy", "delete")
    stricter = settings.model_copy(update={"partitions": 3})
    wanted = [spec for spec in specs(stricter) if spec.name not in (topics.events_latest, topics.dead_letters_parked)]
    wanted[-1] = wanted[-1]._replace(replication=3, config=wanted[-1].config | {"min.insync.replicas": "2"})
    alter = "kafka-configs.sh --alter --topic"
    assert problems(admin, wanted) == [
        f"topic {topics.raw} has 2 partitions, not 3: add some with kafka-topics.sh, or lower topics.partitions",
        f"topic {topics.raw} has message.timestamp.type=CreateTime, not LogAppendTime: {alter} {topics.raw} --add-config message.timestamp.type=LogAppendTime",
        f"topic {topics.reports} has 2 partitions, not 3: add some with kafka-topics.sh, or lower topics.partitions",
        f"topic {topics.reports} has retention.ms={29 * DAY}, not {30 * DAY}: {alter} {topics.reports} --add-config retention.ms={30 * DAY}",
        f"topic {topics.events} has 2 partitions, not 3: add some with kafka-topics.sh, or lower topics.partitions",
        f"topic {topics.events} has cleanup.policy=compact, not delete: {alter} {topics.events} --add-config cleanup.policy=delete",
        f"topic {topics.dead_letters} has 2 partitions, not 3: add some with kafka-topics.sh, or lower topics.partitions",
        f"topic {topics.cursors} has cleanup.policy=delete, not compact: {alter} {topics.cursors} --add-config cleanup.policy=compact",
        f"topic {topics.schemas} has replication factor 1, not 3: raise it with kafka-reassign-partitions.sh, or lower topics.replication",
        f"topic {topics.schemas} has min.insync.replicas=1, not 2: {alter} {topics.schemas} --add-config min.insync.replicas=2",
    ]


def test_more_than_asked_for_is_no_problem(admin: KafkaAdminClient, settings: TopicSettings) -> None:
    create(admin, specs(settings))
    set_config(admin, Topics.of(settings).raw, "retention.ms", "-1")
    modest = settings.model_copy(update={"partitions": 1, "retention_days": RetentionDays(reports=1)})
    assert problems(admin, specs(modest)) == []


def test_what_the_cluster_refuses_is_said(admin: KafkaAdminClient, settings: TopicSettings) -> None:
    ambitious = settings.model_copy(update={"replication": 3})
    with pytest.raises(TopicError, match=rf"refuses to create {settings.prefix}raw, .*{settings.prefix}schemas: .*factor of 3 cannot be reached") as refused:
        create(admin, specs(ambitious))
    assert str(refused.value).count("cannot be reached") == 1


def test_a_topic_that_is_not_there_is_named_with_the_command_that_makes_it() -> None:
    assert missing("osint.raw", KafkaSettings().bootstrap_servers).endswith("create it with `dijla broker topics`")
    assert missing("osint.raw", ["kafka-1:9092", "kafka-2:9092"]) == (
        "there is no topic osint.raw at kafka-1:9092,kafka-2:9092: create it with `dijla broker topics --bootstrap-servers kafka-1:9092,kafka-2:9092`"
    )


@pytest.mark.faults
def test_three_copies_where_there_are_three_nodes(own_cluster: Callable[..., Cluster], settings: TopicSettings) -> None:
    wanted = specs(settings.model_copy(update={"replication": 3, "min_insync_replicas": 2}))
    with KafkaAdminClient(bootstrap_servers=own_cluster(nodes=3).bootstrap) as admin:
        assert len(create(admin, wanted)) == 8
        assert problems(admin, wanted) == []
