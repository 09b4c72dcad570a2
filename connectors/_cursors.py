"""Where each source is, on the compacted topic: key = the source's id, value = its state in JSON.

A collector's own key, `@` and its name, holds the mark of its last transaction: which run of it made it, and the how manieth it was.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing
from typing import Any, NamedTuple

import msgspec
from kafka import TopicPartition
from kafka.errors import KafkaTimeoutError

from schemas.kafka.clients import admin, consumer, explained
from schemas.kafka.delivery import Message
from schemas.kafka.failures import KafkaFailure
from schemas.kafka.settings import KafkaSettings
from schemas.kafka.topics import missing

_COLLECTOR = b"@"  # no source's id begins with it
_POLL_MS = 200
# Another collector that died within a transaction hides what was written after it, until a broker aborts that: 10 s, looked at every 10 s, and the
# broker itself may be starting.
_PATIENCE_S = 60.0


class Mark(msgspec.Struct, frozen=True):
    """A transaction: `run` names one start of a collector."""

    run: str
    transaction: int


class Cursors(NamedTuple):
    """What the topic says: the state of each source by its id, and the last mark of each collector by its name."""

    states: dict[str, bytes]
    marks: dict[str, Mark]


def state_message(topic: str, source_id: str, state: bytes) -> Message:
    """The state of a source."""
    return Message(topic, source_id.encode(), state)


def mark_message(topic: str, name: str, mark: Mark) -> Message:
    """The mark of the collector called `name`."""
    return Message(topic, _COLLECTOR + name.encode(), msgspec.json.encode(mark))


def read(settings: KafkaSettings, topic: str) -> Cursors:
    """All that was committed before this call. Raises KafkaFailure, also where a transaction stays open for 60 s."""
    cursors = Cursors({}, {})
    for record in _records(settings, topic):
        try:
            _note(record.key.decode(), record.value, cursors)
        except (UnicodeDecodeError, msgspec.DecodeError) as error:
            raise KafkaFailure(
                f"{topic}, offset {record.offset}: is not ours: {error}; another program writes to this topic: give us a prefix of our own"
            ) from error
    return cursors


def _note(key: str, value: bytes | None, cursors: Cursors) -> None:
    collector = key.removeprefix(_COLLECTOR.decode())
    if value is None:
        cursors.states.pop(key, None)
    elif collector == key:
        cursors.states[key] = value
    else:
        cursors.marks[collector] = msgspec.json.decode(value, type=Mark)


def _partitions(settings: KafkaSettings, topic: str) -> list[TopicPartition]:
    """All of them: a consumer knows only those that have a leader now, and what the others hold must not be thought missing."""
    with admin(settings) as client:
        (described,) = client.describe_topics([topic])
    if not described["partitions"]:
        raise KafkaFailure(missing(topic, settings.bootstrap_servers))
    return [TopicPartition(topic, partition["partition_index"]) for partition in described["partitions"]]


def _records(settings: KafkaSettings, topic: str) -> Iterator[Any]:
    with explained(settings), closing(consumer(settings)) as committed, closing(consumer(settings, isolation_level="read_uncommitted")) as all_there_is:
        partitions = _partitions(settings, topic)
        # Of committed records the end is before the first open transaction, anybody's: what we look for may stand behind it.
        ends = all_there_is.end_offsets(partitions)
        committed.assign(partitions)
        committed.seek_to_beginning()
        deadline = time.monotonic() + _PATIENCE_S
        while any(committed.position(at) < end for at, end in ends.items()):
            if time.monotonic() > deadline:
                raise KafkaTimeoutError(f"{topic} was not read to its end within {_PATIENCE_S:g} s: a transaction on it stays open")
            for records in committed.poll(timeout_ms=_POLL_MS).values():
                yield from records
