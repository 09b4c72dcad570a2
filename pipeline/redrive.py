"""Dead letters put back on the raw topic after a fix, each once.

What is put back, what is parked and what is thereby handled are written in one transaction: a run that is killed, or a second
one at the same time, puts nothing back twice for a reader of committed records, as the pipeline is.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple, Self

from kafka import KafkaProducer, TopicPartition
from kafka.errors import KafkaError

from pipeline.decoder import Decoder
from pipeline.handled import Handled
from pipeline.letters import Decision, Selection, decide, with_header
from pipeline.origins import Origins
from pipeline.topic_positions import offsets_at, partitions
from schemas.errors import SchemaError
from schemas.kafka.clients import consumer, producer, why
from schemas.kafka.delivery import Message
from schemas.kafka.failures import KafkaFailure
from schemas.kafka.hanging import mend
from schemas.kafka.settings import KafkaSettings
from schemas.kafka.topics import Topics
from schemas.records import DeadLetter

PARKED = "parked"
"""Header of a parked dead letter: why."""
_OFFSETS = "__consumer_offsets"
_BATCH = 200
_POLL_MS = 200


class RedriveFailed(KafkaFailure):
    """Redriving was broken off; what it has reported as done is done."""


class Taken(NamedTuple):
    """A record of the dead-letter topic, the letter in it (None where it cannot be decoded), and what is done with it."""

    record: Any
    letter: DeadLetter | None
    decision: Decision


class Redrive:
    """The dead letters that were there at the beginning and have not been handled by this group."""

    def __init__(self, settings: KafkaSettings, topics: Topics, decode: Decoder, *, group: str, max_attempts: int) -> None:
        self._settings, self._topics, self._decode, self._group, self._max_attempts = settings, topics, decode, group, max_attempts
        self._letters = consumer(settings, group_id=group, auto_offset_reset="earliest", max_poll_records=_BATCH)
        self._origins = Origins(settings, topics.raw)
        self._handled: dict[TopicPartition, Handled] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._letters.close()
        self._origins.close()

    def plan(self, selection: Selection) -> Iterator[Taken]:
        """What `run` would do; changes nothing."""
        for batch in self._batches(selection):
            yield from batch

    def run(self, selection: Selection) -> Iterator[Taken]:
        """Do it; yields what is done. Raises RedriveFailed, TooScatteredError, MissingTopicError."""
        partitions(self._letters, self._topics.dead_letters_parked)
        mend(self._settings, [self._topics.raw, self._topics.dead_letters_parked, _OFFSETS], [self._group])
        client = producer(self._settings, transactional_id=self._group)
        try:
            client.init_transactions()
            for batch in self._batches(selection):
                self._commit(client, batch)
                yield from batch
        except KafkaError as error:
            raise RedriveFailed(f"broken off: {why(error, self._settings)}; what was put back is put back, run it again for the rest") from error
        finally:
            client.close()

    def _batches(self, selection: Selection) -> Iterator[list[Taken]]:
        """Every letter that is not handled, decided on; `_handled` is as it will be when the batch is done."""
        self._origins.look()
        parts = partitions(self._letters, self._topics.dead_letters)
        earliest, ends = offsets_at(self._letters, parts, "earliest"), offsets_at(self._letters, parts, "latest")
        self._letters.assign(sorted(parts))
        for at in parts:
            self._handled[at] = Handled.of(self._letters.committed(at, metadata=True))
            self._handled[at].begin_at(earliest[at])
            self._letters.seek(at, self._handled[at].start)
        while any(self._letters.position(at) < ends[at] for at in parts):
            found = self._letters.poll(timeout_ms=_POLL_MS)
            batch = [self._take(record, selection) for at, records in found.items() for record in records if self._is_due(at, record, ends[at])]
            if batch:
                yield batch

    def _is_due(self, at: TopicPartition, record: Any, end: int) -> bool:
        return record.offset < end and record.offset not in self._handled[at]

    def _take(self, record: Any, selection: Selection) -> Taken:
        try:
            letter = self._decode(record.value, DeadLetter)
        except SchemaError as error:
            taken = Taken(record, None, Decision("park", f"cannot be read: {error}"))
        else:
            decision = decide(letter, selection, raw=self._topics.raw, max_attempts=self._max_attempts, fetch=self._origins.fetch)
            taken = Taken(record, letter, decision)
        self._handled[TopicPartition(record.topic, record.partition)].note(record.offset, handled=taken.decision.action != "leave")
        return taken

    def _commit(self, client: KafkaProducer, batch: list[Taken]) -> None:
        """One transaction: the messages of a batch, and that they are handled."""
        offsets = {at: handled.committable() for at, handled in self._handled.items()}
        client.begin_transaction()
        try:
            for message in filter(None, map(self._message, batch)):
                client.send(message.topic, message.value, message.key, list(message.headers))
            client.send_offsets_to_transaction(offsets, self._group)
            client.commit_transaction()
        except KafkaError:
            client.abort_transaction()
            raise

    def _message(self, taken: Taken) -> Message | None:
        match taken.decision:
            case Decision("park", why):
                record = taken.record
                return Message(self._topics.dead_letters_parked, record.key, record.value, with_header(record.headers, PARKED, why))
        return taken.decision.message
