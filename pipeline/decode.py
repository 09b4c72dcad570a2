"""Payloads of the raw topic, or of an archive slice, to RawItem."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import apache_beam as beam
from apache_beam.pvalue import PCollection

from pipeline.dead_letter import Guard
from pipeline.payload import Payload
from schemas import avro
from schemas.records import RawItem


def decode(payload: Payload) -> RawItem:
    """The RawItem in Avro single-object encoding, whichever released schema wrote it, with its place. Raises SchemaError."""
    item = avro.decode_single_object(payload.content, RawItem)
    return replace(item, kafka=payload.kafka) if payload.kafka else item


class Decode(beam.PTransform[Any, Any]):
    """Payload -> Guarded(RawItem)."""

    def expand(self, payloads: PCollection[Payload]) -> Any:
        """One guarded step; the dead letter holds the payload as it came."""
        return payloads | Guard("decode", lambda: decode, lambda payload: payload.content)
