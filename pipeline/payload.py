"""What a source hands to the pipeline."""

from __future__ import annotations

from typing import NamedTuple

from schemas.records import KafkaPosition


class Payload(NamedTuple):
    """An encoded RawItem, and where it stood on its topic; an archive's says in the record itself where it stood."""

    content: bytes
    kafka: KafkaPosition | None = None
