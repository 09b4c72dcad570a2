"""What can go wrong with Kafka, each with a message that says what to do."""
# ruff: noqa: N818 - they name what happened, and are caught by that name

from __future__ import annotations

from schemas.errors import DijlaError


class KafkaFailure(DijlaError):
    """Kafka did not do what was asked."""


class BrokerUnreachable(KafkaFailure):
    """No broker answers at the addresses given."""


class AuthenticationFailed(KafkaFailure):
    """The broker, or the token endpoint, does not accept who we say we are."""


class TlsFailed(KafkaFailure):
    """No TLS connection: certificates that are not trusted, another name, or one side speaks no TLS."""


class NotAuthorised(KafkaFailure):
    """We are known, but may not do this."""
