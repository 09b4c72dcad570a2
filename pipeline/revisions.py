"""How an incident changes: revisions of its Event, what in them is material, and which of them alert. Pure."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime, timedelta
from hashlib import blake2b
from operator import attrgetter
from typing import Any, NamedTuple

from pipeline.incidents import Told, alerts_by_itself
from pipeline.severity import SEVERITIES
from schemas.records import Event, FieldChange, Place, ReportRef

_NOT_MATERIAL = {"revision", "content_hash", "change", "changed", "alert", "alert_reason", "mode", "evidence", "last_seen"}
_CHANGES_ALONE = {"urgency", "lexicon_version"}
_MATERIAL = tuple(f.name for f in fields(Event) if f.name not in _NOT_MATERIAL)
_tolls = attrgetter("killed_min", "killed_max", "injured_min", "injured_max")
_NO_TOLLS = (None,) * 4
_SAID = tuple(name for name in _MATERIAL if name not in _CHANGES_ALONE)


@dataclass(frozen=True, slots=True)
class Alerting:
    """What is held back of what deserves an alert: a second one within `cooldown`, and what is less grave than `digest_below`; never an escalation."""

    cooldown: timedelta = timedelta(0)
    digest_below: str = "unknown"


AT_ONCE = Alerting()
"""Nothing is held back."""


class Alerted(NamedTuple):
    """The last alert of an incident: when, in logical time, and the status that it told."""

    at: datetime
    status: str


def revise(event: Event, before: Event | None, *, told: Sequence[Told], alerted: Alerted | None, alerting: Alerting) -> tuple[Event, Alerted | None]:
    """The event as the next revision after `before`: what changed, its content hash, whether it alerts and why not; and the last alert after it.

    A mode that never alerts changes nothing else: the last alert is what it would be live.
    """
    changed = () if before is None else _changes(before, event)
    change = _change(event, before)
    reason = _held_back(event, change, told, alerted, alerting)
    if reason is None:
        alerted = Alerted(event.last_seen, event.status)
    if event.mode != "live" and alerts_by_itself(told):
        reason = event.mode
    revision = 0 if before is None else before.revision + 1
    revised = replace(event, revision=revision, change=change, changed=changed, content_hash=content_hash(event), alert=reason is None, alert_reason=reason)
    return revised, alerted


def _held_back(event: Event, change: str, told: Sequence[Told], alerted: Alerted | None, alerting: Alerting) -> str | None:
    """Why a revision does not alert: what it tells of, that it adds nothing to the last alert, or what the consumers asked for; None where it does."""
    if not alerts_by_itself(told):
        return told[0][1].alert_reason or "stale"
    if change == "escalate":
        return None
    if alerted and event.status == alerted.status:
        return "nothing_new"
    if alerted and event.last_seen - alerted.at < alerting.cooldown:
        return "cooldown"
    return "digest" if SEVERITIES.index(event.severity) < SEVERITIES.index(alerting.digest_below) else None


def adds_nothing(event: Event, before: Event) -> bool:
    """True where an event says the same as before, and rests on the same reports."""
    return all(getattr(event, name) == getattr(before, name) for name in _SAID)


def cancel(before: Event, *, alerted: bool, merged: bool = False) -> Event:
    """The last revision of an event whose every report was withdrawn, or that another event supersedes."""
    event = replace(before, reports=(), families=(), evidence=())
    live = before.mode == "live"
    alert = alerted and live and not merged
    reason = None if alert else before.mode if not live else "merged" if merged else "never_alerted"
    return replace(
        event,
        revision=before.revision + 1,
        change="cancel",
        changed=_changes(before, event),
        content_hash=content_hash(event),
        alert=alert,
        alert_reason=reason,
    )


def content_hash(event: Event) -> str:
    """16 hex digits over the material fields: the same content gives the same hash in live and replay, at any speed."""
    material = {name: _plain(getattr(event, name)) for name in _MATERIAL}
    return blake2b(json.dumps(material, sort_keys=True).encode(), digest_size=8).hexdigest()


def _change(event: Event, before: Event | None) -> str:
    if before is None:
        return "new"
    rises = SEVERITIES.index(event.severity) > SEVERITIES.index(before.severity)
    first_death = not before.killed_max and bool(event.killed_max)
    return "escalate" if rises or first_death else "update"


def _changes(before: Event, after: Event) -> tuple[FieldChange, ...]:
    changes = []
    for name in _MATERIAL:
        if getattr(before, name) == getattr(after, name):
            continue
        old, new = _plain(getattr(before, name)), _plain(getattr(after, name))
        if old != new:
            changes.append(FieldChange(field=name, before=json.dumps(old, ensure_ascii=False), after=json.dumps(new, ensure_ascii=False)))
    return tuple(changes)


def _plain(value: Any) -> Any:
    """A JSON-ready stand-in for comparing and hashing; references by item and tolls only."""
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if isinstance(value, ReportRef):
        return value.item_id if (tolls := _tolls(value)) == _NO_TOLLS else f"{value.item_id} {tolls}"
    if isinstance(value, Place):
        return value.name
    return value.isoformat() if isinstance(value, datetime) else value
