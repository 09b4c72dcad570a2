"""Texts in several languages: parts, shares, title and text apart, and the tagger that reads all of it. All sentences are our own."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.detect_language import with_language
from pipeline.language import detect
from pipeline.mixed import parts, shares
from pipeline.tag import load_tagger, tag
from schemas.records import Report

ARABIC = "أعلنت الشرطة إعادة فتح جميع الطرق المؤدية إلى وسط العاصمة بعد ساعات من إغلاقها."
ENGLISH = "Police said that all roads to the centre of the capital were open again after some hours."
FRENCH = "La police a déclaré que toutes les routes du centre de la capitale étaient rouvertes dimanche soir."
SORANI = "پۆلیس ڕایگەیاند کە هەموو ڕێگاکانی ناوەندی شار دوای چەند کاتژمێرێک کرانەوە و بارودۆخەکە ئاساییە."
KURMANJI = "Polîsan ragihand ku hemû rêyên navenda bajêr piştî çend saetan ji nû ve hatin vekirin û rewş aram e."
TURKISH = "Polis, başkentin merkezine giden bütün yolların birkaç saat sonra yeniden açıldığını duyurdu."
PERSIAN = "پلیس گفت که همه راه‌های مرکز پایتخت پس از چند ساعت دوباره باز شده است و مردم می‌توانند بیایند."
SAMPLE = Report(item_id="1", native_id="1", source_id="sample.outlet-a", source_type="archive", first_seen=datetime(2020, 12, 20, tzinfo=UTC))

MIXED = [  # languages in the text's order, and the text
    (["ar", "en"], f"{ARABIC} {ENGLISH}"),
    (["ckb", "en"], f"{SORANI}\n\n{ENGLISH}"),
    (["en", "ar"], f"RT @sample_a: {ENGLISH} {ARABIC} #Baghdad https://example.org/x"),
    (["fr", "en"], f"{FRENCH}\n{ENGLISH}"),  # one script: told by lines and sentences
    (["kmr", "tr"], f"{KURMANJI} {TURKISH}"),  # neighbours that share letters
    (["ar", "ckb"], f"{ARABIC}\n{SORANI}"),
    (["ar", "en", "ckb"], f"{ARABIC}\n{ENGLISH}\n{SORANI}"),
    (["ar", "en"], f"{ARABIC} عاجل | Two rockets hit the centre of the city tonight, say residents"),  # no full stop between them
    (["en", "ru"], f"{ENGLISH} Полиция сообщила, что все дороги к центру столицы снова открыты."),
]
ONE = [
    *(("one sentence", text) for text in (ARABIC, ENGLISH, FRENCH, SORANI, KURMANJI, TURKISH, PERSIAN)),
    ("names in another script", f"{ARABIC} (Reuters, BBC World Service) #Baghdad @sample_outlet_a"),
    ("a signature", f"{ARABIC} {ARABIC} Sample News Agency"),
    ("a word quoted", f"{ENGLISH} The word of the day is خبر عاجل, residents say with a smile."),
    ("Arabic names in a Sorani text", f"{SORANI} عبد الرحمن محمد علي حسن"),
    ("two scripts of one language", "大使館の近くにロケット弾三発が着弾した。けが人はいないという。警察は周辺の道路を閉鎖した。"),
    ("links and tags", f"{ARABIC} https://example.org/two-rockets-hit-the-centre-of-the-city #TwoRocketsHitTheCity pic.twitter.com/abc"),
    ("little of another", f"{FRENCH} " * 12 + ENGLISH),
]


@pytest.mark.parametrize(("codes", "text"), MIXED)
def test_parts_are_told_where_they_stand(codes: list[str], text: str) -> None:
    found = parts(text, detect)
    assert [part.language for part in found] == codes
    assert all(detect(text[part.start : part.end]).code == part.language for part in found)
    assert sum(shares(found).values()) == pytest.approx(1, abs=0.001)


@pytest.mark.parametrize("text", [text for _, text in ONE], ids=[why for why, _ in ONE])
def test_one_language_has_no_parts(text: str) -> None:
    assert parts(text, detect) == ()


def test_a_part_is_the_very_sentence() -> None:
    first, second = parts(f"🚨 RT @sample_a: {ARABIC} 🚨 {ENGLISH} https://example.org", detect)
    text = f"🚨 RT @sample_a: {ARABIC} 🚨 {ENGLISH} https://example.org"
    assert text[first.start : first.end].strip("🚨 .") == ARABIC.strip(".")
    assert text[second.start : second.end].startswith(ENGLISH.strip("."))


def test_shares_follow_the_length() -> None:
    found = shares(parts(f"{ARABIC} {ARABIC} {ARABIC} {ENGLISH}", detect))
    assert list(found) == ["ar", "en"]
    assert 0.65 < found["ar"] < 0.8


def test_a_mixed_report_is_in_the_language_of_its_largest_part() -> None:
    report = with_language(replace(SAMPLE, title="Roads are open again in the capital", text=f"{FRENCH} {FRENCH}\n{ENGLISH}", declared_language="ar"))
    assert (report.language, report.language_second) == ("fr", "en")
    assert (report.title_language, report.text_language, report.declared_language) == ("en", "fr", "ar")
    assert report.language_shares["fr"] > report.language_shares["en"] == report.language_second_confidence > 0.25


def test_title_and_text_are_told_apart() -> None:
    report = with_language(replace(SAMPLE, title="سماع دوي انفجار قرب المطار", text=f"{ENGLISH} {ENGLISH}"))
    assert (report.language, report.title_language, report.text_language) == ("en", "ar", "en")


@pytest.mark.parametrize(
    ("title", "text", "codes"),
    [(None, ARABIC, ("und", "ar")), (ARABIC, "", ("ar", "und")), (ARABIC, "🚨 https://example.org/" + "a" * 100, ("ar", "und")), (None, "", ("und", "und"))],
)
def test_a_field_without_words_is_undetermined(title: str | None, text: str, codes: tuple[str, str]) -> None:
    report = with_language(replace(SAMPLE, title=title, text=text))
    assert (report.title_language, report.text_language) == codes
    assert report.language == next((code for code in codes if code != "und"), "und")


@pytest.mark.parametrize(
    ("text", "second"),
    [
        ("Presidente de Cuba", {"es", "pt", "it"}),  # a tie: the other one stands second
        ("Hücum nəticəsində heç kim xəsarət almayıb.", {"tr", "tk"}),
        ("Τρεις ρουκέτες έπεσαν κοντά στην πρεσβεία.", {"und"}),  # a script of one language has no second
        ("🚨", {"und"}),
    ],
)
def test_the_second_language_is_the_likeliest_other(text: str, second: set[str]) -> None:
    found = detect(text)
    assert found.second in second
    assert found.second != found.code or found.code == "und"
    assert 0 <= found.second_confidence <= max(found.confidence, 0.5)


def test_a_mixed_post_is_tagged_in_both_languages() -> None:
    """The attack is told in English only, below Arabic that tells of none."""
    post = replace(SAMPLE, text=f"{ARABIC} {ARABIC}\nThree rockets hit the Green Zone in Baghdad tonight, residents said.", published=SAMPLE.first_seen)
    spoken = with_language(post)
    assert (spoken.language, set(spoken.language_shares)) == ("ar", {"ar", "en"})
    assert [event.type for event in tag(spoken, load_tagger())] == ["rocket_mortar_attack"]
    assert tag(replace(spoken, language_shares={}), load_tagger()) == ()


WORDS = st.lists(st.sampled_from([ARABIC, ENGLISH, SORANI, FRENCH, "🚨", "@a", "#b", "\n", "BBC", "خبر", "漢字"]), max_size=8).map(" ".join)


@settings(max_examples=60)
@given(WORDS | st.text(st.characters(), max_size=300))
def test_parts_are_valid_spans_in_order(text: str) -> None:
    found = parts(text, detect)
    assert all(0 <= part.start < part.end <= len(text) and part.size > 0 and part.language != "und" for part in found)
    assert all(left.end <= right.start and left.language != right.language for left, right in pairwise(found))
    assert len({part.language for part in found}) != 1
    assert list(shares(found).values()) == sorted(shares(found).values(), reverse=True)


@pytest.mark.parametrize("unit", [f"{ARABIC} {ENGLISH} ", "aaaaaaaaaaaaaaa ببببببببببببببب ", "a ب ", "\n.", "a. "])
def test_ten_million_characters_cost_no_more_than_a_page(unit: str) -> None:
    huge = unit * (10_000_000 // len(unit))
    parts(huge[:6_000], detect)
    started = time.perf_counter()
    found = parts(huge, detect)
    assert time.perf_counter() - started < 2.0
    assert [part.language for part in found] == [part.language for part in parts(huge[:3_000], detect)]
