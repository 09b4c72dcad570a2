"""Events as they come: JSON lines for programs, a live table for people."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from typing import BinaryIO

import msgspec
from rich.box import SIMPLE
from rich.live import Live
from rich.table import Table
from rich.text import Text

from pipeline.terminal import SEVERITY_STYLE, console, data
from schemas import avro
from schemas.records import Event

_LIVE_ROWS, _PRINTED_ROWS = 25, 1000


def write_lines(events: Iterable[Event], out: BinaryIO) -> None:
    """A JSON object a line, each written before the next event is asked for."""
    for event in events:
        out.write(msgspec.json.encode(avro.to_json(event)) + b"\n")
        out.flush()


def show_table(events: Iterable[Event]) -> None:
    """The latest events, the last revision of each that came; where there is no terminal, a table at the end."""
    latest: OrderedDict[str, Event] = OrderedDict()
    screen = console()
    rows = _LIVE_ROWS if screen.is_terminal else _PRINTED_ROWS
    with Live(_table(latest.values()), console=screen) as live:
        for event in events:
            latest[event.event_id] = event
            latest.move_to_end(event.event_id)
            if len(latest) > rows:
                latest.popitem(last=False)
            live.update(_table(latest.values()))


def _table(events: Iterable[Event]) -> Table:
    table = Table(title="Events (last revision of each, newest last)", title_justify="left", box=SIMPLE, pad_edge=False)
    for name in ("day\nseen (UTC)", "rev", "type\nstatus", "place", "severity\nalert", "cred.", "headline"):
        table.add_column(name, no_wrap=name != "headline", overflow="ellipsis")
    for event in events:
        place = f"{event.place.name} ({event.place.scope})" if event.place else "-"
        alert = "yes" if event.alert else f"no: {event.alert_reason}"
        gravity = Text.assemble(data(event.severity, SEVERITY_STYLE.get(event.severity, "")), "\n", data(alert))
        seen, kind = f"{event.event_date or '-'}\n{event.last_seen:%Y-%m-%d %H:%M}", f"{event.type}\n{event.status}"
        table.add_row(*map(data, (seen, str(event.revision), kind, place)), gravity, *map(data, (str(event.information_credibility), event.headline)))
    return table
