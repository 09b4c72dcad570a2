"""A real Flink on loopback without Docker: a JobManager, TaskManagers, Beam's job server, and pools of Python workers, each a process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.error import URLError

import psutil

from deploy.flink.local.jars import flink_jars, job_server_jar
from pipeline.broker.errors import BrokerError, last_lines
from pipeline.broker.jars import java
from pipeline.broker.ports import HOST, free_ports, is_free

_START_SECONDS = 60.0
_EXPORTS = ("java.base/sun.net.util", "java.rmi/sun.rmi.registry", "java.security.jgss/sun.security.krb5")
_OPENED = ("lang", "net", "io", "nio", "lang.reflect", "text", "time", "util", "util.concurrent", "util.concurrent.atomic", "util.concurrent.locks")
# What Flink's own scripts would work out for a TaskManager from one total.
_TASK_MANAGER_MEMORY = {
    "task.heap.size": "600mb",
    "task.off-heap.size": "0",
    "managed.size": "128mb",
    "network.min": "64mb",
    "network.max": "64mb",
    "framework.heap.size": "128mb",
    "framework.off-heap.size": "128mb",
    "jvm-metaspace.size": "256mb",
    "jvm-overhead.min": "192mb",
    "jvm-overhead.max": "192mb",
}


class FlinkCluster:
    """Processes by name: `jobmanager`, `taskmanager-1`, ..., `jobserver`, `workers`. Use as a context manager; everything is in `folder`."""

    def __init__(self, folder: Path, *, task_managers: int = 1, slots: int = 4) -> None:
        self.folder, self.task_managers, self.slots = folder, task_managers, slots
        self._rest, self._rpc, self._blob, self._jobs, self._artifacts, self._workers = free_ports(6)
        self.processes: dict[str, subprocess.Popen[bytes]] = {}

    @property
    def job_endpoint(self) -> str:
        """Where jobs are submitted."""
        return f"localhost:{self._jobs}"

    @property
    def rest_url(self) -> str:
        """Flink's REST interface."""
        return f"http://{HOST}:{self._rest}"

    @property
    def worker_pool(self) -> str:
        """Where TaskManagers ask for Python workers."""
        return f"localhost:{self._workers}"

    @property
    def options(self) -> list[str]:
        """What `dijla run` needs to run here."""
        return [
            "--runner=FlinkRunner",
            f"--job_endpoint={self.job_endpoint}",
            "--environment_type=EXTERNAL",
            f"--environment_config={self.worker_pool}",
        ]

    def __enter__(self) -> FlinkCluster:
        """Started, and ready for jobs."""
        try:
            self.configure()
            self.start_job_manager()
            for number in range(1, self.task_managers + 1):
                self.start_task_manager(number)
            self.start_workers()
            self.start_job_server()
            self.wait(lambda: self.free_slots() == self.task_managers * self.slots, "TaskManagers")
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """All processes ended."""
        self.close()

    def close(self) -> None:
        """End what runs, workers first."""
        for name in sorted(self.processes, reverse=True):
            self.kill(name)

    def configure(self) -> None:
        """Write Flink's settings and the log's."""
        self.folder.mkdir(parents=True, exist_ok=True)
        settings = {
            "jobmanager.rpc.address": "localhost",
            "jobmanager.rpc.port": self._rpc,
            "jobmanager.bind-host": "localhost",
            "taskmanager.bind-host": "localhost",
            "taskmanager.host": "localhost",
            "rest.address": "localhost",
            "rest.bind-address": "localhost",
            "rest.port": self._rest,
            "rest.bind-port": self._rest,
            "blob.server.port": self._blob,
            "taskmanager.numberOfTaskSlots": self.slots,
            "state.backend.type": "hashmap",
            "state.checkpoints.dir": (self.folder / "checkpoints").as_uri(),
            "state.savepoints.dir": (self.folder / "savepoints").as_uri(),
            "restart-strategy.type": "fixed-delay",
            "restart-strategy.fixed-delay.attempts": 1000,
            "restart-strategy.fixed-delay.delay": "1 s",
            "heartbeat.interval": 1000,
            "heartbeat.timeout": 8000,
            "io.tmp.dirs": str(self.folder / "tmp"),
        }
        (self.folder / "tmp").mkdir(exist_ok=True)
        (self.folder / "conf").mkdir(exist_ok=True)
        (self.folder / "conf" / "config.yaml").write_text("".join(f"{name}: {json.dumps(value)}\n" for name, value in settings.items()), encoding="utf8")

    def start_job_manager(self) -> None:
        """The JobManager, answering."""
        self._java("jobmanager", "700m", "org.apache.flink.runtime.entrypoint.StandaloneSessionClusterEntrypoint", "--configDir", str(self.folder / "conf"))
        self.wait(lambda: self._answers("/overview"), "the JobManager")

    def start_task_manager(self, number: int) -> None:
        """TaskManager `number`; it registers itself."""
        sizes = {"cpu.cores": str(self.slots), **{f"memory.{name}": size for name, size in _TASK_MANAGER_MEMORY.items()}}
        given = [part for name, value in sizes.items() for part in ("-D", f"taskmanager.{name}={value}")]
        main = "org.apache.flink.runtime.taskexecutor.TaskManagerRunner"
        self._java(f"taskmanager-{number}", "800m", main, "--configDir", str(self.folder / "conf"), *given, flags=["-XX:MaxDirectMemorySize=400m"])

    def start_workers(self) -> None:
        """The pool that starts a Python worker for each TaskManager that asks."""
        command = [sys.executable, "-m", "apache_beam.runners.worker.worker_pool_main", f"--service_port={self._workers}"]
        first = {**os.environ, "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])}  # the pool calls `python`
        self._start("workers", command, first)
        self.wait(lambda: not is_free(self._workers), "the worker pool")

    def start_job_server(self) -> None:
        """Beam's job server."""
        artifacts = self.folder / "artifacts"
        ports = ["--job-port", str(self._jobs), "--artifact-port", str(self._artifacts), "--expansion-port", "-1"]
        where = ["--flink-master", f"localhost:{self._rest}", "--artifacts-dir", str(artifacts)]
        self._start("jobserver", [java(), "-Xmx512m", *_opened(), "-jar", str(job_server_jar()), *ports, *where])
        self.wait(lambda: not is_free(self._jobs), "the job server")

    def kill(self, name: str) -> None:
        """kill -9 of a process and of its own workers."""
        for own in self.children(name):
            own.kill()
        process = self.processes.pop(name)
        process.kill()
        process.wait()

    def children(self, name: str) -> list[psutil.Process]:
        """The processes that one started: of `workers`, the Python workers."""
        with suppress(psutil.NoSuchProcess):
            return psutil.Process(self.processes[name].pid).children(recursive=True)
        return []

    def wait(self, is_so: Callable[[], bool], what: str, seconds: float = _START_SECONDS) -> None:
        """Until it is so. Raises BrokerError where a process has ended, or it takes too long."""
        end = time.monotonic() + seconds
        while not is_so():
            for name, process in self.processes.items():
                if process.poll() is not None:
                    raise BrokerError(f"{name} ended with status {process.returncode}; its last lines:\n{self.tail(name)}")
            if time.monotonic() > end:
                raise BrokerError(f"{what} not within {seconds:g} s; see {self.folder}")
            time.sleep(0.2)

    def tail(self, name: str) -> str:
        """The last lines that a process said."""
        return last_lines(self.log(name))

    def log(self, name: str) -> str:
        """All that a process said."""
        return (self.folder / f"{name}.log").read_text(encoding="utf8", errors="replace")

    def free_slots(self) -> int:
        """Slots of the TaskManagers that are registered."""
        return int(self.get("/overview")["slots-available"])

    def jobs(self) -> dict[str, str]:
        """State by job id."""
        return {job["id"]: job["status"] for job in self.get("/jobs")["jobs"]}

    def checkpoints(self, job: str) -> int:
        """How many checkpoints of a job were completed."""
        return int(self.get(f"/jobs/{job}/checkpoints")["counts"]["completed"])

    def stop_with_savepoint(self, job: str, seconds: float = 60) -> str:
        """The folder of the savepoint with which a job was stopped. Raises BrokerError where it fails."""
        answer = self.post(f"/jobs/{job}/stop", {"drain": False})
        path = f"/jobs/{job}/savepoints/{answer['request-id']}"
        self.wait(lambda: self.get(path)["status"]["id"] == "COMPLETED", "the savepoint", seconds)
        done = self.get(path)["operation"]
        if "location" not in done:
            raise BrokerError(f"no savepoint: {done}")
        return str(done["location"])

    def get(self, path: str) -> Any:
        """What the REST interface answers."""
        return self._asked(urllib.request.Request(self.rest_url + path))  # noqa: S310 - http on loopback

    def post(self, path: str, body: object) -> Any:
        """The same, to a request with a body."""
        headers = {"content-type": "application/json"}
        return self._asked(urllib.request.Request(self.rest_url + path, json.dumps(body).encode(), headers))  # noqa: S310

    def _asked(self, request: urllib.request.Request) -> Any:
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
            return json.load(answer)

    def _answers(self, path: str) -> bool:
        try:
            self.get(path)
        except (URLError, ConnectionError, TimeoutError):
            return False
        return True

    def _java(self, name: str, heap: str, main: str, *arguments: str, flags: Sequence[str] = ()) -> None:
        log4j = f"-Dlog4j2.configurationFile={Path(__file__).with_name('log4j2.xml')}"
        self._start(name, [java(), f"-Xmx{heap}", log4j, *flags, *_opened(), "-cp", f"{flink_jars()}/*", main, *arguments])

    def _start(self, name: str, command: Sequence[str], environment: Mapping[str, str] | None = None) -> None:
        with (self.folder / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log)  # noqa: S603 - our own arguments


def _opened() -> list[str]:
    """The parts of the JDK that Flink reaches into."""
    exports = [f"--add-exports={name}=ALL-UNNAMED" for name in _EXPORTS]
    return [*exports, *(f"--add-opens=java.base/{name}=ALL-UNNAMED" for name in (*(f"java.{part}" for part in _OPENED), "sun.nio.ch"))]
