"""Partitions that have more to read and give nothing: without a leader, or behind a broker that answers no more."""

from __future__ import annotations

from collections.abc import Set

PATIENCE_SECONDS = 30.0
"""A partition is waited for that long: while it holds the watermark nothing comes out of any."""


class Silence:
    """Since when each partition has been polled in vain; times in seconds of a monotonic clock."""

    def __init__(self) -> None:
        self._since: dict[int, float] = {}
        self._given_up: frozenset[int] = frozenset()

    @property
    def given_up(self) -> Set[int]:
        """Those that are not waited for, until they give something again."""
        return self._given_up

    def polled(self, wanted: Set[int], gave: Set[int], now: float) -> None:
        """A poll of the wanted partitions, those that have more to read, gave records of some."""
        self._since = {partition: self._since.get(partition, now) for partition in wanted - gave}
        self._given_up = frozenset(partition for partition, since in self._since.items() if now - since > PATIENCE_SECONDS)

    def rested(self) -> None:
        """Nothing was polled: the time until now says nothing. What was given up stays so."""
        self._since = {partition: since for partition, since in self._since.items() if partition in self._given_up}
