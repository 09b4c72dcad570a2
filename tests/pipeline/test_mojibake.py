"""Mojibake: put right where it is certain, left alone where it may be what somebody wrote. All sentences are our own."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.mojibake import mended

SENTENCES = [
    "سقوط ثلاثة صواريخ على المنطقة الخضراء في بغداد، ولا خسائر.",
    "دوو کەس لە تەقینەوەکەدا بریندار بوون",
    "در این حمله سه نفر زخمی شدند؛ پلیس گفت.",
    "D’après l’armée, trois roquettes ont visé l’ambassade : « aucune victime ».",
    "Où étaient les blessés ? Voilà ce que l’on sait déjà à Bagdad…",
    "Patlamada üç kişi yaralandı, büyükelçiliğe saldırı düzenlendi.",
    "Hücum nəticəsində heç kim xəsarət almayıb.",
    "Di êrîşê de sê kes birîndar bûn, wisa got wezîrê navxweyî.",
    "Rückkehr der Straßensperren: größere Schäden, keine Verletzten – Müller.",
    "При взрыве никто не пострадал",
    "The ministry said “nobody was hurt” — it’s calm.",
]
MISREAD = ["cp1252", "latin-1", "cp1256"]


def misread(text: str, encoding: str) -> str:
    """What a reader makes of UTF-8 in another encoding; bytes that it does not know become controls, as browsers do."""
    return "".join(bytes([byte]).decode(encoding, "ignore") or chr(byte) for byte in text.encode())


@pytest.mark.parametrize("encoding", MISREAD)
@pytest.mark.parametrize("text", SENTENCES)
def test_a_misread_sentence_is_put_right(text: str, encoding: str) -> None:
    assert mended(misread(text, encoding)).text == text


@pytest.mark.parametrize("text", SENTENCES)
def test_a_text_misread_twice_is_put_right(text: str) -> None:
    assert mended(misread(misread(text, "cp1252"), "cp1252")).text == text


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ("The ministryâ€™s statement", "The ministry’s statement"),  # the one odd sign of an English text
        ("He said â€œall calmâ€", "He said “all calm”"),  # the last byte is a control character, which many readers drop
        ("â€کcalmâ€™, ط¹ط§ط¬ظ„", "‘calm’, عاجل"),  # cp1256 ends the opening quote with a letter
        ("VoilÃ  ce qu'il a dÃ©clarÃ©", "Voilà  ce qu'il a déclaré"),  # its no-break space became a space
        ("PRÃ‰SIDENT", "PRÉSIDENT"),
        ("Alerte ðŸš¨ð\x9f\x9a¨ dans le centre", "Alerte 🚨🚨 dans le centre"),
        ("Ø¨ØºØ¯Ø§Ø¯: rockets\nCafé is open", "بغداد: rockets\nCafé is open"),  # a line of its own
        ("Ø³Ù‚ÙˆØ· ØµÙˆØ§Ø±ÙŠØ® Ø¹Ù„Ù‰ Ø¨ØºØ¯Ø§Ø", "سقوط صواريخ على بغداØ"),  # cut within a letter
    ],
)
def test_what_is_certain(text: str, right: str) -> None:
    assert mended(text).text == right


@pytest.mark.parametrize(
    "text",
    [
        *SENTENCES,
        "AMANHÃ… NÃO",  # Portuguese capitals before an ellipsis
        "“ATÉ AMANHÔ, disse",
        "BIENVENUE AU CAFÉ»",
        "CAFÉ™ and BRÛLÉ®",  # Latin letters of phonetics, where trade marks stand
        "Die „Straß“ und die ‚Fuß‘",
        "«CITTÀ»",
        "قط، خط؟",  # the letters of cp1256 that begin a sequence, and the signs that end one
        "سگ، گرگ",  # Persian letters that are no more than the ends of sequences in cp1256
        "نگ؟",
        "کپڑے، بکرے، رکشے؟",
        "Ã",
        "Ø§",
        "Â©",
        "20 °C ± 2",
        "Ångström Øre Åse",
    ],
)
def test_sound_text_is_left_alone(text: str) -> None:
    assert mended(text).text == text


@pytest.mark.parametrize("encoding", MISREAD)
def test_each_letter_leads_back_to_its_sequence(encoding: str) -> None:
    text = "Tirs à Bagdad : « calme », dit l’armée."
    odd = f"🚨 {misread(text, encoding)} 🚨"
    trail = mended(odd)
    start = trail.text.index("armée")
    first, last = trail.origin(start, start + len("armée"))
    assert odd[first:last] == misread("armée", encoding)


@given(st.text(st.characters()) | st.text("ÃØÙâ€™©§„ ط،گ\n\x80\x9dé\ud800a", max_size=60))
def test_any_string_is_borne_and_every_offset_holds(text: str) -> None:
    trail = mended(text)
    assert len(trail.text) == len(trail.origins) <= len(text)
    assert list(trail.origins) == sorted(set(trail.origins))
    assert mended(trail.text).text == trail.text or len(trail.text) < len(text)


@given(st.lists(st.sampled_from(SENTENCES), min_size=1).map("\n".join), st.sampled_from(MISREAD))
def test_lines_of_several_languages_are_put_right(text: str, encoding: str) -> None:
    assert mended(misread(text, encoding)).text == text


@pytest.mark.parametrize("unit", ["Ã", "Ã©", "Ø§\n", "ط§", "â€", "قط، ", "a", "\n"])
def test_ten_million_characters_are_borne(unit: str) -> None:
    huge = unit * (10_000_000 // len(unit))
    started = time.perf_counter()
    mended(huge)
    assert time.perf_counter() - started < 10.0
