"""Records to topics: every one acknowledged before its bundle ends, none put there twice.

What a bundle holds is sent through an idempotent producer; where that cannot deliver within its deadline it is replaced, and
what the topic does not hold by then is sent again. What an earlier run has put there already is left out: known by the offset
that was done, and behind it by what the topics hold.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from time import sleep
from typing import Any, TypeVar

import apache_beam as beam
from apache_beam.pvalue import PCollection
from kafka.errors import KafkaError

from pipeline import canary, metrics
from pipeline.dead_letter import dead_letter
from pipeline.resume import Resume, Resumed
from pipeline.sinks.emitted import Emitted
from schemas.kafka.delivery import Delivery, Message, Refusal, Refused, Undelivered
from schemas.kafka.envelope import Codec, dead_letter_message, event_message, report_message
from schemas.kafka.failures import BrokerUnreachable, KafkaFailure
from schemas.kafka.registry import RegistryUnreachable
from schemas.kafka.settings import KafkaSettings
from schemas.kafka.topics import Topics
from schemas.records import CANARY, DeadLetter, Event, Report

_log = logging.getLogger(__name__)
_RETRY_SECONDS = 1.0
AnswerT = TypeVar("AnswerT")
Written = Report | Event | DeadLetter


@dataclass(frozen=True, slots=True)
class Outlet:
    """The topics as a sink needs them: where they are, how records are encoded, and what is there already.

    Where the runner starts workers anew by itself, what is there by then is `resumed`.
    """

    settings: KafkaSettings
    topics: Topics
    codec: Callable[[], Codec]
    resume: Resume
    deadline: timedelta
    resumed: Resumed | None = None


class WriteTopics(beam.PTransform[Any, Any]):
    """Records of one kind (reports, events, dead-letters) -> their topics. Events go to that of all revisions and to the compacted one."""

    def __init__(self, kind: str, outlet: Outlet) -> None:
        super().__init__()
        self.dofn = _WriteTopics(kind, outlet)

    def expand(self, records: PCollection[Any]) -> Any:
        """One ParDo that delivers at the end of each bundle."""
        return records | beam.ParDo(self.dofn)


class _WriteTopics(beam.DoFn):
    """Collects the records of a bundle and delivers them before it ends; waits for a broker that is away."""

    def __init__(self, kind: str, outlet: Outlet) -> None:
        self.kind, self.outlet = kind, outlet

    def setup(self) -> None:
        outlet = self.outlet
        self.resume = self._reaching(outlet.resumed.now) if outlet.resumed else outlet.resume
        since = self.resume.rebuilt_from if self.kind == "events" else self.resume.done_at
        topics = {"reports": ("reports",), "events": ("events", "events_latest"), "dead-letters": ("dead_letters",)}[self.kind]
        names = {getattr(outlet.topics, topic): topic == "events_latest" for topic in topics}
        self.emitted = self._reaching(lambda: {name: Emitted(outlet.settings, name, since, latest=latest) for name, latest in names.items()})
        self.codec = outlet.codec()
        self.delivery = Delivery(outlet.settings, deadline=outlet.deadline)
        metrics.sending(self.delivery)

    def start_bundle(self) -> None:
        self.records: list[Written] = []

    def process(self, record: Written) -> None:
        self.records.append(record)

    def finish_bundle(self) -> None:
        fresh = [record for record in self.records if isinstance(record, Event) or not self.resume.is_done(record)]
        messages = self._reaching(lambda: [message for record in fresh for message in self._messages(record)])
        messages = [message for message in messages if not self.emitted[message.topic].holds(message)]
        with metrics.FLUSH.labels(self.kind, "kafka").time():
            self._deliver(messages)
        metrics.written(self.kind, "kafka").inc(len(fresh))
        now = datetime.now(UTC)
        for record in fresh:
            _observe(self.kind, record, now)

    def teardown(self) -> None:
        self.delivery.close()

    def _messages(self, record: Written) -> Iterator[Message]:
        match record:
            case Report():
                yield report_message(self.outlet.topics.reports, record, self.codec)
            case Event():
                yield event_message(self.outlet.topics.events, record, self.codec)
                yield event_message(self.outlet.topics.events_latest, record, self.codec)
            case DeadLetter():
                yield dead_letter_message(self.outlet.topics.dead_letters, record, self.codec)

    def _deliver(self, messages: Sequence[Message]) -> None:
        """Return when the topics hold all messages, however long the broker is away: the bundle, and the reader, wait."""
        while messages:
            refusals: Sequence[Refusal] = ()
            try:
                for message in messages:
                    self.delivery.send(message)
                self.delivery.flush()
                messages = ()
            except Refused as error:
                messages, refusals = (), error.refusals
            except Undelivered as error:
                metrics.REPLACED.inc()
                _log.error("not delivered in time: the producer is replaced", extra={"kind": self.kind, "cause": str(error)})
                messages, refusals = self._missing(messages), error.refusals
            except KafkaFailure as error:
                _log.error("no connection to the broker: trying again", extra={"kind": self.kind, "cause": str(error)})
                messages = self._missing(messages)
            refused = {refusal.message for refusal in refusals}
            messages = [*(message for message in messages if message not in refused), *map(self._instead, refusals)]

    def _missing(self, messages: Sequence[Message]) -> Sequence[Message]:
        """Those that their topic does not hold."""
        sleep(_RETRY_SECONDS)
        for emitted in self.emitted.values():
            self._reaching(emitted.refresh)
        return [message for message in messages if message.topic not in self.emitted or not self.emitted[message.topic].holds(message)]

    def _reaching(self, ask: Callable[[], AnswerT]) -> AnswerT:
        """What the broker, or the schema registry, answers; waits until it does."""
        while True:
            try:
                return ask()
            except (BrokerUnreachable, RegistryUnreachable, KafkaError) as error:
                _log.error("no answer: trying again", extra={"kind": self.kind, "cause": str(error)})
                sleep(_RETRY_SECONDS)

    def _instead(self, refusal: Refusal) -> Message:
        """The dead letter of a message that no broker will take; a dead letter stays what it is, until its topic takes it."""
        if refusal.message.topic == self.outlet.topics.dead_letters:
            _log.error("a dead letter is refused: trying again", extra={"kind": self.kind, "cause": refusal.reason})
            sleep(_RETRY_SECONDS)
            return refusal.message
        metrics.failed("write").inc()
        _log.error("a record is refused for good: it becomes a dead letter", extra={"kind": self.kind, "cause": refusal.reason})
        letter = dead_letter("write", Refused([refusal]), refusal.message.value or b"", datetime.now(UTC))
        return dead_letter_message(self.outlet.topics.dead_letters, letter, self.codec)


def _observe(kind: str, record: Written, now: datetime) -> None:
    match record:
        case Report():
            appended = record.kafka.appended_at if record.kafka else None
            metrics.delivered(kind, record.mode, now, published=record.published, first_seen=record.first_seen, appended=appended)
            if record.source_type == CANARY:
                canary.NEWEST.reached(record.first_seen, now)
        case Event():
            metrics.delivered(kind, record.mode, now, first_seen=record.last_seen)
