"""Every metric of the pipeline: its name, and what it counts."""

from __future__ import annotations

from functools import cache

from apache_beam.metrics.metric import Metrics, MetricsFilter
from apache_beam.runners.runner import PipelineResult

NAMESPACE = "dijla"

WRITTEN = {
    "reports": "reports_written",  # reports that reached their sink
    "events": "events_written",  # revisions of events that reached their sink
    "dead-letters": "dead_letters_written",  # dead letters that reached their sink
}
JOINED = {
    "none": "stories_opened",  # reports that nobody told before
    "edit": "edits_joined",  # newer versions of a known item
    "url": "same_url_joined",  # reports under the address of an older one
    "text": "same_text_joined",  # reports in the words of an older one
}


@cache
def counter(name: str) -> Metrics.DelegatingCounter:
    """The counter of that name."""
    return Metrics.counter(NAMESPACE, name)


def written(folder: str) -> Metrics.DelegatingCounter:
    """The counter of records that reached the sink of that folder."""
    return counter(WRITTEN[folder])


def failed(stage: str) -> Metrics.DelegatingCounter:
    """The counter of records that this stage could not process."""
    return counter(f"dead_letters_{stage}")


def joined(layer: str) -> Metrics.DelegatingCounter:
    """The counter of reports that this layer of deduplication joined to a story."""
    return counter(JOINED[layer])


def counts(result: PipelineResult) -> dict[str, int]:
    """All counters of a finished run by name."""
    found = result.metrics().query(MetricsFilter().with_namespace(NAMESPACE))["counters"]
    return {metric.key.metric.name: metric.result for metric in found}
