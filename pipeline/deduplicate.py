"""Which reports say what is already known: dropped when polled again, else joined to their story.

Light references go to the shard of each signature (item id, canonical URL, folded text, sampled trigrams), are folded there in
logical time against what is remembered (pipeline.references), and their answers rejoin the report at the shard of its item id.
Bodies are shuffled once.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import groupby
from operator import attrgetter
from typing import Any, NamedTuple

import apache_beam as beam
import numpy as np
from apache_beam.pvalue import PCollection

from pipeline.fold import Cells, Element, Fold, Listed, Message, Write
from pipeline.fold_in_order import BatchByKey, FoldInOrder, by_key
from pipeline.metrics import joined
from pipeline.near_duplicates import needed
from pipeline.packing import pack, unpacker
from pipeline.references import ADDRESS, ANSWER, ANSWERED, LAYERS, NEAR, FoldReferences, addresses, joining, refer
from pipeline.rows import Array, by_number, in_order, starts
from pipeline.settings import Settings
from schemas.records import Report

_BODY = b"B"
# kind; address; how many answers to wait for, how many of them to the sample of the text, and its mark; then the packed report
_BODY_HEAD = struct.Struct(f">c{ADDRESS}sBBQ")
_unpack_report = unpacker(Report)
_unpack_waiting = unpacker(tuple[dict[bytes, list[bytes]], bytes])


class Answer(NamedTuple):
    """What a reference joined: an item, first seen when, its mark and revision, and whether the version itself was known."""

    layer: int
    story: bytes
    since: int
    mark: int
    revision: int
    repeat: bool


class Waiting:
    """Bodies by their address, and the answers that have come."""

    def __init__(self, bodies: dict[bytes, list[bytes]], answers: Array) -> None:
        self.bodies, self.answers = bodies, answers

    def __bool__(self) -> bool:
        return bool(self.bodies or len(self.answers))


class Rejoin(Fold[Waiting, list[Element]]):
    """Packed reports and their answers -> the reports in their stories, without the repeats.

    A report waits until every one of its references is answered: in the memory, by its time and address.
    """

    batches = Listed()

    def restore(self, cells: Cells) -> Waiting:
        bodies, answers = _unpack_waiting(cells[0][0]) if cells.get(0) else ({}, b"")
        return Waiting(bodies, np.frombuffer(answers, ANSWER))

    def dump(self, memory: Waiting) -> Mapping[int, bytes]:
        return {0: pack((memory.bodies, memory.answers.tobytes()))} if memory else {}

    def fold(self, memory: Waiting, elements: Sequence[Element]) -> tuple[list[Write], list[Report]]:
        waited = bool(memory)
        blocks = [memory.answers]
        for _, payload in elements:
            if payload[:1] == ANSWERED:
                blocks.append(np.frombuffer(payload, ANSWER, offset=1))
            else:
                memory.bodies.setdefault(payload[1 : ADDRESS + 1], []).append(payload)
        answers = np.concatenate(blocks, dtype=ANSWER)  # without it, numpy would turn the bytes of fields round
        answers = answers[in_order(answers, ADDRESS)]
        reports, memory.answers = _rejoined(memory.bodies, answers)
        return ([Write(0, self.dump(memory).get(0, b""), replace=True)] if memory or waited else []), reports


def _rejoined(bodies: dict[bytes, list[bytes]], answers: Array) -> tuple[list[Report], Array]:
    """The reports whose answers have all come, in order, taken from the bodies; and the answers that are left."""
    address = addresses(answers)
    edges = [*np.flatnonzero(starts(address)).tolist(), len(answers)]
    came = np.add.reduceat(answers["answers"], edges[:-1], dtype=np.int64).tolist() if len(answers) else []
    joins, left = joining(answers), np.zeros(len(answers), np.bool_)
    said = np.logical_or.reduceat(joins, edges[:-1]).tolist() if len(answers) else []
    reports = []
    for begin, end, at, enough, any_said in zip(edges, edges[1:], address[edges[:-1]].tolist(), came, said, strict=False):
        payloads = bodies.get(at, ())
        if not payloads or enough < len(payloads) * _BODY_HEAD.unpack_from(payloads[0])[2]:
            left[begin:end] = True
            continue
        del bodies[at]
        if not any_said:
            reports.append(_unpack_report(payloads[0][_BODY_HEAD.size :]))
            continue
        found = [Answer(*row) for row in answers[begin:end][joins[begin:end]][list(Answer._fields)].tolist()]
        # Of two equal items of one moment one is the repeat of the other.
        if sum(answer.repeat for answer in found) < len(payloads):
            sampled, mark = _BODY_HEAD.unpack_from(payloads[0])[3:]
            reports.append(with_story(_unpack_report(payloads[0][_BODY_HEAD.size :]), found, sampled=sampled, mark=mark))
    return reports, answers[left]


def with_story(report: Report, answers: Iterable[Answer], *, sampled: int = 0, mark: int = 0) -> Report:
    """The report in the oldest story that a layer knows, given what its references joined; without one it is its own.

    `sampled` hashes stand for its text. It is a near-duplicate of an item that has enough of them.
    """
    own = bytes.fromhex(report.item_id)
    answers = sorted(answer for answer in answers if not answer.repeat)
    stories = [(a.since, a.story, a.layer, 1.0) for a in answers if a.layer != NEAR and a.story != own]
    for _, some in groupby((a for a in answers if a.layer == NEAR and a.story != own), key=attrgetter("story", "since")):
        near = list(some)
        if (share := len(near) / sampled) >= needed(mark, near[0].mark):
            stories.append((near[0].since, near[0].story, NEAR, share))
    revision = max((a.revision for a in answers if a.layer == 0), default=0)
    if not stories and not revision:
        return report
    _, story, layer, score = min(stories, default=(0, own, 0, 1.0))
    return replace(report, item_revision=revision, story_id=story.hex(), story_layer=LAYERS[layer], story_score=score)


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
        remember = FoldReferences(ttl=self.settings.dedupe_ttl, near_ttl=self.settings.near_ttl, most=self.settings.dedupe_entries // shards, shards=shards)
        sent = reports | "Send" >> BatchByKey(_itself, partial(_send, shards=shards), tag="bodies")
        folded = sent.messages | "FoldReferences" >> FoldInOrder(remember, hold=hold, carried=self.carried)
        folded.outputs.element_type = Message
        rejoined = (sent.bodies, folded.outputs) | beam.Flatten() | "Rejoin" >> FoldInOrder(Rejoin(), hold=hold, behind_ticks=True)
        return Deduplicated(rejoined.outputs | "Count" >> beam.Map(_counted), folded.cells)


def _itself(report: Report) -> Report:
    return report


def _send(reports: Sequence[Report], shards: int) -> Iterator[Any]:
    """References, in a batch of rows for each of their shards, and bodies, in one for each shard of items."""
    if not reports:
        return
    referred = refer(reports)
    for shard, rows in by_number(referred.rows, (referred.rows["key"] % np.uint64(shards)).astype(np.int64)):
        yield shard, (0, rows.tobytes())
    heads = zip(referred.addresses, referred.counts, referred.sampled, referred.marks, strict=True)
    packed = [_BODY_HEAD.pack(_BODY, *head) + pack(report) for head, report in zip(heads, reports, strict=True)]
    elements = zip(referred.times, packed, strict=True)
    for message in by_key([(item % shards, element) for item, element in zip(referred.items, elements, strict=True)]):
        yield beam.pvalue.TaggedOutput("bodies", message)


def _counted(report: Report) -> Report:
    joined(report.story_layer).inc()
    return report
