"""Tables of sources and of what a poll gave."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

from rich.box import SIMPLE
from rich.table import Table

from connectors._poll import Polled
from connectors._sources import Source
from connectors._state import State
from pipeline.terminal import data
from schemas.records import DeadLetter, Report

_FIRST_WORDS = 200
_TO_THE_MINUTE = "%Y-%m-%d %H:%M"
_WRITTEN = {"day": "%Y-%m-%d", "month": "%Y-%m", "year": "%Y"}
GOOD = frozenset({"ok", "unchanged", "stream", "reconnecting", "new"})


def poll_table(polls: Mapping[str, Polled]) -> Table:
    """One row a source: what came of its poll."""
    table = _table("source", "status", "read", "sent", "message")
    for name, polled in polls.items():
        table.add_row(name, data(polled.state.status, _style(polled.state)), str(polled.read), str(len(polled.records)), data(polled.state.message))
    return table


def state_table(sources: Sequence[Source], states: Mapping[str, State], now: datetime) -> Table:
    """One row a source: how it does."""
    table = _table("source", "type", "status", "last item", "silent", "next poll", "failures", "message")
    for source in sources:
        state = states.get(source.id, State())
        silent = state.silent_for(now)
        quiet = (span(silent) + (" stale" if state.is_stale(now) else "")) if silent else ""
        table.add_row(
            source.id, source.type, data(_word(state, now), _style(state)), _time(state.item_at), quiet, _next(state, now), str(state.failures or ""),
            data(state.message),
        )  # fmt: skip
    return table


def facts(source: Source, state: State, now: datetime) -> dict[str, object]:
    """The same as plain values, for --json."""
    silent = state.silent_for(now)
    return {
        "source": source.id,
        "type": source.type,
        "status": _word(state, now),
        "message": state.message,
        "last_item": _time(state.item_at) or None,
        "silent_seconds": round(silent.total_seconds()) if silent else None,
        "stale": state.is_stale(now),
        "last_poll": _time(state.polled_at or None) or None,
        "next_poll": _time(state.next_at or None) or None,
        "failures": state.failures,
        "disabled": state.disabled,
    }


def record_table(polled: Polled) -> Table:
    """One row a record: what would be sent, as the pipeline will read it, and what not."""
    from pipeline.normalise import normalise

    table = _table("", "native id", "published (UTC)", "title, first words, link")
    for record in polled.records:
        if isinstance(record, DeadLetter):
            table.add_row("dead letter", str(record.position or ""), "", data(record.error_message))
        else:
            report = normalise(record)
            says = (report.title, " ".join(report.text.split())[:_FIRST_WORDS], report.url)
            table.add_row(record.operation, data(record.native_id), data(_published(report)), data("\n".join(filter(None, says))))
    for native_id, why in polled.skipped.items():
        table.add_row("not sent", data(native_id), "", why)
    return table


def _published(report: Report) -> str:
    """The date as it was read, what was repaired, and what was written."""
    if not report.published_raw:
        return "no date"
    read = f"{report.published:{_WRITTEN.get(report.published_precision, _TO_THE_MINUTE)}}" if report.published else ""
    return "\n".join(filter(None, (read, report.published_repair, f"written: {report.published_raw}")))


def span(time: timedelta) -> str:
    """A length of time as people say it: 45 s, 12 min, 3 h, 4 days."""
    seconds = int(time.total_seconds())
    for size, name in ((86_400, "days"), (3_600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds // size} {name}"
    return f"{seconds} s"


def _word(state: State, now: datetime) -> str:
    if state.disabled:
        return f"{state.status}, disabled"
    return "stale" if state.status in GOOD and state.is_stale(now) else state.status


def _style(state: State) -> str:
    return "green" if state.status in GOOD else "red"


def _time(seconds: float | None) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds").replace("+00:00", "Z") if seconds else ""


def _next(state: State, now: datetime) -> str:
    if state.disabled or not state.next_at:
        return ""
    return span(max(timedelta(), datetime.fromtimestamp(state.next_at, UTC) - now))


def _table(*columns: str) -> Table:
    table = Table(box=SIMPLE, pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    return table
