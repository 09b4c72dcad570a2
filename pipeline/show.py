"""What the commands show people: progress bars and tables."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgspec
from rich.box import SIMPLE
from rich.progress import BarColumn, MofNCompleteColumn, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bars
from rich.table import Table
from rich.text import Text

from pipeline.language import Language
from pipeline.language_bench import REFERENCE, OfLanguage, Row
from pipeline.mixed import Part
from pipeline.replay import Summary
from pipeline.sinks.avro_files import DEAD_LETTERS, EVENTS, REPORTS, read_files
from pipeline.terminal import SEVERITY_STYLE, console, data
from schemas import avro
from schemas.catalog import Entry
from schemas.records import DeadLetter, Event

_SHOWN = 100
_BENCH = (
    "macro: mean of the languages' recalls; und: of the texts with a language; claimed: of those in a language without a lexicon here, named as "
    "one that has one; sure: answers with a confidence of 0.9 or more; MB: memory that loading adds"
)


class Progress:
    """Two bars on standard error: items read, items processed. Nothing where standard error is no terminal."""

    def __init__(self, *, hidden: bool) -> None:
        screen = console(stderr=True)
        columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        self._bars = Bars(*columns, console=screen, transient=True, disable=hidden or not screen.is_terminal)
        self._read = self._bars.add_task("reading", total=None)
        self._done = self._bars.add_task("processing", total=None)

    def read(self, items: int) -> None:
        """So many items have been read."""
        self._bars.update(self._read, completed=items)

    def done(self, done: int, items: int) -> None:
        """So many of all items have been processed."""
        self._bars.update(self._done, completed=done, total=items)

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._bars.stop()


def latest_events(out: Path) -> list[Event]:
    """The last revision of each event in a replay's output, oldest event first."""
    latest: dict[str, Event] = {}
    for event in read_files(out, EVENTS):
        if event.event_id not in latest or latest[event.event_id].revision < event.revision:
            latest[event.event_id] = event
    return sorted(latest.values(), key=lambda event: (event.event_date or "", event.first_seen, event.event_id))


def replay_as_json(summary: Summary, out: Path) -> dict[str, Any]:
    """Counts, and the last revision of each event."""
    return {**summary.as_json(), "out": str(out), "events": [avro.to_json(event) for event in latest_events(out)]}


def print_replay(summary: Summary, out: Path) -> None:
    """The table of events, the dead letters, the counts and where the files are."""
    screen = console()
    if not summary.items and not summary.dead_letters:
        screen.print("nothing to read: no files there that are no README, licence or hidden")
    events = latest_events(out)
    screen.print(_event_table(events[-_SHOWN:]) if events else "no events")
    if len(events) > _SHOWN:
        screen.print(f"... and {len(events) - _SHOWN} older events")
    if summary.dead_letters:
        screen.print(_dead_letter_table(list(read_files(out, DEAD_LETTERS))[:_SHOWN]))
    counters = summary.counters
    screen.print(
        f"{summary.items} items: {counters['reports_written']} reports ({counters['edits_joined']} edits, "
        f"{counters['same_url_joined'] + counters['same_text_joined']} copies), {summary.repeats} repeats dropped, "
        f"{len(events)} events in {counters['events_written']} revisions, {summary.dead_letters} dead letters"
    )
    for folder in (out / family.folder for family in (REPORTS, EVENTS, DEAD_LETTERS)):
        if any(folder.iterdir()):
            screen.print(data(f"  {folder}/"))


def print_language(found: Language, mixed: Sequence[Part]) -> None:
    """What a detector says of a text, and of each part of a mixed one, a row each."""
    rows = [(name, str(value)) for name, value in msgspec.to_builtins(found).items() if name != "code"]
    rows += [(f"characters {part.start} to {part.end}", part.language) for part in mixed]
    console().print(table(("language", found.code), rows))


def print_bench(rows: Sequence[Row]) -> None:
    """A row for each detector; below it, a row for each language with the recall and precision of each detector there."""
    heads = ("detector", "texts", "right", "macro", "und", "claimed", "sure", "right if sure", "texts/s", f"x {REFERENCE}", "MB")
    screen = console()
    screen.print(table(heads, [_bench_row(row) for row in rows]))
    screen.print(_BENCH)
    languages = rows[0].score.languages
    body = [(code, str(one.texts), *(_recall_precision(row.score.languages[code]) for row in rows)) for code, one in languages.items()]
    screen.print(table(("language", "texts", *(f"{row.detector}: recall, precision" for row in rows)), body))


def _bench_row(row: Row) -> Sequence[str]:
    score = row.score
    shares = (score.accuracy, score.macro_accuracy, score.undetermined, score.claimed, score.sure, score.sure_accuracy)
    times = "-" if row.times_reference is None else f"{row.times_reference:.1f}"
    return (row.detector, str(score.texts), *map(_percent, shares), f"{row.texts_per_second:,.0f}", times, f"{row.megabytes:.0f}")


def _recall_precision(one: OfLanguage) -> str:
    return f"{_percent(one.recall)}, {_percent(one.precision)}"


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{share:.1%}"


def print_schemas(entries: Sequence[Entry]) -> None:
    """A row for each schema."""
    rows = [(e.name, str(e.fields), str(e.released_versions), e.fingerprint, e.doc) for e in entries]
    console().print(table(("schema", "fields", "released", "fingerprint", "what it is"), rows))


def print_schema(entry: Entry) -> None:
    """The fields of one schema."""
    screen = console()
    screen.print(Text(f"{entry.name}: {entry.doc}"))
    rows = [(field["name"], _type(field["type"]), field.get("doc", "")) for field in entry.definition["fields"]]
    screen.print(table(("field", "type", "what it means"), rows))


def _type(given: Any) -> str:
    if isinstance(given, list):
        return " or ".join(_type(branch) for branch in given)
    if isinstance(given, str):
        return given
    if given["type"] in ("array", "map"):
        return f"{given['type']} of {_type(given.get('items') or given.get('values'))}"
    return str(given.get("name") or given.get("logicalType") or given["type"])


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> Table | str:
    """Rows under their heads; nothing where there are none."""
    if not rows:
        return ""
    shown = Table(box=SIMPLE, pad_edge=False)
    for head in heads:
        shown.add_column(head, overflow="fold")
    for row in rows:
        shown.add_row(*map(data, row))
    return shown


def _event_table(events: list[Event]) -> Table:
    caption = "hurt: killed/injured; told by: publisher families/reports"
    table = Table(title="Events (last revision of each)", caption=caption, title_justify="left", caption_justify="left", box=SIMPLE, pad_edge=False)
    for name in ("day", "type", "status", "place", "severity", "hurt", "told by", "alert"):
        table.add_column(name, no_wrap=name in ("day", "type"), overflow="fold")
    for event in events:
        severity = data(event.severity, SEVERITY_STYLE.get(event.severity, ""))
        hurt = f"{_span(event.killed_min, event.killed_max)}/{_span(event.injured_min, event.injured_max)}"
        told = f"{len(event.families)}/{len(event.reports)}"
        alert = "yes" if event.alert else f"no: {event.alert_reason}"
        place = event.place.name if event.place else "-"
        table.add_row(event.event_date or "-", event.type, event.status, place, severity, hurt, told, alert)
    return table


def _dead_letter_table(letters: list[DeadLetter]) -> Table | str:
    rows = [(x.file or "-", "-" if x.position is None else str(x.position), x.stage, x.error_message) for x in letters]
    return table(("dead letter: file", "entry (from 0)", "stage", "what was wrong"), rows)


def _span(low: int | None, high: int | None) -> str:
    if low is None and high is None:
        return "-"
    return str(high) if low == high or low is None else f"{low}-{high}"
