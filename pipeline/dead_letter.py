"""Records that cannot be processed: a stream of their own, never a crash, never a loss."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, NamedTuple

import apache_beam as beam
from apache_beam.pvalue import PCollection

from pipeline.metrics import failed
from schemas.records import DeadLetter, KafkaPosition

PAYLOAD_LIMIT = 65_536
"""Bytes of a payload that a dead letter keeps; the rest is found again by its hash and origin."""


def dead_letter(stage: str, error: Exception, payload: bytes, now: datetime, kafka: KafkaPosition | None = None) -> DeadLetter:
    """The dead letter of a payload that `stage` could not process at clock time `now`, and of where its item stood on its topic."""
    return DeadLetter(
        stage=stage,
        error_class=type(error).__name__,
        error_message=str(error) or repr(error),
        payload=payload[:PAYLOAD_LIMIT],
        payload_size=len(payload),
        payload_sha256=hashlib.sha256(payload).hexdigest(),
        payload_truncated=len(payload) > PAYLOAD_LIMIT,
        topic=kafka.topic if kafka else None,
        partition=kafka.partition if kafka else None,
        offset=kafka.offset if kafka else None,
        first_failed_at=now,
        last_failed_at=now,
    )


class Guarded(NamedTuple):
    """What a guarded step lets through, and the dead letters of the rest."""

    good: PCollection[Any]
    dead: PCollection[Any]


class Guard(beam.PTransform[Any, Any]):
    """element -> Guarded: step(element), or a dead letter with the element's bytes.

    An element knows its place on a topic: `kafka`. `load` runs once a worker and returns the step, so that models are loaded there and never pickled.
    `payload` turns the element back into bytes for its dead letter.
    """

    def __init__(self, stage: str, load: Callable[[], Callable[[Any], Any]], payload: Callable[[Any], bytes]) -> None:
        super().__init__()
        self.dofn = _Guard(stage, load, payload)

    def expand(self, elements: PCollection[Any]) -> Any:
        """One ParDo with two outputs."""
        outputs = elements | beam.ParDo(self.dofn).with_outputs("dead", main="good")
        return Guarded(outputs.good, outputs.dead)


class _Guard(beam.DoFn):
    def __init__(self, stage: str, load: Callable[[], Callable[[Any], Any]], payload: Callable[[Any], bytes]) -> None:
        self.stage, self.load, self.payload = stage, load, payload

    def setup(self) -> None:
        self.step = self.load()

    def process(self, element: Any) -> tuple[Any]:
        try:
            return (self.step(element),)
        except Exception as error:  # the edge of a stage: whatever one record does to it, the others flow on
            failed(self.stage).inc()
            letter = dead_letter(self.stage, error, self.payload(element), datetime.now(UTC), element.kafka)
            return (beam.pvalue.TaggedOutput("dead", letter),)
