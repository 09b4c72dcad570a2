"""`dijla collect`, `check` and `sources` as a user runs them: processes, over a sources file and a folder."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_S = 90
DEBUG = "import functools, logging, pipeline.logs as logs; logs.set_up = functools.partial(logs.set_up, level=10, libraries=10); "
"""Before a program: everything that anybody logs is shown."""


@dataclass
class Commands:
    """A folder with sources.toml in it."""

    folder: Path
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def file(self) -> str:
        return str(self.folder / "sources.toml")

    @property
    def out(self) -> Path:
        return self.folder / "out"

    def sources(self, *tables: str) -> None:
        Path(self.file).write_text("\n".join(tables), encoding="utf8")

    def dijla(self, *arguments: str, program: str = "") -> subprocess.CompletedProcess[str]:
        """A command to its end."""
        return subprocess.run(_command(program, *arguments), capture_output=True, text=True, timeout=PATIENCE_S, check=False, **self._surroundings)

    def once(self, *options: str) -> subprocess.CompletedProcess[str]:
        return self.dijla("collect", "--sources", self.file, "--out", str(self.out), "--once", *options)

    @contextmanager
    def collecting(self, *options: str, program: str = "") -> Iterator[Running]:
        """`dijla collect`, until its monitor answers and on."""
        log = self.folder / "collect.log"
        with log.open("wb") as output:
            command = _command(program, "collect", "--sources", self.file, "--out", str(self.out), *options)
            process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, **self._surroundings)
        running = Running(process, log)
        try:
            running.until(lambda: "monitor: " in running.said)
            yield running
        finally:
            if process.poll() is None:
                process.kill()
            process.wait()

    @property
    def _surroundings(self) -> dict[str, object]:
        return {"cwd": ROOT, "env": {**os.environ, "COLUMNS": "5000", **self.environment}}


@dataclass
class Running:
    process: subprocess.Popen[bytes]
    log: Path

    @property
    def said(self) -> str:
        return self.log.read_text(encoding="utf8", errors="replace")

    def page(self, path: str) -> str:
        """What its monitor answers."""
        address = re.findall(r"monitor: (http://\S+)/metrics", self.said)[-1]
        with urllib.request.urlopen(f"{address}{path}", timeout=10) as response:
            return str(response.read().decode())

    def until(self, is_so: Callable[[], bool]) -> None:
        """Wait until it is so, while the process runs."""
        end = time.monotonic() + PATIENCE_S
        while not is_so():
            assert self.process.poll() is None, f"it ended with status {self.process.returncode}:\n{self.said[-3000:]}"
            assert time.monotonic() < end, f"not so after {PATIENCE_S} s:\n{self.said[-3000:]}"
            time.sleep(0.1)

    def stop(self) -> int:
        """SIGTERM; the exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE_S)


def source(name: str, kind: str, url: str, *lines: str) -> str:
    """A table of the file, of a server on loopback."""
    return "\n".join(("[[sources]]", f'id = "{name}"', f'type = "{kind}"', f'url = "{url}"', "allow_private = true", "interval = 10", *lines, ""))


def _command(program: str, *arguments: str) -> list[str]:
    start = ["-c", f"{program}from pipeline.cli import main; main()"] if program else ["-m", "pipeline.cli"]
    return [sys.executable, *start, *arguments]
