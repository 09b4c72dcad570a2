"""Severity, as the taxonomy words it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.rules import TYPES
from pipeline.severity import SEVERITIES, Thresholds, severity


@pytest.mark.parametrize(
    ("event_type", "facts", "grade"),
    [
        ("suicide_bombing", {}, "severe"),
        ("ied_attack", {}, "moderate"),
        ("protest", {}, "minor"),
        ("ied_attack", {"killed": 5}, "severe"),
        ("ied_attack", {"killed": 4, "injured": 20}, "severe"),
        ("ied_attack", {"killed": 4, "injured": 19}, "moderate"),
        ("shooting_attack", {"target": "airport"}, "severe"),
        ("shooting_attack", {"killed": 10}, "extreme"),
        ("rocket_mortar_attack", {"target": "diplomatic", "killed": 1}, "extreme"),
        ("rocket_mortar_attack", {"status": "intercepted"}, "severe"),
        ("rocket_mortar_attack", {"status": "foiled"}, "moderate"),
        ("protest", {"status": "denied"}, "minor"),
        ("no_such_type", {"killed": 50}, "unknown"),
    ],
)
def test_grades(event_type: str, facts: dict[str, object], grade: str) -> None:
    assert severity(event_type, **facts) == grade  # type: ignore[arg-type]


def test_thresholds_are_an_argument() -> None:
    assert severity("ied_attack", killed=2, thresholds=Thresholds(killed_up=2)) == "severe"


@given(st.sampled_from(TYPES), st.integers(0, 60), st.integers(0, 60), st.integers(0, 90))
def test_a_higher_toll_is_never_less_grave(event_type: str, killed: int, more: int, injured: int) -> None:
    before, after = (SEVERITIES.index(severity(event_type, killed=dead, injured=injured)) for dead in (killed, killed + more))

    assert before <= after
