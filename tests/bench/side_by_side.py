"""Runs contenders in turn, A B C A B C ..., and prints medians: what a shared, noisy machine allows to compare."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Mapping
from statistics import median


def seconds(contenders: Mapping[str, Callable[[], object]], rounds: int = 5) -> dict[str, list[float]]:
    """Seconds of each contender in each round, after one warm-up of each."""
    for run in contenders.values():
        run()
    taken: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, run in contenders.items():
            gc.collect()
            begin = time.perf_counter()
            run()
            taken[name].append(time.perf_counter() - begin)
    return taken


def show(title: str, taken: Mapping[str, list[float]], items: Mapping[str, int]) -> None:
    """A row a contender: microseconds an item (min, median, max) and items a second."""
    print(f"\n{title}")
    print(f"  {'':34}{'us/item min':>12}{'median':>10}{'max':>10}{'items/s':>12}")
    for name, runs in taken.items():
        each = [t / items[name] * 1e6 for t in runs]
        print(f"  {name:34}{min(each):12.1f}{median(each):10.1f}{max(each):10.1f}{1e6 / median(each):12,.0f}")


def paired(a: list[float], b: list[float], apply: Callable[[float, float], float]) -> float:
    """Median of apply(a, b) over the rounds."""
    return median(apply(x, y) for x, y in zip(a, b, strict=True))
