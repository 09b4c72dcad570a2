"""The gazetteer: honest coordinates, the names people use, and the names that are no place."""

from __future__ import annotations

from collections import Counter
from functools import cache
from math import asin, cos, radians, sin, sqrt

import pytest

from pipeline.folding import fold
from pipeline.gazetteer import Entry, load_places, place_forms
from pipeline.lexicon import matching_view
from pipeline.matcher import Matcher

TARGETS = {
    "green_zone", "diplomatic", "coalition_base", "airport", "convoy", "police", "military", "militia", "government", "party", "judiciary",
    "religious", "media_activist", "protesters", "civilians", "business", "infrastructure",
}  # fmt: skip
CENTRE = (33.315, 44.366)
REACH_KM = {"city": 25, "belt": 45, "near": 65}


@cache
def matcher() -> Matcher:
    return Matcher(place_forms(load_places()))


def found(text: str) -> list[Entry]:
    """The entries that the text names: of several that share a name, the first."""
    return [load_places()[hit.places[0]] for hit in matcher().find(matching_view(fold(text).text), ())]


def names(text: str) -> list[str]:
    return [entry.name for entry in found(text)]


def kilometres(first: tuple[float, float], second: tuple[float, float]) -> float:
    """Great-circle distance."""
    (lat1, lon1), (lat2, lon2) = ((radians(lat), radians(lon)) for lat, lon in (first, second))
    chord = sin((lat2 - lat1) / 2) ** 2 + cos(lat1) * cos(lat2) * sin((lon2 - lon1) / 2) ** 2
    return 2 * 6371 * asin(sqrt(chord))


def test_there_are_enough_of_each_scope() -> None:
    scopes = {entry.name: entry.scope for entry in load_places()}
    counts = Counter(scopes.values())
    assert counts["city"] >= 340
    assert counts["belt"] >= 60
    assert counts["elsewhere"] >= 300


@pytest.mark.parametrize("scope", REACH_KM)
def test_a_scope_is_as_far_from_the_centre_as_it_says(scope: str) -> None:
    for entry in load_places():
        if entry.scope == scope and entry.latitude is not None and entry.longitude is not None:
            assert kilometres(CENTRE, (entry.latitude, entry.longitude)) <= REACH_KM[scope], entry.name


def test_what_is_elsewhere_in_iraq_is_far() -> None:
    for entry in load_places():
        if entry.scope == "elsewhere" and entry.latitude is not None and entry.longitude is not None:
            assert kilometres(CENTRE, (entry.latitude, entry.longitude)) > 60, entry.name


def test_coordinates_and_precision_come_together() -> None:
    for entry in load_places():
        assert (entry.latitude is None) == (entry.precision is None), entry.name


def test_targets_are_those_of_the_taxonomy() -> None:
    assert {entry.target for entry in load_places()} - {None} <= TARGETS


def test_a_name_means_one_place() -> None:
    meanings: dict[str, set[str]] = {}
    for entry in load_places():
        for written in entry.names.values():
            for name in written:
                meanings.setdefault(matching_view(fold(name).text), set()).add(entry.name)
    assert {name: places for name, places in meanings.items() if len(places) > 1} == {}


def test_green_zone() -> None:
    zones = [entry for entry in load_places() if entry.name == "Green Zone"]
    facts = {(zone.latitude, zone.longitude, zone.precision, zone.target, zone.scope) for zone in zones}
    assert facts == {(33.305, 44.39, 1, "green_zone", "city")}


def test_the_embassy_stands_in_the_green_zone() -> None:
    [embassy] = [entry for entry in load_places() if entry.name == "US Embassy"]
    assert (embassy.district, embassy.target, embassy.needs) == ("Green Zone", "diplomatic", "baghdad")


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("the Iraqi capital", "Baghdad"), ("capitale irakienne", "Baghdad"), ("العاصمة العراقية", "Baghdad"), ("پایتەختی عێراق", "Baghdad"),
        ("ببغداد", "Baghdad"), ("بەغدادا", "Baghdad"), ("Bağdat'ta", "Baghdad"), ("в Багдаде", "Baghdad"), ("#بغداد", "Baghdad"),
        ("zone verte", "Green Zone"), ("للمنطقة الخضراء", "Green Zone"),
        ("لە ناوچەی سەوزدا", "Green Zone"), ("#GreenZone", "Green Zone"),
        ("بالكرادة", "Karrada"), ("ابو غريب", "Abu Ghraib"), ("أبي غريب", "Abu Ghraib"),
        ("Abu-Ghraib", "Abu Ghraib"), ("معسكر التاجي", "Camp Taji"),
        ("قاعدة عين الأسد", "Ain al-Asad"), ("فڕۆکەخانەی بەغداوە", "Baghdad Airport"),
        ("جسر السنك", "Sinak Bridge"), ("لە هەولێرەوە", "Erbil"),
        ("سوق مريدي", "Mredi Market"), ("Wuhailat market", "Wuhailat Market"), ("ساحة أم الطبول", "Umm al-Tubul Square"),
        ("بباب الشيخ", "Bab al-Sheikh"), ("raffinerie de Dora", "Dora"), ("باڵیۆزخانەی چین", "Chinese Embassy"),
        ("حي الوحدة", "Wahda neighbourhood"), ("سلمان الفارسي shrine of Salman al-Farsi", "Salman al-Farisi shrine"),
        ("سد دوكان", "Dukan"), ("ناحية العظيم", "Udhaim"), ("Khan Younès", "Khan Younis"),
    ],
)  # fmt: skip
def test_names_people_use(text: str, name: str) -> None:
    assert names(text) == [name]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Kabul's Green Zone", "Green Zone (Kabul)"), ("zone verte de Kaboul", "Green Zone (Kabul)"),
        ("المنطقة الخضراء في كابول", "Green Zone (Kabul)"),
        ("Bagdad, Arizona", "Bagdad, Arizona"), ("Bagdad, Kentucky", "Bagdad, Kentucky"), ("Bagdad Café", "Bagdad Café"),
        ("Yarmouk camp", "Yarmouk Camp"), ("ميدان التحرير", "Tahrir Square (Cairo)"),
        ("عامرية الفلوجة", "Amiriyat al-Fallujah"),
    ],
)  # fmt: skip
def test_namesakes_are_elsewhere(text: str, name: str) -> None:
    [entry] = found(text)
    assert entry.name == name
    assert entry.scope not in ("city", "belt")


AMBIGUOUS = [
    "Mansour",
    "المنصور",
    "Rusafa",
    "US embassy",
    "العاصمة",
    "حي العدل",
    "حي السلام",
    "Hay al-Andalus",
    "حي المثنى",
    "Italian Embassy",
    "ساحة الحمزة",
]


@pytest.mark.parametrize("text", AMBIGUOUS)
def test_ambiguous_names_need_the_city(text: str) -> None:
    assert [entry.needs for entry in found(text)] == ["baghdad"]


@pytest.mark.parametrize("text", ["Tahrir Square", "zone verte", "Grünen Zone", "ساحة التحرير"])
def test_names_of_baghdad_unless_a_rival_is_named(text: str) -> None:
    assert [(entry.needs, entry.rivals != ()) for entry in found(text)] == [("no_rival", True)]


@pytest.mark.parametrize("text", ["Taji", "Karada", "شارع الصناعة"])
def test_names_of_baghdad_unless_another_city_is_named(text: str) -> None:
    assert [entry.needs for entry in found(text)] == ["no_rival"]


@pytest.mark.parametrize("text", ["حي المنصور", "Karrada", "الكرادة", "Karrada district", "المنطقة الخضراء", "Sadr City", "الأعظمية", "مطار بغداد"])
def test_plain_names_need_nothing(text: str) -> None:
    assert [entry.needs for entry in found(text)] == [None]


COMMON_WORDS = [
    "السلام", "الوحدة", "الأندلس", "الكيلومترات المربعة", "تسعة نيسان", "العظيم", "دوكان", "دووکان", "كفري", "شێخان", "الشيخان", "المحسن",
    "جامع الرحمن", "Rahman Mosque", "Fatima al-Zahra hospital",
]  # fmt: skip


@pytest.mark.parametrize("text", ["al-Baghdadi", "البغدادي", "دورة تدريبية", "karma", "tuz", "منصور", "Adhami", *COMMON_WORDS])
def test_words_that_are_no_place(text: str) -> None:
    assert names(text) == []
