"""Decoding, and the date in front of a text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors._text import decode, split_date

ARABIC = "سقطت ثلاثة صواريخ على المنطقة الخضراء في بغداد"
FRENCH = "Des roquettes ont visé l’ambassade américaine à Bagdad, où des sirènes ont retenti."
RUSSIAN = "Ракеты упали в зелёной зоне Багдада в воскресенье вечером, никто не пострадал."


@pytest.mark.parametrize(
    ("data", "declared", "text", "charset", "repairs"),
    [
        (ARABIC.encode(), None, ARABIC, "utf-8", ()),
        (ARABIC.encode("utf-8-sig"), "windows-1256", ARABIC, "utf-8", ()),
        (ARABIC.encode("utf-16"), None, ARABIC, "utf-16", ()),
        (ARABIC.encode("cp1256"), "windows-1256", ARABIC, "windows-1256", ()),
        (ARABIC.encode("cp1256"), "utf-8", ARABIC, "windows-1256", ("charset_guessed",)),
        (ARABIC.encode("cp1256"), "iso-8859-1", ARABIC, "windows-1256", ("charset_guessed",)),
        (ARABIC.encode("cp1256"), None, ARABIC, "windows-1256", ("charset_guessed",)),
        (ARABIC.encode(), "windows-1256", ARABIC, "utf-8", ("charset_overruled",)),
        (ARABIC.encode() + b"\xff", None, ARABIC + "\ufffd", "utf-8", ("bytes_replaced",)),
        (FRENCH.encode("cp1252"), None, FRENCH, "windows-1252", ("charset_guessed",)),
        (FRENCH.encode("cp1252"), "latin-1", FRENCH, "windows-1252", ()),
        (RUSSIAN.encode("cp1251"), None, RUSSIAN, "windows-1251", ("charset_guessed",)),
        (RUSSIAN.encode("cp1251"), "windows-1251", RUSSIAN, "windows-1251", ()),
        (b"plain", "no such charset", "plain", "utf-8", ()),
        ("日本".encode("iso2022_jp"), "iso-2022-jp", "日本", "iso2022_jp", ()),
    ],
)
def test_text_is_decoded(data: bytes, declared: str | None, text: str, charset: str, repairs: tuple[str, ...]) -> None:
    decoded = decode(data, declared)
    assert (decoded.text, decoded.charset, decoded.repairs) == (text, charset, repairs)


@given(
    st.binary(),
    st.none() | st.sampled_from(["utf-8", "windows-1256", "utf-16", "idna", "punycode", "base64", "hz", ""]) | st.text(max_size=9),
)
def test_any_bytes_are_decoded_to_text_without_lone_surrogates(data: bytes, declared: str | None) -> None:
    assert decode(data, declared).text.encode("utf-8") is not None


@given(st.text())
def test_utf8_comes_back_as_it_went(text: str) -> None:
    data = text.encode("utf-8", "replace")
    assert decode(data).text == data.decode("utf-8-sig")


@pytest.mark.parametrize(
    ("text", "date", "rest"),
    [
        (" date 2020-12 De multiples roquettes", "2020-12", "De multiples roquettes"),
        ("date 2020-12-20\n\nRockets", "2020-12-20", "Rockets"),
        ("date 2020-12-201 Rockets", None, "date 2020-12-201 Rockets"),
        ("The date 2020-12 Rockets", None, "The date 2020-12 Rockets"),
        ("Rockets", None, "Rockets"),
    ],
)
def test_leading_date_is_taken_off(text: str, date: str | None, rest: str) -> None:
    assert split_date(text) == (date, rest)
