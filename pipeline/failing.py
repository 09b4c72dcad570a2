"""A job whose inputs are nearly all bad does more harm than good: it fills the dead letters and says nothing."""

from __future__ import annotations

from collections import deque

from pipeline import metrics

WINDOW_SECONDS = 60.0


class Failing:
    """Judges the share of dead letters among the items of the last minute."""

    def __init__(self, share: float, items: int) -> None:
        self._share, self._items = share, items
        self._samples: deque[tuple[float, float, float]] = deque()

    def judge(self, now: float) -> str | None:
        """Why to stop at this time (seconds), None where all is well. To be called at short intervals."""
        return self.judge_totals(now, metrics.total(metrics.ITEMS_READ), metrics.total(metrics.FAILED))

    def judge_totals(self, now: float, read: float, failed: float) -> str | None:
        """The same, given the totals so far."""
        self._samples.append((now, read, failed))
        while now - self._samples[0][0] > WINDOW_SECONDS:
            self._samples.popleft()
        _, read_before, failed_before = self._samples[0]
        items, letters = read - read_before, failed - failed_before
        if items < self._items or letters < self._share * items:
            return None
        return (
            f"{letters:,.0f} of the last {items:,.0f} items became dead letters: the run stops, as it would only fill them; "
            "look at them with `dijla redrive --dry-run`, mend what makes them, then start again and redrive"
        )
