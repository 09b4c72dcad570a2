"""Messages in Kafka transactions, each of which arrives once for readers of committed records, whatever dies in between.

With each transaction goes the mark of its collector (connectors/_cursors.py). Whatever fails, the producer is replaced: that ends what was
under way, and nobody but the new one can write under this name any more; the mark that stands in the topic then says whether the
transaction had been committed, and whether another collector has taken the name. An error of the producer alone says neither: brokers answer a
transaction that took too long as they answer one whose name was taken, and one whose answer was lost not at all.
"""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress

from kafka import KafkaProducer
from kafka.errors import (
    AuthorizationError,
    InvalidRecordError,
    InvalidTimestampError,
    KafkaError,
    KafkaTimeoutError,
    MessageSizeTooLargeError,
    PolicyViolationError,
    RecordListTooLargeError,
)
from kafka.producer.future import FutureRecordMetadata

from connectors._cursors import Mark, mark_message, read
from schemas.errors import UsageError
from schemas.kafka.clients import explained, producer, why
from schemas.kafka.delivery import Message, Refusal, Refused
from schemas.kafka.failures import KafkaFailure
from schemas.kafka.hanging import mend
from schemas.kafka.settings import KafkaSettings
from schemas.kafka.topics import Topics

# How long readers of committed records wait for us when we die within a transaction. Whoever starts us again ends it at once.
_TIMEOUT_MS = 10_000
_NEVER_MS = 86_400_000
_BATCH = 262_144
_LINGER_MS = 20
_CLOSE_SECONDS = 2.0
_log = logging.getLogger(__name__)
_REFUSALS = (InvalidRecordError, InvalidTimestampError, MessageSizeTooLargeError, PolicyViolationError, RecordListTooLargeError)


class TakenOver(KafkaFailure, UsageError):  # noqa: N818 - it names what happened, as the other failures of Kafka
    """Another collector of this name has started: this one must end."""


class Transactions:
    """The transactions of the collector called `name`; making it ends every other of that name. For one thread.

    `states` are those of all sources when it was made.
    """

    def __init__(self, settings: KafkaSettings, topics: Topics, *, name: str) -> None:
        """States and marks are on `topics.cursors`. Raises KafkaFailure."""
        self._settings, self._topics, self._cursors, self._name = settings, topics, topics.cursors, name
        self._id = f"dijla-collect-{topics.cursors}-{name}"  # the topic holds our mark: collectors of other topics are no rivals
        self._mark = Mark(uuid.uuid4().hex, 0)
        self._producer: KafkaProducer | None = None
        self._claim()
        with self._discarding_on_failure():
            self.states: Mapping[str, bytes] = read(settings, topics.cursors).states

    def write(self, items: Sequence[Message], states: Sequence[Message], pause: Callable[[KafkaFailure], None]) -> None:
        """Return when all are committed, together. `pause` is called after a try that failed, and raises when there is to be no other.

        Raises Refused for messages that no broker takes: then nothing is committed, and the others may be written without them.
        """
        self._mark = Mark(self._mark.run, self._mark.transaction + 1)
        mark = mark_message(self._cursors, self._name, self._mark)
        while True:
            try:
                if self._producer is None and self._resume():
                    return
                self._transact([*items, *states, mark])
            except KafkaFailure as failure:
                if isinstance(failure, Refused):
                    raise
                pause(failure)
            else:
                return

    def close(self) -> None:
        """Disconnect; what is not committed is ended."""
        discarded, self._producer = self._producer, None
        if discarded is not None:
            _discard(discarded)

    def _claim(self) -> None:
        """Put our mark in the place of another's. That one, while it does not know, may have its own producer replaced and end ours: hence the tries."""
        for last in (False, False, True):
            self._producer = self._connect()
            try:
                self._attempt([mark_message(self._cursors, self._name, self._mark)])
            except KafkaFailure:
                if last:
                    raise
            else:
                return

    def _resume(self) -> bool:
        """Replace the producer; whether the last transaction had been committed. Raises TakenOver."""
        self._producer = self._connect()
        with self._discarding_on_failure():
            found = read(self._settings, self._cursors).marks.get(self._name)
            if found is None or found.run != self._mark.run:
                raise TakenOver(f"another collector called {self._name} has taken over: run one, or give this one a name of its own")
        return found == self._mark

    def _transact(self, messages: Sequence[Message]) -> None:
        try:
            self._attempt(messages)
        except Refused as error:
            refusals = self._refused([refusal.message for refusal in error.refusals])
            self.close()  # we connected again, and perhaps in the place of another: the next try looks first
            if not refusals:
                raise KafkaFailure(f"refused together and not alone: {error}") from error
            raise Refused(refusals) from error

    def _refused(self, suspects: Sequence[Message]) -> list[Refusal]:
        """Which of them are refused by themselves: halves are tried in transactions that are aborted. One that is refused fails all that travel with it."""
        try:
            self._attempt(suspects, commit=False)
        except Refused as error:
            if len(suspects) == 1:
                return error.refusals
            half = len(suspects) // 2
            return self._refused(suspects[:half]) + self._refused(suspects[half:])
        return []

    def _attempt(self, messages: Sequence[Message], *, commit: bool = True) -> None:
        """One transaction. Raises KafkaFailure, which leaves no producer: whether it was committed is not known, but for Refused."""
        self._producer = client = self._producer or self._connect()
        sent: list[tuple[Message, FutureRecordMetadata]] = []
        with self._discarding_on_failure():
            try:
                client.begin_transaction()
                for message in messages:
                    sent.append((message, client.send(message.topic, message.value, message.key, list(message.headers))))
                deadline = time.monotonic() + _TIMEOUT_MS / 1000
                with suppress(KafkaError):  # it fails also where a batch is split; what became of each message is looked at below
                    client.flush(_TIMEOUT_MS / 1000)
                for _, future in sent:
                    future.get(max(0.0, deadline - time.monotonic()))
                _end(client, commit)
            except KafkaError as error:
                raise self._failure(sent, error) from error

    def _failure(self, sent: Sequence[tuple[Message, FutureRecordMetadata]], error: KafkaError) -> KafkaFailure:
        errors = [(message, future.exception) for message, future in sent if future.failed()]
        if refusals := [Refusal(message, str(reason)) for message, reason in errors if isinstance(reason, _REFUSALS)]:
            return Refused(refusals)
        return why(next((reason for _, reason in errors if isinstance(reason, AuthorizationError)), error), self._settings)

    def _connect(self) -> KafkaProducer:
        """A producer besides which no other of our name can write, and whose predecessor's transaction is committed or aborted."""
        for at, committed in mend(self._settings, [self._topics.raw, self._topics.dead_letters, self._cursors], [self._id]):
            _log.warning("%s partition %d: a transaction of ours hung since its broker died, now %s", *at, "committed" if committed else "aborted")
        client = producer(
            self._settings,
            transactional_id=self._id,
            transaction_timeout_ms=_TIMEOUT_MS,
            request_timeout_ms=_TIMEOUT_MS,
            max_block_ms=_TIMEOUT_MS,
            delivery_timeout_ms=_NEVER_MS,  # a record that expires inside the producer costs it its id: the time is ours to keep
            batch_size=_BATCH,
            linger_ms=_LINGER_MS,
            allow_auto_create_topics=False,
            metrics_enabled=False,
        )
        try:
            with explained(self._settings):
                client.init_transactions()
        except KafkaFailure:
            _discard(client)
            raise
        return client

    @contextmanager
    def _discarding_on_failure(self) -> Iterator[None]:
        try:
            yield
        except KafkaFailure:
            self.close()
            raise


def _end(client: KafkaProducer, commit: bool) -> None:
    """What commit_transaction() and abort_transaction() do, which wait for ever. Raises KafkaError."""
    manager = client._transaction_manager
    result = manager.begin_commit() if commit else manager.begin_abort()
    client._sender.wakeup()
    if not result.wait(_TIMEOUT_MS):
        raise KafkaTimeoutError(f"the transaction was not ended within {_TIMEOUT_MS} ms")


def _discard(client: KafkaProducer) -> None:
    # close() alone raises where something is unacknowledged, and leaves its thread at work for ever.
    client._sender.force_close()
    with suppress(KafkaError):
        client.close(timeout=_CLOSE_SECONDS)
