"""Which reports say what is already known: dropped when polled again, else joined to their story.

Light references go to the shard of each signature (item id, canonical URL, folded text), are folded there in logical time
against what is remembered (pipeline.seen), and their answers rejoin the report at the shard of its item id. Bodies are shuffled
once, a reference weighs 41 bytes.
"""

from __future__ import annotations

import struct
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from functools import partial
from hashlib import blake2b
from typing import Any, NamedTuple

import apache_beam as beam
from apache_beam.pvalue import PCollection

from pipeline.fold import CELLS, Cells, Element, Fold, Message, Write, messages, micros, unpack_elements
from pipeline.fold_in_order import BatchByKey, FoldInOrder
from pipeline.metrics import joined
from pipeline.packing import pack, unpacker
from pipeline.seen import Entry, Seen
from pipeline.settings import Settings
from schemas.records import Report

LAYERS = ("edit", "url", "text")
"""Layers that join a report to a story, the surest first; their position is their number in a reference."""

Waiting = dict[tuple[int, bytes], list[bytes]]
"""(time, address of the item's version) -> its body and the answers that have come."""

# item (16 bytes of the item_id), position in its archive, content hash, layer, key; big-endian, so that bytes sort as numbers do
_REFERENCE = struct.Struct(">16sQQBQ")
# kind, item, content hash; then layer, story, revision, repeat
_ANSWER = struct.Struct("<c16sQB16sI?")
# kind, item, content hash; then the number of references to wait for; then the packed report
_BODY_HEAD = struct.Struct("<c16sQB")
_ANSWERED, _BODY = b"A", b"B"
_ADDRESS = 25
"""Bytes of kind, item and content hash, by which answers find their report."""

_SALTS = (0, 0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F)
"""What keeps the keys of the layers apart."""

_NEVER: tuple[int, None] = (-(1 << 62), None)
_unpack_report = unpacker(Report)


def signatures(report: Report) -> list[tuple[int, int]]:
    """What makes a report known, as (layer, 64-bit key): its id always, its canonical URL and its text where it has them."""
    found = [(0, int(report.item_id[:16], 16))]
    if report.canonical_url:
        found.append((1, int.from_bytes(blake2b(report.canonical_url.encode(), digest_size=8).digest(), "little")))
    if report.text_hash:
        found.append((2, int(report.text_hash, 16)))
    return [(layer, key ^ _SALTS[layer]) for layer, key in found]


class FoldReferences(Fold[Seen]):
    """References in order -> an answer to each, in messages to the shards of their items.

    A signature is forgotten `ttl` after it was last seen. That is judged at each reference's own time: slices of an archive
    change no answer.
    """

    def __init__(self, *, ttl: timedelta, shards: int) -> None:
        self.width, self.shards = ttl // timedelta(microseconds=1) // (CELLS - 1), shards

    def restore(self, cells: Cells) -> Seen:
        return Seen.restore(cells)

    def dump(self, memory: Seen) -> Mapping[int, bytes]:
        return memory.dump()

    def fold(self, memory: Seen, elements: Sequence[Element]) -> tuple[list[Write], Iterator[Message]]:
        asked = [(time, *_REFERENCE.unpack(payload)) for time, payload in elements]
        known: dict[int, tuple[int, Entry]] = memory.recall(key for *_, key in asked)
        fresh: defaultdict[int, dict[int, Entry]] = defaultdict(dict)
        answers: defaultdict[int, list[Element]] = defaultdict(list)
        for time, item, _, content, layer, key in asked:
            bucket = time // self.width
            seen, entry = known.get(key, _NEVER)
            answer, entry = judge(item, content, layer, entry if bucket - seen < CELLS else None)
            known[key] = bucket, entry
            fresh[bucket][key] = entry
            answers[_shard(item, self.shards)].append((time, answer))
        return memory.remember(fresh), messages(answers)


def judge(item: bytes, content: int, layer: int, before: Entry | None) -> tuple[bytes, Entry]:
    """The packed answer to a reference, and what to remember, given what was remembered: a repeat, an edit, a story, or news."""
    if before is None:
        entry, repeat = (item, content, 0), False
    elif layer or before[1] == content:
        entry, repeat = before, not layer
    else:
        entry, repeat = (before[0], content, before[2] + 1), False
    return _ANSWER.pack(_ANSWERED, item, content, layer, entry[0], 0 if layer else entry[2], repeat), entry


class Rejoin(Fold[Waiting]):
    """Packed reports and their answers -> the reports in their stories, without the repeats.

    A report waits until every one of its references is answered: in the memory, by its time and address.
    """

    def restore(self, cells: Cells) -> Waiting:
        waiting: Waiting = {}
        for piece in cells.get(0, ()):
            _wait(waiting, unpack_elements(piece))
        return waiting

    def dump(self, memory: Waiting) -> Mapping[int, bytes]:
        rest = [(time, payload) for (time, _), payloads in sorted(memory.items()) for payload in payloads]
        return {0: pack(rest)} if rest else {}

    def fold(self, memory: Waiting, elements: Sequence[Element]) -> tuple[list[Write], list[Report]]:
        waited = bool(memory)
        _wait(memory, elements)
        reports: list[Report] = []
        for address, payloads in sorted(memory.items()):
            bodies = [payload for payload in payloads if payload[:1] == _BODY]
            answers = [_ANSWER.unpack(payload)[3:] for payload in payloads if payload[:1] == _ANSWERED]
            if not bodies or len(answers) < len(bodies) * _BODY_HEAD.unpack_from(bodies[0])[3]:
                continue
            del memory[address]
            if not all(repeat for layer, _, _, repeat in answers if layer == 0):
                reports.append(with_story(_unpack_report(bodies[0][_BODY_HEAD.size :]), answers))
        return ([Write(0, self.dump(memory).get(0, b""), replace=True)] if memory or waited else []), reports


def _wait(waiting: Waiting, elements: Iterable[Element]) -> None:
    for time, payload in elements:
        waiting.setdefault((time, payload[1:_ADDRESS]), []).append(payload)


def with_story(report: Report, answers: Iterable[tuple[int, bytes, int, bool]]) -> Report:
    """The report in its story, given (layer, story, revision, repeat) of each signature.

    It joins the story of the first layer, of edit, url and text, that knows an older member; else it is its own.
    """
    own = bytes.fromhex(report.item_id)
    for layer, story, revision, repeat in sorted(answers):
        if not repeat and (revision or story != own):
            return replace(report, item_revision=revision, story_id=story.hex(), story_layer=LAYERS[layer], story_score=1.0)
    return report


class Deduplicated(NamedTuple):
    """New and changed reports in their stories, and the state that a bounded input leaves."""

    reports: PCollection[Report]
    cells: PCollection[Any]


class Deduplicate(beam.PTransform[Any, Any]):
    """Report -> Deduplicated. `carried` is the state an earlier slice left."""

    def __init__(self, settings: Settings, carried: PCollection[Any] | None = None) -> None:
        super().__init__()
        self.settings, self.carried = settings, carried

    def expand(self, reports: PCollection[Report]) -> Any:
        """References to their shards and back, bodies straight to the rejoin."""
        shards, hold = self.settings.shards, self.settings.hold
        remember = FoldReferences(ttl=self.settings.dedupe_ttl, shards=shards)
        asked = reports | "SendReferences" >> BatchByKey(partial(_route_references, shards=shards))
        folded = asked | "FoldReferences" >> FoldInOrder(remember, hold=hold, carried=self.carried)
        bodies = reports | "SendBodies" >> BatchByKey(partial(_route_body, shards=shards))
        folded.outputs.element_type = Message
        rejoined = (bodies, folded.outputs) | beam.Flatten() | "Rejoin" >> FoldInOrder(Rejoin(), hold=hold, behind_ticks=True)
        return Deduplicated(rejoined.outputs | "Count" >> beam.Map(_counted), folded.cells)


def _counted(report: Report) -> Report:
    joined(report.story_layer).inc()
    return report


def _route_references(report: Report, shards: int) -> Iterator[tuple[int, Element]]:
    time, item, content = micros(report.first_seen), bytes.fromhex(report.item_id), int(report.content_hash, 16)
    for layer, key in signatures(report):
        yield key % shards, (time, _REFERENCE.pack(item, _position(report), content, layer, key))


def _position(report: Report) -> int:
    """Which of two versions of one moment is the newer: an item's versions stand in one partition, or in one archive."""
    return report.kafka.offset if report.kafka else report.archive_position or 0


def _route_body(report: Report, shards: int) -> Iterator[tuple[int, Element]]:
    item = bytes.fromhex(report.item_id)
    head = _BODY_HEAD.pack(_BODY, item, int(report.content_hash, 16), len(signatures(report)))
    yield _shard(item, shards), (micros(report.first_seen), head + pack(report))


def _shard(item: bytes, shards: int) -> int:
    return int.from_bytes(item[:8], "little") % shards
