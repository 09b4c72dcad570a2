"""What an event's sentences say besides: weapon, target, actors, projectiles, damage."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from pipeline.matcher import Hit
from pipeline.reading import Sentence

WEAPONS = {
    "weapon.silenced_firearm": "silenced_firearm", "weapon.sticky_ied": "sticky_ied", "weapon.suicide_vest": "suicide_vest",
    "weapon.car_bomb": "car_bomb",
    "weapon.rocket": "rocket", "weapon.mortar": "mortar", "weapon.missile": "missile", "weapon.drone": "drone",
    "weapon.ied": "ied_roadside",
    "weapon.grenade": "grenade", "weapon.firearm": "firearm", "weapon.knife": "knife", "weapon.arson": "arson", "weapon.bomb": "explosive",
    "weapon.artillery": "mortar", "weapon.aircraft": "missile",
}  # fmt: skip
"""Weapon concept -> word of the taxonomy, the most telling first."""

_CLASSES = (
    {"rocket", "mortar", "missile", "drone", "ied_roadside", "sticky_ied", "car_bomb", "suicide_vest", "grenade", "explosive"},
    {"firearm", "silenced_firearm", "knife"},
)

ACTORS = {
    "actor.outlaw_group": "outlaw group", "actor.islamic_state": "Islamic State", "actor.al_qaeda": "al-Qaeda in Iraq",
    "actor.kataib_hezbollah": "Kataib Hezbollah", "actor.popular_mobilisation": "Popular Mobilisation Forces",
    "actor.asaib_ahl_al_haq": "Asaib Ahl al-Haq", "actor.badr": "Badr Organisation", "actor.harakat_al_nujaba": "Harakat al-Nujaba",
    "actor.saraya_awliya_al_dam": "Saraya Awliya al-Dam", "actor.ashab_al_kahf": "Ashab al-Kahf",
    "actor.promise_brigades": "True Promise Brigades",
    "actor.islamic_resistance": "Islamic Resistance in Iraq", "actor.mahdi_army": "Mahdi Army", "actor.saraya_al_salam": "Saraya al-Salam",
    "actor.united_states": "United States", "actor.coalition": "US-led coalition", "actor.iran": "Iran",
    "actor.iraq_army": "Iraqi security forces",
    "actor.turkey": "Turkey", "actor.israel": "Israel", "actor.pkk": "PKK", "actor.militia": "militia", "actor.insurgents": "insurgents",
    "actor.unidentified_gunmen": "unidentified gunmen",
}  # fmt: skip
"""Actor concept -> canonical name."""

_AUTHORITIES = ("actor.iraq_army", "actor.united_states", "actor.coalition")
_NO_PROJECTILES = 12
_AUXILIARY = 3
_PROJECTILES = ("weapon.rocket", "weapon.mortar", "weapon.missile", "weapon.drone")
_VAGUE = {"quantity.dozens": 24, "quantity.several": 2}


@dataclass(frozen=True, slots=True)
class Slot:
    """A value and the words that say so."""

    value: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Projectiles:
    """How many rockets, shells or drones: `high` None where open."""

    low: int
    high: int | None
    start: int
    end: int
    vague: bool


def weapons(sentence: Sentence) -> Iterator[Slot]:
    """Weapons that a sentence names, the most telling first."""
    for concept, name in WEAPONS.items():
        yield from (Slot(name, hit.start, hit.end) for hit in sentence.having((concept,)))


def goes_with(weapon: str, own: Collection[str]) -> bool:
    """Whether a weapon can be that of rules whose own weapons these are: gunfire is none where a bomb went off."""
    classes = [kind for kind in _CLASSES if not kind.isdisjoint(own)]
    return not classes or any(weapon in kind for kind in classes) or not any(weapon in kind for kind in _CLASSES)


def targets(sentence: Sentence) -> Iterator[Slot]:
    """Targets that a sentence names, in order, but not who says so: "the embassy said", or who denies it."""
    speech = sentence.having(("speech.say", "status.denied"))
    for hit in sentence.hits:
        for concept in sorted(hit.concepts):
            if concept.startswith("target.") and not any(_speaks(hit, said) for said in speech):
                yield Slot(concept.removeprefix("target."), hit.start, hit.end)


def _speaks(speaker: Hit, said: Hit) -> bool:
    """Whether someone stands before the word of speech, or, where the verb comes first, behind the denial."""
    return 0 <= said.start - speaker.end <= _AUXILIARY or ("status.denied" in said.concepts and 0 <= speaker.start - said.end <= _AUXILIARY)


def actors(sentence: Sentence) -> Iterator[tuple[str, Slot]]:
    """("claimed" | "alleged", actor): who claims it, and who is said to have done it, where an attribution stands in the sentence.

    Authorities rather blame than are blamed: they are alleged only where nobody else is named.
    """
    claims, blames = sentence.having(("attribution.claimed", "status.claimed")), sentence.having(("attribution.alleged",))
    if not claims and not blames:
        return
    named = [(concept, Slot(ACTORS[concept], hit.start, hit.end)) for hit in sentence.hits for concept in sorted(hit.concepts & ACTORS.keys())]
    if claims:
        yield from (("claimed", slot) for _, slot in named)
    else:
        others = [slot for concept, slot in named if concept not in _AUTHORITIES]
        yield from (("alleged", slot) for slot in others or [slot for _, slot in named])


def projectiles(scene: Sequence[Sentence]) -> list[Projectiles]:
    """Numbers directly before a projectile; "several" and "dozens" only where nothing says it better."""
    found = [count for sentence in scene for count in _projectiles(sentence)]
    return [count for count in found if not count.vague] or found


def _projectiles(sentence: Sentence) -> Iterator[Projectiles]:
    for weapon in sentence.having(_PROJECTILES):
        for index, hit in enumerate(sentence.hits):
            if not 0 < weapon.start - hit.end <= _NO_PROJECTILES or (hit.number is None and not hit.has(_VAGUE)):
                continue
            before = sentence.hits[index - 1] if index else None
            least = before is not None and "quantity.at_least" in before.concepts and hit.start - before.end <= 2
            low = hit.number if hit.number is not None else next(value for concept, value in _VAGUE.items() if concept in hit.concepts)
            open_ = least or hit.number is None
            yield Projectiles(low, None if open_ else low, before.start if before and least else hit.start, weapon.end, hit.number is None)


def damage(sentences: Sequence[Sentence]) -> Slot | None:
    """The first degree of damage that is stated."""
    for sentence in sentences:
        for name, concept in (("none", "harm.no_damage"), ("major", "harm.damage_major"), ("minor", "harm.damage_minor")):
            for hit in sentence.having((concept,)):
                return Slot(name, hit.start, hit.end)
    return None
