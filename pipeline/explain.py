"""Why a text was tagged, and why not: everything the tagger looked at, in the words of the text. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pipeline.matcher import Hit
from pipeline.tag import Examination, Tagger, Unfired, examine
from pipeline.tellings import Telling
from schemas.records import Evidence, Report, TaggedEvent


@dataclass(frozen=True, slots=True)
class Match:
    """Words of the text, and what they may mean. Offsets count code points of the field."""

    field: str
    start: int
    end: int
    words: str
    means: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PlaceNamed:
    """A place that the text names, its scope, and the verdict: place, near, belt, or why nothing can have happened there."""

    words: str
    name: str
    scope: str
    verdict: str


@dataclass(frozen=True, slots=True)
class Fired:
    """A rule that fired: its trigger, what the guard made of it and by which words, and the place bound to it and how."""

    rule: str
    trigger: str
    status: str
    because: str | None
    place: str | None
    bound_by: str | None


@dataclass(frozen=True, slots=True)
class NotFired:
    """A rule whose trigger stands in the text: the concepts it lacks (one of each group), or the words that forbid it."""

    rule: str
    trigger: str
    missing: tuple[tuple[str, ...], ...]
    forbidden_by: str | None


@dataclass(frozen=True, slots=True)
class Explanation:
    """All of it, in the order of the text."""

    language: str
    language_confidence: float
    language_second: str
    language_second_confidence: float
    language_shares: Mapping[str, float]
    repairs: tuple[str, ...]
    matches: tuple[Match, ...]
    places: tuple[PlaceNamed, ...]
    fired: tuple[Fired, ...]
    not_fired: tuple[NotFired, ...]
    events: tuple[TaggedEvent, ...]


def explain(report: Report, tagger: Tagger) -> Explanation:
    """What tag() saw in the report: the same code path, told."""
    seen = examine(report, tagger)
    return Explanation(
        language=report.language,
        language_confidence=report.language_confidence,
        language_second=report.language_second,
        language_second_confidence=report.language_second_confidence,
        language_shares=report.language_shares,
        repairs=report.repairs,
        matches=tuple(_match(seen, tagger, hit) for sentence in seen.sentences for hit in sentence.hits),
        places=tuple(PlaceNamed(_words(seen, n.hit).text, n.entry.name, n.scope, n.verdict) for n in seen.named),
        fired=tuple(_fired(seen, telling) for telling in seen.tellings),
        not_fired=tuple(_not_fired(seen, unfired) for unfired in seen.unfired),
        events=seen.events,
    )


def _words(seen: Examination, hit: Hit) -> Evidence:
    return seen.reading.evidence(hit.start, hit.end, "")


def _match(seen: Examination, tagger: Tagger, hit: Hit) -> Match:
    span = _words(seen, hit)
    numbers = [f"{name} {value}" for name in ("number", "month", "weekday") if (value := getattr(hit, name)) is not None]
    places = sorted({f"place {tagger.places[index].name}" for index in hit.places})
    return Match(span.field, span.start, span.end, span.text, (*sorted(hit.concepts), *places, *numbers))


def _fired(seen: Examination, telling: Telling) -> Fired:
    by, bound = telling.verdict.hit, telling.bound
    return Fired(
        rule=_rule_id(telling),
        trigger=_words(seen, telling.trigger).text,
        status=telling.verdict.status,
        because=_words(seen, by).text if by else None,
        place=bound.named.entry.name if bound else None,
        bound_by=bound.how if bound else None,
    )


def _not_fired(seen: Examination, unfired: Unfired) -> NotFired:
    by = unfired.forbidden
    missing = tuple(tuple(sorted(group)) for group in unfired.missing)
    return NotFired(_rule_id(unfired), _words(seen, unfired.trigger).text, missing, _words(seen, by).text if by else None)


def _rule_id(of: Telling | Unfired) -> str:
    return of.rule.id if of.rule.id.startswith(of.rule.type) else f"{of.rule.type}.{of.rule.id}"
