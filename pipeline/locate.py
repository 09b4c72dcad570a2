"""Where it happened: which names of places are places of an event, and which of them belongs to a trigger."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from functools import cache

from pipeline.gazetteer import Entry
from pipeline.lexicon import words
from pipeline.matcher import Hit
from pipeline.reading import Reading, Sentence

HERE = ("city", "belt", "near")
_BROAD = ("city", "governorate", "country")
"""Kinds of place that say no more than the city."""

OF_IRAQ = frozenset(("speech.iraqi",)).union(
    f"actor.{name}"
    for name in (
        "iraq_army", "kataib_hezbollah", "popular_mobilisation", "asaib_ahl_al_haq", "badr", "harakat_al_nujaba", "saraya_awliya_al_dam",
        "ashab_al_kahf", "islamic_resistance", "mahdi_army", "saraya_al_salam",
    )
)  # fmt: skip
"""Actors, and words, that say that a text is about Iraq."""

_QUARTERS = ("district", "neighbourhood", "street", "square")
CAPITAL = ("Baghdad", "Baghdad Governorate")
"""Names of the city as a whole."""

_FIRST_NAMES = re.compile(r" (?:[^\W\d]+ ){1,3}(?:al|el|ul|as|ad) ")

_DATELINE_END = re.compile(r"\s?[-–—]{1,3}\s|[–—]|:\s|\)\s")
_DATELINE_LENGTH = 90
_DATELINE_ALONE = 30
_OWNED = re.compile(r"'s (?:\w+ )?(?:al )?|(?: \w+)? (?:suburb|district|neighbou?rhood|quarter|area) of (?:al )?")
"""What may stand between a city and a place of its own: "Baghdad's northern X district", "the Baghdad suburb of X"."""

_ON_THE_WAY = ("distance.km", "distance.behind", "quantity.about", "quantity.at_least")
_DISTANCE = 45
_OFF = ("near", "belt")
"""Verdicts on a name that a distance or a direction leads away from."""

_BELT_KILOMETRES = 25
"""How far from Baghdad the towns of its belt lie, the nearer ones: what is farther off may be any place."""

_NOT_LISTED = re.compile(r"[^,;]{0,20}")
_COMMA = 25
_OTHER_CLAUSE = 200
_COUNTRY = 80
_BACK = 2
_LEAD = 4
_ARTICLES = ("", "the", "la", "capital", "the capital", "la capitale", "ל")


_CONTAINED_WORDS = 3


@cache
def _contained() -> re.Pattern[str]:
    """What may stand between a place and the one that contains it: "Mansour district, in western Baghdad"."""
    either = "|".join(sorted(map(re.escape, words("leads_to_city")), key=len, reverse=True))
    return re.compile(rf"[ ,،]*(?:(?:{either})[ ,،]+){{0,{_CONTAINED_WORDS}}}")


@dataclass(frozen=True, slots=True)
class Named:
    """A place that a sentence names. `verdict`: place, near (a distance or direction from it), belt (a short distance), or why it is no place of an event."""

    hit: Hit
    entry: Entry
    verdict: str
    inside: bool = False
    """Whether the text itself puts it in the city: "Arab Jabour, Baghdad"."""

    @property
    def usable(self) -> bool:
        """Whether it can be where something happened."""
        return self.verdict in ("place", *_OFF)

    @property
    def scope(self) -> str:
        """city, belt, near, elsewhere or unknown."""
        if self.verdict in _OFF:
            return self.verdict if self.entry.scope == "city" else "elsewhere"
        return "city" if self.inside else self.entry.scope


@dataclass(frozen=True, slots=True)
class Bound:
    """The place of a trigger, and how it was bound: clause, sentence, context, title, lead or dateline."""

    named: Named
    how: str


def is_broad(entry: Entry) -> bool:
    """Whether a name says no more than which city, governorate or country."""
    return entry.kind in _BROAD and entry.scope != "belt"


def names_iraq(entry: Entry) -> bool:
    """Whether a name by itself says that a text is about Baghdad or Iraq."""
    return entry.name == "Iraq" or (entry.scope in ("city", "belt") and not entry.needs)


def may_be_here(entry: Entry) -> bool:
    """Whether a text that names it may be about Baghdad or Iraq, if it names nothing else of them."""
    return names_iraq(entry) or entry.needs == "no_rival"


class Map:
    """Every place that a reading names, judged once."""

    def __init__(self, reading: Reading, sentences: Sequence[Sentence], places: Sequence[Entry]) -> None:
        self._view, self._folded = reading.view, reading.folded.text
        self._sentences = sentences
        entries = [(sentence, hit, [places[index] for index in hit.places]) for sentence in sentences for hit in sentence.hits if hit.places]
        named = [entry for _, _, found in entries for entry in found]
        self._here = any(map(names_iraq, named)) or any(sentence.concepts & OF_IRAQ for sentence in sentences)
        self._abroad = {entry.name for entry in named if entry.scope == "elsewhere"}
        self._city_abroad = any(entry.scope == "elsewhere" and entry.kind != "country" for entry in named)
        self.named: dict[int, list[Named]] = {sentence.number: [] for sentence in sentences}
        for sentence, hit, found in entries:
            entry = next((entry for entry in found if self._has_what_it_needs(entry)), found[0])
            self.named[sentence.number].append(Named(hit, entry, self._verdict(sentence, hit, entry)))
        persons = {named.entry.name for all_named in self.named.values() for named in all_named if named.verdict == "person"}
        capital = any(named.usable and named.entry.name in CAPITAL for all_named in self.named.values() for named in all_named)
        for sentence in sentences:
            all_named = self.named[sentence.number] = [self._as_person(sentence, named, persons) for named in self.named[sentence.number]]
            self._contain(all_named)
            if not capital:
                self._of_others(sentence, all_named)

    def _contain(self, all_named: list[Named]) -> None:
        """ "Mansour, Baghdad" is in the city; "Mansour, Mosul" is none of ours: a name that others behind it contain."""
        for index in reversed(range(len(all_named) - 1)):
            inner, outer = all_named[index], all_named[index + 1]
            if not inner.usable or inner.entry.scope not in ("city", "belt") or not _contained().fullmatch(self._view[inner.hit.end : outer.hit.start]):
                continue
            if outer.scope == "elsewhere" and is_broad(outer.entry) and outer.usable:
                all_named[index] = replace(inner, verdict="namesake")
            elif inner.entry.scope == "belt" and outer.entry.name == "Baghdad" and outer.usable:
                all_named[index] = replace(inner, inside=True)
        for index in range(1, len(all_named)):
            outer, inner = all_named[index - 1], all_named[index]
            if outer.entry.name == "Baghdad" and inner.entry.scope == "belt" and _OWNED.fullmatch(self._view[outer.hit.end : inner.hit.start]):
                all_named[index] = replace(inner, inside=True)

    def _as_person(self, sentence: Sentence, named: Named, persons: Collection[str]) -> Named:
        """A family name stays one: "Minister Khaled al-Obeidi", and then "Obeidi"; but not "in Obeidi"."""
        again = named.usable and named.entry.name in persons and "place.inside" not in self._leading(sentence, named.hit)
        return replace(named, verdict="person") if again else named

    def _of_others(self, sentence: Sentence, all_named: list[Named]) -> None:
        """Where a text does not name Baghdad, a quarter is of the other city that its sentence names behind it, or its clause before it.

        "Karama and Nour, in Mosul"; "in Kabul a bomber attacked the Green Zone".
        """
        for index, inner in enumerate(all_named):
            if not inner.usable or inner.entry.scope != "city" or inner.entry.kind not in _QUARTERS:
                continue
            outer = next((n for n in all_named[index + 1 :] if self._is_city(n)), None)
            led = (n for n in all_named[:index] if self._is_city(n) and sentence.clause(n.hit) == sentence.clause(inner.hit))
            before = next((n for n in led if "place.inside" in self._leading(sentence, n.hit)), None)
            if any(n and n.scope == "elsewhere" for n in (outer, before)):
                all_named[index] = replace(inner, verdict="namesake")

    @staticmethod
    def _is_city(named: Named) -> bool:
        return named.usable and is_broad(named.entry) and named.entry.kind != "country"

    def bind(self, sentence: Sentence, trigger: Hit) -> Bound | None:
        """Same clause, else same sentence, else the sentences before it, the title, the lead, and at last the dateline."""
        named = self._nearest(sentence, trigger)
        if named is not None and named.scope != "unknown":
            return Bound(named, "clause" if sentence.clause(named.hit) == sentence.clause(trigger) else "sentence")
        for before in reversed(self._sentences[max(0, sentence.number - _BACK) : sentence.number]):
            same_voice = before.quote is sentence.quote and before.title == sentence.title
            if same_voice and (first := self._first(before)):
                return Bound(first, "context")
        if sentence.number < _LEAD:
            for how, others in (
                ("title", [s for s in self._sentences if s.title]),
                ("lead", [s for s in self._sentences if not s.title][:2]),
            ):
                for other in others:
                    if first := self._first(other):
                        return Bound(first, how)
            dateline = next((named for all_named in self.named.values() for named in all_named if named.verdict == "dateline"), None)
            if dateline:
                return Bound(dateline, "dateline")
        return Bound(named, "sentence") if named else None

    def _first(self, sentence: Sentence) -> Named | None:
        """The place of a sentence as a whole: its most exact one near Baghdad unless another city comes first."""
        usable = [named for named in self.named[sentence.number] if named.usable and named.entry.kind != "country"]
        return self._sharpened(usable[0], usable) if usable else None

    def _nearest(self, sentence: Sentence, trigger: Hit) -> Named | None:
        usable = [named for named in self.named[sentence.number] if named.usable]
        if not usable:
            return None
        best = min(usable, key=lambda named: (named.verdict in _OFF, self._cost(sentence, trigger, named)))
        return self._sharpened(best, usable)

    def _cost(self, sentence: Sentence, trigger: Hit, named: Named) -> int:
        """Letters between trigger and place; a comma, another clause and a whole country count as many."""
        hit = named.hit
        between = self._view[trigger.end : hit.start] if trigger.end <= hit.start else self._view[hit.end : trigger.start]
        cost = len(between) + _COMMA * (between.count(",") + between.count("،")) + (_COUNTRY if named.entry.kind == "country" else 0)
        return cost + (_OTHER_CLAUSE if sentence.clause(hit) != sentence.clause(trigger) else 0)

    def _sharpened(self, best: Named, others: Sequence[Named]) -> Named:
        """Where only the city is named, or a country, a more exact place that lies in it and stands beside it."""
        if best.entry.scope not in (*HERE, "unknown") or not is_broad(best.entry):
            return best
        inside = [n for n in others if n.verdict == "place" and n.entry.scope in ("city", "belt") and not is_broad(n.entry) and self._beside(n, best)]
        city = [n for n in others if n.verdict == "place" and n.entry.scope == "city"] if best.entry.scope == "unknown" else []
        return min(inside or city or [best], key=lambda named: abs(named.hit.start - best.hit.start))

    def _beside(self, named: Named, broad: Named) -> bool:
        """Whether a name says more exactly where: any quarter; a town of the belt only where no list or other words stand between."""
        first, second = sorted((named.hit, broad.hit), key=lambda hit: hit.start)
        return named.entry.kind not in _BROAD or _NOT_LISTED.fullmatch(self._view[first.end : second.start]) is not None

    def _has_what_it_needs(self, entry: Entry) -> bool:
        if entry.needs is None or self._here:
            return True
        return entry.needs == "no_rival" and not self._city_abroad and self._abroad.isdisjoint(entry.rivals)

    def _verdict(self, sentence: Sentence, hit: Hit, entry: Entry) -> str:
        before, after = self._view[sentence.start : hit.start].rstrip(), self._view[hit.end : sentence.end].lstrip()
        if not self._has_what_it_needs(entry):
            return "needs_baghdad"
        if any(re.search(rf"(?<!\w){re.escape(word)}$", before) for word in entry.not_after):
            return "not_after"
        if any(re.match(rf"{re.escape(word)}(?!\w)", after) for word in entry.not_before):
            return "not_before"
        if entry.kind in _QUARTERS and self._is_family(sentence, hit):
            return "person"
        if self._is_dateline(sentence, hit):
            return "dateline"
        if is_broad(entry) and self._speaks(sentence, hit):
            return "metonym"
        leading = self._leading(sentence, hit)
        if leading & {"place.origin", "place.outside"}:
            return "origin"
        if leading & {"distance.direction", "distance.from"} or self._led_from(sentence, hit):
            return "belt" if entry.name in CAPITAL and self._kilometres(sentence, hit) <= _BELT_KILOMETRES else "near"
        return "place"

    def _kilometres(self, sentence: Sentence, hit: Hit) -> float:
        """The distance that stands before a name, "24 km west of"; without end where none does."""
        before = [other for other in sentence.hits if hit.start - _DISTANCE <= other.start and other.end <= hit.start]
        stated = (number.number for number, unit in itertools.pairwise(before) if "distance.km" in unit.concepts and number.number is not None)
        return next(stated, math.inf)

    def _led_from(self, sentence: Sentence, hit: Hit) -> bool:
        """Whether a distance and a direction stand behind the name: "Baghdad's 30 km north"."""
        behind = [other for other in sentence.hits if hit.end <= other.start <= hit.end + _DISTANCE][:4]
        steps = itertools.takewhile(lambda other: other.number is not None or other.has(_ON_THE_WAY), behind)
        said = {concept for other in steps for concept in other.concepts}
        return {"distance.km", "distance.behind"} <= said

    def _is_family(self, sentence: Sentence, hit: Hit) -> bool:
        """Whether the name is one of a titled person: "General Abbas al-Bayati"."""
        before = sentence.before(hit)
        return before is not None and "person.prominent" in before.concepts and _FIRST_NAMES.fullmatch(self._view[before.end : hit.start]) is not None

    def _leading(self, sentence: Sentence, hit: Hit) -> set[str]:
        """What the words directly before a name mean, an article or "the capital" aside."""
        concepts: set[str] = set()
        for other in sentence.hits:
            if other.end <= hit.start and self._view[other.end : hit.start].strip() in _ARTICLES:
                concepts |= other.concepts
        return concepts

    def _speaks(self, sentence: Sentence, hit: Hit) -> bool:
        """Whether a capital stands for its government: "Baghdad said", "Baghdad's decision"; not "a blast in Baghdad said to be"."""
        if "place.inside" in self._leading(sentence, hit):
            return False
        behind = next((other for other in sentence.hits if other.start >= hit.end), None)
        if behind is not None and "place.metonym" in behind.concepts and not self._view[hit.end : behind.start].strip():
            return True
        before = sentence.before(hit)
        if before is not None and "place.metonym_before" in before.concepts and not self._view[before.end : hit.start].strip():
            return True
        opens = not re.search(r"\w", self._view[sentence.start : hit.start])
        return opens and any("place.metonym_behind" in other.concepts and sentence.clause(other) == sentence.clause(hit) for other in sentence.hits)

    def _is_dateline(self, sentence: Sentence, hit: Hit) -> bool:
        """Whether the hit stands before the dash of "BAGHDAD, March 1 (Agency) -" at the head of a paragraph of the text."""
        first = next(other for other in sentence.hits if other.places)
        if sentence.title or re.search(r"[^\W\d]", self._folded[sentence.start : first.start]):
            return False
        if not self._view[hit.end : sentence.end].strip(" .") and sentence.end - sentence.start <= _DATELINE_ALONE:
            return not any(other.title == sentence.title for other in self._sentences[: sentence.number]) and len(self._sentences) > sentence.number + 1
        end = next((m for m in _DATELINE_END.finditer(self._folded, hit.end, min(sentence.end, sentence.start + _DATELINE_LENGTH))), None)
        if end is None or (end[0].startswith(")") and "(" not in self._folded[hit.end : end.start()]):
            return False
        head = re.sub(r"\([^)]*\)?", " ", self._folded[sentence.start : end.start()])
        return len(re.findall(r"[^\W\d]+", head)) <= 4
