"""Near-duplicates: how many altered copies are known again, and what is taken for one; in Latin and Arabic script."""

from __future__ import annotations

import random
from collections.abc import Sequence
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.near_duplicates import ALIKE, LEAST_WORDS, SAMPLED, SAMPLED_OF_LEAD, SURELY_ALIKE, Samples, Text, needed, sample
from tests.pipeline.altered import ARABIC, LATIN, Paragraphs, edited, flat, lead, reordered, texts, vocabulary

# Three accounts, each in five languages.
TRANSLATED = (
    (
        "Three rockets fell inside the fortified zone in the middle of the capital late on Sunday, the army said, and damaged some flats and parked cars "
        "but hurt nobody, as the defence system of the embassy brought down a part of them.",
        "Trois roquettes sont tombées dans la zone fortifiée au centre de la capitale tard dimanche, a indiqué l'armée, et ont endommagé des logements et "
        "des voitures garées sans blesser personne, le système de défense de l'ambassade en ayant abattu une partie.",
        "سقطت ثلاثة صواريخ داخل المنطقة المحصنة وسط العاصمة في وقت متأخر من يوم الأحد، بحسب الجيش، وألحقت أضراراً بشقق وسيارات متوقفة دون أن تصيب أحداً، بعد أن أسقطت منظومة دفاع السفارة جزءاً منها.",  # noqa: E501
        "Tres cohetes cayeron dentro de la zona fortificada en el centro de la capital a última hora del domingo, según el ejército, y dañaron algunas "
        "viviendas y coches aparcados sin herir a nadie, ya que el sistema de defensa de la embajada derribó una parte.",
        "سه راکت شامگاه یکشنبه در منطقه حفاظت‌شده در مرکز پایتخت فرود آمد، به گفته ارتش، و به چند آپارتمان و خودروی پارک‌شده آسیب زد اما کسی مجروح نشد، زیرا سامانه پدافند سفارت بخشی از آنها را سرنگون کرد.",  # noqa: E501
    ),
    (
        "A device stuck under the car of a local councillor exploded this morning near a school in the east of the city and killed him at once, while "
        "two passers-by were taken to hospital with light wounds, a police officer said.",
        "Un engin collé sous la voiture d'un conseiller local a explosé ce matin près d'une école dans l'est de la ville et l'a tué sur le coup, tandis "
        "que deux passants ont été conduits à l'hôpital avec des blessures légères, selon un officier de police.",
        "انفجرت عبوة لاصقة تحت سيارة عضو مجلس محلي صباح اليوم قرب مدرسة شرقي المدينة وقتلته على الفور، فيما نقل اثنان من المارة إلى المستشفى بجروح طفيفة، بحسب ضابط شرطة.",  # noqa: E501
        "Un artefacto pegado bajo el coche de un concejal estalló esta mañana cerca de una escuela en el este de la ciudad y lo mató en el acto, mientras "
        "dos transeúntes fueron llevados al hospital con heridas leves, dijo un oficial de policía.",
        "بمبی که زیر خودروی یکی از اعضای شورای محلی چسبانده شده بود صبح امروز نزدیک مدرسه‌ای در شرق شهر منفجر شد و او را در دم کشت و دو رهگذر با جراحت سطحی به بیمارستان برده شدند، یک افسر پلیس گفت.",  # noqa: E501
    ),
)


def hashes(given: Sequence[Text]) -> tuple[list[set[int]], list[int]]:
    found = sample(given)
    sets: list[set[int]] = [set() for _ in given]
    for value, text in zip(found.hashes.tolist(), found.texts.tolist(), strict=True):
        sets[text].add(value)
    return sets, found.marks.tolist()


def copies(altered: Sequence[Paragraphs], originals: Sequence[Paragraphs], *, same_outlet: bool = False) -> set[tuple[int, int]]:
    """Which altered text is held to be a copy of which original, of all pairs."""
    mine, marks = hashes([Text(None, flat(text), "sample.a" if same_outlet else f"sample.copy-{n}") for n, text in enumerate(altered)])
    theirs, others = hashes([Text(None, flat(text), "sample.a") for text in originals])
    return {
        (n, m)
        for n, (own, mark) in enumerate(zip(mine, marks, strict=True))
        for m, (other, mark_there) in enumerate(zip(theirs, others, strict=True))
        if own and len(own & other) / len(own) >= needed(mark, mark_there)
    }


@pytest.mark.parametrize("languages", [LATIN, ARABIC], ids=["latin", "arabic"])
def test_altered_copies_are_known_again_and_nothing_else(languages: Sequence[str]) -> None:
    chosen = random.Random(20201220)
    originals = list(texts(languages, chosen))
    words = vocabulary(originals)
    kinds = {
        **{f"{share:.0%} of the words": [edited(text, share, words, chosen) for text in originals] for share in (0.05, 0.1, 0.15, 0.2)},
        "reordered": [reordered(text, chosen) for text in originals],
        "the lead alone": [lead(text) for text in originals],
        "an edited lead": [edited(lead(text), 0.1, words, chosen) for text in originals],
    }
    assert len(originals) >= 100
    known = {kind: copies(altered, originals) for kind, altered in kinds.items()}
    right = {kind: sum(n == m for n, m in found) for kind, found in known.items()}
    for kind, found in known.items():
        assert right[kind] / len(originals) >= 0.9, kind
        assert right[kind] / len(found) >= 0.98, kind


@pytest.mark.parametrize("versions", TRANSLATED, ids=["rockets", "a device"])
def test_a_translation_is_no_copy(versions: Sequence[str]) -> None:
    sampled, _ = hashes([Text(None, text, f"sample.{n}") for n, text in enumerate(versions)])
    assert all(len(own) >= SAMPLED for own in sampled)
    assert not any(a & b for a, b in combinations(sampled, 2))


def test_a_bulletin_with_another_toll_is_no_copy_but_an_updated_story_is() -> None:
    bulletin = "Police said that {} people were wounded when a roadside device went off beside their bus in the {} quarter of the capital on Monday."
    first, second = [[bulletin.format(*case).split()] for case in (("4", "Dora"), ("7", "Amil"))]
    assert copies([second], [first]) == set()
    long = [*[sentence.split() for sentence in TRANSLATED[0][:1]], *[sentence.split() for sentence in TRANSLATED[1][:1]]]
    assert copies([[*second, *long]], [[*first, *long]]) == {(0, 0)}


def test_what_one_outlet_writes_must_be_nearer_than_what_another_does() -> None:
    text = [TRANSLATED[0][0].split(), TRANSLATED[1][0].split()]
    words = ["elsewhere", "yesterday", "perhaps", "council", "harvest", "bridge"]
    half = edited(text, 0.15, words, random.Random(3))
    assert copies([half], [text]) == {(0, 0)}
    assert copies([half], [text], same_outlet=True) == set()
    assert copies([text], [text], same_outlet=True) == {(0, 0)}


def test_spelling_and_layout_make_no_difference() -> None:
    arabic = TRANSLATED[0][2]
    spelt = arabic.replace("أ", "ا").replace("ة", "ه").replace("،", " -").replace("صواريخ", "صَواريخ")
    plain, other = hashes([Text(None, arabic, "a"), Text(None, spelt.replace(" ", "\n"), "b")])[0]
    assert plain == other
    latin, loud = hashes([Text(None, TRANSLATED[0][1], "a"), Text(None, TRANSLATED[0][1].upper().replace(" ", "  "), "b")])[0]
    assert latin == loud


def test_a_short_text_has_no_sample_alone_but_with_its_title() -> None:
    body = "one two three four five six seven"
    assert hashes([Text(None, body, "a")])[0] == [set()]
    assert len(hashes([Text("eight nine ten eleven twelve thirteen fourteen fifteen sixteen", body, "a")])[0][0]) == SAMPLED
    assert hashes([Text(None, " ".join(map(str, range(LEAST_WORDS - 1))), "a")])[0] == [set()]
    assert needed(1, 2) == ALIKE < needed(1, 1) == needed(1 << 40 | 1 << 16, 2) == SURELY_ALIKE


@given(st.lists(st.text(max_size=400) | st.text(alphabet="ab \n7", min_size=100, max_size=300), max_size=6))
def test_texts_sampled_together_are_sampled_as_each_alone(bodies: list[str]) -> None:
    together = sample([Text(None, body, "a") for body in bodies])
    for number, body in enumerate(bodies):
        alone = sample([Text(None, body, "a")])
        assert sorted(together.hashes[together.texts == number].tolist()) == sorted(alone.hashes.tolist())
        assert together.marks[number] == alone.marks[0]
        assert len(alone.hashes) <= SAMPLED + SAMPLED_OF_LEAD


def test_many_long_texts_are_sampled_in_groups() -> None:
    bodies = [" ".join(f"w{n}x{place}" for place in range(3_000)) for n in range(40)]
    found: Samples = sample([Text(None, body, "a") for body in bodies])
    assert set(found.texts.tolist()) == set(range(40))
    assert len(set(found.hashes.tolist())) == len(found.hashes)
    assert sample([]).hashes.tolist() == []
