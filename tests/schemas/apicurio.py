"""A real schema registry on loopback: Apicurio, its schemas in memory."""

from __future__ import annotations

import subprocess
import tarfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from pipeline.broker.jars import fetched, java
from pipeline.broker.ports import HOST, free_ports

_POM = Path(__file__).with_name("apicurio.xml")
_PATIENCE_S = 120


@contextmanager
def apicurio(folder: Path) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """The URL of its Confluent interface and its process; unpacked and logging in `folder`. The first call of a user downloads 142 MB."""
    (archive,) = fetched(_POM, "apicurio-2.6.13").glob("*.tar.gz")
    with tarfile.open(archive) as packed:
        packed.extractall(folder, filter="data")
    (jar,) = folder.glob("*-runner.jar")
    (port,) = free_ports(1)
    url = f"http://{HOST}:{port}/apis/ccompat/v7"
    options = ["-Xmx256m", "-XX:+UseSerialGC", f"-Dquarkus.http.host={HOST}", f"-Dquarkus.http.port={port}"]
    with (folder / "log").open("wb") as log, subprocess.Popen([java(), *options, "-jar", str(jar)], stdout=log, stderr=log) as process:
        try:
            _wait(url, process, folder / "log")
            yield url, process
        finally:
            process.kill()


def _wait(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _PATIENCE_S
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if httpx.get(f"{url}/subjects", trust_env=False).is_success:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.2)
    raise AssertionError(f"the registry does not start:\n{log.read_text(encoding='utf8')[-2000:]}")
