"""Whether it happened: the guard that keeps drills, threats, denials and old news from being events of the day."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pipeline.matcher import Hit
from pipeline.reading import Sentence
from pipeline.times import Moment

CURRENT = ("reported", "claimed", "denied", "attempted", "intercepted", "foiled")
"""Statuses of something that happened of late, or is said to have."""

DROPPED = ("negated", "accident", "topic")
"""Verdicts that leave no event."""

STALE_DAYS = 3
_RECENT_DAYS = 27
"""A day that the head of a report states is judged by its date; farther back it is history."""
_COMMA = 25
_TOPICS = tuple(f"topic.{name}" for name in ("sport", "space", "market", "film", "game", "weather", "medicine", "figurative", "traffic", "exercise"))
_PAST_TOPICS = ("topic.trial", "topic.history", "topic.summary")
_HEADLINE_TOPICS = ("topic.sport", "topic.space", "topic.film", "topic.game")
"""Topics of a headline that make what is told below it none of ours, unless people are killed or hurt."""

_TOLL = ("harm.killed", "harm.kills", "harm.injured", "harm.injures", "harm.killed_one", "harm.injured_one")
_ONE = ("harm.killed_one", "harm.injured_one", "quantity.dozens", "quantity.scores", "quantity.several")
_NO_ACCIDENT = (
    "weapon.car_bomb",
    "weapon.suicide_vest",
    "weapon.ied",
    "weapon.sticky_ied",
    "weapon.rocket",
    "weapon.mortar",
    "weapon.firearm",
    "weapon.drone",
)
_IN_AIR = (
    "weapon.rocket",
    "weapon.missile",
    "weapon.mortar",
    "weapon.drone",
    "weapon.aircraft",
    "weapon.artillery",
    "event.rocket_attack",
    "event.mortar_attack",
    "event.missile_attack",
    "event.drone_attack",
)
"""What can be intercepted: a regime, too, is brought down."""

_NO_ACT = ("act.explode", "harm.killed", "harm.injured", "harm.kills", "harm.injures")
_REACH = 60
_NEGATION_REACH = 25
_TOLD_AS = {
    "foiled": ("status.foiled",),
    "intercepted": ("status.intercepted", "act.intercept", "act.destroy_in_air"),
    "attempted": ("status.attempted",),
    "claimed": ("status.claimed",),
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """A status, or why there is no event, and the words that say so."""

    status: str
    hit: Hit | None = None
    moment: Moment | None = None


@dataclass(frozen=True, slots=True)
class Frame:
    """What the head of a report says of all that is told below: its first `lead` sentences, topics of its title, drills it announces."""

    lead: int
    topics: tuple[Hit, ...]
    drills: tuple[Hit, ...]


def frame_of(sentences: Sequence[Sentence], lead: int) -> Frame:
    """The frame that the title and the first `lead` sentences set."""
    topics = tuple(hit for sentence in sentences if sentence.title for hit in sentence.having(_HEADLINE_TOPICS))
    return Frame(lead, topics, tuple(hit for sentence in sentences[:lead] for hit in sentence.having(("status.drill",))))


def judge(sentence: Sentence, trigger: Hit, support: Sequence[Hit], times: Sequence[Moment], frame: Frame, view: str, *, rule_status: str | None) -> Verdict:
    """The status of an event that `trigger` and its `support` tell of; `times` are those of its sentence, `view` is the text."""
    guards = sentence.having
    clause = [hit for hit in sentence.hits if sentence.clause(hit) == sentence.clause(trigger)]
    told = max((trigger, *support), key=lambda hit: hit.start)
    if fiction := _first(guards(("topic.fiction",))):
        return Verdict("topic", fiction)
    if (topic := _first(guards(_TOPICS))) and not guards(_TOLL):
        return Verdict("topic", topic)
    if frame.topics and not (guards(_TOLL) and any(hit.number or hit.has(_ONE) for hit in sentence.hits)):
        return Verdict("topic", frame.topics[0])
    if (accident := _first(guards(("status.accident", "topic.traffic")))) and not guards(_NO_ACCIDENT):
        return Verdict("accident", accident)
    if negation := _first([*_before(clause, "status.negated", trigger, _NEGATION_REACH), *_not_done(clause, support), *_behind(clause, "negated", trigger)]):
        return Verdict("negated", negation)
    if drill := _first([*guards(("status.drill",)), *(() if guards((*_TOLL, "harm.no_casualties")) else frame.drills)]):
        return Verdict("drill", drill)
    recalled = [*_before(clause, "status.retrospective", told, _REACH), *_behind(clause, "retrospective", trigger), *_anniversary(clause, trigger)]
    if past := _first([*guards(_PAST_TOPICS), *recalled]):
        return Verdict("retrospective", past)
    if old := _old(times, trigger, view, lead=sentence.title or sentence.number < frame.lead):
        return Verdict("retrospective", moment=old)
    if ahead := next((moment for moment in times if moment.days_ago < -1), None):
        return Verdict("hypothetical", moment=ahead)
    for status in ("denied", "threatened", "hypothetical"):
        if hit := _first([*_before(clause, f"status.{status}", told, _REACH), *_behind(clause, status, trigger)]):
            return Verdict(status, hit)
    for status, concepts in _TOLD_AS.items():
        if (hit := _first(guards(concepts))) and (status != "intercepted" or status == rule_status or guards(_IN_AIR)):
            return Verdict(status, hit)
    return Verdict(rule_status or "reported", trigger if rule_status else None)


def _anniversary(clause: Sequence[Hit], trigger: Hit) -> list[Hit]:
    """The anniversary of the event, not an event on an anniversary."""
    return [hit for hit in _before(clause, "time.anniversary", trigger, _REACH) if hit.end <= trigger.start]


def _old(times: Sequence[Moment], trigger: Hit, view: str, *, lead: bool) -> Moment | None:
    """A stated time that is long past, unless the sentence states a recent one nearer to the trigger."""
    if not times:
        return None
    nearest = min(times, key=lambda moment: _distance(moment, trigger, view))
    if nearest.precision == "month" and nearest.days_ago >= 0:
        return nearest
    recent = lead and nearest.day is not None
    return nearest if nearest.days_ago > (_RECENT_DAYS if recent else STALE_DAYS) else None


def _distance(moment: Moment, trigger: Hit, view: str) -> int:
    """Letters between a time and a trigger; a comma counts as many."""
    start, end = sorted((min(moment.end, trigger.end), max(moment.start, trigger.start)))
    return max(0, end - start) + _COMMA * view.count(",", start, end)


def _before(hits: Iterable[Hit], concept: str, trigger: Hit, reach: int) -> list[Hit]:
    """The hits of a concept that stand before the trigger, at most `reach` letters away, or are part of it."""
    return [hit for hit in hits if concept in hit.concepts and hit.start <= trigger.start and trigger.start - hit.end <= reach]


def _behind(hits: Iterable[Hit], status: str, trigger: Hit) -> list[Hit]:
    """The hits of a status that stand behind what they guard, as verbs do that come last: "a blast in Baghdad did not happen"."""
    concept = f"status.{status}_behind"
    return [hit for hit in hits if concept in hit.concepts and hit.start >= trigger.end]


def _not_done(clause: Sequence[Hit], support: Sequence[Hit]) -> list[Hit]:
    """A negation directly before the verb of the event: "rockets were not fired"; a device that did not explode was foiled."""
    acts = [hit for hit in support if any(concept.startswith("act.") for concept in hit.concepts) and not hit.has(_NO_ACT)]
    return [hit for act in acts for hit in _before(clause, "status.negated", act, 1) if hit.end <= act.start]


def _first(hits: Sequence[Hit]) -> Hit | None:
    return hits[0] if hits else None
