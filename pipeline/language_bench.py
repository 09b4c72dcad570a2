"""`dijla language bench`: how right, how honest, how fast and how large each language detector is, on labelled texts."""

from __future__ import annotations

import gc
import logging
import time
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from statistics import fmean

import psutil

from pipeline import detectors
from pipeline.labelled import Labelled
from pipeline.language import Language

REFERENCE = "langdetect"
SURE = 0.9
_PART = 100


@dataclass(frozen=True, slots=True)
class OfLanguage:
    """Of the texts in one language, how many got its name; of the answers with its name, how many were right (None: there were none)."""

    texts: int
    recall: float
    precision: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """Shares 0..1, None where they are of nothing.

    `undetermined`: of the texts with a language, answered `und`. `claimed`: of the texts in none of the wanted languages, answered as one of them.
    `sure`: answers with a confidence of 0.9 or more, `sure_accuracy`: those of them that were right.
    """

    texts: int
    accuracy: float
    macro_accuracy: float
    undetermined: float | None
    claimed: float | None
    sure: float
    sure_accuracy: float | None
    languages: Mapping[str, OfLanguage]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What one detector did. `times_reference`: its speed as a multiple of langdetect's in the same run. `megabytes`: what loading it adds to a process."""

    detector: str
    score: Score
    texts_per_second: float
    times_reference: float | None
    megabytes: float


def bench(lines: Sequence[Labelled], names: Sequence[str], wanted: Collection[str], on_done: Callable[[int], None] = lambda done: None) -> list[Row]:
    """A row for each detector. They take turns, a hundred texts each, so that a busy machine slows all of them; on_done gets how many texts are done."""
    megabytes = memory_added(names)
    detect = {name: detectors.load(name) for name in names}
    answers: dict[str, list[Language]] = {name: [] for name in names}
    seconds = dict.fromkeys(names, 0.0)
    for start in range(0, len(lines), _PART):
        texts = [line.text for line in lines[start : start + _PART]]
        for name in names:
            begin = time.perf_counter()
            answers[name] += [detect[name](text, None) for text in texts]
            seconds[name] += time.perf_counter() - begin
        on_done(start + len(texts))
    return [
        Row(
            detector=name,
            score=score(lines, answers[name], wanted),
            texts_per_second=len(lines) / seconds[name],
            times_reference=seconds[REFERENCE] / seconds[name] if REFERENCE in names else None,
            megabytes=megabytes[name],
        )
        for name in names
    ]


def score(lines: Sequence[Labelled], answers: Sequence[Language], wanted: Collection[str]) -> Score:
    """An answer is right where it is the label, strictly. `macro_accuracy` is the mean of the languages' recalls. Takes one line at least."""
    pairs = [(line.language, answer.code) for line, answer in zip(lines, answers, strict=True)]
    right = [label == code for label, code in pairs]
    sure = [hit for hit, answer in zip(right, answers, strict=True) if answer.confidence >= SURE]
    given, answered, hits = Counter(label for label, _ in pairs), Counter(code for _, code in pairs), Counter(code for label, code in pairs if label == code)
    languages = {
        label: OfLanguage(texts, hits[label] / texts, hits[label] / answered[label] if answered[label] else None) for label, texts in sorted(given.items())
    }
    return Score(
        texts=len(pairs),
        accuracy=fmean(right),
        macro_accuracy=fmean(one.recall for one in languages.values()),
        undetermined=_share([code == "und" for label, code in pairs if label != "und"]),
        claimed=_share([code in wanted for label, code in pairs if label not in wanted]),
        sure=len(sure) / len(pairs),
        sure_accuracy=_share(sure),
        languages=languages,
    )


def _share(of: Sequence[bool]) -> float | None:
    return fmean(of) if of else None


def memory_added(names: Sequence[str]) -> dict[str, float]:
    """Megabytes that loading each detector adds to a worker: each in a new process of its own."""
    quiet = (logging.CRITICAL,)  # what libraries log as they are imported has been said in this process
    with ProcessPoolExecutor(len(names), get_context("spawn"), logging.disable, quiet, max_tasks_per_child=1) as pool:
        return dict(zip(names, pool.map(_megabytes, names), strict=True))


def _megabytes(name: str) -> float:
    process = psutil.Process()
    gc.collect()
    before = process.memory_info().rss
    detectors.load(name)
    gc.collect()
    return (process.memory_info().rss - before) / 1e6
