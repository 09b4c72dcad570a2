"""Correlate: one incident, one event; revisions, withdrawals, expiry; the same in any slices."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import apache_beam as beam
import pytest
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from apache_beam.testing.util import assert_that, equal_to
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.correlate import Correlate, FoldReports, Incident, _route, correlate, slim
from pipeline.fold import Cells
from pipeline.incidents import MOST_TOLD
from pipeline.revisions import Alerted, Alerting
from pipeline.settings import Settings
from schemas.records import DeadLetter, Event, Evidence, KafkaPosition, Place, Report, TaggedEvent
from tests.pipeline.conftest import START, bare_report, written

Make = Callable[..., Report]
TTL = timedelta(days=7)
GREEN_ZONE = Place(name="Green Zone", scope="city", latitude=33.305, longitude=44.39, geo_precision=1)
KARRADA = Place(name="Karrada", scope="city", latitude=33.295, longitude=44.43, geo_precision=2)
BAGHDAD = Place(name="Baghdad", scope="city", latitude=33.315, longitude=44.366, geo_precision=3)


def rockets(**given: Any) -> TaggedEvent:
    base = TaggedEvent(
        type="rocket_mortar_attack", labels=("rocket_mortar_attack",), status="reported", place=GREEN_ZONE, weapon="rocket",
        event_date="2020-12-20", event_time_precision="day", severity="extreme", alert=True,
        evidence=(Evidence(field="text", start=0, end=3, text="xyz", rule="rocket_mortar_attack.fired"),),
    )  # fmt: skip
    return replace(base, **given)


@pytest.fixture
def tells(report: Make) -> Callable[..., Report]:
    """tells("a", rockets(), minutes=3, outlet="sample.outlet-b"): a report of those events."""

    def make(name: str, *events: TaggedEvent, minutes: float = 0, outlet: str = "sample.outlet-a", **changed: Any) -> Report:
        return replace(report(name, "what it says", minutes, source_id=outlet), events=events, **changed)

    return make


def fold(reports: Sequence[Report]) -> tuple[list[Incident], list[Event]]:
    incidents: list[Incident] = []
    revisions: list[Event] = []
    for given_report in reports:
        incidents, more = correlate(incidents, given_report, ttl=TTL)
        revisions += more
    return incidents, revisions


def test_two_outlets_one_event(tells: Make) -> None:
    incidents, revisions = fold([tells("a", rockets()), tells("b", rockets(place=BAGHDAD), minutes=9, outlet="sample.outlet-b")])
    assert len(incidents) == 1
    assert [(e.change, e.revision, e.alert, e.alert_reason) for e in revisions] == [("new", 0, True, None), ("update", 1, False, "nothing_new")]
    last = revisions[-1]
    assert last.families == ("sample.outlet-a", "sample.outlet-b")
    assert last.place == GREEN_ZONE, "the more precise place stands"
    assert (last.certainty, last.information_credibility) == ("Observed", 2)
    assert [change.field for change in last.changed] == ["certainty", "information_credibility", "families", "reports"]
    assert revisions[0].event_id == last.event_id


def test_a_copy_that_adds_nothing_gives_no_revision_and_no_family(tells: Make) -> None:
    first = tells("a", rockets())
    copy = tells("b", rockets(), minutes=4, outlet="sample.outlet-b", story_id=first.item_id, story_layer="text")
    more = tells("c", rockets(killed_min=1, killed_max=1), minutes=9, outlet="sample.outlet-c", story_id=first.item_id, story_layer="text")
    _, revisions = fold([first, copy, more])
    assert [event.change for event in revisions] == ["new", "escalate"], "a copy that says more gets through"
    assert revisions[-1].families == ("sample.outlet-a",)
    assert [ref.source_id for ref in revisions[-1].reports] == ["sample.outlet-a", "sample.outlet-c"], "what only repeats its story is not listed"


def test_an_incident_outlives_its_first_telling_while_a_copy_stands(tells: Make) -> None:
    first = tells("a", rockets())
    copy = tells("b", rockets(), minutes=4, outlet="sample.outlet-b", story_id=first.item_id, story_layer="text")
    incidents, revisions = fold([first, copy, tells("a", minutes=9, operation="delete")])
    assert [event.change for event in revisions] == ["new", "update"]
    assert (len(incidents), revisions[-1].families) == (1, ("sample.outlet-b",))


@settings(max_examples=25)
@given(st.permutations(range(6)), st.integers(0, 5))
def test_what_an_incident_rests_on_does_not_depend_on_the_order(order: list[int], killed: int) -> None:
    """Even beyond the lateness allowed: copies and reports in their own words, one of which says more."""
    reports = [replace(bare_report(f"{n}", f"{n % 2}", 0), events=(rockets(killed_max=killed if n == 3 else None),), story_id=f"{n % 2}") for n in range(6)]
    reports = [replace(report, first_seen=report.first_seen + timedelta(minutes=n)) for n, report in enumerate(reports)]
    last = fold([reports[n] for n in order])[0][0].event
    assert last.reports == fold(reports)[0][0].event.reports


def test_a_flood_of_reports_is_bounded(tells: Make) -> None:
    """Each outlet tells it in its own words: what it rests on is bounded, a toll that rises late gets through."""
    flood = [tells(f"{n}", rockets(), minutes=n / 10, outlet=f"sample.outlet-{n % 50}") for n in range(500)]
    incidents, revisions = fold([*flood, tells("late", rockets(killed_min=2, killed_max=2), minutes=90, outlet="sample.outlet-a")])
    assert len(incidents) == 1
    assert len(revisions) <= MOST_TOLD + 1
    assert len(incidents[0].told) == MOST_TOLD + 1
    assert (revisions[-1].change, revisions[-1].killed_max, revisions[-1].alert) == ("escalate", 2, True)
    assert incidents[0].event.last_seen == revisions[-1].last_seen


def test_a_first_death_escalates_and_alerts_again(tells: Make) -> None:
    later = tells("b", rockets(killed_min=1, killed_max=1), minutes=30, outlet="sample.outlet-b")
    event = fold([tells("a", rockets(killed_min=0, killed_max=0)), later])[1][-1]
    assert (event.change, event.alert, event.killed_min, event.killed_max) == ("escalate", True, 0, 1)


def test_an_edit_replaces_what_the_report_said_before(tells: Make) -> None:
    first, edit = tells("a", rockets(injured_min=5, injured_max=5)), tells("a", rockets(injured_min=2, injured_max=2), minutes=60, item_revision=1)
    _, revisions = fold([first, edit])
    assert (revisions[-1].injured_min, revisions[-1].injured_max, len(revisions[-1].reports)) == (2, 2, 1)


def test_a_withdrawn_report_leaves_and_the_last_one_cancels(tells: Make) -> None:
    a, b = tells("a", rockets()), tells("b", rockets(), minutes=1, outlet="sample.outlet-b")
    gone = [tells("b", minutes=5, outlet="sample.outlet-b", operation="delete"), tells("a", minutes=6, operation="delete")]
    incidents, revisions = fold([a, b, *gone])
    assert incidents == []
    assert [e.change for e in revisions] == ["new", "update", "update", "cancel"]
    assert (revisions[-2].families, revisions[-1].families, revisions[-1].alert) == (("sample.outlet-a",), (), True)


@pytest.mark.parametrize(
    "other",
    [
        rockets(event_date="2020-12-23"),
        rockets(place=replace(KARRADA, latitude=33.40)),
        rockets(type="protest", labels=("protest",)),
        rockets(status="drill"),
        rockets(status="retrospective"),
        rockets(place=replace(BAGHDAD, scope="belt")),
    ],
)
def test_what_is_another_incident(tells: Make, other: TaggedEvent) -> None:
    incidents, _ = fold([tells("a", rockets()), tells("b", other, minutes=5, outlet="sample.outlet-b")])
    assert len({incident.event.event_id for incident in incidents}) == 2


@pytest.mark.parametrize("other", [rockets(event_date="2020-12-21"), rockets(event_date=None), rockets(type="drone_attack", labels=("drone_attack",))])
def test_what_is_the_same_incident(tells: Make, other: TaggedEvent) -> None:
    incidents, _ = fold([tells("a", rockets()), tells("b", other, minutes=5, outlet="sample.outlet-b")])
    assert len(incidents) == 1


def test_two_alike_events_of_one_report_stay_apart(tells: Make) -> None:
    twins = rockets(place=replace(KARRADA, latitude=33.40)), rockets()
    incidents, _ = fold([tells("a", *twins)])
    assert len({incident.anchor for incident in incidents}) == 2


@pytest.mark.parametrize(
    ("event", "relevant"),
    [
        (rockets(), 1),
        (rockets(place=None), 0),
        (rockets(place=replace(BAGHDAD, scope="elsewhere")), 0),
        (rockets(status="retrospective", event_date=None), 0),
        (rockets(status="retrospective", event_date="2020-01-03"), 1),
    ],
)
def test_only_what_concerns_baghdad_is_an_incident(tells: Make, event: TaggedEvent, relevant: int) -> None:
    assert len(fold([tells("a", event)])[1]) == relevant


def test_no_mode_but_live_alerts(tells: Make) -> None:
    for mode in ("replay", "backfill"):
        event = fold([tells("a", rockets(), mode=mode)])[1][0]
        assert (event.alert, event.alert_reason, event.mode) == (False, mode, mode)


@pytest.mark.parametrize(
    ("published", "event_date", "appended", "alerts"),
    [
        (START, "2020-12-20", START + timedelta(hours=2), True),
        (START - timedelta(days=4), "2020-12-20", START, False),  # an old item that turns up now
        (None, "2020-12-20", START + timedelta(days=5), False),  # of no date, about days ago
        (START, "2020-12-20", START + timedelta(days=5), False),  # an archive published as live
    ],
)
def test_what_comes_to_us_as_old_news_does_not_alert(tells: Make, published: datetime | None, event_date: str, appended: datetime, alerts: bool) -> None:
    came = KafkaPosition(topic="osint.raw", partition=0, offset=1, appended_at=appended)
    event = fold([tells("a", rockets(event_date=event_date), published=published, kafka=came)])[1][0]
    assert (event.alert, event.alert_reason) == ((True, None) if alerts else (False, "stale"))


def test_an_old_incident_is_closed(tells: Make) -> None:
    day = 24 * 60
    incidents, revisions = fold([tells("a", rockets()), tells("b", rockets(event_date="2020-12-29"), minutes=9 * day)])
    assert len(incidents) == 1
    assert revisions[0].event_id != revisions[1].event_id


def test_a_report_dated_roughly_meets_its_incident_by_day(tells: Make) -> None:
    """Published 'in December', it sorts first; the incident of its day waits for the others."""
    early = tells("a", rockets(), minutes=-15 * 24 * 60)
    assert len(fold([early, tells("b", rockets(), outlet="sample.outlet-b")])[0]) == 1


def outputs(reports: Sequence[Report], cuts: Sequence[int]) -> list[Any]:
    cells: Cells = {}
    found: list[Any] = []
    step = FoldReports(ttl=TTL)
    for begin, end in zip((0, *cuts), (*cuts, len(reports)), strict=True):
        writes, more = step.fold(step.restore(cells), sorted(_route(r)[1] for r in reports[begin:end]))
        cells = written(cells, writes)
        found += more
    return found


@settings(max_examples=25)
@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 20), st.integers(0, 2)), min_size=1, max_size=12), st.integers(0, 12))
def test_slices_change_no_revision(rows: list[tuple[int, int, int]], cut: int) -> None:
    reports = []
    for name, day, place in rows:
        told = rockets(event_date=None, place=(GREEN_ZONE, KARRADA, BAGHDAD)[place])
        reports.append(replace(bare_report(f"{name}", f"{name}", day), events=(told,), title="x"))
    reports.sort(key=lambda r: (r.first_seen, r.item_id))
    cut = min(cut, len(reports))
    while 0 < cut < len(reports) and (reports[cut].first_seen, reports[cut].item_id) == (reports[cut - 1].first_seen, reports[cut - 1].item_id):
        cut += 1
    assert outputs(reports, [cut]) == outputs(reports, [])


def test_a_report_that_breaks_the_step_is_a_dead_letter(tells: Make) -> None:
    broken = tells("a", rockets(event_date="no date"), minutes=1)
    out = outputs([tells("0", rockets()), broken, tells("b", rockets(), minutes=2, outlet="sample.outlet-b")], [])
    letters = [record for record in out if isinstance(record, DeadLetter)]
    assert [letter.stage for letter in letters] == ["correlate"]
    assert len([record for record in out if isinstance(record, Event)]) == 2


def test_the_transform_gives_the_same_as_the_fold(tells: Make) -> None:
    reports = [tells("a", rockets()), tells("b", rockets(), minutes=9, outlet="sample.outlet-b"), tells("c", minutes=10)]
    with beam.Pipeline(runner=FnApiRunner(), options=PipelineOptions([])) as p:
        out = p | beam.Create(reversed(reports)) | "Correlate" >> Correlate(Settings())
        assert_that(out.events, equal_to(fold([slim(r) for r in reports])[1]))


def held_back(reports: Sequence[Report], **given: Any) -> list[tuple[str, bool, str | None]]:
    incidents: list[Incident] = []
    revisions: list[Event] = []
    for told in reports:
        incidents, more = correlate(incidents, told, ttl=TTL, alerting=Alerting(**given))
        revisions += more
    return [(event.change, event.alert, event.alert_reason) for event in revisions]


def test_within_the_cooldown_only_an_escalation_alerts(tells: Make) -> None:
    reports = [
        tells("a", rockets()),
        tells("b", rockets(status="denied", severity="severe"), minutes=5, outlet="sample.outlet-b"),
        tells("a", rockets(status="denied", severity="severe"), minutes=20, item_revision=1),
        tells("c", rockets(status="denied", severity="severe", killed_min=1, killed_max=1), minutes=30, outlet="sample.outlet-c"),
        tells("d", rockets(status="denied", injured_min=3), minutes=50, outlet="sample.outlet-d"),
    ]
    assert held_back(reports, cooldown=timedelta(hours=1)) == [
        ("new", True, None), ("update", False, "nothing_new"), ("update", False, "cooldown"), ("escalate", True, None), ("update", False, "nothing_new"),
    ]  # fmt: skip
    assert held_back(reports)[2] == ("update", True, None)


def test_what_the_cooldown_held_back_alerts_with_the_next_revision_after_it(tells: Make) -> None:
    reports = [
        tells("a", rockets()),
        tells("a", rockets(status="denied"), minutes=20, item_revision=1),
        tells("b", rockets(status="denied", injured_min=1), minutes=90, outlet="sample.outlet-b"),
        tells("c", rockets(status="denied", injured_min=2), minutes=95, outlet="sample.outlet-c"),
    ]
    assert [reason for _, _, reason in held_back(reports, cooldown=timedelta(hours=1))] == [None, "cooldown", None, "nothing_new"]


def test_what_is_less_grave_waits_for_the_digest_until_it_escalates(tells: Make) -> None:
    protest = rockets(type="protest", labels=("protest",), weapon="unknown", status="reported")
    reports = [
        tells("a", protest),
        tells("b", replace(protest, injured_min=2), minutes=9, outlet="sample.outlet-b"),
        tells("c", replace(protest, killed_min=1, killed_max=1), minutes=20, outlet="sample.outlet-c"),
    ]
    assert held_back(reports, digest_below="severe") == [("new", False, "digest"), ("update", False, "digest"), ("escalate", True, None)]
    assert held_back(reports) == [("new", True, None), ("update", False, "nothing_new"), ("escalate", True, None)]


def test_the_last_alert_is_the_same_in_every_mode(tells: Make) -> None:
    live = [tells("a", rockets()), tells("b", rockets(status="claimed"), minutes=9, outlet="sample.outlet-b")]
    assert fold(live)[0][0].alerted == fold([replace(told, mode="replay") for told in live])[0][0].alerted == Alerted(live[1].first_seen, "claimed")


def test_who_says_which_toll(tells: Make) -> None:
    _, revisions = fold([
        tells("a", rockets(killed_min=2, killed_max=2)),
        tells("b", rockets(killed_min=5, killed_max=7, injured_min=10), minutes=9, outlet="sample.outlet-b"),
    ])  # fmt: skip
    last = revisions[-1]
    assert (last.killed_min, last.killed_max, last.injured_min) == (2, 7, 10)
    assert [(ref.source_id, ref.killed_min, ref.killed_max, ref.injured_min) for ref in last.reports] == [
        ("sample.outlet-a", 2, 2, None), ("sample.outlet-b", 5, 7, 10),
    ]  # fmt: skip


def test_an_edit_that_corrects_a_toll_within_the_range_is_a_revision_with_a_hash_of_its_own(tells: Make) -> None:
    _, revisions = fold([
        tells("a", rockets(killed_min=2, killed_max=2)),
        tells("b", rockets(killed_min=5, killed_max=5), minutes=3, outlet="sample.outlet-b"),
        tells("c", rockets(killed_min=4, killed_max=4), minutes=6, outlet="sample.outlet-c"),
        tells("c", rockets(killed_min=3, killed_max=3), minutes=9, outlet="sample.outlet-c", item_revision=1),
    ])  # fmt: skip
    assert [change.field for change in revisions[-1].changed] == ["reports"]
    assert len({event.content_hash for event in revisions}) == 4


def test_an_incident_whose_report_moves_to_another_is_superseded_by_it(tells: Make) -> None:
    _, revisions = fold([
        tells("a", rockets(place=KARRADA)),
        tells("b", rockets(event_date="2020-12-18", place=KARRADA), minutes=9, outlet="sample.outlet-b"),
        tells("b", rockets(place=KARRADA), minutes=30, outlet="sample.outlet-b", item_revision=1),
    ])  # fmt: skip
    first, wrong, kept_, cancelled = revisions[0], revisions[1], *sorted(revisions[2:], key=lambda event: event.change == "cancel")
    assert (kept_.event_id, kept_.supersedes, len(kept_.families)) == (first.event_id, (wrong.event_id,), 2)
    assert (cancelled.event_id, cancelled.change) == (wrong.event_id, "cancel")


def test_incidents_that_turn_out_to_be_one_are_merged_into_the_older(tells: Make) -> None:
    """The wrong day of one report parted them; what was told beside it has no day."""
    reports = [
        tells("a", rockets(place=KARRADA)),
        tells("b", rockets(event_date="2020-12-18", place=KARRADA), minutes=900, outlet="sample.outlet-b"),
        tells("c", rockets(event_date=None, place=KARRADA), minutes=905, outlet="sample.outlet-c"),
        tells("b", rockets(place=KARRADA), minutes=910, outlet="sample.outlet-b", item_revision=1),
        tells("d", rockets(place=KARRADA, injured_min=1), minutes=920, outlet="sample.outlet-d"),
    ]
    incidents, revisions = fold(reports)
    (incident,) = incidents
    assert incident.event.families == tuple(f"sample.outlet-{name}" for name in "abcd")
    (superseded,) = incident.event.supersedes
    cancelled = next(event for event in revisions if event.event_id == superseded and event.change == "cancel")
    assert (cancelled.alert, cancelled.alert_reason) == (False, "merged")
    assert [event.alert for event in revisions if event.event_id == incident.event.event_id] == [True, False, False]


def test_what_one_report_tells_apart_is_never_merged(tells: Make) -> None:
    two = tells("a", rockets(place=KARRADA), rockets(event_date="2020-12-18", place=KARRADA))
    edited = tells("b", rockets(place=KARRADA), minutes=9, outlet="sample.outlet-b", item_revision=1)
    incidents, _ = fold([two, tells("b", rockets(event_date=None, place=KARRADA), minutes=3, outlet="sample.outlet-b"), edited])
    assert len(incidents) == 2
