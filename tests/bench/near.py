"""Near-duplicates: how many altered copies are found and how fast, beside datasketch, rensa and gaoya on the same texts and trigrams."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from datasketch import MinHash, MinHashLSH
from gaoya.minhash import MinHashStringIndex
from rensa import RMinHash, RMinHashLSH

from pipeline.deduplicate import Rejoin, _send
from pipeline.references import FoldReferences
from schemas.records import Report
from tests.bench.side_by_side import seconds, show
from tests.pipeline.altered import ARABIC, LATIN, edited, flat, lead, reordered, texts, vocabulary

ITEMS = 5_000
PERMUTATIONS, THRESHOLD = 128, 0.3
"""Of 20 % changed words a third of the trigrams of both are common."""
_BEGIN = datetime(2021, 3, 1, tzinfo=UTC)
Found = set[tuple[str, str]]
"""Name of a text, and of an earlier one that it is held to be a copy of."""


def ours(named: Sequence[tuple[str, str]]) -> Found:
    """The deduplication's own functions, on one shard: every layer."""
    reports = [_report(name, text, number) for number, (name, text) in enumerate(named)]
    step, rejoin = FoldReferences(ttl=timedelta(days=14), near_ttl=timedelta(days=3), most=50_000_000, shards=1), Rejoin()
    memory, waiting = step.restore({}), rejoin.restore({})
    found: Found = set()
    for begin in range(0, len(reports), 1_000):
        (_, (_, references)), bodies = _send(reports[begin : begin + 1_000], 1)
        _, answered = step.fold(memory, step.batches.merged([references]))
        stories = rejoin.fold(waiting, rejoin.batches.merged([bodies.value[1][1], *(packed for _, (_, packed) in answered)]))[1]
        found |= {(report.native_id, _name(report.story_id)) for report in stories if report.story_id != report.item_id}
    return found


def _report(name: str, text: str, number: int) -> Report:
    item = name.encode().hex().ljust(32, "0")
    hashed = f"{number:016x}"
    return Report(
        item_id=item, native_id=name, source_id=name, source_type="rss", text=text, first_seen=_BEGIN + timedelta(seconds=number),
        content_hash=hashed, text_hash=hashed, story_id=item,
    )  # fmt: skip


def _name(item: str | None) -> str:
    return bytes.fromhex(item or "").rstrip(b"\0").decode()


def trigrams(text: str) -> list[str]:
    """What the libraries are given."""
    words = text.lower().split()
    return [" ".join(words[n : n + 3]) for n in range(len(words) - 2)]


def by_datasketch(named: Sequence[tuple[str, str]]) -> Found:
    """MinHashLSH, its parameters as it chooses them, candidates verified by their signatures."""
    index, signatures, found = MinHashLSH(threshold=THRESHOLD, num_perm=PERMUTATIONS), {}, set()
    for name, text in named:
        signature = MinHash(num_perm=PERMUTATIONS)
        signature.update_batch([gram.encode() for gram in trigrams(text)])
        found |= {(name, other) for other in index.query(signature) if signatures[other].jaccard(signature) >= THRESHOLD}
        index.insert(name, signature)
        signatures[name] = signature
    return found


def by_rensa(named: Sequence[tuple[str, str]]) -> Found:
    """RMinHashLSH with bands of two, candidates verified by their signatures."""
    index, signatures, found = RMinHashLSH(threshold=THRESHOLD, num_perm=PERMUTATIONS, num_bands=PERMUTATIONS // 2), [], set()
    for number, (name, text) in enumerate(named):
        signature = RMinHash(num_perm=PERMUTATIONS, seed=1)
        signature.update(trigrams(text))
        found |= {(name, named[other][0]) for other in index.query(signature) if signatures[other].jaccard(signature) >= THRESHOLD}
        index.insert(number, signature)
        signatures.append(signature)
    return found


def by_gaoya(named: Sequence[tuple[str, str]]) -> Found:
    """MinHashStringIndex with bands of three; it verifies itself."""
    index = MinHashStringIndex(hash_size=32, jaccard_threshold=THRESHOLD, num_bands=42, band_size=3, analyzer="word", lowercase=True, ngram_range=(3, 3))
    found = set()
    for number, (name, text) in enumerate(named):
        found |= {(name, named[other][0]) for other in index.query(text)}
        index.insert_document(number, text)
    return found


CONTENDERS: dict[str, Callable[[Sequence[tuple[str, str]]], Found]] = {
    "ours, every layer of Deduplicate": ours,
    "datasketch": by_datasketch,
    "rensa": by_rensa,
    "gaoya": by_gaoya,
}


def quality(languages: Iterable[str]) -> None:
    """Recall and precision of each contender for each kind of alteration."""
    chosen = random.Random(20201220)
    originals = list(texts(tuple(languages), chosen))
    words = vocabulary(originals)
    kinds: dict[str, Any] = {f"{share:.0%} changed": [edited(text, share, words, chosen) for text in originals] for share in (0.05, 0.1, 0.2, 0.3)}
    kinds |= {"reordered": [reordered(text, chosen) for text in originals], "lead alone": [lead(text) for text in originals]}
    print(f"\n{', '.join(languages)}: {len(originals)} texts, recall / precision")
    print(f"  {'':34}" + "".join(f"{kind:>16}" for kind in kinds))
    for contender, find in CONTENDERS.items():
        row = []
        for altered in kinds.values():
            given = [(f"{kind}{n}", flat(text)) for kind, some in (("o", originals), ("a", altered)) for n, text in enumerate(some)]
            found = {(name, other) for name, other in find(given) if name[0] == "a"}
            right = sum((f"a{n}", f"o{n}") in found for n in range(len(originals)))
            # A copy of a copy would be right as well: only strangers are wrong.
            row.append(f"{right / len(originals):.3f} / {right / max(1, len(found)):.3f}")
        print(f"  {contender:34}" + "".join(f"{cell:>16}" for cell in row))


def state_per_item() -> float:
    """Bytes of state an item of 70 words leaves, while everything of it is remembered."""
    reports = [_report(name, text, number) for number, (name, text) in enumerate(_random_texts(ITEMS))]
    step = FoldReferences(ttl=timedelta(days=14), near_ttl=timedelta(days=3), most=50_000_000, shards=1)
    memory = step.restore({})
    (_, (_, references)), _ = _send(reports, 1)
    step.fold(memory, step.batches.merged([references]))
    return sum(map(len, step.dump(memory).values())) / ITEMS


def _random_texts(count: int) -> list[tuple[str, str]]:
    chosen = random.Random(1)
    words = vocabulary(list(texts((*LATIN, *ARABIC), chosen)))
    return [(f"t{n}", " ".join(chosen.choices(words, k=chosen.randint(40, 100)))) for n in range(count)]


def main() -> None:
    """Print the tables."""
    for languages in (LATIN, ARABIC):
        quality(languages)
    given = _random_texts(ITEMS)
    taken = seconds({name: lambda find=find: find(given) for name, find in CONTENDERS.items()}, rounds=3)  # type: ignore[misc]
    show(f"{ITEMS} texts of 70 words, each asked for and remembered (goal: 5,000 items/s)", taken, dict.fromkeys(CONTENDERS, ITEMS))
    each = state_per_item()
    print(f"  state of ours: {each:.0f} bytes an item, {each / 1_000:.2f} GB a million")
