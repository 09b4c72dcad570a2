"""How well incidents are told apart on the scenarios: B-cubed, beside one type on one day."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from schemas.records import Report


class BCubed(NamedTuple):
    """Extended B-cubed of clusters that may overlap (Amigó and others, 2009)."""

    precision: float
    recall: float

    @property
    def f1(self) -> float:
        """The harmonic mean."""
        return 2 * self.precision * self.recall / (self.precision + self.recall)


Clusters = Mapping[str, frozenset[str]]
"""Item -> the clusters that hold it; an item in none stands alone."""


def bcubed(truth: Clusters, found: Clusters) -> BCubed:
    """How far the items that found clusters join belong together (precision), and those that belong together are joined (recall)."""
    return BCubed(_shared(found, truth), _shared(truth, found))


def _shared(joined: Clusters, other: Clusters) -> float:
    """The mean, over items and the items that share a cluster with them, of the share of `joined` clusters that `other` has too."""
    members: dict[str, set[str]] = {}
    mine = {item: clusters or frozenset({f"alone {item}"}) for item, clusters in joined.items()}
    theirs = {item: clusters or frozenset({f"alone {item}"}) for item, clusters in other.items()}
    for item, clusters in mine.items():
        for cluster in clusters:
            members.setdefault(cluster, set()).add(item)
    total = 0.0
    for item, clusters in mine.items():
        near = set().union(*(members[cluster] for cluster in clusters))
        shares = [min(len(mine[item] & mine[n]), len(theirs[item] & theirs[n])) / len(mine[item] & mine[n]) for n in near]
        total += sum(shares) / len(shares)
    return total / len(mine)


def by_type_and_day(reports: Iterable[Report]) -> Clusters:
    """The naive way: reports that tell of one type of event and were published on one day tell of one incident."""
    return {report.item_id: frozenset(f"{event.type} {report.published:%Y-%m-%d}" for event in report.events) for report in reports if report.published}


def main() -> None:
    """Print both, on all scenarios at once."""
    from tests.pipeline.scenarios import load, run

    scenarios = load()
    items = [item for scenario in scenarios for item in scenario.items()]
    random.Random(1).shuffle(items)
    with tempfile.TemporaryDirectory() as folder:
        outcome = run(items, Path(folder))
    truth = {item: told for scenario in scenarios if "copies" not in scenario.given for item, told in scenario.tells().items()}
    print(f"\nIncidents told apart, {len(scenarios)} scenarios, {len(truth)} reports, extended B-cubed")
    naive = by_type_and_day(outcome.reports)
    for name, found in (("ours", outcome.of_item), ("one type on one day", naive)):
        score = bcubed(truth, {item: found.get(item, frozenset()) for item in truth})
        print(f"  {name:22} precision {score.precision:.3f}  recall {score.recall:.3f}  F1 {score.f1:.3f}")
