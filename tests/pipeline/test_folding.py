"""Folding: what differs only in spelling becomes the same, and every letter keeps its place."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from pipeline.folding import fold

ANY_TEXT = st.text(alphabet=st.characters())


@pytest.mark.parametrize(
    ("written", "folded"),
    [
        ("BAGHDAD", "baghdad"),
        ("dégâts à l’aéroport", "degats a l'aeroport"),
        ("المنطقة الخضراء", "المنطقه الخضراء"),
        ("أُطلقت إلى آخر", "اطلقت الي اخر"),
        ("بغـــداد", "بغداد"),
        ("ک ی ێ ۆ ڕ ڵ ە", "ك ي ي و ر ل ه"),
        ("٢٥ ۲۵ ２５", "25 25 25"),
        ("bagh\u200bdad \u202bx\u202c", "baghdad x"),
        ("İstanbul ı ß ﬁ", "istanbul i ss fi"),
        ("Green\u00a0Zone\tx", "green zone x"),
        ("a\nb", "a\nb"),
        ("انفجااار عااااجل Baghdaaad 1000", "انفجار عاجل baghdad 1000"),
        ("Green Mecca", "green mecca"),
    ],
)
def test_spellings(written: str, folded: str) -> None:
    assert fold(written).text == folded


@given(ANY_TEXT)
def test_every_folded_letter_has_its_origin_in_order(text: str) -> None:
    folded = fold(text)
    spans = [folded.origin(index, index + 1) for index in range(len(folded.text))]

    assert all(0 <= start < end <= len(text) for start, end in spans)
    assert [start for start, _ in spans] == sorted(start for start, _ in spans)


@given(ANY_TEXT, ANY_TEXT)
def test_folding_a_join_joins_the_foldings(left: str, right: str) -> None:
    assume(fold(left).text[-1:] != fold(right).text[:1])  # a letter may be drawn out over the seam

    assert fold(left + right).text == fold(left).text + fold(right).text


@given(ANY_TEXT)
def test_folding_twice_changes_nothing_more(text: str) -> None:
    once = fold(text).text

    assert fold(once).text == once


@given(ANY_TEXT.filter(bool))
def test_the_whole_folding_comes_from_within_the_text(text: str) -> None:
    folded = fold(text)
    start, end = folded.origin(0, len(folded.text))

    assert 0 <= start <= end <= len(text)
    assert fold(text[start:end]).text == folded.text


def test_a_position_is_found_again() -> None:
    folded = fold("é\u0301\u200bBagdad")

    assert folded.position(3) == 1
    assert folded.text[folded.position(3) :] == "bagdad"
    assert folded.origin(0, 1) == (0, 2)


def test_a_drawn_out_letter_stands_where_it_begins() -> None:
    folded = fold("هزّ انفجااار بغداد")
    start = folded.text.index("بغداد")

    assert folded.origin(start, start + 5) == (13, 18)
    assert folded.origin(folded.text.index("انفجار"), start - 1) == (4, 12)
