"""Events from the output topic, for whoever alerts on them.

    with Subscription("localhost:9092", group="pager", filter=Filter(severity="severe", alerts=True)) as events:
        for event in events:
            page(event.headline, event.place)

Asking for the next event says that the last one is dealt with. What was not comes again after a restart, and so may, after a crash,
what was dealt with in the last second.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from datetime import timedelta
from types import TracebackType
from typing import Any, Self

from pipeline.decoder import Decoder
from pipeline.event_filter import Filter
from pipeline.group_reader import GroupReader, Read
from pipeline.topic_positions import Start
from schemas.errors import DijlaError, SchemaError
from schemas.kafka.clients import consumer, explained
from schemas.kafka.registry import RegistrySettings
from schemas.kafka.settings import KafkaSettings, TopicSettings
from schemas.kafka.topics import Topics
from schemas.records import Event

__all__ = ["Filter", "Subscription"]

LOOK_BACK = 1_000
"""Records of a partition, before the group's place, that are read to know what has been handed out."""
MEMORY = 100_000
"""Revisions that are remembered: a repetition comes soon after what it repeats."""
_RECORDS = 100
"""Records fetched at once: few, as a member that asks for no more within five minutes is dead to its group."""

_log = logging.getLogger(__name__)


class Subscription:
    """Iterates the events that pass a filter, each revision once. Not thread-safe, but for stop().

    `kafka`: bootstrap servers, or KafkaSettings where there is TLS or a password. `group`: on whose behalf; its members share the
    events between them, and it goes on where it was. `start`: the group's place, or another to begin from. `timeout`: the
    iteration ends when no record has come for so long; None waits for ever. `topics`: their prefix, where it is not "osint.".
    `registry`: where the pipeline writes with a schema registry.

    Events seen before, by (event_id, content_hash), are dropped: the last 100,000 of this member and, across restarts and changes
    of the group, those of the last 1,000 records before the group's place on each partition. A record that cannot be decoded is
    logged, counted in `unreadable` and passed over; what was deleted before it was read is logged and counted in `missed`.

    Raises KafkaFailure where the brokers cannot be reached or refuse, MissingTopicError, RegistryFailure.
    """

    def __init__(
        self,
        kafka: KafkaSettings | str = "localhost:9092",
        *,
        group: str,
        filter: Filter = Filter(),  # noqa: A002, B008  the word for it; a Filter is frozen
        start: Start = "group",
        timeout: timedelta | None = None,
        topics: TopicSettings = TopicSettings(),  # noqa: B008  frozen too
        registry: RegistrySettings | None = None,
    ) -> None:
        settings = KafkaSettings(bootstrap_servers=kafka) if isinstance(kafka, str) else kafka
        names = Topics.of(topics)
        self.unreadable = 0
        self._settings = settings
        self._consumer = consumer(settings, group_id=group, auto_offset_reset="earliest", max_poll_records=_RECORDS)
        try:
            with explained(settings):
                self._reader = GroupReader(self._consumer, names.events, start=start, look_back=LOOK_BACK)
        except DijlaError:
            self._consumer.close()
            raise
        self._decode = Decoder(settings, names.schemas, registry)
        self._filter = filter
        self._timeout = timeout.total_seconds() if timeout is not None else float("inf")
        self._seen = Seen(MEMORY)
        self._in_hand: Any = None
        self._stopped = False

    @property
    def missed(self) -> int:
        """Records that were deleted before the group had read them."""
        return self._reader.missed

    def stop(self) -> None:
        """End the iteration after the event in hand; from any thread or signal handler."""
        self._stopped = True

    def acknowledge(self) -> None:
        """The event in hand is dealt with; needed only before leaving the loop by `break`."""
        if self._in_hand is not None:
            with explained(self._settings):
                self._reader.done(self._in_hand)
            self._in_hand = None

    def close(self) -> None:
        """Commit what is dealt with, and leave the group."""
        try:
            with explained(self._settings):
                self._reader.commit()
        finally:
            self._consumer.close()
            self._decode.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def __iter__(self) -> Iterator[Event]:
        last = time.monotonic()
        while not self._stopped and time.monotonic() - last < self._timeout:
            if not self._reader.joined:
                last = time.monotonic()
            for record, fresh in self._more():
                last = time.monotonic()
                if not fresh:
                    self._remember(record)
                    continue
                self._in_hand = record
                event = self._event(record)
                if event is not None and self._filter(event):
                    yield event
                self.acknowledge()
                if self._stopped:
                    return

    def _more(self) -> list[Read]:
        """What has come. Nothing is in hand here, so that partitions may change hands meanwhile."""
        with explained(self._settings):
            self._reader.commit()
            return self._reader.poll()

    def _event(self, record: Any) -> Event | None:
        """The event of a record, unless it was seen before."""
        try:
            event = self._decode(record.value, Event)
        except SchemaError as error:
            self.unreadable += 1
            where = {"topic": record.topic, "partition": record.partition, "offset": record.offset}
            _log.warning("a record cannot be decoded and is passed over", extra=where | {"error": str(error)})
            return None
        return event if self._seen.add(f"{event.event_id}/{event.content_hash}") else None

    def _remember(self, record: Any) -> None:
        """A record that was dealt with in an earlier run: what it holds is seen."""
        for name, value in record.headers:
            if name == "ce_id":
                self._seen.add(value.decode(errors="replace"))


class Seen:
    """The last so many things that were seen."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._known: dict[str, None] = {}

    def add(self, thing: str) -> bool:
        """Remember it; was it new?"""
        new = thing not in self._known
        self._known.pop(thing, None)
        self._known[thing] = None
        if len(self._known) > self._size:
            del self._known[next(iter(self._known))]
        return new
