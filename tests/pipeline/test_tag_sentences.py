"""Sentences of our own, half of them hard negatives, one file a language in golden/tag."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from pipeline.datafiles import read_family
from pipeline.dates import parse_published
from pipeline.rules import load_rules
from pipeline.tag import examine, load_tagger, tag
from schemas.records import Report, TaggedEvent

GOLDEN = Path(__file__).parents[1] / "golden" / "tag"
FEWEST = {"ar": 130, "ckb": 80, "en": 60, "fr": 40, "es": 60, "ru": 60, "tr": 60, "de": 60, "fa": 70, "kmr": 60, "it": 30, "he": 30, "ur": 30}
SEEN = datetime(2021, 3, 11, tzinfo=UTC)


def report(text: str, *, language: str, published: str | None, title: str | None = None) -> Report:
    when = parse_published(published or "", time_zone=None, first_seen=None)
    return Report(
        item_id="i",
        native_id="n",
        source_id="sample.outlet-a",
        source_type="rss",
        title=title,
        text=text,
        published=when.time,
        published_precision=when.precision,
        first_seen=SEEN,
        language=language,
    )


def cases() -> Iterator[Any]:
    for path in sorted(GOLDEN.glob("*.toml")):
        table = tomllib.loads(path.read_text(encoding="utf8"))
        for case in table["cases"]:
            yield pytest.param(table["language"], case.get("published", table["published"]), case, id=f"{table['language']}: {case['text'][:60]}")


@pytest.mark.parametrize(("language", "published", "case"), list(cases()))
def test_sentence(language: str, published: str, case: dict[str, Any]) -> None:
    events = tag(report(case["text"], language=language, published=published, title=case.get("title")), load_tagger())

    assert any(event.alert for event in events) == case["alert"], events
    if expected := _expected(case):
        assert events, "no event"
        assert {key: _found(events[0])[key] for key in expected} == expected


def _expected(case: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in case.items() if key not in ("text", "title", "published", "alert")}


def _found(event: TaggedEvent) -> dict[str, Any]:
    return {
        "type": event.type,
        "status": event.status,
        "place": event.place.name if event.place else None,
        "scope": event.place.scope if event.place else None,
        "killed": event.killed_min,
        "injured": event.injured_min,
        "date": event.event_date,
        "weapon": event.weapon,
        "target": event.target,
        "damage": event.damage,
        "projectiles": event.projectiles_min,
        "actor_alleged": event.actor_alleged,
        "actor_claimed": event.actor_claimed,
    }


@pytest.mark.parametrize("language", FEWEST)
def test_a_language_has_enough_sentences_and_enough_hard_negatives(language: str) -> None:
    alerts = [case["alert"] for case in tomllib.loads((GOLDEN / f"{language}.toml").read_text(encoding="utf8"))["cases"]]

    assert len(alerts) >= FEWEST[language]
    assert 0.4 <= sum(alerts) / len(alerts) <= 0.6


def event_examples() -> Iterator[Any]:
    for name, table in read_family("events").items():
        for example in table.get("examples", ()):
            yield pytest.param(name, example, id=f"{name}: {example['text'][:60]}")


@pytest.mark.parametrize(("type", "example"), list(event_examples()))
def test_example_of_an_event_file(type: str, example: dict[str, Any]) -> None:
    events = tag(report(example["text"], language=example["language"], published=None), load_tagger())

    if example["type"] == "none":
        assert not any(event.alert for event in events)
    else:
        assert type == example["type"]
        assert type in {label for event in events for label in event.labels}
        assert "status" not in example or events[0].status == example["status"]


def test_every_rule_names_what_fired_it() -> None:
    ids = {rule.id for rule in load_rules().all}
    found = examine(report("A car bomb exploded in Baghdad.", language="en", published=None), load_tagger())

    assert {telling.rule.id for telling in found.tellings} <= ids
    assert found.events[0].evidence[0].rule in ids
