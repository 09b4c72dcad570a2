"""The whole graph on one screen. Where items come from and where records go is handed in."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import apache_beam as beam

from pipeline import detectors
from pipeline.correlate import Correlate
from pipeline.decode import Decode
from pipeline.deduplicate import Deduplicate
from pipeline.detect_language import DetectLanguage
from pipeline.normalise import Normalise
from pipeline.settings import Settings
from pipeline.tag import Tag

Step = beam.PTransform[Any, Any]


@dataclass(frozen=True, slots=True)
class Source:
    """Where payloads come from and, in a sliced replay, the state that the slice before left.

    `done` follows (payloads, what each sink gives): it sees the end of a payload's way, as its watermark is behind all sinks.
    """

    items: Step
    stories: Step | None = None
    incidents: Step | None = None
    done: Step | None = None


@dataclass(frozen=True, slots=True)
class Sink:
    """Where reports and events go and, in a sliced replay, the state for the slice behind."""

    reports: Step
    events: Step
    stories: Step | None = None
    incidents: Step | None = None


def build(p: beam.Pipeline, source: Source, sink: Sink, dead_letters: Step, settings: Settings) -> None:
    """Add the pipeline to p. The labels are the job's upgrade contract."""
    stories = p | "ReadStories" >> source.stories if source.stories else None
    incidents = p | "ReadIncidents" >> source.incidents if source.incidents else None

    payloads = p | "Read" >> source.items
    items = payloads | "Decode" >> Decode()
    drafts = items.good | "Normalise" >> Normalise()
    fresh = drafts.good | "Deduplicate" >> Deduplicate(settings, stories)
    spoken = fresh.reports | "DetectLanguage" >> DetectLanguage(partial(detectors.load, settings.language_detector))
    reports = spoken.good | "Tag" >> Tag() if settings.tagging else spoken
    correlated = reports.good | "Correlate" >> Correlate(settings, incidents)

    failed = dict.fromkeys((items.dead, drafts.dead, spoken.dead, reports.dead, correlated.dead))  # in order, each once
    dead = tuple(failed) | "DeadLetters" >> beam.Flatten()
    written = (
        reports.good | "WriteReports" >> sink.reports,
        correlated.events | "WriteEvents" >> sink.events,
        dead | "WriteDeadLetters" >> dead_letters,
    )
    if source.done:
        (payloads, *written) | "Done" >> source.done
    if sink.stories:
        fresh.cells | "WriteStories" >> sink.stories
    if sink.incidents:
        correlated.cells | "WriteIncidents" >> sink.incidents
