"""The language files, and how their forms match."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from pipeline.folding import fold
from pipeline.lexicon import Language, Sense, _errors, language_forms, load_concepts, load_languages, matching_view
from pipeline.matcher import Hit, Matcher
from pipeline.tag import load_tagger
from tests.pipeline.coverage_page import PAGE, page_with_table

FRENCH = Language("xx", "Test", ("Latn",), frozenset(), ("s", "es"), {})
ARABIC = Language("yy", "Test", ("Arab",), frozenset({"ال", "وال", "ب"}), ("ه", "ات"), {})


def found(language: Language, form: str, text: str) -> list[str]:
    view = matching_view(fold(text).text)
    return [view[hit.start : hit.end] for hit in Matcher([language.form(form, Sense("concept", concept="c"))]).find(view, {language.code})]


def examples() -> Iterator[Any]:
    for code, language in load_languages().items():
        for example in language.table["examples"]:
            yield pytest.param(code, example, id=f"{code}: {example['text'][:50]}")


@pytest.mark.parametrize(("code", "example"), list(examples()))
def test_example_of_a_language_file(code: str, example: dict[str, Any]) -> None:
    view = matching_view(fold(example["text"]).text)
    concepts = {concept for hit in load_tagger().matcher.find(view, {code}) for concept in hit.concepts}

    assert set(example["finds"]) <= concepts
    assert concepts.isdisjoint(example["misses"])


@pytest.mark.parametrize("code", sorted(load_languages()))
def test_a_language_has_what_the_rules_need(code: str) -> None:
    table = load_languages()[code].table

    assert {"weapon.rocket", "act.explode", "harm.killed", "harm.injured", "status.drill", "harm.no_casualties"} <= {
        concept for concept, forms in table["concepts"].items() if forms
    }
    assert set(table["months"].values()) == set(range(1, 13))
    assert set(table["weekdays"].values()) == set(range(1, 8))


def test_a_plus_allows_a_suffix_and_a_star_any_letters() -> None:
    assert found(FRENCH, "roquette+", "Roquettes, roquette, roquettage") == ["roquettes", "roquette"]
    assert found(FRENCH, "katiou*", "katiouchas") == ["katiouchas"]
    assert found(FRENCH, "tir+ de roquette+", "tirs de roquettes") == ["tirs de roquettes"]


def test_a_form_stands_at_word_boundaries() -> None:
    assert found(FRENCH, "mine", "mineur, examine, mine!") == ["mine"]


def test_prefixes_may_be_glued_before_a_form() -> None:
    assert found(ARABIC, "قنبلة+", "والقنبلة بقنبلة مقنبلة") == ["قنبله", "قنبله"]


def test_hyphens_underscores_and_line_breaks_are_spaces() -> None:
    assert found(FRENCH, "voiture piégée", "voiture-piégée voiture_piegee voiture\npiégée") == ["voiture piegee"] * 3


def test_the_longest_form_wins() -> None:
    matcher = Matcher([FRENCH.form("grenade", Sense("concept", concept="c")), FRENCH.form("lance grenade", Sense("concept", concept="d"))])

    (hit,) = matcher.find("lance grenade", {"xx"})
    assert hit == Hit(0, 13, frozenset({"d"}), (), None, None, None)


def test_a_form_counts_in_its_own_language_only() -> None:
    matcher = Matcher([FRENCH.form("tire", Sense("concept", concept="c"))])

    assert matcher.find("tire", {"en"}) == []
    assert len(matcher.find("tire", {"en", "xx"})) == 1


def test_every_error_of_a_file_is_listed() -> None:
    table = {"code": "zz", "colour": 1, "concepts": {"weapon.spoon": ["+"]}, "months": {"x": 13}, "examples": []}

    assert list(_errors("xx", table)) == [
        "code is 'zz', not the file's name",
        "unknown key 'colour'",
        "unknown concept 'weapon.spoon'",
        "no examples",
        "months: 'x' is 13",
        "empty form '+'",
    ]


def test_every_concept_has_a_meaning_and_is_used() -> None:
    used = {form.sense.concept for language in load_languages().values() for form in language_forms(language)}

    assert all(load_concepts().values())
    assert used - {""} <= load_concepts().keys()


def test_the_page_shows_what_each_language_can_say() -> None:
    assert PAGE.read_text(encoding="utf8") == page_with_table(), "write it anew: python -m tests.pipeline.coverage_page"


def test_a_form_counts_in_each_spelling() -> None:
    arabic = load_languages()["ar"]

    assert list(arabic.spelled("قصف")) == ["قصف", "گصف"]
    assert list(arabic.spelled("صاروخ")) == ["صاروخ"]
