"""How well incidents are told apart on the scenarios: B-cubed, beside one type on one day. How fast reports are correlated."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from pipeline.correlate import FoldReports, Incident, correlate
from pipeline.gazetteer import load_places
from pipeline.settings import Settings
from schemas.records import Evidence, Report, TaggedEvent
from tests.bench.side_by_side import seconds, show

REPORTS = 4_000
_BEGIN = datetime(2021, 3, 1, tzinfo=UTC)


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


def relevant_reports(count: int) -> list[Report]:
    """Reports of ten incidents a day, five of each, over a hundred places and eight types."""
    rng = random.Random(1)
    places = [entry.place() for entry in load_places() if entry.scope == "city" and entry.latitude][:100]
    types = ("rocket_mortar_attack", "ied_attack", "vehicle_bomb", "shooting_attack", "assassination", "protest", "security_operation", "abduction")
    reports = []
    for number in range(count):
        incident, telling = divmod(number, 5)
        random_of_it = random.Random(incident)
        event = TaggedEvent(
            type=types[incident % len(types)], status="reported", place=random_of_it.choice(places), killed_min=1, killed_max=rng.choice((1, 2)), alert=True,
            evidence=(Evidence(field="text", start=0, end=4, text="bomb", rule="ied_attack.bomb"),),
        )  # fmt: skip
        seen = _BEGIN + timedelta(days=incident // 10, minutes=120 * (incident % 10) + 9 * telling)
        reports.append(
            Report(
                item_id=f"{number:032x}", native_id=str(number), source_id=f"sample.outlet-{rng.randrange(60)}", source_type="rss", title="A bomb in Baghdad",
                first_seen=seen, published=seen, published_precision="minute", events=(event,), story_id=f"{number:032x}",
            )
        )  # fmt: skip
    return reports


def _correlated(reports: Sequence[Report]) -> int:
    """How many incidents are open at the end."""
    incidents: list[Incident] = []
    for report in reports:
        incidents, _ = correlate(incidents, report, ttl=Settings().incident_ttl)
    return len(incidents)


def speed() -> None:
    """Print the rate of relevant reports, and what the state of an open incident weighs."""
    reports = relevant_reports(REPORTS)
    taken = seconds({"correlate": lambda: _correlated(reports)}, rounds=3)
    show("Correlating relevant reports, ten incidents a day, 14 days open", taken, {"correlate": REPORTS})
    step = FoldReports(ttl=Settings().incident_ttl)
    memory = step.restore({})
    for report in reports:
        memory.open, _ = correlate(memory.open, report, ttl=Settings().incident_ttl)
    print(f"  {len(memory.open)} incidents are open: {sum(map(len, step.dump(memory).values())) / 1000:,.0f} kB of state")


def main() -> None:
    """Print both, on all scenarios at once, and the speed."""
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
    speed()
