"""What happened in Baghdad, and the words that say so."""

from __future__ import annotations

import gc
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import apache_beam as beam
from apache_beam.pvalue import PCollection

from pipeline.casualties import Tolls
from pipeline.credits import credited
from pipeline.datafiles import content_hash
from pipeline.dead_letter import Guard
from pipeline.describe import describe, judged
from pipeline.gazetteer import Entry, load_places, place_forms
from pipeline.lexicon import language_forms, load_languages
from pipeline.locate import OF_IRAQ, Map, Named, may_be_here
from pipeline.matcher import Gate, Hit, Matcher
from pipeline.metrics import examined
from pipeline.reading import Reading, Sentence
from pipeline.rules import TYPES, Rule, Rules, load_rules
from pipeline.status import DROPPED, frame_of, judge
from pipeline.tellings import Group, Telling, grouped
from pipeline.times import Moment, clock_of, moments
from schemas import avro
from schemas.records import Report, TaggedEvent

_LEAD = 3
_NEIGHBOURS = 3


@dataclass(frozen=True, slots=True)
class Tagger:
    """Everything the tagger knows, compiled. `version` is the content hash of its data files."""

    matcher: Matcher
    gate: Gate
    places: tuple[Entry, ...]
    rules: Rules
    languages: frozenset[str]
    version: str

    @staticmethod
    def load() -> Tagger:
        """The tagger of our own data files, compiled once a process. Raises DataFileError that lists what is wrong with them."""
        return load_tagger()


@cache
def load_tagger() -> Tagger:
    """As Tagger.load."""
    with _uncollected():
        return _compiled()


@contextmanager
def _uncollected() -> Iterator[None]:
    """Without collections of garbage: they take a third of the time where all that is made stays."""
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collects:
            gc.enable()


def _compiled() -> Tagger:
    places, languages = load_places(), load_languages()
    names = list(place_forms(places))
    forms = [form for language in languages.values() for form in language_forms(language)]
    here = {index for index, place in enumerate(places) if may_be_here(place)}
    gate = [form for form in names if form.sense.kind == "place" and form.sense.value in here]
    gate += [form for form in forms if form.sense.concept in OF_IRAQ]
    return Tagger(Matcher([*names, *forms]), Gate(gate), places, load_rules(), frozenset(languages), content_hash())


@dataclass(frozen=True, slots=True)
class Unfired:
    """A rule whose trigger stands in the text, but not what else it needs, or with what forbids it."""

    rule: Rule
    trigger: Hit
    missing: tuple[frozenset[str], ...]
    forbidden: Hit | None


@dataclass(frozen=True, slots=True)
class Examination:
    """All that was looked at on the way to the events."""

    reading: Reading
    sentences: Sequence[Sentence] = ()
    named: Sequence[Named] = ()
    tellings: Sequence[Telling] = ()
    unfired: Sequence[Unfired] = ()
    events: tuple[TaggedEvent, ...] = ()


def tag(report: Report, tagger: Tagger) -> tuple[TaggedEvent, ...]:
    """The events that a report tells of, primary first. Pure; never raises, whatever the text."""
    reading = Reading(report)
    words = _words(reading, tagger)
    return _examined(reading, words, tagger).events if _has_trigger(words, tagger.rules) else ()


def examine(report: Report, tagger: Tagger) -> Examination:
    """The events, with everything that led to them. A text that names nothing of Iraq costs one look."""
    reading = Reading(report)
    words = _words(reading, tagger)
    if not words:
        return Examination(reading)
    return _examined(reading, words, tagger) if _has_trigger(words, tagger.rules) else Examination(reading, reading.sentences(words))


def _words(reading: Reading, tagger: Tagger) -> list[Hit]:
    """What the words of a text mean; none where it names nothing of Iraq."""
    return tagger.matcher.find(reading.view, _languages(reading.report, tagger)) if tagger.gate.any_in(reading.view) else []


def _has_trigger(words: Iterable[Hit], rules: Rules) -> bool:
    return any(not rules.triggers.isdisjoint(hit.concepts) for hit in words)


def _examined(reading: Reading, words: list[Hit], tagger: Tagger) -> Examination:
    report, sentences = reading.report, reading.sentences(words)
    clock, places = clock_of(report), Map(reading, sentences, tagger.places)
    times = {sentence.number: moments(sentence, reading.view, clock, month_first=report.language == "en") for sentence in sentences}
    tellings, unfired = _tellings(sentences, reading.view, tagger.rules, places, times)
    groups = grouped(telling for telling in tellings if telling.verdict.status not in DROPPED)
    dated, tolls = _dated(sentences, times), Tolls(reading.view)
    first_text = next((sentence.number for sentence in sentences if not sentence.title), 0)
    events = (
        judged(
            describe(group, _scene(group, groups, sentences, places), reading, tolls, clock, dated),
            clock,
            up_front=_up_front(group, first_text + _LEAD),
        )
        for group in groups
    )
    ordered = tuple(sorted(events, key=lambda event: (not event.alert, TYPES.index(event.type))))
    named = [named for sentence in sentences for named in places.named[sentence.number]]
    return Examination(reading, sentences, named, tellings, unfired, ordered)


def _languages(report: Report, tagger: Tagger) -> Collection[str]:
    """The report's language, and those of its parts; every one we know where all are undetermined or none of ours."""
    return {report.language, *report.language_shares} & tagger.languages or tagger.languages


def _tellings(sentences: Sequence[Sentence], view: str, rules: Rules, places: Map, times: dict[int, list[Moment]]) -> tuple[list[Telling], list[Unfired]]:
    tellings: list[Telling] = []
    unfired: list[Unfired] = []
    frame = frame_of(sentences, _LEAD)
    for sentence in sentences:
        for rule, trigger in _triggered(sentence, rules):
            support, missing = _support(rule, trigger, sentence)
            forbidden = next(iter(sentence.having(rule.forbids)), None)
            if missing or forbidden:
                unfired.append(Unfired(rule, trigger, missing, forbidden))
                continue
            verdict = judge(sentence, trigger, support, times[sentence.number], frame, view, rule_status=rule.status)
            tellings.append(Telling(rule, trigger, support, sentence, verdict, places.bind(sentence, trigger), tuple(times[sentence.number])))
    return tellings, unfired


def _triggered(sentence: Sentence, rules: Rules) -> Iterator[tuple[Rule, Hit]]:
    """Each rule with the hits of the sentence that trigger it, one a clause."""
    seen = set()
    for hit in sentence.hits:
        if rules.triggers.isdisjoint(hit.concepts):
            continue
        for concept in sorted(hit.concepts & rules.triggers):
            for rule in rules.by_trigger[concept]:
                key = rule.id, sentence.clause(hit)
                if key not in seen:
                    seen.add(key)
                    yield rule, hit


def _support(rule: Rule, trigger: Hit, sentence: Sentence) -> tuple[tuple[Hit, ...], tuple[frozenset[str], ...]]:
    """For each list of the rule's needs the nearest hit, and the lists for which there is none. Who only speaks is no part of it: "police said"."""
    near = [hit for hit in sentence.hits if (rule.within == "sentence" or sentence.clause(hit) == sentence.clause(trigger)) and not sentence.speaks(hit)]
    support, missing = [], []
    for group in rule.needs:
        found = [hit for hit in near if hit.has(group)]
        if found:
            support.append(min(found, key=lambda hit: abs(hit.start - trigger.start)))
        else:
            missing.append(group)
    return tuple(support), tuple(missing)


def _up_front(group: Group, lead_end: int) -> bool:
    """Whether an event is what the report is about: told at its head, or with a place and a recent time of its own."""
    for telling in group.tellings:
        recent = any(moment.days_ago <= 1 and moment.precision == "day" for moment in telling.times)
        if telling.sentence.number < lead_end or (recent and telling.bound and telling.bound.how in ("clause", "sentence")):
            return True
    return False


def _dated(sentences: Sequence[Sentence], times: dict[int, list[Moment]]) -> Moment | None:
    """The first recent day that the head of the report states."""
    head = [moment for sentence in sentences[:_LEAD] for moment in times[sentence.number]]
    return next((moment for moment in head if moment.day and moment.days_ago <= 1), None)


def _scene(group: Group, groups: Sequence[Group], sentences: Sequence[Sentence], places: Map) -> list[Sentence]:
    """The sentences that speak of an event: those that tell of it, text before title, and what follows each.

    Another event, another city or background ends what follows.
    """
    mine = group.sentences
    others = {number for other in groups if other is not group for number in other.sentences}
    scene: dict[int, Sentence] = {}
    for number in sorted(mine):
        scene[number] = sentences[number]
        for sentence in sentences[number + 1 : number + 1 + _NEIGHBOURS]:
            elsewhere = any(named.usable and named.scope == "elsewhere" and named.entry.kind != "country" for named in places.named[sentence.number])
            if sentence.number in mine | others or elsewhere or sentence.title != sentences[number].title or _is_background(sentence):
                break
            scene[sentence.number] = sentence
    return sorted(scene.values(), key=lambda sentence: (sentence.title, sentence.number not in mine, sentence.number))


def _is_background(sentence: Sentence) -> bool:
    return bool(sentence.having(("status.retrospective", "time.anniversary", "time.earlier_this_year", "time.last_year", "topic.trial", "topic.history")))


class Tag(beam.PTransform[Any, Any]):
    """Report -> Guarded(Report with its events and the lexicon version)."""

    def expand(self, reports: PCollection[Report]) -> Any:
        """One guarded step."""
        return reports | Guard("tag", _load, avro.encode_single_object)


def _load() -> Callable[[Report], Report]:
    tagged = with_events(load_tagger())

    def counted(report: Report) -> Report:
        found = tagged(report)
        examined(found.language, [event.type for event in found.events])
        return found

    return counted


def with_events(tagger: Tagger) -> Callable[[Report], Report]:
    """The function that gives a report its events, the version of what tagged it and, where it tells of any, the agency it credits."""

    def told(report: Report) -> Report:
        events = tag(report, tagger)
        return replace(report, events=events, lexicon_version=tagger.version, credit=(credited(report.text) if events else None) or report.credit)

    return told
