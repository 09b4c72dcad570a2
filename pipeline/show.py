"""What the commands show people: progress bars and tables."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Any, Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bars
from rich.table import Table
from rich.text import Text

from pipeline.replay import Summary
from pipeline.sinks.avro_files import DEAD_LETTERS, EVENTS, REPORTS, read_files
from schemas import avro
from schemas.records import DeadLetter, Event

_SHOWN = 100
_SEVERITY_STYLE = {"extreme": "bold red", "severe": "red", "moderate": "yellow", "minor": "green"}


class Progress:
    """Two bars on standard error: items read, items processed. Nothing where standard error is no terminal."""

    def __init__(self, *, hidden: bool) -> None:
        console = Console(stderr=True)
        columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        self._bars = Bars(*columns, console=console, transient=True, disable=hidden or not console.is_terminal)
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
    console = Console()
    events = latest_events(out)
    console.print(_event_table(events[-_SHOWN:]))
    if len(events) > _SHOWN:
        console.print(f"... and {len(events) - _SHOWN} older events")
    if summary.dead_letters:
        console.print(_dead_letter_table(list(read_files(out, DEAD_LETTERS))[:_SHOWN]))
    counters = summary.counters
    console.print(
        f"{summary.items} items: {counters['reports_written']} reports ({counters['edits_joined']} edits, "
        f"{counters['same_url_joined'] + counters['same_text_joined']} copies), {summary.repeats} repeats dropped, "
        f"{len(events)} events in {counters['events_written']} revisions, {summary.dead_letters} dead letters"
    )
    for family in (REPORTS, EVENTS, DEAD_LETTERS):
        console.print(Text(f"  {out / family.folder}/"))


def _event_table(events: list[Event]) -> Table:
    table = Table(title="Events (last revision of each)", title_justify="left")
    for name in ("day", "type", "status", "place", "severity", "killed", "injured", "told by", "alert"):
        table.add_column(name, no_wrap=name in ("day", "type"))
    for event in events:
        place = f"{event.place.name} ({event.place.scope})" if event.place else "-"
        severity = Text(event.severity, style=_SEVERITY_STYLE.get(event.severity, ""))
        told = f"{len(event.families)} families, {len(event.reports)} reports"
        toll = (_span(event.killed_min, event.killed_max), _span(event.injured_min, event.injured_max))
        alert = "yes" if event.alert else f"no: {event.alert_reason}"
        table.add_row(event.event_date or "-", event.type, event.status, place, severity, *toll, told, alert)
    return table


def _dead_letter_table(letters: list[DeadLetter]) -> Table:
    table = Table(title="Dead letters", title_justify="left")
    for name in ("file", "entry", "stage", "what was wrong"):
        table.add_column(name, overflow="fold")
    for letter in letters:
        position = "-" if letter.position is None else str(letter.position)
        table.add_row(Text(letter.file or "-"), position, letter.stage, Text(letter.error_message))
    return table


def _span(low: int | None, high: int | None) -> str:
    if low is None and high is None:
        return "-"
    return str(high) if low == high or low is None else f"{low}-{high}"
