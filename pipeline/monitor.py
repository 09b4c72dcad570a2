"""Metrics and health of a running pipeline over HTTP: /metrics for Prometheus, /healthz and /readyz for what restarts it and routes to it."""

from __future__ import annotations

import json
import logging
import socket
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from socketserver import ThreadingTCPServer
from threading import Thread
from time import monotonic
from typing import Any

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

from pipeline.logs import masked
from pipeline.metrics import REGISTRY
from schemas.errors import UsageError

LOOP = "main"
"""The heartbeat of the main loop: the process is alive while it beats."""
OK = "ok"
_log = logging.getLogger(__name__)


class Health:
    """What is known of the pipeline's parts; any thread may update it.

    `checks` name what is ready or not: not, until somebody says so. `beats` name what must come round at least that often: not ready
    before its first time. `loop` is the limit of the main loop, which counts from the start. `clock` gives seconds.
    """

    def __init__(self, checks: Iterable[str], beats: Mapping[str, timedelta], loop: timedelta, clock: Callable[[], float] = monotonic) -> None:
        self._checks = dict.fromkeys(checks, "not checked yet")
        self._limits = {name: limit.total_seconds() for name, limit in {LOOP: loop, **beats}.items()}
        self._beats = {LOOP: clock()}
        self._clock = clock

    def ready(self, check: str) -> None:
        """This part is ready."""
        self._checks[check] = OK

    def not_ready(self, check: str, reason: str) -> None:
        """This part is not ready; the reason is shown to whoever asks, secrets masked."""
        self._checks[check] = masked(reason)

    def beat(self, name: str = LOOP) -> None:
        """This part has come round."""
        self._beats[name] = self._clock()

    def liveness(self) -> dict[str, str]:
        """The main loop: OK, or what is wrong."""
        return {LOOP: self._pulse(LOOP)}

    def readiness(self) -> dict[str, str]:
        """Every check and heartbeat: OK, or what is wrong."""
        return {**self._checks, **{name: self._pulse(name) for name in self._limits}}

    def _pulse(self, name: str) -> str:
        if name not in self._beats:
            return "has not come round yet"
        silent = self._clock() - self._beats[name]
        return OK if silent <= self._limits[name] else f"has not come round for {silent:.0f} s, the limit is {self._limits[name]:g} s"


@contextmanager
def monitored(health: Health, host: str = "127.0.0.1", port: int = 0, registry: CollectorRegistry = REGISTRY) -> Iterator[str]:
    """Serve the registry's metrics and health while the context lasts; gives the address, http://HOST:PORT. Port 0 takes a free one.

    Raises UsageError where the address cannot be had.
    """
    with _listening(health, host, port, registry) as server:
        Thread(target=server.serve_forever, name="monitor", daemon=True).start()
        try:
            yield f"http://{f'[{host}]' if ':' in host else host}:{server.server_address[1]}"
        finally:
            server.shutdown()


def _listening(health: Health, host: str, port: int, registry: CollectorRegistry) -> _Server:
    try:
        return _Server(health, host, port, registry)
    except (OSError, OverflowError) as error:
        raise UsageError(f"metrics and health cannot be served at {host}:{port}: {error}; choose another, or 127.0.0.1:0 for a free port") from error


class _Server(ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, health: Health, host: str, port: int, registry: CollectorRegistry) -> None:
        self.health, self.registry = health, registry
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        super().__init__((host, port), _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Whoever asked has hung up, or never finished asking: nobody is left to tell. Anything else is a fault of ours."""
        gone = isinstance(sys.exception(), ConnectionError | TimeoutError)
        _log.log(logging.DEBUG if gone else logging.ERROR, "request of %s failed", client_address, exc_info=True)


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    server_version, sys_version = "dijla", ""
    timeout = 10
    """Seconds until a client that does not finish asking is dropped."""

    def do_GET(self) -> None:
        """One answer, then the connection is closed."""
        path = self.path.partition("?")[0]
        if path == "/metrics":
            encode, content_type = choose_encoder(self.headers.get("Accept", ""))
            self._answer(HTTPStatus.OK, content_type, encode(self.server.registry))
        elif path == "/healthz":
            self._state(self.server.health.liveness())
        elif path == "/readyz":
            self._state(self.server.health.readiness())
        else:
            self._answer(HTTPStatus.NOT_FOUND, "text/plain; charset=utf-8", b"there are /metrics, /healthz and /readyz\n")

    def _state(self, parts: Mapping[str, str]) -> None:
        good = all(state == OK for state in parts.values())
        body = json.dumps({"ok": good, "checks": parts}, ensure_ascii=False, indent=2).encode("utf8", "backslashreplace") + b"\n"
        self._answer(HTTPStatus.OK if good else HTTPStatus.SERVICE_UNAVAILABLE, "application/json", body)

    def _answer(self, status: HTTPStatus, content_type: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: Any) -> None:
        """Requests are no news: a probe asks every few seconds."""
        _log.debug(*args)
