"""What a connector reads, onto the topics: items to the raw topic, what could not be read to the dead letters."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable, Sequence
from datetime import datetime
from itertools import islice

from connectors._origin import DEAD_LETTER_BYTES
from schemas.kafka import schema_topic
from schemas.kafka.delivery import LARGEST, Delivery, Message, Refusal, Refused, Undelivered
from schemas.kafka.envelope import Codec, dead_letter_message, raw_message
from schemas.kafka.failures import KafkaFailure
from schemas.kafka.topics import Topics
from schemas.records import DeadLetter, RawItem

_TRIES = 3


class Messages:
    """Records as messages to their topics; what no broker takes as a dead letter, counted in `refused`."""

    def __init__(self, topics: Topics, codec: Codec, now: Callable[[], datetime], on_letter: Callable[[DeadLetter], None] = lambda letter: None) -> None:
        """`now()` (aware) becomes the time of failure of what is refused; on_letter(letter) is told of every dead letter."""
        self.refused = 0
        self._topics, self._codec, self._now, self._on_letter = topics, codec, now, on_letter

    def of(self, record: RawItem | DeadLetter) -> Message:
        """The message of a record; of one over the limit that of its dead letter. Raises SchemaError where it does not fit its schema."""
        if isinstance(record, DeadLetter):
            return self._dead(record)
        message = raw_message(self._topics.raw, record, self._codec)
        if message.size > LARGEST:
            return self.letter(Refusal(message, f"{message.size:,} bytes, more than the {LARGEST:,} that a broker takes"))
        return message

    def letter(self, refusal: Refusal) -> Message:
        """The dead letter of an item that no broker takes. Raises Refused for any other message that is not taken."""
        message = refusal.message
        if message.topic != self._topics.raw:
            raise Refused([refusal])
        self.refused += 1
        payload = message.value or b""
        item, now = self._codec.decode(payload, RawItem), self._now()
        letter = DeadLetter(
            stage="write",
            error_class=Refused.__name__,
            error_message=f"{item.source_id}, item {item.native_id}: {refusal.reason}",
            payload=payload[:DEAD_LETTER_BYTES],
            payload_size=len(payload),
            payload_sha256=hashlib.sha256(payload).hexdigest(),
            payload_truncated=len(payload) > DEAD_LETTER_BYTES,
            file=item.archive_file,
            position=item.archive_position,
            first_failed_at=now,
            last_failed_at=now,
        )
        return self._dead(letter)

    def _dead(self, letter: DeadLetter) -> Message:
        self._on_letter(letter)
        return dead_letter_message(self._topics.dead_letters, letter, self._codec)


class Publisher:
    """Sends records in the order given, the schemas before them. What no broker takes becomes a dead letter, counted in `refused`.

    What is not acknowledged is sent again, twice; so a record may come twice, and the pipeline drops an item that says what it
    has said before. A record is delivered when a flush behind it returns. For one thread.
    """

    def __init__(
        self, delivery: Delivery, topics: Topics, codec: Codec, *, now: datetime, on_letter: Callable[[DeadLetter], None] = lambda letter: None
    ) -> None:
        """`now` (aware) becomes the time of failure of what is refused; on_letter(letter) is told of every dead letter. Raises what Delivery raises."""
        self._delivery, self._messages = delivery, Messages(topics, codec, lambda: now, on_letter)
        schema_topic.publish(delivery, topics.schemas)

    @property
    def refused(self) -> int:
        """How many items no broker took."""
        return self._messages.refused

    def send(self, record: RawItem | DeadLetter) -> None:
        """Hand a record over. Raises SchemaError where it does not fit its schema, Undelivered."""
        deliver(self._delivery, [self._messages.of(record)], self._messages, _Tries().count, flush=False)

    def flush(self) -> None:
        """Return when all is delivered. Raises Undelivered, and Refused where not even a dead letter is taken."""
        deliver(self._delivery, [], self._messages, _Tries().count)


class _Tries:
    def __init__(self) -> None:
        self._left = _TRIES

    def count(self, failure: KafkaFailure) -> None:
        self._left -= 1
        if not self._left or not isinstance(failure, Undelivered):
            raise failure


def deliver(delivery: Delivery, sent: Sequence[Message], messages: Messages, pause: Callable[[KafkaFailure], None], *, flush: bool = True) -> None:
    """Send in order, what is not acknowledged again; with `flush`, return when all is acknowledged.

    `pause` is called with Undelivered, or what keeps us from connecting, before the next try, and raises when there is to be none.
    Raises Refused for what not even becomes a dead letter.
    """
    todo = deque(sent)
    while True:
        try:
            while todo:
                delivery.send(todo[0])
                todo.popleft()
            if flush:
                delivery.flush()
        except Undelivered as error:
            pause(error)
            todo = deque([*error.messages, *islice(todo, 1, None), *map(messages.letter, error.refusals)])  # the one in hand is among them
        except Refused as error:
            todo = deque(map(messages.letter, error.refusals))
        except KafkaFailure as failure:
            pause(failure)
        else:
            return
