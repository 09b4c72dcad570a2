"""Messages to topics, each one acknowledged or accounted for.

Written once, in order within a partition, as long as the brokers are away for less than the deadline. Beyond it the outcome of what is
under way cannot be known: a broker may have written it and died before it said so, or been silent and write it when it goes on. Such
messages come back in `Undelivered`, for the caller to look, once the brokers answer, which of them stand in the topic, and to send the
others again; readers drop what still came twice, by its id.

kafka-python's producer needs keeping on a short lead:
- It loses its producer id for ever when a record expires inside it, so nothing does: the deadline is ours, and whoever misses it
  takes the producer along.
- Its buffer has no bound, so what is under way has.
- When a broker refuses one record for good, everything under way fails with the error of that one. What may be refused (the first message to
  a topic, a large one) therefore travels alone, and so do the messages after a failure that cannot be pinned on one.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from typing import NamedTuple, NoReturn

from kafka import KafkaProducer
from kafka.errors import (
    AuthorizationError,
    InvalidRecordError,
    InvalidTimestampError,
    InvalidTopicError,
    KafkaError,
    KafkaTimeoutError,
    MessageSizeTooLargeError,
    PolicyViolationError,
    RecordListTooLargeError,
)
from kafka.producer.future import FutureRecordMetadata
from kafka.record.default_records import DefaultRecordBatchBuilder
from kafka.util import ensure_valid_topic_name

from schemas.kafka.clients import producer
from schemas.kafka.failures import KafkaFailure
from schemas.kafka.settings import KafkaSettings

LARGEST = 1_048_576
"""Bytes of the largest message that is sent: what brokers take where nobody set `max.message.bytes`."""
_LARGE = 65_536
_BATCH = 262_144
# Without it the producer's thread wakes for each message, and the two hand the interpreter to and fro: 1 ms a message. Nobody waits for it at flush.
_LINGER_MS = 20
_NEVER_MS = 86_400_000
_CLOSE_SECONDS = 2.0
_FOR_GOOD = (
    AuthorizationError,
    InvalidRecordError,
    InvalidTimestampError,
    InvalidTopicError,
    MessageSizeTooLargeError,
    PolicyViolationError,
    RecordListTooLargeError,
)


class Message(NamedTuple):
    """One record of a topic. `value` None deletes the key from a compacted topic."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...] = ()

    @property
    def size(self) -> int:
        """Bytes on the wire, uncompressed and at most."""
        return int(DefaultRecordBatchBuilder.estimate_size_in_bytes(self.key, self.value, self.headers))


class Refusal(NamedTuple):
    """A message that no broker will ever take, and why."""

    message: Message
    reason: str


class Refused(KafkaFailure):
    """`refusals` are refused for good; every other message is delivered."""

    def __init__(self, refusals: Sequence[Refusal]) -> None:
        first = refusals[0]
        super().__init__(f"{len(refusals)} message(s) refused for good; the first, to {first.message.topic}: {first.reason}")
        self.refusals = list(refusals)


class Undelivered(KafkaFailure):
    """`messages`, in the order they were sent, are not acknowledged: each may or may not stand in its topic. `refusals` certainly do not."""

    def __init__(self, cause: object, messages: Sequence[Message], refusals: Sequence[Refusal]) -> None:
        topics = ", ".join(sorted({message.topic for message in messages}))
        super().__init__(f"{len(messages)} message(s) to {topics} not acknowledged: {cause}; look which of them arrived, then send the others again")
        self.messages = list(messages)
        self.refusals = list(refusals)


class _Sent(NamedTuple):
    message: Message
    size: int
    future: FutureRecordMetadata
    due: float


class Delivery:
    """Sends messages; `flush` says what became of them.

    For one thread; connects at the first send. A message that is not acknowledged within `deadline` of its send is undelivered.
    `in_flight_bytes` bounds what is sent and not yet acknowledged; the attribute says how much that is.
    """

    def __init__(self, settings: KafkaSettings, *, deadline: timedelta = timedelta(minutes=2), in_flight_bytes: int = 32 << 20) -> None:
        self._settings, self._deadline, self._cap = settings, deadline.total_seconds(), in_flight_bytes
        self._producer: KafkaProducer | None = None
        self._sent: deque[_Sent] = deque()
        self.in_flight_bytes = 0
        self._refusals: list[Refusal] = []
        self._proved: set[str] = set()
        self._suspects = 0

    def send(self, message: Message) -> None:
        """Hand a message over; waits while too many bytes are under way, and for a message that travels alone.

        Raises Undelivered, whose messages include this one; another KafkaFailure where no connection can be made: then this one is not sent.
        """
        size = message.size
        if objection := _objection(message, size):
            self._refusals.append(Refusal(message, objection))
            return
        alone = size > _LARGE or self._suspects > 0 or message.topic not in self._proved
        while self._sent and (alone or self._sent[0].future.is_done or self.in_flight_bytes + size > self._cap):
            self._settle_first(message)
        self._hand_over(message, size)
        if alone:
            self._settle_first()

    def flush(self) -> None:
        """Return when everything sent is acknowledged. Raises Undelivered or Refused; each message is told of once."""
        if self._producer and self._sent:
            with suppress(KafkaError):  # what became of each message is looked at below
                self._producer.flush(max(0.0, self._sent[0].due - time.monotonic()))
        while self._sent:
            self._settle_first()
        if self._refusals:
            raise Refused(self._told())

    def close(self) -> None:
        """Flush and disconnect. Raises what flush raises."""
        try:
            self.flush()
        finally:
            self._discard()

    def _hand_over(self, message: Message, size: int) -> None:
        if self._producer is None:
            self._producer = self._connect()
        try:
            future = self._producer.send(message.topic, message.value, message.key, list(message.headers))
        except KafkaTimeoutError:
            self._give_up(f"no broker has said within {self._deadline:g} s where the topic is: does it exist?", message)
        except (KafkaError, ValueError) as error:  # the topic goes at this moment
            self._give_up(error, message)
        self._sent.append(_Sent(message, size, future, due=time.monotonic() + self._deadline))
        self.in_flight_bytes += size
        self._suspects = max(0, self._suspects - 1)

    def _settle_first(self, *waiting: Message) -> None:
        first = self._sent[0]
        try:
            first.future.get(max(0.0, first.due - time.monotonic()))
        except KafkaTimeoutError:
            self._give_up(f"no answer within {self._deadline:g} s", *waiting)
        except KafkaError as error:
            if isinstance(error, _FOR_GOOD) or type(error) is KafkaError:  # the bare one: another of its batch was refused
                self._blame(error, *waiting)
            else:
                self._give_up(error, *waiting)
        else:
            self._sent.popleft()
            self.in_flight_bytes -= first.size
            self._proved.add(first.message.topic)

    def _blame(self, error: KafkaError, *waiting: Message) -> None:
        """Refuse the one that was alone. Of several, it is found when each is sent again by itself."""
        suspects = self._unacknowledged()
        if len(suspects) > 1:
            self._suspects = len(suspects) + len(waiting)
            self._give_up(error, *waiting)
        self._refusals.append(Refusal(suspects[0], str(error)))
        self._discard()

    def _give_up(self, cause: object, *waiting: Message) -> NoReturn:
        messages = [*self._unacknowledged(), *waiting]
        self._discard()
        raise Undelivered(cause, messages, self._told())

    def _unacknowledged(self) -> list[Message]:
        return [sent.message for sent in self._sent if not sent.future.succeeded()]

    def _told(self) -> list[Refusal]:
        refusals, self._refusals = self._refusals, []
        return refusals

    def _connect(self) -> KafkaProducer:
        deadline_ms = int(self._deadline * 1000)
        return producer(
            self._settings,
            delivery_timeout_ms=_NEVER_MS,
            bootstrap_timeout_ms=deadline_ms,
            max_block_ms=deadline_ms,
            batch_size=_BATCH,
            linger_ms=_LINGER_MS,
            allow_auto_create_topics=False,
            metrics_enabled=False,
        )

    def _discard(self) -> None:
        discarded, self._producer = self._producer, None
        self._sent.clear()
        self.in_flight_bytes = 0
        if discarded is not None:
            # close() alone raises where something is unacknowledged, and leaves its thread at work for ever.
            discarded._sender.force_close()
            with suppress(KafkaTimeoutError):
                discarded.close(timeout=_CLOSE_SECONDS)


def _objection(message: Message, size: int) -> str | None:
    """Why no broker will take it, as far as can be told from here."""
    if size > LARGEST:
        return f"{size:,} bytes, more than the {LARGEST:,} that a broker takes"
    if message.key is None and message.value is None:
        return "neither key nor value"
    try:
        ensure_valid_topic_name(message.topic)
    except ValueError as error:
        return str(error)
    return None
