"""Ask one Kafka server what it knows, on one connection.

A client of kafka-python would do, but one whose bootstrap fails leaves its sockets open.
"""

from __future__ import annotations

import socket

from kafka.protocol.metadata import MetadataRequest, MetadataResponse

_VERSION = 1


def known_brokers(host: str, port: int, timeout: float = 2) -> set[int]:
    """Ids of the brokers that the server at host:port lists; empty when it does not answer within `timeout` seconds."""
    request = MetadataRequest[_VERSION](topics=[])
    request.with_header(client_id="dijla")
    try:
        with socket.create_connection((host, port), timeout) as connection, connection.makefile("rb") as answer:
            connection.sendall(request.encode(header=True, framed=True))
            size = int.from_bytes(answer.read(4), "big")
            body = answer.read(size)
    except OSError:
        return set()
    if not body:
        return set()  # the server is closing
    return {broker.node_id for broker in MetadataResponse.decode(body, version=_VERSION, header=True).brokers}
