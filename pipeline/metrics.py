"""Every metric of the pipeline: its name, type, labels and meaning.

Counters of stages go to Beam (the runner shows them, a finished replay is summed up from them) and to Prometheus (`/metrics` of
`dijla run`, whose stages run in its own process). What only a live process has is Prometheus's alone. All of it counts attempts:
a bundle that is tried again counts again. Functions look the labels up once; who calls a metric for each record keeps its child.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from functools import cache
from time import time
from typing import Any, Protocol
from weakref import WeakValueDictionary

from apache_beam.metrics.metric import Metrics, MetricsFilter
from apache_beam.runners.runner import PipelineResult
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, PlatformCollector, ProcessCollector, disable_created_metrics

NAMESPACE = "dijla"
REGISTRY = CollectorRegistry()
disable_created_metrics()
ProcessCollector(registry=REGISTRY)
PlatformCollector(registry=REGISTRY)

WRITTEN = {
    "reports": "reports_written",  # reports that reached their sink
    "events": "events_written",  # revisions of events that reached their sink
    "dead-letters": "dead_letters_written",  # dead letters that reached their sink
}
"""Kind of record -> its counter in Beam's metrics."""
JOINED = {
    "none": "stories_opened",  # reports that nobody told before
    "edit": "edits_joined",  # newer versions of a known item
    "url": "same_url_joined",  # reports under the address of an older one
    "text": "same_text_joined",  # reports in the words of an older one
    "near": "near_duplicates_joined",  # reports in much the same words
}
"""Layer of deduplication -> its counter in Beam's metrics."""


def _counter(name: str, meaning: str, *labels: str) -> Counter:
    return Counter(name, meaning, labels, registry=REGISTRY)


def _gauge(name: str, meaning: str, *labels: str) -> Gauge:
    return Gauge(name, meaning, labels, registry=REGISTRY)


def _histogram(name: str, meaning: str, *labels: str, buckets: tuple[float, ...]) -> Histogram:
    return Histogram(name, meaning, labels, registry=REGISTRY, buckets=buckets)


_TO_A_MINUTE = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
_TO_A_WEEK = (0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60, 300, 900, 3_600, 21_600, 86_400, 604_800)

# Source
ITEMS_READ = _counter("dijla_items_read_total", "Items read from the raw topic.", "partition")
BYTES_READ = _counter("dijla_read_bytes_total", "Bytes of the items read from the raw topic.", "partition")
LAG = _gauge("dijla_consumer_lag_messages", "Messages of the raw topic behind the next one to read.", "partition")
LOST = _counter("dijla_messages_lost_total", "Messages that the raw topic's retention removed before they were read.", "partition")
COMMITS = _counter("dijla_offset_commits_total", "Commits of the consumer group's offsets that the broker took.")
_WATERMARK_AGE = _gauge("dijla_watermark_age_seconds", "How far the source's watermark is behind the clock.", "split")

# Stages
FAILED = _counter("dijla_records_failed_total", "Records that a stage could not process: they became dead letters.", "stage")
_JOINED = _counter("dijla_reports_deduplicated_total", "Reports that were no repeats, by the layer that joined them to a story (none: a new story).", "layer")
_EXAMINED = _counter("dijla_reports_examined_total", "Reports that the tagger looked at.", "language")
_TAGGED = _counter("dijla_reports_tagged_total", "Reports in which the tagger found an event.", "language")
_TAGS = _counter("dijla_tags_total", "Events that the tagger found in reports.", "type", "language")
_STATE = _gauge("dijla_state_bytes", "Bytes of state of a fold, over all keys folded by this process.", "fold")

# Sinks
_WRITTEN = _counter("dijla_records_written_total", "Records that reached a sink.", "kind", "sink")
FLUSH = _histogram("dijla_bundle_flush_seconds", "Time that a sink took to have a bundle acknowledged.", "kind", "sink", buckets=_TO_A_MINUTE)
REPLACED = _counter("dijla_producers_replaced_total", "Kafka producers that did not deliver in time and were replaced.")
_IN_FLIGHT = _gauge("dijla_producer_in_flight_bytes", "Bytes sent to the broker and not yet acknowledged.")
CANARY_MADE = _gauge("dijla_canary_made_timestamp_seconds", "When the newest canary whose report is on its topic was made; 0: there was none.")
CANARY_TOOK = _gauge("dijla_canary_latency_seconds", "How long that canary took from the collector to its report's acknowledgement.")
_SINCE = {
    "published": _histogram("dijla_published_to_sink_seconds", "From publication to the sink.", "kind", "mode", buckets=_TO_A_WEEK),
    "first_seen": _histogram("dijla_first_seen_to_sink_seconds", "From the time an item was first seen to the sink.", "kind", "mode", buckets=_TO_A_WEEK),
    "appended": _histogram("dijla_appended_to_sink_seconds", "From the append to the raw topic to the sink.", "kind", "mode", buckets=_TO_A_WEEK),
}


class Counted:
    """One counter in Beam's metrics and in Prometheus's. Thread-safe; outside of a Beam step Beam's is left alone."""

    __slots__ = ("_beam", "_prometheus")

    def __init__(self, beam: str, prometheus: Counter) -> None:
        self._beam = Metrics.counter(NAMESPACE, beam).inc
        self._prometheus = prometheus.inc

    def inc(self, n: int = 1) -> None:
        """Add n to both."""
        self._beam(n)
        self._prometheus(n)


@cache
def written(kind: str, sink: str = "avro") -> Counted:
    """Records of a kind (a key of WRITTEN) that reached a sink, `avro` or `kafka`."""
    return Counted(WRITTEN[kind], _WRITTEN.labels(kind, sink))


@cache
def failed(stage: str) -> Counted:
    """Records that this stage could not process."""
    return Counted(f"dead_letters_{stage}", FAILED.labels(stage))


@cache
def joined(layer: str) -> Counted:
    """Reports that this layer of deduplication (a key of JOINED) joined to a story."""
    return Counted(JOINED[layer], _JOINED.labels(layer))


def examined(language: str, types: Collection[str]) -> None:
    """Count a report that the tagger looked at, and the types of the events that it found, one for each event.

    Both come from closed sets, the detector's languages and the tagger's types, so the number of series is bounded.
    """
    _child(_EXAMINED, language).inc()
    if types:
        _child(_TAGGED, language).inc()
        for event_type in types:
            _child(_TAGS, event_type, language).inc()


def delivered(
    kind: str, mode: str, now: datetime, *, published: datetime | None = None, first_seen: datetime | None = None, appended: datetime | None = None
) -> None:
    """Observe how long a record took to its sink, acknowledged at clock time `now`, since each time that it knows.

    A time ahead of the clock counts as now.
    """
    for since, moment in (("published", published), ("first_seen", first_seen), ("appended", appended)):
        if moment is not None:
            _child(_SINCE[since], kind, mode).observe(max(0.0, (now - moment).total_seconds()))


@cache
def _child(metric: Any, *labels: str) -> Any:
    """As metric.labels, 0.1 us instead of 1.2."""
    return metric.labels(*labels)


def total(metric: Counter) -> float:
    """The sum of a counter over its labels."""
    return sum(sample.value for family in metric.collect() for sample in family.samples if sample.name.endswith("_total"))


_watermarks: dict[int, float] = {}


def watermark(split: int, at: datetime) -> None:
    """The watermark that a split of the source has reached; its age is worked out when it is asked for, so a stalled source shows."""
    new = split not in _watermarks
    _watermarks[split] = at.timestamp()
    if new:
        _WATERMARK_AGE.labels(split).set_function(lambda: time() - _watermarks[split])


_states: dict[tuple[str, int], int] = {}


def state(fold: str, key: int, size: int) -> None:
    """The bytes of state that a fold now holds for a key. A key is folded by one thread at a time."""
    before = _states.get((fold, key), 0)
    _states[fold, key] = size
    _STATE.labels(fold).inc(size - before)


class Sending(Protocol):
    """What knows how many bytes it has sent that are not acknowledged."""

    @property
    def in_flight_bytes(self) -> int:
        """Bytes; read from another thread."""


_sending: WeakValueDictionary[int, Sending] = WeakValueDictionary()


def sending(producer: Sending) -> None:
    """Count what this producer has in flight for as long as it lives."""
    _sending[id(producer)] = producer


def _in_flight() -> float:
    producers = (reference() for reference in _sending.valuerefs())
    return sum(producer.in_flight_bytes for producer in producers if producer is not None)


_IN_FLIGHT.set_function(_in_flight)


def counts(result: PipelineResult) -> dict[str, int]:
    """All of Beam's counters of a finished run by name."""
    found = result.metrics().query(MetricsFilter().with_namespace(NAMESPACE))["counters"]
    return {metric.key.metric.name: metric.result for metric in found}
