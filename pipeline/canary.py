"""The newest canary that has come out at the end: shown by /metrics, and judged by /readyz where one is expected."""

from __future__ import annotations

from datetime import datetime, timedelta

from pipeline import metrics


class Canary:
    """For any thread: who writes reports tells, who looks after the run asks."""

    made: datetime | None = None
    """When a collector made it."""

    def reached(self, made: datetime, now: datetime) -> None:
        """The broker has acknowledged its report, at clock time `now`; one older than the newest says nothing."""
        if self.made is None or made > self.made:
            self.made = made
            metrics.CANARY_MADE.set(made.timestamp())
            metrics.CANARY_TOOK.set(max(0.0, (now - made).total_seconds()))

    def problem(self, now: datetime, oldest: timedelta) -> str | None:
        """What is wrong, where the newest is older than `oldest`."""
        if self.made is None:
            return "no canary has come yet: does a collector send them (collect.canary)?"
        age = now - self.made
        return None if age <= oldest else f"stale: the newest canary was made {age.total_seconds():.0f} s ago, the limit is {oldest.total_seconds():g} s"


NEWEST = Canary()
"""That of this process."""
