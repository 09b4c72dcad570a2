"""How grave an event is, in the words of CAP 1.2: from its type, target and toll, never from how many wrote about it."""

from __future__ import annotations

from dataclasses import dataclass

SEVERITIES = ("unknown", "minor", "moderate", "severe", "extreme")
"""Least first."""

_SEVERE = ("suicide_bombing", "vehicle_bomb", "rocket_mortar_attack", "drone_attack", "airstrike")
_MODERATE = (
    "ied_attack", "assassination", "shooting_attack", "armed_clash", "abduction", "facility_attack", "protest_crackdown",
    "grenade_attack", "riot",
)  # fmt: skip
_MINOR = ("protest", "security_operation", "movement_restriction", "other_security")
_BASE = dict.fromkeys(_SEVERE, "severe") | dict.fromkeys(_MODERATE, "moderate") | dict.fromkeys(_MINOR, "minor")
_GRAVE_TARGETS = ("green_zone", "diplomatic", "coalition_base", "airport")
_GUARDED_TARGETS = ("green_zone", "diplomatic", "coalition_base")


@dataclass(frozen=True, slots=True)
class Thresholds:
    """From how many killed or injured on an event is one degree graver, and from how many killed it is extreme."""

    killed_up: int = 5
    injured_up: int = 20
    killed_extreme: int = 10


def severity(
    event_type: str,
    *,
    target: str = "unknown",
    killed: int | None = None,
    injured: int | None = None,
    status: str = "reported",
    thresholds: Thresholds = Thresholds(),
) -> str:
    """The CAP severity of an event type with its target, toll (largest stated) and status; `unknown` for a type that is none of ours."""
    base = _BASE.get(event_type)
    if base is None:
        return "unknown"
    dead, hurt = killed or 0, injured or 0
    if dead >= thresholds.killed_extreme or (dead and target in _GUARDED_TARGETS and base == "severe"):
        return "extreme"
    degree = SEVERITIES.index(base)
    if dead >= thresholds.killed_up or hurt >= thresholds.injured_up or target in _GRAVE_TARGETS:
        degree += 1
    if status in ("foiled", "denied"):
        degree -= 1
    return SEVERITIES[max(1, min(degree, 4))]
