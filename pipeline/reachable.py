"""Whether the broker is there, asked beside a running pipeline: its clients wait without a word."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Thread

from pipeline.monitor import Health
from schemas.errors import DijlaError
from schemas.kafka.handshake import check
from schemas.kafka.settings import KafkaSettings

EVERY_SECONDS = 10.0
_log = logging.getLogger(__name__)


@contextmanager
def asked(settings: KafkaSettings, health: Health) -> Iterator[None]:
    """While the context lasts, the check `broker` says whether one of the bootstrap servers takes us in."""
    done = Event()
    Thread(target=_ask, args=(settings, health, done), name="broker", daemon=True).start()
    try:
        yield
    finally:
        done.set()


def _ask(settings: KafkaSettings, health: Health, done: Event) -> None:
    away = False
    while not done.wait(EVERY_SECONDS):
        try:
            check(settings)
        except DijlaError as error:
            health.not_ready("broker", str(error))
            if not away:
                _log.error("the broker is away: everything waits for it", extra={"cause": str(error)})
            away = True
        else:
            health.ready("broker")
            if away:
                _log.warning("the broker is back")
            away = False
