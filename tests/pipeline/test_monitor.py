"""Metrics and health over HTTP, asked as Prometheus and Kubernetes ask."""

from __future__ import annotations

import http.client
import json
import logging
import socket
import struct
import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import timedelta
from time import sleep
from typing import Any

import pytest
from prometheus_client import Gauge
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse

from pipeline import metrics
from pipeline.monitor import Health, monitored
from schemas.errors import UsageError

# Closing a socket says so at once, as a killed client's does: what is unread is thrown away.
_RESET = struct.pack("ii", 1, 0)


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def health(clock: Clock) -> Health:
    return Health(["broker", "topics"], {"source": timedelta(seconds=60)}, timedelta(seconds=30), clock)


@pytest.fixture
def address(health: Health) -> Iterator[str]:
    with monitored(health) as address:
        yield address


def get(url: str, accept: str = "*/*") -> tuple[int, str, str]:
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers={"Accept": accept}), timeout=10) as answer:
            return answer.status, answer.headers["Content-Type"], answer.read().decode()
    except urllib.error.HTTPError as answer:
        with answer:
            return answer.code, answer.headers["Content-Type"], answer.read().decode()


def asked(url: str) -> tuple[int, Any]:
    status, content_type, body = get(url)
    assert content_type == "application/json"
    return status, json.loads(body)


def test_metrics_are_in_the_format_that_was_asked_for(address: str) -> None:
    metrics.failed("monitored").inc(3)
    for accept, reader, kind in (
        ("*/*", parse, "text/plain"),
        ("application/openmetrics-text;version=1.0.0", parse_openmetrics, "application/openmetrics-text"),
    ):
        status, content_type, body = get(f"{address}/metrics", accept)
        assert status == 200
        assert content_type.startswith(kind)
        samples = {(sample.name, sample.labels.get("stage")): sample.value for family in reader(body) for sample in family.samples}
        assert samples["dijla_records_failed_total", "monitored"] == 3
        assert samples["process_resident_memory_bytes", None] > 1_000_000


def test_alive_while_the_main_loop_beats(address: str, health: Health, clock: Clock) -> None:
    assert asked(f"{address}/healthz") == (200, {"ok": True, "checks": {"main": "ok"}})
    clock.now = 31
    status, answer = asked(f"{address}/healthz?probe=1")
    assert status == 503
    assert answer == {"ok": False, "checks": {"main": "has not come round for 31 s, the limit is 30 s"}}
    health.beat()
    assert asked(f"{address}/healthz")[0] == 200


def test_ready_when_everything_says_so(address: str, health: Health, clock: Clock) -> None:
    not_yet = {"broker": "not checked yet", "topics": "not checked yet", "main": "ok", "source": "has not come round yet"}
    assert asked(f"{address}/readyz") == (503, {"ok": False, "checks": not_yet})
    health.ready("broker")
    health.not_ready("topics", "osint.raw is missing: dijla broker topics")
    health.beat("source")
    status, answer = asked(f"{address}/readyz")
    assert (status, answer["checks"]["topics"]) == (503, "osint.raw is missing: dijla broker topics")
    health.ready("topics")
    assert asked(f"{address}/readyz") == (200, {"ok": True, "checks": dict.fromkeys(not_yet, "ok")})
    clock.now = 61
    health.beat()
    status, answer = asked(f"{address}/readyz")
    assert (status, answer["checks"]["source"]) == (503, "has not come round for 61 s, the limit is 60 s")
    assert asked(f"{address}/healthz")[0] == 200, "a source without work is no reason to restart"


def test_a_reason_shows_no_secret_and_takes_any_text(address: str, health: Health) -> None:
    health.not_ready("broker", "http://bob:hunter22@registry/ said \ud800 'no'")
    answer = asked(f"{address}/readyz")[1]
    assert answer["checks"]["broker"] == "http://**********@registry/ said \ud800 'no'"


def test_other_pages_and_methods_are_refused(address: str) -> None:
    assert get(f"{address}/")[0] == 404
    with pytest.raises(urllib.error.HTTPError) as refused, urllib.request.urlopen(f"{address}/metrics", data=b"x", timeout=10):
        pass
    with refused.value as answer:
        assert answer.code == 501


def test_a_fault_of_ours_is_told(address: str, caplog: pytest.LogCaptureFixture) -> None:
    broken = Gauge("broken", "A gauge that cannot be read.", registry=metrics.REGISTRY)
    broken.set_function(lambda: float("many"))
    try:
        with pytest.raises(http.client.RemoteDisconnected):
            get(f"{address}/metrics")
    finally:
        metrics.REGISTRY.unregister(broken)
    (told,) = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert "could not convert string to float: 'many'" in (told.exc_text or "")
    assert get(f"{address}/metrics")[0] == 200


def test_an_unfinished_request_stops_nobody_and_is_no_news(address: str, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "pipeline.monitor")
    host, port = address.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as slow:
        slow.sendall(b"GET /metr")
        assert get(f"{address}/healthz")[0] == 200
    with socket.create_connection((host, int(port))) as rude:
        rude.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        rude.sendall(b"GET /metr")
    assert get(f"{address}/healthz")[0] == 200
    for _ in range(100):  # the thread that served the rude one may say so a little later
        if failed := [record for record in caplog.records if "failed" in record.getMessage()]:
            break
        sleep(0.05)
    assert [record.levelname for record in failed] == ["DEBUG"]
    assert "ConnectionResetError" in (failed[0].exc_text or "")
    assert "Exception occurred" not in capfd.readouterr().err, "as the server of the standard library writes it"


def test_a_taken_port_is_told_and_a_free_one_is_free_again(health: Health) -> None:
    with monitored(health) as address:
        port = int(address.rpartition(":")[2])
        assert get(f"{address}/healthz")[0] == 200  # a connection that the server has closed keeps the port for a minute
        with (
            pytest.raises(UsageError, match=rf"cannot be served at 127\.0\.0\.1:{port}: .*in use.*choose another, or 127\.0\.0\.1:0"),
            monitored(health, port=port),
        ):
            pass
    with monitored(health, port=port) as again:
        assert again == address


def test_an_impossible_address_is_told(health: Health) -> None:
    for host, port in (("127.0.0.1", 99_999), ("203.0.113.7", 0)):
        with pytest.raises(UsageError, match="cannot be served"), monitored(health, host, port):
            pass


def test_ipv6_loopback(health: Health) -> None:
    with monitored(health, "::1") as address:
        assert address.startswith("http://[::1]:")
        assert get(f"{address}/healthz")[0] == 200
