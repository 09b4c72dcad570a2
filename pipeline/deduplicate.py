"""Which reports say what is already known: dropped when polled again, else joined to their story.

Light references go to the shard of each signature (item id, canonical URL, folded text), are folded there in logical time
against packed state, and their answers rejoin the report at the shard of its item id. Bodies are shuffled once, a reference
weighs 41 bytes, an entry of the state 36.
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
import numpy as np
from apache_beam.pvalue import PCollection
from numpy.typing import NDArray

from pipeline.fold_in_order import CELLS, BatchByKey, Cells, Element, FoldInOrder, Message, messages, micros, unpack_elements
from pipeline.metrics import joined
from pipeline.packing import pack, unpacker
from pipeline.settings import Settings
from schemas.records import Report

LAYERS = ("edit", "url", "text")
"""Layers that join a report to a story, the surest first; their position is their number in a reference."""

Entry = tuple[bytes, int, int]
"""What is remembered of a signature: its story (16 bytes of an item_id), its content's hash, its revision."""

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
_ENTRY = np.dtype([("key", "<u8"), ("story", "V16"), ("content", "<u8"), ("revision", "<u4")])
_CELL_HEAD = struct.Struct("<q")
_unpack_report = unpacker(Report)


def signatures(report: Report) -> list[tuple[int, int]]:
    """What makes a report known, as (layer, 64-bit key): its id always, its canonical URL and its text where it has them."""
    found = [(0, int(report.item_id[:16], 16))]
    if report.canonical_url:
        found.append((1, int.from_bytes(blake2b(report.canonical_url.encode(), digest_size=8).digest(), "little")))
    if report.text_hash:
        found.append((2, int(report.text_hash, 16)))
    return [(layer, key ^ _SALTS[layer]) for layer, key in found]


def fold_references(cells: Cells, elements: Sequence[Element], *, ttl: timedelta, shards: int) -> tuple[Cells, Iterator[Message]]:
    """References in order -> new cells, and an answer to each in messages to the shards of their items.

    A cell holds the entries last seen in one seventh of the ttl; it expires as a whole, so no fold rewrites a week. Expiry is
    judged at each reference's own time: slices of an archive change no answer.
    """
    if not elements:
        return cells, iter(())
    width = ttl // timedelta(microseconds=1) // (CELLS - 1)
    asked = [(time, *_REFERENCE.unpack(payload)) for time, payload in elements]
    known = _recall(cells, {key for *_, key in asked})
    fresh: defaultdict[int, dict[int, Entry]] = defaultdict(dict)
    answers: defaultdict[int, list[Element]] = defaultdict(list)
    for time, item, _, content, layer, key in asked:
        bucket = time // width
        seen, entry = known.get(key, _NEVER)
        answer, entry = judge(item, content, layer, entry if bucket - seen < CELLS else None)
        known[key] = bucket, entry
        fresh[bucket][key] = entry
        answers[_shard(item, shards)].append((time, answer))
    return _remember(cells, fresh), messages(answers)


def judge(item: bytes, content: int, layer: int, before: Entry | None) -> tuple[bytes, Entry]:
    """The packed answer to a reference, and what to remember, given what was remembered: a repeat, an edit, a story, or news."""
    if before is None:
        entry, repeat = (item, content, 0), False
    elif layer or before[1] == content:
        entry, repeat = before, not layer
    else:
        entry, repeat = (before[0], content, before[2] + 1), False
    return _ANSWER.pack(_ANSWERED, item, content, layer, entry[0], 0 if layer else entry[2], repeat), entry


def _recall(cells: Cells, keys: set[int]) -> dict[int, tuple[int, Entry | None]]:
    """What the cells hold of these keys: key -> (bucket, entry), the newest bucket where several have one."""
    found: dict[int, tuple[int, Entry | None]] = {}
    wanted = np.fromiter(keys, dtype="<u8", count=len(keys))
    for bucket, entries in sorted((_unpack_cell(cell) for cell in cells if cell), key=lambda pair: pair[0]):
        for key, story, content, revision in entries[np.isin(entries["key"], wanted)].tolist():
            found[key] = bucket, (story, content, revision)
    return found


def _remember(cells: Cells, fresh: Mapping[int, Mapping[int, Entry]]) -> Cells:
    """The cells with fresh entries (bucket -> key -> entry) merged in; a cell of an older bucket is replaced."""
    after = list(cells)
    for bucket, entries in sorted(fresh.items()):
        new = np.array([(key, *entry) for key, entry in entries.items()], dtype=_ENTRY)
        slot = bucket % CELLS
        old_bucket, old = _unpack_cell(after[slot]) if after[slot] else (bucket, new[:0])
        if old_bucket > bucket:
            continue  # so late that its time has expired: it was answered, it is not remembered
        if old_bucket == bucket:
            new = np.concatenate([old[~np.isin(old["key"], new["key"])], new])
        after[slot] = _CELL_HEAD.pack(bucket) + new.tobytes()
    return after


def _unpack_cell(cell: bytes) -> tuple[int, NDArray[Any]]:
    return _CELL_HEAD.unpack_from(cell)[0], np.frombuffer(cell, dtype=_ENTRY, offset=_CELL_HEAD.size)


def rejoin(cells: Cells, elements: Sequence[Element]) -> tuple[Cells, list[Report]]:
    """Packed reports and their answers -> the reports in their stories, without the repeats.

    A report waits in cell 0 until every one of its references is answered.
    """
    waiting: defaultdict[tuple[int, bytes], list[bytes]] = defaultdict(list)
    for time, payload in (*(unpack_elements(cells[0]) if cells[0] else ()), *elements):
        waiting[time, payload[1:_ADDRESS]].append(payload)
    reports: list[Report] = []
    rest: list[Element] = []
    for (time, _), payloads in sorted(waiting.items()):
        bodies = [payload for payload in payloads if payload[:1] == _BODY]
        answers = [_ANSWER.unpack(payload)[3:] for payload in payloads if payload[:1] == _ANSWERED]
        if not bodies or len(answers) < len(bodies) * _BODY_HEAD.unpack_from(bodies[0])[3]:
            rest += [(time, payload) for payload in payloads]
        elif not all(repeat for layer, _, _, repeat in answers if layer == 0):
            reports.append(with_story(_unpack_report(bodies[0][_BODY_HEAD.size :]), answers))
    return [pack(rest) if rest else b"", *cells[1:]], reports


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
        remember = partial(fold_references, ttl=self.settings.dedupe_ttl, shards=shards)
        asked = reports | "SendReferences" >> BatchByKey(partial(_route_references, shards=shards))
        folded = asked | "FoldReferences" >> FoldInOrder(remember, hold=hold, carried=self.carried)
        bodies = reports | "SendBodies" >> BatchByKey(partial(_route_body, shards=shards))
        folded.outputs.element_type = Message
        rejoined = (bodies, folded.outputs) | beam.Flatten() | "Rejoin" >> FoldInOrder(rejoin, hold=hold)
        return Deduplicated(rejoined.outputs | "Count" >> beam.Map(_counted), folded.cells)


def _counted(report: Report) -> Report:
    joined(report.story_layer).inc()
    return report


def _route_references(report: Report, shards: int) -> Iterator[tuple[int, Element]]:
    time, item, content = micros(report.first_seen), bytes.fromhex(report.item_id), int(report.content_hash, 16)
    for layer, key in signatures(report):
        yield key % shards, (time, _REFERENCE.pack(item, report.archive_position or 0, content, layer, key))


def _route_body(report: Report, shards: int) -> Iterator[tuple[int, Element]]:
    item = bytes.fromhex(report.item_id)
    head = _BODY_HEAD.pack(_BODY, item, int(report.content_hash, 16), len(signatures(report)))
    yield _shard(item, shards), (micros(report.first_seen), head + pack(report))


def _shard(item: bytes, shards: int) -> int:
    return int.from_bytes(item[:8], "little") % shards
