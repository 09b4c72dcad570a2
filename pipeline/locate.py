"""Where it happened: which names of places are places of an event, and which of them belongs to a trigger."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.gazetteer import Entry
from pipeline.matcher import Hit
from pipeline.reading import Reading, Sentence

HERE = ("city", "belt", "near")
_DATELINE_END = re.compile(r"\s?[-–—]{1,3}\s|[–—]|:\s|\)\s")
_DATELINE_LENGTH = 90
_COMMA = 25
_OTHER_CLAUSE = 200
_COUNTRY = 80
_BACK = 3


@dataclass(frozen=True, slots=True)
class Named:
    """A place that a sentence names. `verdict`: place, near (a distance or direction from it), or why it is no place of an event."""

    hit: Hit
    entry: Entry
    verdict: str

    @property
    def usable(self) -> bool:
        """Whether it can be where something happened."""
        return self.verdict in ("place", "near")

    @property
    def scope(self) -> str:
        """city, belt, near, elsewhere or unknown."""
        return "near" if self.verdict == "near" and self.entry.scope == "city" else "elsewhere" if self.verdict == "near" else self.entry.scope


@dataclass(frozen=True, slots=True)
class Bound:
    """The place of a trigger, and how it was bound: clause, sentence, context, title, lead or dateline."""

    named: Named
    how: str


class Map:
    """Every place that a reading names, judged once."""

    def __init__(self, reading: Reading, sentences: Sequence[Sentence], places: Sequence[Entry]) -> None:
        self._view, self._folded = reading.view, reading.folded.text
        self._sentences = sentences
        entries = [(sentence, hit, [places[index] for index in hit.places]) for sentence in sentences for hit in sentence.hits if hit.places]
        here = any(entry.scope == "city" and not entry.needs or entry.name == "Iraq" for _, _, found in entries for entry in found)
        self.named: dict[int, list[Named]] = {sentence.number: [] for sentence in sentences}
        for sentence, hit, found in entries:
            entry = next((entry for entry in found if here or not entry.needs), found[0])
            self.named[sentence.number].append(Named(hit, entry, self._verdict(sentence, hit, entry, here)))

    def bind(self, sentence: Sentence, trigger: Hit) -> Bound | None:
        """Same clause, else same sentence, else the sentences before it, the title, the lead, and at last the dateline."""
        if (named := self._nearest(sentence, trigger)) is not None:
            return Bound(named, "clause" if sentence.clause(named.hit) == sentence.clause(trigger) else "sentence")
        for before in reversed(self._sentences[max(0, sentence.number - _BACK) : sentence.number]):
            same_voice = before.quote is sentence.quote and before.title == sentence.title
            if same_voice and (first := self._first(before)):
                return Bound(first, "context")
        for how, others in (("title", [s for s in self._sentences if s.title]), ("lead", [s for s in self._sentences if not s.title][:2])):
            for other in others:
                if first := self._first(other):
                    return Bound(first, how)
        dateline = next((named for all_named in self.named.values() for named in all_named if named.verdict == "dateline"), None)
        return Bound(dateline, "dateline") if dateline else None

    def _first(self, sentence: Sentence) -> Named | None:
        """The place of a sentence as a whole: its most exact one near Baghdad unless another city comes first."""
        usable = [named for named in self.named[sentence.number] if named.usable and named.entry.kind != "country"]
        return self._sharpened(usable[0], usable) if usable else None

    def _nearest(self, sentence: Sentence, trigger: Hit) -> Named | None:
        usable = [named for named in self.named[sentence.number] if named.usable]
        if not usable:
            return None
        best = min(usable, key=lambda named: (named.verdict == "near", self._cost(sentence, trigger, named)))
        return self._sharpened(best, usable)

    def _cost(self, sentence: Sentence, trigger: Hit, named: Named) -> int:
        """Letters between trigger and place; a comma, another clause and a whole country count as many."""
        hit = named.hit
        between = self._view[trigger.end : hit.start] if trigger.end <= hit.start else self._view[hit.end : trigger.start]
        cost = len(between) + _COMMA * between.count(",") + (_COUNTRY if named.entry.kind == "country" else 0)
        return cost + (_OTHER_CLAUSE if sentence.clause(hit) != sentence.clause(trigger) else 0)

    def _sharpened(self, best: Named, others: Sequence[Named]) -> Named:
        """Where only the city is named, or a country, a more exact place that lies in it and stands beside it."""
        if best.entry.scope not in (*HERE, "unknown") or (best.entry.precision or 3) < 3:
            return best
        inside = [n for n in others if n.verdict == "place" and n.entry.scope in ("city", "belt") and (n.entry.precision or 3) < 3]
        city = [n for n in others if n.verdict == "place" and n.entry.scope == "city"] if best.entry.scope == "unknown" else []
        return min(inside or city or [best], key=lambda named: abs(named.hit.start - best.hit.start))

    def _verdict(self, sentence: Sentence, hit: Hit, entry: Entry, here: bool) -> str:
        before, after = self._view[sentence.start : hit.start].rstrip(), self._view[hit.end : sentence.end].lstrip()
        if entry.needs and not here:
            return "needs_baghdad"
        if any(re.search(rf"(?<!\w){re.escape(word)}$", before) for word in entry.not_after):
            return "not_after"
        if any(re.match(rf"{re.escape(word)}(?!\w)", after) for word in entry.not_before):
            return "not_before"
        if self._is_dateline(sentence, hit):
            return "dateline"
        neighbours = {concept: other for other in sentence.hits for concept in other.concepts if other is not hit and _touches(other, hit)}
        if "place.origin" in neighbours or "place.outside" in neighbours:
            return "origin"
        if "place.metonym" in neighbours and neighbours["place.metonym"].start >= hit.end and (entry.precision or 3) == 3:
            return "metonym"
        if any(concept in neighbours and neighbours[concept].end <= hit.start for concept in ("distance.direction", "distance.from")):
            return "near"
        return "place"

    def _is_dateline(self, sentence: Sentence, hit: Hit) -> bool:
        """Whether the hit stands before the dash of "BAGHDAD, March 1 (Agency) -" at the head of a paragraph of the text."""
        if sentence.title or hit.start - sentence.start > _DATELINE_LENGTH // 2:
            return False
        end = next((m for m in _DATELINE_END.finditer(self._folded, hit.end, min(sentence.end, sentence.start + _DATELINE_LENGTH))), None)
        if end is None or (end[0].startswith(")") and "(" not in self._folded[hit.end : end.start()]):
            return False
        head = re.sub(r"\([^)]*\)?", " ", self._folded[sentence.start : end.start()])
        return len(re.findall(r"[^\W\d]+", head)) <= 4


def _touches(other: Hit, hit: Hit) -> bool:
    gap = other.start - hit.end if other.start >= hit.end else hit.start - other.end
    return 0 <= gap <= 5
