"""Sentences and clauses by punctuation."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.clauses import LONGEST, clause_of, clause_starts, sentences
from pipeline.folding import fold


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("one blast. two blasts!", ["one blast.", "two blasts!"]),
        ("u.s. forces and gen. x met on sept. 8 in town.", ["u.s. forces and gen. x met on sept. 8 in town."]),
        ("the toll is 3.5 times higher. more follows", ["the toll is 3.5 times higher.", "more follows"]),
        ('he said "it exploded." then he left', ['he said "it exploded."', "then he left"]),
        ("انفجرت سيارة؟ نعم۔ قتل اثنان", ["انفجرت سيارة؟", "نعم۔", "قتل اثنان"]),
        ("headline\n\nbody", ["headline", "body"]),
    ],
)
def test_sentences(text: str, parts: list[str]) -> None:
    assert [text[start:end].strip() for start, end in sentences(text)] == parts


def test_a_cut_ends_a_sentence() -> None:
    assert sentences("abc def", cuts=[4]) == [(0, 4), (4, 7)]


def test_clauses_end_at_semicolons_dashes_and_breaking_words() -> None:
    text = "k fell; l fell - m ran while n"
    starts = clause_starts(text, 0, len(text), breaks=[text.index("while")])

    assert [clause_of(starts, text.index(word)) for word in ("k fell", "l fell", "m ran", "while n")] == [0, 1, 2, 3]


@given(st.text(alphabet=st.characters()))
def test_sentences_cover_all_words_in_order(text: str) -> None:
    folded = fold(text).text
    spans = sentences(folded)

    assert all(start < end <= start + LONGEST for start, end in spans)
    assert all(before[1] <= after[0] for before, after in itertools.pairwise(spans))
    assert "".join("".join(folded[start:end] for start, end in spans).split()) == "".join(folded.split())


def test_what_never_ends_is_cut_between_words() -> None:
    text = "word " * 1_000

    assert all(end - start <= LONGEST and not text[start:end].strip().startswith("ord") for start, end in sentences(text))
