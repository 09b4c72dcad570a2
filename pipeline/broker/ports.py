"""TCP ports of the loopback interface."""

from __future__ import annotations

import secrets
import socket
from collections.abc import Container

HOST = "127.0.0.1"
# Below the ports that systems give to outgoing connections: a stopped server finds its port free when it starts again.
_OWN = range(20_000, 30_000)


def is_free(port: int) -> bool:
    """Whether a server could listen on `port` now."""
    with socket.socket() as candidate:
        candidate.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            candidate.bind((HOST, port))
        except OSError:
            return False
        return True


def free_ports(count: int, avoid: Container[int] = ()) -> list[int]:
    """So many different ports that nobody listens on, none of them in `avoid`."""
    found: set[int] = set()
    while len(found) < count:
        port = secrets.choice(_OWN)
        if port not in avoid and is_free(port):
            found.add(port)
    return list(found)
