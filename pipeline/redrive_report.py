"""What redriving shows: each letter that is put back or parked, and counts."""

from __future__ import annotations

from collections import Counter
from typing import Any

from rich.box import SIMPLE
from rich.table import Table

from pipeline.redrive import Taken
from pipeline.terminal import console, data

_ROWS = 100
_VERBS = {"redrive": "put back", "park": "parked", "leave": "left"}


class Report:
    """Collects what has been done with dead letters, without their payloads."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self._letters: list[dict[str, Any]] = []

    def add(self, taken: Taken) -> None:
        """Count a letter and, where something happens to it, keep its line."""
        self.counts[taken.decision.action] += 1
        if taken.decision.action == "leave":
            return
        letter, record = taken.letter, taken.record
        self._letters.append(
            {
                "partition": record.partition,
                "offset": record.offset,
                "action": taken.decision.action,
                "why": taken.decision.why,
                "stage": letter.stage if letter else None,
                "error_class": letter.error_class if letter else None,
                "error_message": letter.error_message if letter else None,
                "attempts": taken.decision.attempts,
                "last_failed_at": letter.last_failed_at.isoformat() if letter else None,
            }
        )

    def as_json(self) -> dict[str, Any]:
        """Counts by action, and the letters."""
        return {**{action: self.counts[action] for action in _VERBS}, "letters": self._letters}

    def print(self, *, dry_run: bool) -> None:
        """A table of the letters, the first hundred of them, and the counts."""
        screen = console()
        if self._letters:
            table = Table(box=SIMPLE, pad_edge=False)
            for head in ("letter", "stage", "attempts", "last failed", "error", "would be" if dry_run else "was"):
                table.add_column(head, overflow="fold")
            for one in self._letters[:_ROWS]:
                table.add_row(*map(data, _cells(one)))
            screen.print(table)
        if len(self._letters) > _ROWS:
            screen.print(f"... and {len(self._letters) - _ROWS} more; --json lists all")
        done = ", ".join(f"{self.counts[action]} {'to be ' if dry_run and action != 'leave' else ''}{verb}" for action, verb in _VERBS.items())
        screen.print(done)


def _cells(one: dict[str, Any]) -> tuple[str, ...]:
    verb = _VERBS[one["action"]]
    return (
        f"{one['partition']}/{one['offset']}",
        one["stage"] or "-",
        str(one["attempts"]),
        (one["last_failed_at"] or "-")[:16].replace("T", " "),
        f"{one['error_class']}: {one['error_message']}" if one["error_class"] else "-",
        f"{verb}: {one['why']}" if one["why"] else verb,
    )
