"""What retagging shows: how many events were gained, lost and changed, by type, and examples of each."""

from __future__ import annotations

from collections import Counter
from typing import Any

import msgspec

from pipeline.retag import Change, Retagged
from pipeline.rules import TYPES
from pipeline.show import table
from pipeline.terminal import console, data
from schemas.records import TaggedEvent

KINDS = ("gained", "lost", "changed")
_WORDS = 200


class Comparison:
    """Counts, and up to `examples` of each kind of change: memory does not grow with the archive."""

    def __init__(self, examples: int) -> None:
        self._most = examples
        self.reports = 0
        self.counts: Counter[tuple[str, str]] = Counter()
        self.fields: Counter[str] = Counter()
        self.alerts: Counter[str] = Counter()
        self.old_versions: set[str] = set()
        self.version = ""
        self.examples: dict[str, list[Change]] = {kind: [] for kind in KINDS}

    def add(self, one: Retagged) -> None:
        """Count a report."""
        self.reports += 1
        self.old_versions.add(one.old_version)
        self.version = one.report.lexicon_version
        for change in one.changes:
            self.counts[change.kind, change.event.type] += 1
            self.fields.update(change.fields)
            alerted, alerts = _alerts(change.before), _alerts(change.after)
            self.alerts["gained"] += alerts and not alerted
            self.alerts["lost"] += alerted and not alerts
            if len(self.examples[change.kind]) < self._most:
                self.examples[change.kind].append(change)

    def as_json(self) -> dict[str, Any]:
        """Counts, and the examples with both events in full."""
        return {
            "reports": self.reports,
            "lexicon_versions": {"before": sorted(self.old_versions), "now": self.version},
            **{kind: {name: self.counts[kind, name] for name in TYPES if self.counts[kind, name]} for kind in KINDS},
            "fields": dict(self.fields.most_common()),
            "alerts": {"gained": self.alerts["gained"], "lost": self.alerts["lost"]},
            "examples": {kind: list(map(_example, changes)) for kind, changes in self.examples.items()},
        }

    def print(self) -> None:
        """The counts by type, what changed most, then the examples."""
        screen = console()
        rows = [(name, *(str(self.counts[kind, name]) for kind in KINDS)) for name in TYPES if any(self.counts[kind, name] for kind in KINDS)]
        if rows:
            screen.print(table(("type", *KINDS), rows))
        for kind, changes in self.examples.items():
            if changes:
                what = ("what",) if kind == "changed" else ()
                screen.print(table((f"{kind}, for example", *what, "words", "report"), [_row(change) for change in changes]))
        if self.fields:
            screen.print("changed fields: " + ", ".join(f"{name} {count}" for name, count in self.fields.most_common()))
        screen.print(data(f"lexicon {', '.join(sorted(self.old_versions)) or '-'}, now {self.version or '-'}"))
        events = ", ".join(f"{kind} {sum(count for (one, _), count in self.counts.items() if one == kind)}" for kind in KINDS)
        screen.print(f"{self.reports} reports; events {events}; alerts gained {self.alerts['gained']}, lost {self.alerts['lost']}")


def _alerts(event: TaggedEvent | None) -> bool:
    return event is not None and event.alert


def _row(change: Change) -> tuple[str, ...]:
    report, event = change.report, change.event
    place = event.place.name if event.place else "no place"
    differs = ", ".join(f"{name}: {_of(change.before, name)} -> {_of(change.after, name)}" for name in change.fields)
    words = " ... ".join(dict.fromkeys(span.text for span in event.evidence))
    what = (differs,) if differs else ()
    return f"{event.type}, {event.status}, {place}", *what, words[:_WORDS], f"{report.item_id} {report.title or report.text}"[:_WORDS]


def _of(event: TaggedEvent | None, name: str) -> str:
    value = getattr(event, name)
    return str(getattr(value, "name", value))


def _example(change: Change) -> dict[str, Any]:
    report = change.report
    return {
        "item_id": report.item_id,
        "source_id": report.source_id,
        "url": report.url,
        "title": report.title,
        "type": change.event.type,
        "fields": list(change.fields),
        "before": msgspec.to_builtins(change.before),
        "after": msgspec.to_builtins(change.after),
    }
