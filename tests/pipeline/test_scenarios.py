"""Scenarios of reports: which incidents come of them, how they are revised, and who is alerted."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest

from pipeline.correlate import Incident, concerns, correlate, slim
from pipeline.settings import Settings
from schemas.records import Event, Report
from tests.bench.correlation import bcubed, by_type_and_day
from tests.pipeline.scenarios import Outcome, Scenario, load, run

SCENARIOS = load()


@pytest.fixture(scope="module")
def outcome(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    """All scenarios in one run, their reports shuffled."""
    items = [item for scenario in SCENARIOS for item in scenario.items()]
    random.Random(20201220).shuffle(items)
    return run(items, tmp_path_factory.mktemp("scenarios"))


def test_they_are_many_and_their_names_are_their_own() -> None:
    assert len(SCENARIOS) >= 40
    assert len({scenario.name for scenario in SCENARIOS}) == len(SCENARIOS)


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_scenario(scenario: Scenario, outcome: Outcome) -> None:
    tells = scenario.tells()
    for name, expected in scenario.incidents.items():
        mine = {item for item, told in tells.items() if f"{scenario.number}/{name}" in told}
        ever = outcome.events_of(mine or tells)
        assert ever, f"{name}: no event"
        event = max(ever, key=lambda event: _likeness(outcome, event, mine))
        assert {item for item, events in outcome.of_item.items() if event in events} == mine, f"{name}: the reports of its event"
        assert len(ever) == 1 or len(scenario.incidents) > 1, f"{name}: {len(ever)} events"
        story = outcome.story(event)
        assert {key: _found(key, story) for key in expected} == expected, name
    strangers = {item for item, told in tells.items() if not told}
    assert not strangers & outcome.of_item.keys()


def _likeness(outcome: Outcome, event: str, mine: set[str]) -> float:
    rests = {item for item, events in outcome.of_item.items() if event in events}
    return len(rests & mine) / max(1, len(rests | mine))


def _found(key: str, story: list[Event]) -> Any:
    last = story[-1]
    known = {
        "type": last.type,
        "status": last.status,
        "place": last.place and last.place.name,
        "killed": last.killed_max,
        "injured": last.injured_max,
        "claimed": last.actor_claimed,
        "families": len(last.families),
        "credibility": last.information_credibility,
        "alerts": sum(event.alert for event in story),
        "changes": [event.change for event in story],
        "last": last.change,
    }
    return known[key]


def test_no_revision_is_written_twice(outcome: Outcome) -> None:
    keys = [(event.event_id, event.content_hash) for event in outcome.revisions]
    assert len(set(keys)) == len(keys)


def test_a_report_that_comes_last_of_all_joins_its_incident(outcome: Outcome) -> None:
    """Beyond any hold: each report of each scenario once as the last to come. Nearly always the same incidents say the same at last."""
    ttl, same = Settings().incident_ttl, []
    for scenario in SCENARIOS:
        told = sorted(
            (slim(r) for r in outcome.reports if r.item_id in scenario.tells() and concerns(r)), key=lambda r: (r.first_seen, r.item_id, r.item_revision)
        )
        if "copies" in scenario.given or len(told) < 2:
            continue
        in_order = _at_last(told, ttl)
        versions = Counter(report.item_id for report in told)
        for late in (report for report in told if versions[report.item_id] == 1):
            same.append(_at_last([*(report for report in told if report is not late), late], ttl) == in_order)
    assert len(same) > 100
    assert sum(same) / len(same) >= 0.97


def _at_last(reports: Sequence[Report], ttl: timedelta) -> set[Any]:
    """The open incidents, by their reports, with what is said of them."""
    incidents: list[Incident] = []
    for report in reports:
        incidents, _ = correlate(incidents, report, ttl=ttl)
    return {(frozenset(r.item_id for r, _ in i.told), i.event.type, i.event.status, i.event.killed_min, i.event.killed_max) for i in incidents}


def test_the_incidents_are_told_apart(outcome: Outcome) -> None:
    """B-cubed F1 over all reports, shuffled together; one type on one day, the naive way, as the measure of how hard it is."""
    truth = {item: told for scenario in SCENARIOS if "copies" not in scenario.given for item, told in scenario.tells().items()}
    ours = bcubed(truth, {item: outcome.of_item.get(item, frozenset()) for item in truth})
    naive = bcubed(truth, {item: by_type_and_day(outcome.reports).get(item, frozenset()) for item in truth})
    assert ours.f1 >= 0.92, ours
    assert ours.f1 > naive.f1 + 0.05, naive
