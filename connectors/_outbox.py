"""Where collected records go, together with the states of their sources: a state is stored with, or after, every item before it."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, closing
from datetime import datetime, timedelta
from typing import Protocol

from connectors._cursors import read, state_message
from connectors._publish import Messages, deliver
from connectors._transactions import TakenOver, Transactions
from schemas.kafka import schema_topic
from schemas.kafka.delivery import Delivery, Message, Refused
from schemas.kafka.envelope import Codec
from schemas.kafka.failures import AuthenticationFailed, KafkaFailure, NotAuthorised, TlsFailed
from schemas.kafka.settings import KafkaSettings
from schemas.kafka.topics import Topics
from schemas.records import DeadLetter, RawItem

# No waiting makes these right.
_FINAL = (AuthenticationFailed, NotAuthorised, Refused, TakenOver, TlsFailed)
_RETRY_S = 1.0
_SAY_AGAIN_S = 60.0
_DEADLINE = timedelta(seconds=20)
_log = logging.getLogger(__name__)


class Outbox(Protocol):
    """Takes records and states. For one thread at a time; `close` may be called from another. After an error it is of no more use: make another."""

    states: Mapping[str, bytes]
    """What was stored when it was made: source id -> state."""

    def deliver(self, records: Sequence[RawItem | DeadLetter], states: Mapping[str, bytes]) -> None:
        """Return when all records are delivered and the states stored. Raises DijlaError; then no state is stored whose records are not delivered."""

    def close(self) -> None:
        """Disconnect. A `deliver` that waits for a broker ends with an error within a minute."""


class KafkaOutbox:
    """Items and dead letters to their topics, states to the compacted `topics.cursors`. While no broker answers, `deliver` waits.

    With transactions, records and states are committed together: each record comes once for readers of committed records, and a collector that
    starts ends the earlier one of the same name. Without, states follow when the records are acknowledged: a record comes at least once.
    An item that no broker takes becomes a dead letter.
    """

    def __init__(self, settings: KafkaSettings, topics: Topics, codec: Codec, *, name: str, now: Callable[[], datetime], transactions: bool = True) -> None:
        """`name`: the collector's, one running collector each; `now()` (aware): the time of failure of what is refused. Raises KafkaFailure."""
        self._topics, self._messages = topics, Messages(topics, codec, now)
        self._in_use, self._patience = threading.Lock(), _Patience()
        self._writer: _Writer = Transactions(settings, topics, name=name) if transactions else _Acknowledged(settings, topics.cursors, self._messages)
        with ExitStack() as undo:
            undo.callback(self._writer.close)
            delivery = undo.enter_context(closing(Delivery(settings, deadline=_DEADLINE)))
            schema_topic.publish(delivery, topics.schemas)
            undo.pop_all()
            delivery.close()
        self.states = self._writer.states

    def deliver(self, records: Sequence[RawItem | DeadLetter], states: Mapping[str, bytes]) -> None:
        """As Outbox. Raises TakenOver, NotAuthorised, AuthenticationFailed, TlsFailed, Refused for what not even becomes a dead letter."""
        items = [self._messages.of(record) for record in records]
        positions = [state_message(self._topics.cursors, source_id, state) for source_id, state in states.items()]
        with self._in_use:
            while True:
                try:
                    return self._writer.write(items, positions, self._patience.wait)
                except Refused as error:
                    letters = {refusal.message: self._messages.letter(refusal) for refusal in error.refusals}
                    items = [letters.get(message, message) for message in items]

    def close(self) -> None:
        """As Outbox."""
        self._patience.end()
        with self._in_use:
            self._writer.close()


class _Writer(Protocol):
    states: Mapping[str, bytes]

    def write(self, items: Sequence[Message], states: Sequence[Message], pause: Callable[[KafkaFailure], None]) -> None: ...
    def close(self) -> None: ...


class _Acknowledged:
    """States after their items are acknowledged."""

    def __init__(self, settings: KafkaSettings, cursors: str, messages: Messages) -> None:
        self._delivery, self._messages = Delivery(settings, deadline=_DEADLINE), messages
        self.states: Mapping[str, bytes] = read(settings, cursors).states

    def write(self, items: Sequence[Message], states: Sequence[Message], pause: Callable[[KafkaFailure], None]) -> None:
        deliver(self._delivery, items, self._messages, pause)
        deliver(self._delivery, states, self._messages, pause)

    def close(self) -> None:
        self._delivery.close()


class _Patience:
    """Waits between two tries, and says once a minute what for."""

    def __init__(self) -> None:
        self._ended, self._say_at = threading.Event(), 0.0

    def wait(self, failure: KafkaFailure) -> None:
        """Raises the failure itself where waiting is of no use."""
        if isinstance(failure, _FINAL):
            raise failure
        if time.monotonic() >= self._say_at:
            _log.warning("not delivered so far, nothing is lost: trying again", extra={"error": str(failure)})
            self._say_at = time.monotonic() + _SAY_AGAIN_S
        if self._ended.wait(_RETRY_S):
            raise KafkaFailure(f"ended before all was delivered; what is missing is collected again at the next start: {failure}") from failure

    def end(self) -> None:
        """Wait no more."""
        self._ended.set()
