"""Records between steps and in state: MessagePack by field names.

Ten times quicker than Avro in Python (2 and 4 microseconds a Report), and as safe to evolve: an unknown field is passed over,
a missing one takes its default. What leaves the pipeline is Avro.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import msgspec

T = TypeVar("T")

pack: Callable[[object], bytes] = msgspec.msgpack.Encoder().encode
"""Bytes of a record, or of lists and tuples of them."""


def unpacker(cls: type[T]) -> Callable[[bytes], T]:
    """The function that reads back what pack wrote of a cls. It raises msgspec.ValidationError for anything else."""
    return msgspec.msgpack.Decoder(cls).decode
