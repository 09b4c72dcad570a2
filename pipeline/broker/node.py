"""One Kafka server of a cluster: its folder and its process."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import psutil

from pipeline.broker.errors import BrokerError, last_lines
from pipeline.broker.jars import java, kafka_jars
from pipeline.broker.ports import HOST, is_free
from pipeline.broker.probe import known_brokers

PLAINTEXT = "PLAINTEXT"
_LOG4J = Path(__file__).with_name("log4j2.xml")
# The outer shell ends at once, so the server outlives whoever started it; the inner one reaps it and notes how it ended (137: killed, as when memory is out).
_DETACHED = """exec >>"$1" 2>&1 </dev/null; pid=$2; shift 2
( "$@" & echo $! >"$pid.draft"; mv "$pid.draft" "$pid"; wait $!; echo "ended with status $?" ) &
until [ -e "$pid" ]; do sleep 0.01; done"""


class Node:
    """A server with its settings, data, log and pid in `folder`; `ports` maps each client listener to its port."""

    def __init__(self, folder: Path, node_id: int, ports: Mapping[str, int], controller_port: int, heap: str) -> None:
        self.id = node_id
        self.ports = dict(ports)
        self.all_ports = (*ports.values(), controller_port)
        self.data = folder / "data"
        self.log = folder / "server.log"
        self._console = folder / "console.log"
        self._properties = folder / "server.properties"
        self._pid_file = folder / "pid"
        self._heap = heap

    @property
    def pid(self) -> int | None:
        """The running server's process id, None when it does not run."""
        process = self._process()
        return process.pid if process else None

    def configure(self, properties: Mapping[str, object], cluster_id: str) -> None:
        """Write the settings, and format the data folder unless it holds data."""
        self._properties.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        # A Java properties file is Latin-1 with JSON's escapes.
        lines = (f"{name}={json.dumps(str(value))[1:-1]}\n" for name, value in properties.items())
        self._properties.write_text("".join(lines), encoding="ascii")
        if not (self.data / "meta.properties").exists():
            command = [*self._java("kafka.tools.StorageTool"), "format", "--config", str(self._properties), "--cluster-id", cluster_id]
            done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own arguments
            if done.returncode != 0:
                raise BrokerError(f"{self.data} could not be formatted for Kafka (which needs Java 17 or newer)\n{last_lines(done.stdout + done.stderr)}")

    def start(self, timeout: float = 60) -> None:
        """Start the server and wait until it answers; nothing to do where it runs. Raises BrokerError."""
        self.launch()
        self.wait(timeout)

    def launch(self) -> None:
        """Start the server unless it runs; do not wait."""
        if self.pid is None:
            command = [*self._java("kafka.Kafka"), str(self._properties)]
            self._pid_file.unlink(missing_ok=True)
            detached = ["sh", "-c", _DETACHED, "sh", str(self._console), str(self._pid_file), *command]
            subprocess.run(detached, start_new_session=True, check=True)  # noqa: S603 - our own arguments

    def wait(self, timeout: float) -> None:
        """Wait until the server answers a metadata request with itself among the brokers."""
        deadline = time.monotonic() + timeout
        while self.id not in known_brokers(HOST, self.ports[PLAINTEXT]):
            if self.pid is None:
                raise BrokerError(f"Kafka ended while it started; its last lines:\n{self._last_lines()}")
            if time.monotonic() > deadline:
                raise BrokerError(f"Kafka did not answer on port {self.ports[PLAINTEXT]} within {timeout:.0f} s; its last lines:\n{self._last_lines()}")
            time.sleep(0.1)

    def kill(self) -> None:
        """kill -9, and wait until it is gone."""
        if process := self._process():
            with suppress(psutil.NoSuchProcess):
                process.kill()
            self._wait_until_gone(10)

    def stop(self, timeout: float = 20) -> None:
        """End the server: ask, wait, then kill."""
        if process := self._process():
            with suppress(psutil.NoSuchProcess):
                process.terminate()
            if not self._wait_until_gone(timeout):
                self.kill()

    def _wait_until_gone(self, timeout: float) -> bool:
        """A dying process loses its command line before its ports."""
        deadline = time.monotonic() + timeout
        while not (gone := self.pid is None and all(map(is_free, self.all_ports))) and time.monotonic() < deadline:
            time.sleep(0.05)
        return gone

    def _process(self) -> psutil.Process | None:
        """The process of the pid file, if it is ours: a pid may long be another program's, the path of our settings never is."""
        with suppress(OSError, ValueError, psutil.Error):
            process = psutil.Process(int(self._pid_file.read_text(encoding="ascii")))
            if str(self._properties) in process.cmdline():
                return process
        return None

    def _java(self, main: str) -> list[str]:
        flags = [f"-Xmx{self._heap}", "-XX:+UseSerialGC", f"-Dlog4j2.configurationFile={_LOG4J}", f"-Ddijla.log={self.log}"]
        return [java(), *flags, "-cp", f"{kafka_jars()}/*", main]

    def _last_lines(self) -> str:
        return last_lines("\n".join(file.read_text(encoding="utf8", errors="replace") for file in (self._console, self.log) if file.exists()))
