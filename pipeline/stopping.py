"""SIGTERM and SIGINT as a request to come to an end."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def on_signals(stop: Callable[[], None]) -> Iterator[None]:
    """Inside, the first SIGTERM or SIGINT calls stop(); a second one ends the process as usual."""
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    def requested(*_: object) -> None:
        restore()
        stop()

    for number in before:
        signal.signal(number, requested)
    try:
        yield
    finally:
        restore()
