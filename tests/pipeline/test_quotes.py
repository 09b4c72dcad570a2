"""Posts that a text embeds."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pipeline.quotes import find_quotes

ARTICLE = (
    "Des roquettes sont tombées dimanche.\n\n"
    "ALERTE – Roquettes sur la zone verte, #Baghdadici les sirènes.pic.twitter.com/Ab1Cd2Ef3 – Une Rédaction 🚨 (@redaction_a) 20 décembre 2020\n\n"
    "Suite de l'article."
)


def test_a_post_with_a_glued_picture_link() -> None:
    (quote,) = find_quotes(ARTICLE)

    assert quote.author == "Une Rédaction 🚨"
    assert quote.handle == "redaction_a"
    assert quote.published == "2020-12-20"
    assert quote.links == ("pic.twitter.com/Ab1Cd2Ef3",)
    assert quote.text == "ALERTE – Roquettes sur la zone verte, #Baghdadici les sirènes."
    assert ARTICLE[quote.start :].startswith(quote.text)
    assert ARTICLE[quote.end :].startswith("\n\nSuite")


def test_dates_in_other_languages() -> None:
    assert find_quotes("Blast in town https://t.co/x — Desk (@desk) December 20, 2020")[0].published == "2020-12-20"
    assert find_quotes("انفجار في بغداد – مراسل (@reporter_a) ٢٠ ديسمبر ٢٠٢٠")[0].published == "2020-12-20"
    assert find_quotes("Blast in town — Desk (@desk) 2020-12-20")[0].published == "2020-12-20"


def test_a_post_without_a_date_keeps_the_rest() -> None:
    (quote,) = find_quotes("Sirens now – Desk (@desk)\nMore.")

    assert (quote.text, quote.published) == ("Sirens now", None)


def test_two_posts_in_one_paragraph_do_not_overlap() -> None:
    first, second = find_quotes("One – A (@a) 1 May 2021 Two – B (@b) 2 May 2021")

    assert first.end <= second.start
    assert (second.text, second.published) == ("Two", "2021-05-02")


def test_an_article_without_posts() -> None:
    assert find_quotes("He wrote (see @desk) on 20 December 2020.") == ()


@given(st.text(alphabet=st.sampled_from("ab #–-(@)\n٢0 2décembre.")))
def test_any_text_gives_posts_that_stand_in_it(text: str) -> None:
    for quote in find_quotes(text):
        assert text[quote.start : quote.start + len(quote.text)] == quote.text
        assert quote.start <= quote.end <= len(text)
