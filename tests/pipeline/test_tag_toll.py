"""Killed and injured, in words and digits: which number belongs to which word of harm, and who is no victim."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from pipeline.tag import load_tagger, tag
from schemas.records import Report

Toll = tuple[int | None, int | None, int | None, int | None]


def toll(text: str, language: str) -> Toll:
    report = Report(item_id="i", native_id="n", source_id="s", source_type="t", text=text, first_seen=datetime(2021, 1, 1, tzinfo=UTC), language=language)
    event = tag(report, load_tagger())[0]
    return event.killed_min, event.killed_max, event.injured_min, event.injured_max


@pytest.mark.parametrize(
    ("said", "counts"),
    [
        ("killed 12 people and wounded 30", (12, 12, 30, 30)),
        ("killed at least 12 people, including three soldiers, and wounded more than 30", (12, None, 30, None)),
        ("left 12 dead and 30 wounded", (12, 12, 30, 30)),
        ("killed two policemen and three civilians", (5, 5, None, None)),
        ("killed five people and damaged two houses", (5, 5, None, None)),
        ("wounded a soldier and his brother", (None, None, 2, 2)),
        ("killed one and injured twenty-one", (1, 1, 21, 21)),
        ("killed three hundred and twelve people", (312, 312, None, None)),
        ("killed 1,200 people", (1200, 1200, None, None)),
        ("killed dozens of people", (24, None, None, None)),
        ("caused no casualties", (0, 0, 0, 0)),
        ("injured four people but no one was killed", (0, 0, 4, 4)),
        ("killed two people at 9 a.m., 15 minutes after three other blasts", (2, 2, None, None)),
        ("killed the owner, aged 45, of two shops", (None, None, None, None)),
        ("killed three people and two gunmen", (3, 3, None, None)),
    ],
)
def test_in_english(said: str, counts: Toll) -> None:
    assert toll(f"A bomb in Baghdad {said}.", "en") == counts


@pytest.mark.parametrize(
    ("said", "counts"),
    [
        ("a fait 3 morts et 20 blessés", (3, 3, 20, 20)),
        ("a tué au moins douze personnes et en a blessé trente", (12, None, 30, 30)),
        ("a tué deux policiers et trois civils", (5, 5, None, None)),
        ("a fait vingt et un morts", (21, 21, None, None)),
        ("a fait soixante-quinze blessés", (None, None, 75, 75)),
        ("a fait deux cents morts, dont trois soldats", (200, 200, None, None)),
        ("n'a fait aucune victime", (0, 0, 0, 0)),
        ("a fait un mort et des dégâts", (1, 1, None, None)),
    ],
)
def test_in_french(said: str, counts: Toll) -> None:
    assert toll(f"Une bombe à Bagdad {said}.", "fr") == counts


def test_digits_of_another_script() -> None:
    assert toll("A bomb in Baghdad killed ٢٥ people and wounded ۳۰.", "en") == (25, 25, 30, 30)


@pytest.mark.parametrize(
    ("text", "counts"),
    [
        ("إصابة سبعة بانفجار عبوة ناسفة في بغداد", (None, None, 7, 7)),
        ("انفجار عبوة ناسفة في الكرادة يسفر عن قتيلين و12 جريحا", (2, 2, 12, 12)),
    ],
)
def test_the_dual_and_digits_behind_a_clitic(text: str, counts: Toll) -> None:
    assert toll(text, "ar") == counts
