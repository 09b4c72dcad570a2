"""What makes an event: the event files, language-free rules over concepts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import Any

from pipeline.datafiles import read_family, refuse
from pipeline.lexicon import load_concepts

TYPES = (
    "suicide_bombing", "vehicle_bomb", "rocket_mortar_attack", "drone_attack", "airstrike", "ied_attack", "grenade_attack",
    "assassination", "abduction", "shooting_attack", "armed_clash", "facility_attack", "protest_crackdown", "riot", "protest",
    "security_operation", "movement_restriction", "other_security",
)  # fmt: skip
"""Every event type, in the order of precedence as the primary one (taxonomy)."""

_KEYS = {"id", "trigger", "needs", "within", "not", "weapon", "target", "status"}


@dataclass(frozen=True, slots=True)
class Rule:
    """Any of `trigger`, with one of each list in `needs` in the same clause or sentence, and none of `forbids` in the sentence."""

    id: str
    type: str
    trigger: frozenset[str]
    needs: tuple[frozenset[str], ...] = ()
    within: str = "clause"
    forbids: frozenset[str] = frozenset()
    weapon: str | None = None
    target: str | None = None
    status: str | None = None


@dataclass(frozen=True)
class Rules:
    """Every rule by the concepts that trigger it."""

    all: tuple[Rule, ...]
    by_trigger: Mapping[str, tuple[Rule, ...]] = field(repr=False)

    @cached_property
    def triggers(self) -> frozenset[str]:
        """Every concept that triggers a rule."""
        return frozenset(self.by_trigger)


CLASSES = (
    {"rocket_mortar_attack", "drone_attack", "airstrike"},
    {"ied_attack", "vehicle_bomb", "suicide_bombing", "grenade_attack", "assassination"},
    {"shooting_attack", "armed_clash", "assassination", "abduction"},
    {"protest", "riot", "protest_crackdown"},
)
"""Types under which one event may be told: a rocket or a missile, a bomb or a car bomb, gunfire or a clash."""


def in_precedence(types: Iterable[str]) -> tuple[str, ...]:
    """Types of one event, the primary one first: a named target killed by a planted device is an assassination (taxonomy)."""
    ordered = sorted(types, key=lambda kind: TYPES.index(kind) if kind in TYPES else len(TYPES))
    if ordered[:1] == ["ied_attack"] and "assassination" in ordered:
        ordered.remove("assassination")
        ordered.insert(0, "assassination")
    return tuple(ordered)


@cache
def load_rules() -> Rules:
    """Every rule of every event file. Raises DataFileError that lists every error."""
    rules, errors = [], []
    for name, table in read_family("events").items():
        wrong = list(_errors(name, table))
        errors += [f"events/{name}.toml: {error}" for error in wrong]
        rules += [] if wrong else [_rule(name, given) for given in table["rules"]]
    refuse(errors)
    triggers = sorted({concept for rule in rules for concept in rule.trigger})
    return Rules(tuple(rules), {concept: tuple(rule for rule in rules if concept in rule.trigger) for concept in triggers})


def _rule(event_type: str, given: Mapping[str, Any]) -> Rule:
    return Rule(
        id=f"{event_type}.{given['id']}",
        type=event_type,
        trigger=frozenset(given["trigger"]),
        needs=tuple(map(frozenset, given.get("needs", ()))),
        within=given.get("within", "clause"),
        forbids=frozenset(given.get("not", ())),
        weapon=given.get("weapon"),
        target=given.get("target"),
        status=given.get("status"),
    )


def _errors(name: str, table: Mapping[str, Any]) -> Iterator[str]:
    if name not in TYPES or table.get("type") != name:
        yield f"type is {table.get('type')!r}; it must be the file's name and a type of the taxonomy"
    if not table.get("rules"):
        yield "no rules"
    if not table.get("examples"):
        yield "no examples"
    for rule in table.get("rules", ()):
        where = f"rule {rule.get('id')!r}"
        yield from (f"{where}: unknown key {key!r}" for key in sorted(rule.keys() - _KEYS))
        if not rule.get("id") or not rule.get("trigger"):
            yield f"{where}: needs an id and a trigger"
        if rule.get("within", "clause") not in ("clause", "sentence"):
            yield f"{where}: within is {rule['within']!r}"
        named = {*rule.get("trigger", ()), *rule.get("not", ()), *(concept for group in rule.get("needs", ()) for concept in group)}
        yield from (f"{where}: unknown concept {concept!r}" for concept in sorted(named - load_concepts().keys()))
