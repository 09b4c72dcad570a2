"""Light references to what makes a report known, folded in logical time against what is remembered, and the answers to them.

A reference weighs 57 bytes, an answer 71; both travel and are folded as arrays (pipeline.rows).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from hashlib import blake2b
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.fold import Cells, Element, Fold, Message, Write, messages, micros
from pipeline.near_duplicates import Text, sample
from pipeline.rows import TIME_FIELD, Array, Rows, by_number, stamp, starts, times
from pipeline.seen import ENTRY, Seen
from schemas.records import Report

LAYERS = ("edit", "url", "text", "near")
"""What joins a report to a story, the surest first; the position is the layer's number in a reference."""
NEAR = LAYERS.index("near")

_VERSION = np.dtype([TIME_FIELD, ("item", "V16"), ("content", ">u8")])
ADDRESS = _VERSION.itemsize
"""Bytes with which answers begin: the version of an item."""

# position: which of two versions of one moment is the newer; mark: what the layer compares (content, or numbers and source of a sample)
REFERENCE = np.dtype([TIME_FIELD, ("item", "V16"), ("position", ">u8"), ("content", ">u8"), ("layer", "u1"), ("key", ">u8"), ("mark", ">u8")])
ANSWER = np.dtype([
    *_VERSION.descr, ("answers", "u1"), ("layer", "u1"), ("story", "V16"), ("since", "<i8"), ("mark", "<u8"), ("revision", "<u4"), ("repeat", "?"),
])  # fmt: skip
"""To so many references of an item's version; what one of them joined, where it is another item or an edit."""

_SALTS = tuple(map(np.uint64, (0, 0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9)))
"""What keeps the keys of the layers apart."""
_CELLS = {False: (0, 4), True: (4, 4)}
"""Cells of the state for exact signatures, and for samples of texts."""


class Referred(NamedTuple):
    """References of reports, and of each report its time, its item's number, its address, how many references it has, how many of them to the sample
    of its text, and its mark."""

    rows: Array
    times: list[int]
    items: list[int]
    addresses: list[bytes]
    counts: list[int]
    sampled: list[int]
    marks: list[int]


def refer(reports: Sequence[Report]) -> Referred:
    """References to what makes each report known: its id always, its canonical URL and its text's hash and sample where it has them."""
    heads = np.empty(len(reports), REFERENCE)
    seen = [micros(report.first_seen) for report in reports]
    heads["time"] = list(map(stamp, seen))
    heads["item"] = np.frombuffer(bytes.fromhex("".join(report.item_id for report in reports)), "V16")
    heads["position"] = [report.kafka.offset if report.kafka else report.archive_position or 0 for report in reports]
    heads["content"] = _hashes([report.content_hash for report in reports])

    urls = [(n, report.canonical_url) for n, report in enumerate(reports) if report.canonical_url]
    texts = [(n, report.text_hash) for n, report in enumerate(reports) if report.text_hash]
    samples = sample([Text(report.title, report.text, report.source_id) for report in reports])
    keyed = (
        (np.arange(len(reports)), _hashes([report.item_id[:16] for report in reports]), heads["content"]),
        (_places(urls), _hashes([blake2b(url.encode(), digest_size=8).hexdigest() for _, url in urls]), 0),
        (_places(texts), _hashes([text_hash for _, text_hash in texts]), 0),
        (samples.texts, samples.hashes, samples.marks[samples.texts]),
    )
    parts = []
    for layer, (of, keys, marks) in enumerate(keyed):
        rows = heads[of]
        rows["layer"], rows["key"], rows["mark"] = layer, keys ^ _SALTS[layer], marks
        parts.append(rows)
    which = np.concatenate([of for of, _, _ in keyed])
    counts, sampled = (np.bincount(of, minlength=len(reports)).tolist() for of in (which, samples.texts))
    versions = np.empty(len(reports), _VERSION)
    for name in _VERSION.names or ():
        versions[name] = heads[name]
    return Referred(
        np.concatenate(parts, dtype=REFERENCE),
        seen,
        _numbers(heads["item"]).tolist(),
        versions.view(f"V{ADDRESS}").tolist(),
        counts,
        sampled,
        samples.marks.tolist(),
    )


def _places(numbered: Sequence[tuple[int, str]]) -> NDArray[np.intp]:
    return np.array([number for number, _ in numbered], dtype=np.intp)


def _hashes(hex_digits: Sequence[str]) -> NDArray[np.uint64]:
    return np.frombuffer(bytes.fromhex("".join(hex_digits)), ">u8").astype(np.uint64)


class Memory(NamedTuple):
    """What a shard remembers."""

    exact: Seen
    near: Seen


class FoldReferences(Fold[Memory, Array]):
    """References in order -> an answer to each, in messages to the shards of their items.

    A signature is forgotten `ttl` (a sample of a text `near_ttl`) after it was last seen. That is judged at each reference's own
    time: slices of an archive change no answer. More than `most` entries are not remembered.
    """

    batches = Rows(REFERENCE)

    def __init__(self, *, ttl: timedelta, near_ttl: timedelta, most: int, shards: int) -> None:
        self.ttl, self.near_ttl, self.most, self.shards = ttl, near_ttl, most, shards

    def restore(self, cells: Cells) -> Memory:
        memory = Memory(*(Seen(*_CELLS[near], self.most) for near in (False, True)))
        for seen in memory:
            seen.restore(cells)
        return memory

    def dump(self, memory: Memory) -> Mapping[int, bytes]:
        return {**memory.exact.dump(), **memory.near.dump()}

    def fold(self, memory: Memory, elements: Array) -> tuple[list[Write], Iterator[Message]]:
        near, answers = elements["layer"] == NEAR, np.empty(len(elements), ANSWER)
        writes: list[Write] = []
        for seen, own, ttl in ((memory.exact, ~near, self.ttl), (memory.near, near, self.near_ttl)):
            if own.any():
                cells = _CELLS[seen is memory.near][1]
                written, answers[own] = _answer(seen, elements[own], width=ttl // timedelta(microseconds=1) // (cells - 1), cells=cells)
                writes += written
        return writes, messages(_to_items(answers, self.shards))


def _answer(seen: Seen, rows: Array, *, width: int, cells: int) -> tuple[list[Write], Array]:
    """Rows in order of time -> what to write, and the answer to each.

    Rows of one key stand for the item that the key was first seen in; where it was not seen for `cells` buckets, for the next.
    """
    order = np.argsort(rows["key"].astype(np.uint64), kind="stable")
    rows = rows[order]
    keys, marks, when = rows["key"].astype(np.uint64), rows["mark"].astype(np.uint64), times(rows)
    buckets = when // width
    first_of_key = starts(keys)
    first = first_of_key.copy()
    first[1:] |= buckets[1:] - buckets[:-1] >= cells
    firsts, stretch = np.flatnonzero(first), np.cumsum(first) - 1

    known = seen.recall(keys[firsts])
    fresh = ~known.found | (buckets[firsts] - known.buckets >= cells) | ~first_of_key[firsts]
    holders = known.entries
    for name, values in (("story", rows["item"]), ("since", when), ("mark", marks), ("revision", np.zeros(len(rows), np.uint32))):
        holders[name][fresh] = values[firsts][fresh]

    before = np.roll(marks, 1)
    before[firsts] = holders["mark"]
    own_item = rows["layer"] == 0
    edited = own_item & (marks != before)
    edits = np.cumsum(edited)
    entries = np.empty(len(rows), ENTRY)
    entries["key"] = keys
    for name in ("story", "since"):
        entries[name] = holders[name][stretch]
    entries["mark"] = np.where(own_item, marks, holders["mark"][stretch])
    entries["revision"] = holders["revision"][stretch] + edits - (edits - edited)[firsts][stretch]
    is_news = np.zeros(len(rows), np.bool_)
    is_news[firsts] = fresh

    answers = np.empty(len(rows), ANSWER)
    for name in ("time", "item", "content", "layer"):
        answers[name] = rows[name]
    for name in ("story", "since", "mark", "revision"):
        answers[name] = entries[name]
    answers["answers"], answers["repeat"] = 1, own_item & ~edited & ~is_news
    last = np.ones(len(rows), np.bool_)
    last[:-1] = first_of_key[1:] | (buckets[1:] != buckets[:-1])
    in_time = np.empty(len(rows), ANSWER)
    in_time[order] = answers
    return seen.remember(buckets[last], entries[last]), in_time


def _to_items(answers: Array, shards: int) -> dict[int, list[Element]]:
    """The answers, in order of time, for each shard of items; those to one version that say nothing in one row."""
    joins = joining(answers)
    news = answers[~joins]
    firsts = np.flatnonzero(starts(addresses(news)))
    counted = news[firsts]
    counted["answers"] = np.diff([*firsts.tolist(), len(news)])
    rows = np.concatenate([answers[joins], counted], dtype=ANSWER)
    shard_of = (_numbers(rows["item"]) % np.uint64(shards)).astype(np.int64)
    return {shard: [(int(times(some).max()), ANSWERED + some.tobytes())] for shard, some in by_number(rows, shard_of)}


def _numbers(items: Array) -> NDArray[np.uint64]:
    """A number of each item, by which it has its shard: its body and its answers meet there."""
    return np.ascontiguousarray(items).view("<u8").reshape(-1, 2)[:, 0]


ANSWERED = b"A"
"""Kind of the elements that hold answers."""


def joining(answers: Array) -> Any:
    """Which answers say something: a repeat, an edit, or another item's story."""
    return answers["repeat"] | (answers["revision"] > 0) | (answers["story"] != answers["item"])


def addresses(rows: Array) -> Array:
    """The first ADDRESS bytes of each row, comparable."""
    return np.ascontiguousarray(np.ascontiguousarray(rows).view(np.uint8).reshape(len(rows), rows.dtype.itemsize)[:, :ADDRESS]).view(f"V{ADDRESS}").ravel()
