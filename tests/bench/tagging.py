"""The tagger beside a flat alternation of the same forms in `re`, on news items of 2.6 kB; its start-up and memory."""

from __future__ import annotations

import random
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

from pipeline.folding import fold
from pipeline.gazetteer import load_places, place_forms
from pipeline.lexicon import language_forms, load_languages, matching_view
from pipeline.normalise import normalise
from pipeline.tag import load_tagger, tag
from schemas.records import RawItem, Report
from tests.bench.samples import TEXTS as OTHER_NEWS
from tests.bench.side_by_side import paired, seconds, show

ITEMS, FLAT_ITEMS = 300, 5
SIZE = 2_600
GOLDEN = Path(__file__).parents[1] / "golden" / "tag"
_ADDED = """
import time, psutil
import pipeline.tag
used, begin = psutil.Process().memory_info().rss, time.perf_counter()
pipeline.tag.load_tagger()
print(time.perf_counter() - begin, (psutil.Process().memory_info().rss - used) / 1e6)
"""


def _sentences(language: str, *, alert: bool) -> list[str]:
    cases = tomllib.loads((GOLDEN / f"{language}.toml").read_text(encoding="utf8"))["cases"]
    return [case["text"] for case in cases if case["alert"] is alert]


def _news(count: int, told: Sequence[str]) -> Iterator[Report]:
    """Articles of 2.6 kB: three of the sentences told, if any, the first as the lead, among others of economy and sport."""
    sample = random.Random(0)
    others = [text for text in OTHER_NEWS if text.isascii() and "Baghdad" not in text]
    for number in range(count):
        here = sample.sample(told, 3) if told else []
        text = [*here[:1], *(sample.choice(others).format(n=number + k, district="") for k in range(40))]
        for sentence in here[1:]:
            text.insert(sample.randrange(1, 15), sentence)
        item = RawItem(
            item_id=f"{number:032x}", native_id=str(number), source_id="sample.outlet-a", source_type="rss", body=" ".join(text)[:SIZE],
            published_raw="2021-03-10T12:00:00Z", fetched_at=datetime(2021, 3, 10, 12, tzinfo=UTC), mode="replay",
        )  # fmt: skip
        yield replace(normalise(item), language="en")


def _flat() -> re.Pattern[str]:
    forms = [*place_forms(load_places()), *(form for language in load_languages().values() for form in language_forms(language))]
    return re.compile("|".join(sorted({rf"\b{re.escape(form.literal)}{form.tail}\b" for form in forms}, key=len, reverse=True)))


def _all(work: Callable[[Report], object], reports: Sequence[Report]) -> None:
    for report in reports:
        work(report)


def _matches(pattern: re.Pattern[str], report: Report) -> list[Any]:
    return pattern.findall(matching_view(fold(report.text).text))


def main() -> None:
    """Print the table, start-up and memory, and how the goals are met."""
    tagger, flat = load_tagger(), _flat()
    kinds = {
        "nothing of Iraq": _news(ITEMS, ()),
        "names Baghdad, no attack": _news(ITEMS, _sentences("en", alert=False)),
        "tells of an attack": _news(ITEMS, _sentences("en", alert=True)),
    }
    reports = {kind: list(news) for kind, news in kinds.items()}
    reports["one in twenty tells of an attack"] = [reports["tells of an attack" if number % 20 == 0 else "nothing of Iraq"][number] for number in range(ITEMS)]
    contenders = {kind: partial(_all, partial(tag, tagger=tagger), news) for kind, news in reports.items()}
    few = reports["tells of an attack"][:FLAT_ITEMS]
    contenders["flat alternation, any of them"] = partial(_all, partial(_matches, flat), few)
    taken = seconds(contenders, rounds=3)
    show(f"Tagging news of {SIZE:,} characters, English", taken, {**dict.fromkeys(reports, ITEMS), "flat alternation, any of them": FLAT_ITEMS})
    for kind in reports:
        times = paired(taken["flat alternation, any of them"], taken[kind], lambda a, b: a / FLAT_ITEMS / (b / ITEMS))
        print(f"  {kind}: {times:,.0f} times the flat alternation (goal: 10)")
    rate = ITEMS / median(taken["one in twenty tells of an attack"])
    print(f"  a stream with one in twenty: {rate:,.0f} items/s (goal: 3,000)")
    start, added = map(float, subprocess.run([sys.executable, "-c", _ADDED], capture_output=True, text=True, check=True).stdout.split())
    print(f"  start-up {start:.2f} s (goal: under 1), {added:.0f} MB added (goal: under 120)")
