"""Cleaning: what goes, what stays, and the way back to the text as it was. All sentences are our own."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.cleaning import MAX_CHARACTERS, Cleaned, clean

ODD = st.text(st.characters(), max_size=200)
FURNITURE = st.text("éÀ@#/_.&;w-–( )\n\u200c\u0640ێاßİaB1🚨\ud800\u0301ﬁ가ᄀㅏﾞ\ufdfa", max_size=200)
PIECES = st.lists(
    st.sampled_from(
        [
            "Police",
            "الشرطة",
            "@sample_a",
            "via @sample_a",
            "RT @sample_a:",
            "#GreenZone",
            "#وسط_بغداد",
            "https://a.example/x",
            "(Photo: B)",
            "e\u0301",
            "🚨",
            "\n",
            "soooo",
        ]
    ),
    max_size=12,
).map(" ".join)


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("RT @sample_a: Deux blessés via @sample_b", "Deux blessés"),
        ("Roads closed pic.twitter.com/AbCd t.co/xyz1 https://example.org/a?b=c", "Roads closed"),
        ("Roads closed (Photo: Sample Agency) again", "Roads closed again"),  # a credit is in the agency's language
        ("أغلقت الطرق (صورة: وكالة)", "أغلقت الطرق"),
        ("The photo (of Friday) is new", "The photo of Friday is new"),  # no credit
        ("#حظر_التجوال في بغداد", "حظر التجوال في بغداد"),  # a sentence often goes on from its hashtag
        ("Les rues sont calmes #BreakingNews", "Les rues sont calmes"),  # ends posts of any language
        ("#RoadsAreClosed #Baghdad", "Roads Are Closed"),  # all that is said
        ("#ÉtatDUrgence", "État DUrgence"),
        ("#Baghdad #Iraq", ""),
        ("#BBC #UN2020", ""),
        ("Sooooo late!!! Go home", "So late\nGo home"),
        ("ﬁre cafe\u0301 ﷺ", "fire café صلى الله عليه وسلم"),
        ("أَعْلَنَتْ الشُّـرطة", "أعلنت الشرطة"),
        ("12:30 🚨 \u200f", ""),
    ],
)
def test_words_are_what_stays(text: str, cleaned: str) -> None:
    assert clean(text) == cleaned


@pytest.mark.parametrize(
    ("text", "words", "stood"),
    [
        ("RT @sample_a: Deux blessés https://example.org", "Deux blessés", "Deux blessés"),
        ("caf\u0065\u0301 now", "café", "cafe\u0301"),
        ("oﬃce hours", "office", "oﬃce"),
        ("#GreenZoneClosed", "Zone", "Zone"),
        ("أَعْلَنَتْ الشُّرطة", "أعلنت", "أَعْلَنَتْ"),
        ("Soooo late", "So", "Soooo"),
        ("🚨 سقوط صواريخ 🚨", "سقوط صواريخ", "سقوط صواريخ"),
    ],
)
def test_words_lead_back_to_where_they_stood(text: str, words: str, stood: str) -> None:
    cleaned = Cleaned(text)
    start = cleaned.text.index(words)
    first, last = cleaned.origin(start, start + len(words))
    assert text[first:last].strip() == stood


@given(ODD | FURNITURE | PIECES)
def test_every_character_comes_from_somewhere_in_order(text: str) -> None:
    cleaned = Cleaned(text)
    trail = cleaned._trail
    assert trail.text == cleaned.text  # the way that remembers gives what the fast way gives
    assert len(trail.origins) == len(trail.text)
    assert list(trail.origins) == sorted(trail.origins)
    spans = [cleaned.origin(index, index + 1) for index in range(len(cleaned.text))]
    assert all(0 <= first <= last <= len(text) for first, last in spans)


@given(ODD | FURNITURE | PIECES)
def test_what_is_left_is_letters_one_space_apart(text: str) -> None:
    cleaned = clean(text)
    assert all(char.isalpha() or char in " \n" or not char.isascii() for char in cleaned)
    assert cleaned == "\n".join(" ".join(line.split()) for line in cleaned.split("\n"))
    assert not cleaned.startswith((" ", "\n"))
    assert not cleaned.endswith((" ", "\n"))


@pytest.mark.parametrize(
    "unit", ["a", "a ", "@", "#_", "#a", "#aB", "www.", "&", "- (@", "(photo", "(photo:", "\ufdfa", "\ud800", "x@y.", "http://", "e\u0301", "\n.", "RT "]
)
def test_ten_million_characters_cost_no_more_than_a_page(unit: str) -> None:
    huge = unit * (10_000_000 // len(unit))
    started = time.perf_counter()
    cleaned = Cleaned(huge)
    assert cleaned._trail.text == cleaned.text
    assert time.perf_counter() - started < 1.0
    assert cleaned.text == clean(huge[:MAX_CHARACTERS])
