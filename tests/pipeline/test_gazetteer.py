"""The place files, and which names are places of an event."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from pipeline.gazetteer import _errors, load_places
from pipeline.tag import examine, load_tagger
from schemas.records import Report


def verdicts(text: str, language: str = "en") -> dict[str, str]:
    report = Report(item_id="i", native_id="n", source_id="s", source_type="t", text=text, first_seen=datetime(2021, 1, 1, tzinfo=UTC), language=language)
    return {named.entry.name: named.verdict for named in examine(report, load_tagger()).named}


def test_the_green_zone_is_where_it_is() -> None:
    zone = next(place for place in load_places() if place.name == "Green Zone")

    assert (zone.scope, zone.precision, zone.slug) == ("city", 1, "green_zone")
    assert abs((zone.latitude or 0) - 33.305) < 0.009
    assert abs((zone.longitude or 0) - 44.39) < 0.009


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        ("A bomb exploded in Baghdad.", "place"),
        ("Baghdad said a bomb exploded.", "metonym"),
        ("A bomb exploded 30 km north of Baghdad.", "near"),
        ("A bomb exploded at the house of the ambassador to Baghdad.", "origin"),
        ("BAGHDAD (Agency) - A bomb exploded.", "dateline"),
        ("BAGHDAD, March 9 - A bomb exploded.", "dateline"),
        ("Baghdad: two bombs exploded.", "dateline"),
        ("Clashes in Baghdad - bombs exploded.", "place"),
        ("A blast in Baghdad said to be a bomb exploded windows.", "place"),
    ],
)
def test_what_a_name_of_the_city_is(text: str, verdict: str) -> None:
    assert verdicts(text)["Baghdad"] == verdict


def test_a_name_that_needs_baghdad_is_none_of_ours_elsewhere() -> None:
    assert verdicts("A bomb exploded in Mansour, Mosul, and Iraq mourned.")["Mansour"] == "namesake"


def test_hashtags_and_letters_glued_to_them_do_not_hide_a_place() -> None:
    assert verdicts("Roquettes dans #Baghdadde #Zone verte", "fr") == {"Baghdad": "place", "Green Zone": "place"}
    assert verdicts("Rockets now #GreenZone #Iraq")["Green Zone"] == "place"


def test_every_error_of_a_place_is_listed() -> None:
    given = {"name": "X", "kind": "swamp", "scope": "far", "names": {}, "precision": 4, "latitude": 95.0, "longitude": 1.0, "colour": 1}

    assert len(list(_errors(given))) == 6
