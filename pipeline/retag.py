"""Today's rules over reports that were tagged before: what they gain, lose and change."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import NamedTuple

from pipeline.sinks.avro_files import REPORTS, write_files
from schemas import avro
from schemas.errors import UsageError
from schemas.records import Report, TaggedEvent

_COMPARED = tuple(field.name for field in fields(TaggedEvent) if field.name not in ("type", "evidence"))
"""Other words for the same are no change."""


@dataclass(frozen=True, slots=True)
class Change:
    """What became of one event of a report: `before` None is gained, `after` None is lost; else the names of the fields that differ."""

    report: Report
    before: TaggedEvent | None
    after: TaggedEvent | None
    fields: tuple[str, ...] = ()

    @property
    def kind(self) -> str:
        """gained, lost or changed."""
        return "gained" if self.before is None else "lost" if self.after is None else "changed"

    @property
    def event(self) -> TaggedEvent:
        """The event as it is now; a lost one as it was."""
        event = self.after or self.before
        assert event is not None, "one of the two is there"
        return event


class Retagged(NamedTuple):
    """A report with its events of today, and what differs from those that it had."""

    report: Report
    old_version: str
    changes: tuple[Change, ...]


def retag(old: Path, new: Path, tagged: Callable[[Report], Report]) -> Iterator[Retagged]:
    """Tag the reports of `old` with `tagged` and write them to new/reports, a file at a time; yields each.

    `old` is a folder of `dijla replay` or `dijla run`, one of report files, or one such file. Raises UsageError where it holds none, or `new` already holds
    reports; SchemaError and ReadError for a file that is broken; WriteError.
    """
    files = _files(old)
    if any((new / REPORTS.folder).glob("*.avro")):
        raise UsageError(f"{new / REPORTS.folder} already holds reports: choose another folder for --out")
    for file in files:
        before = list(avro.read_container(file, Report))
        after = [tagged(report) for report in before]
        write_files(after, REPORTS, new)
        yield from (Retagged(now, was.lexicon_version, tuple(changes(was, now))) for was, now in zip(before, after, strict=True))


def changes(was: Report, now: Report) -> Iterator[Change]:
    """What differs between the events of a report: of each type, those that are alike stand for each other first, then in their order."""
    left, found = list(was.events), list[TaggedEvent]()
    for event in now.events:
        same = next((old for old in left if old.type == event.type and not _differing(old, event)), None)
        if same is None:
            found.append(event)
        else:
            left.remove(same)
    for event in found:
        old = next((old for old in left if old.type == event.type), None)
        if old is not None:
            left.remove(old)
        yield Change(now, old, event, () if old is None else _differing(old, event))
    yield from (Change(now, old, None) for old in left)


def _differing(before: TaggedEvent, after: TaggedEvent) -> tuple[str, ...]:
    return tuple(name for name in _COMPARED if getattr(before, name) != getattr(after, name))


def _files(old: Path) -> Sequence[Path]:
    folder = old / REPORTS.folder if (old / REPORTS.folder).is_dir() else old
    files = [old] if old.is_file() else sorted(folder.glob("*.avro"))
    if not files:
        raise UsageError(f"{folder} holds no reports (*.avro): give the --out folder of a replay or a run")
    return files
