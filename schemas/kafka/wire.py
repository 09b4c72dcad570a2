"""A few requests of Kafka's protocol on a plain socket: one connection, no retries, errors as they come."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

from kafka.errors import IllegalSaslStateError, TopicAuthorizationFailedError, for_code
from kafka.protocol.metadata import MetadataRequest, MetadataResponse
from kafka.protocol.sasl import SaslAuthenticateRequest, SaslAuthenticateResponse, SaslHandshakeRequest, SaslHandshakeResponse

# kafka-python's own limit; the first bytes of TLS or HTTP read as a size are above it.
_MAX_ANSWER = 100_000_000
# The first version that can ask without creating the topic.
_METADATA = 4
_NOT_TLS = ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "PACKET_LENGTH_TOO_LONG", "HTTP_REQUEST")


class Address(NamedTuple):
    """Where a broker listens."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


class ClosedError(Exception):
    """The other side hung up, or speaks another protocol."""


class Wire:
    """Questions and answers on one connection. Methods raise ClosedError, ssl.SSLError, OSError."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection

    def metadata(self, topics: Sequence[str]) -> tuple[list[Address], list[str]]:
        """Where the cluster says that its brokers are, and which of these topics we may not see."""
        wanted = [MetadataRequest.MetadataRequestTopic(name=topic, version=_METADATA) for topic in topics]
        answer = self._ask(MetadataRequest, MetadataResponse, _METADATA, topics=wanted, allow_auto_topic_creation=False)
        hidden = [topic.name for topic in answer.topics if for_code(topic.error_code) is TopicAuthorizationFailedError]
        return [Address(broker.host, broker.port) for broker in answer.brokers], hidden

    def offer(self, mechanism: str) -> tuple[int, list[str]]:
        """Ask to log in: an error code, and the mechanisms that the broker has."""
        answer = self._ask(SaslHandshakeRequest, SaslHandshakeResponse, 1, mechanism=mechanism)
        return answer.error_code, answer.mechanisms

    def authenticate(self, token: bytes) -> Any:
        """One step of the login; the answer has error_code, error_message, auth_bytes."""
        return self._ask(SaslAuthenticateRequest, SaslAuthenticateResponse, 1, auth_bytes=token)

    def _ask(self, request_type: Any, response_type: Any, version: int, **fields: Any) -> Any:
        request = request_type[version](**fields)
        request.with_header(client_id="dijla")
        with _hanging_up():
            self._connection.sendall(request.encode(header=True, framed=True))
            size = int.from_bytes(self._read(4), "big")
            if size > _MAX_ANSWER:
                raise ClosedError
            return response_type.decode(self._read(size), version=version, header=True)

    def _read(self, size: int) -> bytes:
        read = b""
        while len(read) < size:
            part = self._connection.recv(size - len(read))
            if not part:
                raise ClosedError
            read += part
        return read


@contextmanager
def connect(address: Address, timeout: float, context: ssl.SSLContext | None) -> Iterator[Wire]:
    """A connection, with TLS where there is a context; each step may take `timeout` seconds. Raises as Wire does."""
    with socket.create_connection(address, timeout) as plain:
        if context is None:
            yield Wire(plain)
        else:
            with _hanging_up():
                secured = context.wrap_socket(plain, server_hostname=address.host.rstrip("."))
            with secured:
                yield Wire(secured)


def mechanisms(address: Address, timeout: float, *, tls: bool) -> list[str] | None:
    """How one can log in there, with or without TLS; empty where there is no login, None where that is not how to speak to it.

    Sends no secret, so it trusts any certificate.
    """
    context = None
    if tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    try:
        with connect(address, timeout, context) as wire:
            code, offered = wire.offer("PLAIN")
    except ssl.SSLError as error:
        # It speaks TLS well enough to refuse us: for want of a certificate.
        return [] if "ALERT" in (error.reason or "") else None
    except (ClosedError, OSError):
        return None
    return [] if for_code(code) is IllegalSaslStateError else offered


@contextmanager
def _hanging_up() -> Iterator[None]:
    try:
        yield
    except (ConnectionError, ssl.SSLEOFError, ssl.SSLZeroReturnError) as error:
        raise ClosedError from error
    except ssl.SSLError as error:
        if error.reason in _NOT_TLS:
            raise ClosedError from error
        raise
