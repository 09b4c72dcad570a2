"""How many were killed and wounded: numbers bound to the words of harm, the attackers counted apart."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from pipeline.lexicon import words
from pipeline.matcher import Hit
from pipeline.reading import Sentence

_KINDS = {
    "killed": ("harm.killed", "harm.kills", "act.find_body", "harm.killed_one"),
    "injured": ("harm.injured", "harm.injures", "harm.injured_one"),
}
_HARM = frozenset(concept for concepts in _KINDS.values() for concept in concepts)
_NONE = {"killed": ("harm.no_casualties", "harm.no_killed"), "injured": ("harm.no_casualties", "harm.no_injured")}
_SPOKEN_OF = _HARM.union(*_NONE.values())
_ONE = ("harm.killed_one", "harm.injured_one")
_VAGUE = {"quantity.dozens": 24, "quantity.scores": 40, "quantity.hundreds": 200, "quantity.several": 2}
_COUNTING = frozenset(("quantity.one", "person.one", *_VAGUE))
_NEAR = 5
_THINGS = ("weapon.", "act.", "event.", "time.years", "time.months", "time.weeks", "time.days", "time.hours", "distance.")
_PEOPLE = ("person.any",)
_SINGLE = ("person.one",)
_TOLL = ("harm.toll",)
_ASIDE = ("quantity.including", "harm.attacker_too")
_TOTAL = ("quantity.total",)
_SPEECH = ("speech.say", "status.denied")
_PART_OF, _OF_PEOPLE = " of ", (" of them", " of its", " of his", " of their", " of whom")
_DOES = ("act.open_fire", "harm.kills", "act.assassinate")
_ARTICLE = re.compile(r" (?:(?:the|a|an|his|her|le|la|el|al|a la) )?")
_NAME = re.compile(r"(?: [^\W\d]+){1,5}, ")
_LEFT, _RIGHT, _TOLL_RIGHT, _PERSON = 60, 30, 90, 25
_FAR_LEFT = 150
"""Where the verb comes last, its subject may open the clause: "three policemen in an attack of .. on a post in .. were killed"."""

_CLAUSE_END = re.compile(r"\s*(?:[.,;:!?،؛؟\n)»\"]|$)")


@dataclass(frozen=True, slots=True)
class Count:
    """A stated number of people: `low` and `high` (None: open), and where it stands."""

    kind: str
    low: int
    high: int | None
    start: int
    end: int
    attackers: bool = False
    total: bool = False
    """Whether it is said to sum up."""


class Tolls:
    """The counts of each sentence of a text, worked out once."""

    def __init__(self, view: str) -> None:
        self._view = view
        self._counts: dict[int, list[Count]] = {}

    def of(self, sentence: Sentence) -> list[Count]:
        """As `casualties`."""
        if (counts := self._counts.get(sentence.number)) is None:
            counts = self._counts[sentence.number] = casualties(sentence, self._view)
        return counts


def casualties(sentence: Sentence, view: str) -> list[Count]:
    """Every count of killed and injured that a sentence states, in order."""
    if sentence.concepts.isdisjoint(_SPOKEN_OF):
        return []
    counts: list[Count] = []
    harms = sentence.having(_HARM)
    numbers = [number for number in _people(sentence, view) if not number.has(_HARM)] if harms else []
    for kind, concepts in _NONE.items():
        counts += [Count(kind, 0, 0, hit.start, hit.end) for hit in sentence.having(concepts)]
    for harm in harms:
        found = [harm] if harm.number else _counted(harm, harms, numbers, sentence, view)
        if found:
            numbers = [number for number in numbers if number not in found]
            counts += [_count(kind, found, harm, sentence, view) for kind, concepts in _KINDS.items() if harm.has(concepts)]
        elif harm.has(_ONE) or _kills_one(harm, harms, sentence, view):
            counts += [Count(kind, 1, 1, harm.start, harm.end) for kind, concepts in _KINDS.items() if harm.has(concepts)]
    return sorted(counts, key=lambda count: count.start)


def _kills_one(harm: Hit, harms: Sequence[Hit], sentence: Sentence, view: str) -> bool:
    """Whether one person is named behind an act of killing: "shot dead the brother of", "killed Ali Hasan, a lawyer"."""
    if not harm.has(_DOES):
        return False
    behind = [hit for hit in sentence.hits if harm.end <= hit.start]
    nearest = behind[0] if behind else None
    if nearest is not None and nearest.has(_SINGLE):
        return _ARTICLE.fullmatch(view[harm.end : nearest.start]) is not None
    named = nearest is not None and "quantity.one" in nearest.concepts and _NAME.fullmatch(view[harm.end : nearest.start]) is not None
    return named and any(hit.has(_PEOPLE) and hit.start - behind[0].end <= 1 for hit in behind[1:2])


def _people(sentence: Sentence, view: str) -> list[Hit]:
    """The numbers that can count people: no years, dates, hours, distances, ages or weapons, none behind "including"."""
    hits = sentence.hits
    return [hit for index, hit in enumerate(hits) if (hit.number is not None or hit.has(_COUNTING)) and _counts(index, hits, view)]


def _counts(index: int, hits: Sequence[Hit], view: str) -> bool:
    near = hits[index + 1 : index + 1 + _NEAR]
    return _counts_people(hits[index], hits[max(0, index - 1) : index], near, view) or _is_one_of_several(index, hits, view)


def _is_one_of_several(index: int, hits: Sequence[Hit], view: str) -> bool:
    """Whether a person in the singular, in a language without articles, is joined to a count or to another such person: "woman and two children"."""
    hit = hits[index]
    if not hit.has(_SINGLE) or (index and hits[index - 1].number is not None):
        return False
    behind = hits[index + 1] if index + 1 < len(hits) else None
    if behind is not None and _only_joins(view[hit.end : behind.start]) and (behind.number is not None or behind.has(_SINGLE)):
        return True
    before = hits[index - 1] if index else None
    return before is not None and before.has(_PEOPLE) and _only_joins(view[before.end : hit.start]) and (before.has(_SINGLE) or _is_counted(index - 1, hits))


def _is_counted(index: int, hits: Sequence[Hit]) -> bool:
    return index > 0 and hits[index - 1].number is not None


def _only_joins(between: str) -> bool:
    return between.strip() in words("joins")


def _counts_people(hit: Hit, before: Sequence[Hit], behind: Sequence[Hit], view: str) -> bool:
    if "quantity.one" in hit.concepts:
        return _is_one_person(hit, behind)
    if hit.number is None:
        return hit.has(_VAGUE)
    if view[hit.end : hit.end + 1].isalpha():
        return False
    following = next((other for other in behind[:2] if other.start - hit.end <= 2 and not view[hit.end : other.start].strip()), None)
    previous = before[-1] if before and hit.start - before[-1].end <= 2 else None
    if following is not None and (following.month or following.number is not None or _is_thing(following)):
        return False
    if previous is not None and (previous.month or previous.has(_ASIDE)):
        return False
    if view.startswith(_PART_OF, hit.end) and not view.startswith(_OF_PEOPLE, hit.end):
        return hit.number > 1
    return not _is_clock_or_year(hit, following, view)


def _is_one_person(hit: Hit, behind: Sequence[Hit]) -> bool:
    """Whether an article stands before a word for a person who does not speak, with nothing counted or done in between."""
    if behind and behind[0].start - hit.end <= 1 and behind[0].has(("harm.killed", "harm.injured")):
        return True
    for index, other in enumerate(behind[:3]):
        if other.start - hit.end > _PERSON or other.number is not None or (other.has(_HARM) and not other.has(_PEOPLE)):
            return False
        if other.has(_PEOPLE):
            return not any(speech.start - other.end <= 1 and speech.has(_SPEECH) for speech in behind[index + 1 : index + 2])
    return False


def _is_thing(hit: Hit) -> bool:
    return not hit.has((*_HARM, *_PEOPLE)) and any(concept.startswith(_THINGS) for concept in hit.concepts)


def _is_clock_or_year(hit: Hit, following: Hit | None, view: str) -> bool:
    written = view[hit.start : hit.end]
    if not written.isdigit() or len(written) < 3 or (following is not None and following.has(_PEOPLE)):
        return False
    clock = (
        len(written) == 4 and int(written[2:]) < 60 and int(written) < 2400 and view[: hit.start].rstrip().endswith(("at", "around", "between", "and", "about"))
    )
    return written[0] == "0" or clock or (len(written) == 4 and 1900 <= int(written) <= 2100)


def _counted(harm: Hit, harms: Sequence[Hit], numbers: Sequence[Hit], sentence: Sentence, view: str) -> list[Hit]:
    """The numbers that a word of harm counts: those behind an active verb, else those before it, else those behind it."""
    behind = _behind(harm, harms, numbers, sentence, view)
    if harm.has(("harm.kills", "harm.injures")):
        return behind
    before = _in_front(harm, harms, numbers, sentence, view)
    if behind and not (before and _passive(harm, view)) and not (before and harm.start - before[-1].end <= _PERSON):
        return behind
    return before or behind


def _passive(harm: Hit, view: str) -> bool:
    return view[: harm.start].rstrip().endswith(("were", "was", "been", "are", "is", "be", "ete", "sont", "est", "fueron", "murieron"))


def _in_front(harm: Hit, harms: Sequence[Hit], numbers: Sequence[Hit], sentence: Sentence, view: str) -> list[Hit]:
    floor = max([sentence.start, *(other.end for other in harms if other.end <= harm.start)])
    near = [n for n in numbers if floor <= n.start and n.end <= harm.start]
    if not near or harm.start - near[-1].end > (_FAR_LEFT if _is_far_subject(near[-1], harm, sentence, view) else _LEFT):
        return []
    return _chain(near, view, sentence, from_end=True)


def _is_far_subject(number: Hit, harm: Hit, sentence: Sentence, view: str) -> bool:
    """Whether counted people open the clause that a word of harm ends, and nobody speaks in between."""
    if sentence.clause(number) != sentence.clause(harm) or not _CLAUSE_END.match(view[harm.end : sentence.end]) or not _counts_a_victim(number, sentence):
        return False
    return not any(hit.has(_SPEECH) for hit in sentence.hits if number.end <= hit.start < harm.start)


def _behind(harm: Hit, harms: Sequence[Hit], numbers: Sequence[Hit], sentence: Sentence, view: str) -> list[Hit]:
    ceiling = min([sentence.end, *(other.start for other in harms if other.start >= harm.end)])
    near = [n for n in numbers if harm.end <= n.start and n.end <= ceiling]
    reach = _TOLL_RIGHT if harm.has(_TOLL) else _RIGHT
    if not near or near[0].start - harm.end > reach or "," in view[harm.end : near[0].start]:
        return []
    follows = next((other for other in harms if other.start == ceiling), None)
    if follows is not None and len(near) > 1 and _counts_on(near, follows, view):
        near = near[:-1]
    if follows is not None and not follows.has(("harm.kills", "harm.injures")) and ceiling - near[-1].end <= _PERSON and _opens(view[harm.end : near[0].start]):
        return []
    return _chain(near, view, sentence, from_end=False)


def _counts_on(near: Sequence[Hit], follows: Hit, view: str) -> bool:
    """Whether the last number is that of the harm that follows: "died 12, 30 people were wounded"."""
    between, led = view[near[-1].end : follows.start], view[near[-2].end : near[-1].start]
    active = follows.has(("harm.kills", "harm.injures"))
    return not active and len(between) <= _PERSON and not _joins(between) and "," in led


def _opens(between: str) -> bool:
    """Whether a word that joins counts stands behind a word of harm: "12 killed and 30 wounded"."""
    return _joints()[0].match(between) is not None


def _joins(between: str) -> bool:
    """Whether a word that joins counts, or a comma, leads over to the second of two numbers."""
    return "," in between or _joints()[1].search(between) is not None


@cache
def _joints() -> tuple[re.Pattern[str], re.Pattern[str]]:
    either = "|".join(sorted(map(re.escape, words("joins")), key=len, reverse=True))
    return re.compile(rf"\s*(?:{either})(?!\w)"), re.compile(rf"(?<!\w)(?:{either})\s*$")


def _chain(numbers: Sequence[Hit], view: str, sentence: Sentence, *, from_end: bool) -> list[Hit]:
    """Numbers that add up: "three policemen and two civilians". A total, a speaker, or a number told apart by "including", ends the chain."""
    ordered = list(reversed(numbers)) if from_end else list(numbers)
    chain = [ordered[0]]
    for number in ordered[1:]:
        first, second = (number, chain[-1]) if from_end else (chain[-1], number)
        between = view[first.end : second.start]
        between_hits = [hit for hit in sentence.hits if first.end <= hit.start < second.start]
        if any(hit.has(_SPEECH) for hit in between_hits):
            break
        including = any(hit.has(_ASIDE) for hit in between_hits)
        if len(between) > 45 or including:
            if from_end and (including or sentence.clause(first) == sentence.clause(second)):
                chain = [number]
                continue
            break
        if not _joins(between) or not _counts_a_victim(second, sentence):
            break
        chain.append(number)
    return sorted(chain, key=lambda hit: hit.start)


def _counts_a_victim(number: Hit, sentence: Sentence) -> bool:
    near = [hit for hit in sentence.hits if 0 <= hit.start - number.end <= _PERSON]
    return any(hit.has(_PEOPLE) for hit in near) and not any("harm.attacker" in hit.concepts for hit in near[:1])


def _count(kind: str, numbers: Sequence[Hit], harm: Hit, sentence: Sentence, view: str) -> Count:
    low = sum(_value(number) for number in numbers)
    first, last = numbers[0], numbers[-1]
    open_ = any(number.has(_VAGUE) for number in numbers)
    qualifier = next((h for h in sentence.hits if 0 <= first.start - h.end <= 2 and h.has(("quantity.at_least", "quantity.at_most"))), None)
    if qualifier is not None and "quantity.at_least" in qualifier.concepts:
        open_ = True
    total = any(h.has(_TOTAL) and 0 <= first.start - h.end <= 2 for h in sentence.hits)
    start, end = min(first.start, harm.start, qualifier.start if qualifier else first.start), max(last.end, harm.end)
    attackers = any("harm.attacker" in h.concepts and 0 <= h.start - last.end <= _PERSON for h in sentence.hits)
    return Count(kind, low, None if open_ else low, start, end, attackers, total)


def _value(number: Hit) -> int:
    if number.number is not None:
        return number.number
    return next((value for concept, value in _VAGUE.items() if concept in number.concepts), 1)
