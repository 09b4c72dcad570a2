"""The seed document, the first golden test: one event, and around it all that must not become one."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pipeline.dates import parse_published
from pipeline.quotes import find_quotes
from pipeline.tag import load_tagger, tag
from schemas.records import Report, TaggedEvent

ROOT = Path(__file__).parents[2]
RAW = (ROOT / "seeds" / "000_a6554d4f7dcfda61.txt").read_text(encoding="utf8")
PREFIX = " date 2020-12 "
GOLDEN = ROOT / "tests" / "golden" / "tag" / "seed.json"


def report(text: str, published: str | None) -> Report:
    when = parse_published(published or "", time_zone=None, first_seen=None)
    return Report(
        item_id="i",
        native_id="n",
        source_id="s",
        source_type="archive",
        text=text,
        quotes=find_quotes(text),
        published=when.time,
        published_precision=when.precision,
        first_seen=datetime(2021, 1, 1, tzinfo=UTC),
        language="fr",
    )


def plain(events: tuple[TaggedEvent, ...]) -> object:
    return json.loads(json.dumps([asdict(event) for event in events], default=str))


INPUTS = [(RAW.removeprefix(PREFIX), "2020-12"), (RAW, None), (RAW, "2020-12-21"), (RAW.removeprefix(PREFIX), "2020-12-20T21:00:00Z")]


@pytest.mark.parametrize(("text", "published"), INPUTS)
def test_one_event_alerts_and_the_rest_is_history(text: str, published: str | None) -> None:
    events = tag(report(text, published), load_tagger())
    alerts = [event for event in events if event.alert]

    assert len(alerts) == 1
    assert alerts[0] is events[0]
    assert {event.status for event in events[1:]} <= {"retrospective"}
    event = events[0]
    assert event.place is not None
    assert (event.type, event.status, event.place.name, event.place.scope, event.place.geo_precision) == (
        "rocket_mortar_attack",
        "intercepted",
        "Green Zone",
        "city",
        1,
    )
    assert (event.event_date, event.event_time_precision, event.weapon, event.target) == ("2020-12-20", "part_of_day", "rocket", "diplomatic")
    assert (event.killed_min, event.killed_max, event.injured_min, event.injured_max, event.projectiles_min) == (0, 0, 0, 0, 3)
    assert (event.actor_alleged, event.actor_claimed, event.damage) == ("outlaw group", None, "minor")


@pytest.mark.parametrize(("text", "published"), INPUTS)
def test_every_value_has_its_words(text: str, published: str | None) -> None:
    event = tag(report(text, published), load_tagger())[0]
    rules = {evidence.rule for evidence in event.evidence}
    slots = ("killed", "injured", "projectiles", "event_date", "weapon", "target", "actor_alleged", "damage")

    assert {"rocket_mortar_attack.fired", "place.green_zone", "status.intercepted", *(f"slot.{slot}" for slot in slots)} <= rules
    assert all(text[evidence.start : evidence.end] == evidence.text for evidence in event.evidence)


def test_it_is_as_recorded() -> None:
    assert plain(tag(report(*INPUTS[0]), load_tagger())) == json.loads(GOLDEN.read_text(encoding="utf8"))
