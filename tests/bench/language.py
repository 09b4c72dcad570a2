"""Language detection beside langdetect (seeded) and py3langid, on distinct texts of our own, one thread; and the memory that its models take."""

from __future__ import annotations

import random
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from importlib import resources

import langdetect
import py3langid

from pipeline import language
from tests.bench.side_by_side import paired, seconds, show
from tests.pipeline.test_language_golden import COMMON

SHORT, ARTICLES = 1_000, 60
_ADDED = """
import psutil
from pipeline import language
used = psutil.Process().memory_info().rss
language.language_model.load()
print((psutil.Process().memory_info().rss - used) / 1e6)
"""


def _texts(count: int, length: int, seed: int) -> Iterator[str]:
    """Distinct texts of so many characters, in turn in each common language: from a word of our golden sentences on, then frequent words at random."""
    sample = random.Random(seed)
    lists = tomllib.loads((resources.files("pipeline") / "profiles" / "words.toml").read_text(encoding="utf-8"))["words"]
    frequent = {code: listed.split() for script in lists.values() for code, listed in script.items()}
    sentences: dict[str, list[str]] = {}
    for code, text in COMMON:
        sentences.setdefault(code, []).append(text)
    codes = sorted(sentences)
    for number in range(count):
        code = codes[number % len(codes)]
        words = " ".join(sample.sample(sentences[code], k=len(sentences[code]))).split()
        more = sample.choices(frequent.get(code) or words, k=length // 4)
        yield " ".join([*words[sample.randrange(len(words)) :], str(number), *words, *more])[:length]


def _all(detect: Callable[[str], object], texts: Sequence[str]) -> None:
    for text in texts:
        detect(text)


def main() -> None:
    """Print the tables and how the goals are met."""
    langdetect.DetectorFactory.seed = 0
    for title, count, length, goal in (("short texts, 90 characters", SHORT, 90, 20), ("articles, 3,000 characters", ARTICLES, 3_000, 5)):
        texts = list(_texts(count, length, seed=length))
        contenders = {"ours": language.detect, "langdetect": langdetect.detect, "py3langid": py3langid.classify}
        taken = seconds({name: partial(_all, detect, texts) for name, detect in contenders.items()})
        show(f"Language of {title}", taken, dict.fromkeys(taken, count))
        print(f"  {paired(taken['langdetect'], taken['ours'], lambda a, b: a / b):.1f} times langdetect (goal: {goal})")
    added = subprocess.run([sys.executable, "-c", _ADDED], capture_output=True, text=True, check=True).stdout
    print(f"\nMemory added by our models: {float(added):.0f} MB (goal: 160)")
