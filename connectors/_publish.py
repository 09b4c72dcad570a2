"""What a connector reads, onto the topics: items to the raw topic, what could not be read to the dead letters."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Sequence
from datetime import datetime
from itertools import islice

from connectors._origin import DEAD_LETTER_BYTES
from schemas.kafka import schema_topic
from schemas.kafka.delivery import LARGEST, Delivery, Message, Refusal, Refused, Undelivered
from schemas.kafka.envelope import Codec, dead_letter_message, raw_message
from schemas.kafka.topics import Topics
from schemas.records import DeadLetter, RawItem

_TRIES = 3


class Publisher:
    """Sends records in the order given, the schemas before them. What no broker takes becomes a dead letter, counted in `refused`.

    What is not acknowledged is sent again, twice; so a record may come twice, and the pipeline drops an item that says what it
    has said before. A record is delivered when a flush behind it returns. For one thread.
    """

    def __init__(self, delivery: Delivery, topics: Topics, codec: Codec, *, now: datetime) -> None:
        """`now` (aware) becomes the time of failure of what is refused. Raises what Delivery raises."""
        self.refused = 0
        self._delivery, self._topics, self._codec, self._now = delivery, topics, codec, now
        schema_topic.publish(delivery, topics.schemas)

    def send(self, record: RawItem | DeadLetter) -> None:
        """Hand a record over. Raises SchemaError where it does not fit its schema, Undelivered."""
        message = self._message(record)
        if message.size > LARGEST:  # here, as Delivery keeps what it refuses until the flush
            message = self._letter(Refusal(message, f"{message.size:,} bytes, more than the {LARGEST:,} that a broker takes"))
        self._deliver([message])

    def flush(self) -> None:
        """Return when all is delivered. Raises Undelivered, and Refused where not even a dead letter is taken."""
        self._deliver([], flush=True)

    def _deliver(self, messages: Sequence[Message], *, flush: bool = False) -> None:
        todo, tries = deque(messages), _TRIES
        while True:
            try:
                while todo:
                    self._delivery.send(todo[0])
                    todo.popleft()
                if flush:
                    self._delivery.flush()
            except Undelivered as error:
                tries -= 1
                if not tries:
                    raise
                todo = deque([*error.messages, *islice(todo, 1, None), *map(self._letter, error.refusals)])  # the one in hand is among them
            except Refused as error:
                todo = deque(map(self._letter, error.refusals))
            else:
                return

    def _message(self, record: RawItem | DeadLetter) -> Message:
        if isinstance(record, RawItem):
            return raw_message(self._topics.raw, record, self._codec)
        return dead_letter_message(self._topics.dead_letters, record, self._codec)

    def _letter(self, refusal: Refusal) -> Message:
        """The dead letter of an item that no broker takes. Raises Refused for a dead letter that is not taken."""
        message = refusal.message
        if message.topic != self._topics.raw:
            raise Refused([refusal])
        self.refused += 1
        payload = message.value or b""
        item = self._codec.decode(payload, RawItem)
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
            first_failed_at=self._now,
            last_failed_at=self._now,
        )
        return dead_letter_message(self._topics.dead_letters, letter, self._codec)
