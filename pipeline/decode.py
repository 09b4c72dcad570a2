"""Bytes of the raw topic, or of an archive slice, to RawItem."""

from __future__ import annotations

from typing import Any

import apache_beam as beam
from apache_beam.pvalue import PCollection

from pipeline.dead_letter import Guard
from schemas import avro
from schemas.records import RawItem


def decode(payload: bytes) -> RawItem:
    """The RawItem in Avro single-object encoding, whichever released schema wrote it. Raises SchemaError."""
    return avro.decode_single_object(payload, RawItem)


class Decode(beam.PTransform[Any, Any]):
    """bytes -> Guarded(RawItem)."""

    def expand(self, payloads: PCollection[bytes]) -> Any:
        """One guarded step; the dead letter holds the payload as it came."""
        return payloads | Guard("decode", lambda: decode, bytes)
