"""Clients of kafka-python with the defaults that Dijla's delivery rests on, and errors that say what is wrong."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from kafka import KafkaConsumer, KafkaProducer
from kafka.admin import KafkaAdminClient
from kafka.errors import (
    AuthorizationError,
    GroupAuthorizationFailedError,
    KafkaError,
    TopicAuthorizationFailedError,
    TransactionalIdAuthorizationFailedError,
)

from schemas.kafka.connection import connection
from schemas.kafka.failures import BrokerUnreachable, KafkaFailure, NotAuthorised
from schemas.kafka.handshake import check, not_authorised
from schemas.kafka.settings import KafkaSettings

# How long a client waits for the first broker, unless its option bootstrap_timeout_ms says otherwise.
_PATIENCE_MS = 5_000
_RETRY_S = 0.25

_CONSUMER = {
    "isolation_level": "read_committed",
    "enable_auto_commit": False,
    # The defaults wait in polls of 500 ms.
    "fetch_max_wait_ms": 20,
    "max_poll_records": 5_000,
    # Partitions that are added are seen this soon; the default is 5 minutes.
    "metadata_max_age_ms": 30_000,
}
_PRODUCER = {"acks": "all", "enable_idempotence": True, "compression_type": "lz4"}
_RESOURCES = {
    TopicAuthorizationFailedError: "topic",
    GroupAuthorizationFailedError: "group",
    TransactionalIdAuthorizationFailedError: "transactional id",
}


def consumer(settings: KafkaSettings, *topics: str, **options: Any) -> KafkaConsumer:
    """A consumer of committed records that commits only when told; `options` are kafka-python's. Raises KafkaFailure."""
    return _client(KafkaConsumer, settings, *topics, **_CONSUMER | options)


def producer(settings: KafkaSettings, **options: Any) -> KafkaProducer:
    """An idempotent producer that waits for all in-sync replicas; `options` are kafka-python's. Raises KafkaFailure."""
    return _client(KafkaProducer, settings, **_PRODUCER | options)


def admin(settings: KafkaSettings, **options: Any) -> KafkaAdminClient:
    """An administrator's client; `options` are kafka-python's. Raises KafkaFailure."""
    return _client(KafkaAdminClient, settings, **options)


@contextmanager
def explained(settings: KafkaSettings) -> Iterator[None]:
    """Inside, an error of kafka-python becomes a KafkaFailure that says why: NotAuthorised, AuthenticationFailed, BrokerUnreachable..."""
    try:
        yield
    except KafkaError as error:
        raise why(error, settings) from error


def why(error: KafkaError, settings: KafkaSettings) -> KafkaFailure:
    """What stands behind an error of kafka-python. Most say only that time ran out: so the brokers are asked again, within seconds."""
    if isinstance(error, AuthorizationError):
        return NotAuthorised(not_authorised(settings, _RESOURCES.get(type(error), "the cluster"), _names(error)))
    try:
        check(settings)
    except KafkaFailure as failure:
        return failure
    return KafkaFailure(f"Kafka at {settings.bootstrap_servers} answers, but: {error}")


def _client(kind: Callable[..., Any], settings: KafkaSettings, *topics: str, **options: Any) -> Any:
    options = {"bootstrap_timeout_ms": _PATIENCE_MS} | options
    _wait(settings, topics, options["bootstrap_timeout_ms"] / 1000)
    with explained(settings):
        return kind(*topics, **connection(settings), **options)


def _wait(settings: KafkaSettings, topics: Sequence[str], patience: float) -> None:
    """A broker that is not there may come; a password does not become right."""
    deadline = time.monotonic() + patience
    while True:
        try:
            return check(settings, *topics)
        except BrokerUnreachable:
            if time.monotonic() + _RETRY_S > deadline:
                raise
            time.sleep(_RETRY_S)


def _names(error: KafkaError) -> list[str]:
    """What kafka-python says is concerned: a name, or several; the administrator's client puts a whole answer there instead."""
    given = error.args[0] if error.args else ()
    names = [given] if isinstance(given, str) else list(given)
    return [] if any(" " in name for name in names) else sorted(names)
