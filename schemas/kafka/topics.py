"""The topics as code: their names and settings, how they are made and held against what a cluster has."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from typing import NamedTuple

from kafka.admin import ConfigResource, KafkaAdminClient
from kafka.errors import NoError, TopicAlreadyExistsError, UnknownTopicOrPartitionError, for_code

from schemas.errors import DijlaError
from schemas.kafka.settings import KafkaSettings, TopicSettings

_LATEST_BY_KEY = {"cleanup.policy": "compact"}


class TopicError(DijlaError):
    """The cluster refuses to create a topic or to show it."""


class Topics(NamedTuple):
    """The topics' names, with an installation's prefix."""

    raw: str
    reports: str
    events: str
    events_latest: str
    dead_letters: str
    dead_letters_parked: str
    cursors: str
    schemas: str

    @classmethod
    def of(cls, settings: TopicSettings) -> Topics:
        """`osint.raw` and so on."""
        names = ("raw", "reports", "events", "events.latest", "dead-letters", "dead-letters.parked", "cursors", "schemas")
        return cls(*(settings.prefix + name for name in names))


class Spec(NamedTuple):
    """What a topic must be: at least so many partitions and replicas, and these of Kafka's topic settings."""

    name: str
    partitions: int
    replication: int
    config: Mapping[str, str]


class Shape(NamedTuple):
    """What a topic has: partitions, and copies of each (of the one with the fewest)."""

    partitions: int
    replication: int


def specs(settings: TopicSettings) -> list[Spec]:
    """Every topic that Dijla reads or writes, in the order of `Topics`."""
    names, days = Topics.of(settings), settings.retention_days
    # The pipeline's watermark is the time at which the broker appended a raw item.
    raw = _kept_for(days.raw) | {"message.timestamp.type": "LogAppendTime"}
    dead_letters = _kept_for(days.dead_letters)
    shapes: dict[str, tuple[int, dict[str, str]]] = {
        names.raw: (settings.partitions, raw),
        names.reports: (settings.partitions, _kept_for(days.reports)),
        names.events: (settings.partitions, _kept_for(days.events)),
        names.events_latest: (settings.partitions, _LATEST_BY_KEY),
        names.dead_letters: (settings.partitions, dead_letters),
        names.dead_letters_parked: (settings.partitions, dead_letters),
        # Small, and read from end to end by whoever starts.
        names.cursors: (1, _LATEST_BY_KEY),
        names.schemas: (1, _LATEST_BY_KEY),
    }
    in_sync = {"min.insync.replicas": str(settings.min_insync_replicas)}
    return [Spec(name, partitions, settings.replication, config | in_sync) for name, (partitions, config) in shapes.items()]


def _kept_for(days: int) -> dict[str, str]:
    return {"cleanup.policy": "delete", "retention.ms": str(timedelta(days=days) // timedelta(milliseconds=1))}


def create(admin: KafkaAdminClient, specs: Sequence[Spec]) -> list[str]:
    """Create what is missing and leave alone what exists; the names created. Raises TopicError."""
    there = existing(admin, specs)
    wanted = {
        spec.name: {"num_partitions": spec.partitions, "replication_factor": spec.replication, "configs": spec.config}
        for spec in specs
        if spec.name not in there
    }
    if not wanted:
        return []
    answers = {answer["name"]: answer for answer in admin.create_topics(wanted, raise_errors=False)["topics"]}
    errors = {name: for_code(answer["error_code"]) for name, answer in answers.items()}
    refused: dict[str, list[str]] = defaultdict(list)
    for name, error in errors.items():
        if error not in (NoError, TopicAlreadyExistsError):  # exists: another was faster
            refused[answers[name]["error_message"] or error.__name__].append(name)
    if refused:
        raise TopicError("the cluster refuses to create " + "; ".join(f"{', '.join(names)}: {reason}" for reason, names in refused.items()))
    admin.wait_for_topics(list(wanted))
    return [name for name, error in errors.items() if error is NoError]


def problems(admin: KafkaAdminClient, specs: Sequence[Spec]) -> list[str]:
    """What is missing or wrong, each with what to do; empty when all is well. Raises TopicError where topics may not be looked at."""
    there, how = existing(admin, specs), command(admin.config["bootstrap_servers"])
    configs = _configs(admin, there)
    return [problem for spec in specs for problem in _differences(spec, there.get(spec.name), configs.get(spec.name, {}), how)]


def missing(topic: str, servers: str | Sequence[str]) -> str:
    """What to say of a topic that is not there; `servers` as the settings or a client have them."""
    return f"there is no topic {topic} at {_listed(servers)}: create it with {command(servers)}"


def command(servers: str | Sequence[str]) -> str:
    """What creates the topics of this cluster."""
    there = _listed(servers)
    return "`dijla broker topics`" if there == KafkaSettings().bootstrap_servers else f"`dijla broker topics --bootstrap-servers {there}`"


def _listed(servers: str | Sequence[str]) -> str:
    return servers if isinstance(servers, str) else ",".join(servers)


def existing(admin: KafkaAdminClient, specs: Sequence[Spec]) -> dict[str, Shape]:
    """Those topics that exist, by name. Raises TopicError."""
    found = {}
    for topic in admin.describe_topics([spec.name for spec in specs]):
        error = for_code(topic["error_code"])
        if error is NoError:
            found[topic["name"]] = Shape(len(topic["partitions"]), min(len(partition["replica_nodes"]) for partition in topic["partitions"]))
        elif error is not UnknownTopicOrPartitionError:
            raise TopicError(f"topic {topic['name']} cannot be looked at: {error.__name__}")
    return found


def _configs(admin: KafkaAdminClient, names: Iterable[str]) -> dict[str, dict[str, str]]:
    """Kafka's settings of each topic; empty where we may not see them."""
    resources = [ConfigResource("topic", name) for name in names]
    answer = admin.describe_configs(resources, config_filter="all") if resources else {}
    return {name: {key: entry["value"] for key, entry in config.items()} for name, config in answer.get("topic", {}).items()}


def _differences(spec: Spec, there: Shape | None, config: Mapping[str, str], how: str) -> Iterator[str]:
    if there is None:
        settings = ", ".join(f"{key}={value}" for key, value in spec.config.items())
        yield f"topic {spec.name} is missing: run {how}, or create it with {spec.partitions} partitions, replication factor {spec.replication}, {settings}"
        return
    if there.partitions < spec.partitions:
        yield f"topic {spec.name} has {there.partitions} partitions, not {spec.partitions}: add some with kafka-topics.sh, or lower topics.partitions"
    if there.replication < spec.replication:
        change = "raise it with kafka-reassign-partitions.sh, or lower topics.replication"
        yield f"topic {spec.name} has replication factor {there.replication}, not {spec.replication}: {change}"
    if not config:
        yield f"topic {spec.name} does not show its settings to us: allow us DESCRIBE_CONFIGS on it"
        return
    for key, wanted in spec.config.items():
        if not _fits(key, config[key], wanted):
            yield f"topic {spec.name} has {key}={config[key]}, not {wanted}: kafka-configs.sh --alter --topic {spec.name} --add-config {key}={wanted}"


def _fits(key: str, found: str, wanted: str) -> bool:
    if key == "retention.ms":
        return found == "-1" or int(found) >= int(wanted)  # -1: for ever
    if key == "min.insync.replicas":
        return int(found) >= int(wanted)
    return found == wanted
