"""Every metric of the collector: its name, type, labels and meaning."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from prometheus_client import CollectorRegistry, Counter, Gauge, PlatformCollector, ProcessCollector

from connectors._state import State
from schemas.records import DeadLetter, RawItem

REGISTRY = CollectorRegistry()
ProcessCollector(registry=REGISTRY)
PlatformCollector(registry=REGISTRY)

POLLS = Counter("dijla_source_polls_total", "Polls of a source, and connections to it, by what came of them.", ["source", "status"], registry=REGISTRY)
ITEMS = Counter("dijla_source_items_total", "New items of a source.", ["source"], registry=REGISTRY)
LETTERS = Counter("dijla_source_dead_letters_total", "Entries of a source that could not be read.", ["source"], registry=REGISTRY)
FAILURES = Gauge("dijla_source_failures", "Failures of a source in a row.", ["source"], registry=REGISTRY)
LAST_POLL = Gauge("dijla_source_last_poll_timestamp_seconds", "When a source was last asked.", ["source"], registry=REGISTRY)
LAST_ITEM = Gauge("dijla_source_last_item_timestamp_seconds", "When a source last had something new.", ["source"], registry=REGISTRY)
STALE = Gauge("dijla_source_stale", "1 while a source is silent beyond its own habit.", ["source"], registry=REGISTRY)


def known(source: str, state: State) -> None:
    """What is known of a source, from the start on. Whether it is stale is worked out when somebody asks: silence has no polls."""
    FAILURES.labels(source).set(state.failures)
    STALE.labels(source).set_function(lambda: state.is_stale(datetime.now(UTC)))
    if state.polled_at:
        LAST_POLL.labels(source).set(state.polled_at)
    if state.item_at:
        LAST_ITEM.labels(source).set(state.item_at)


def polled(source: str, state: State, records: Sequence[RawItem | DeadLetter]) -> None:
    """Count a poll, or the messages of a moment."""
    POLLS.labels(source, state.status).inc()
    items = sum(isinstance(record, RawItem) for record in records)
    ITEMS.labels(source).inc(items)
    LETTERS.labels(source).inc(len(records) - items)
    known(source, state)
