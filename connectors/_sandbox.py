"""Runs a function of ours on hostile bytes in a process that may die: bounded in CPU time and memory, reused between calls.

Third-party parsers are quadratic on some inputs and raise whatever they like on others; neither may stop an archive or a collector.
"""

from __future__ import annotations

import importlib
import math
import os
import pickle
import resource
import signal
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self

from schemas.errors import DijlaError, ReadError

# A call returned, raised an error of ours, or raised something else, after which its process is not trusted any more.
RETURNED, REFUSED, FAILED = "returned", "refused", "failed"


class Sandbox:
    """A worker process, started at the first call and again after each death."""

    def __init__(self, *, cpu_seconds: int, memory_bytes: int) -> None:
        self._cpu_seconds, self._memory_bytes = cpu_seconds, memory_bytes
        self._worker: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def call(self, function: str, *args: Any) -> Any:
        """What `function` ("module:name") returns for picklable `args`. Raises ReadError where it raises, or dies at a limit."""
        worker = self._worker = self._worker or self._start()
        assert worker.stdin
        assert worker.stdout
        try:
            pickle.dump((function, args), worker.stdin)
            worker.stdin.flush()
            outcome, value = pickle.load(worker.stdout)  # noqa: S301 - from our own code
        except (EOFError, BrokenPipeError, pickle.UnpicklingError) as error:
            status = worker.wait()
            self.close()
            raise ReadError(self._epitaph(status)) from error
        if outcome == RETURNED:
            return value
        if outcome == FAILED:
            self.close()
        raise value

    def close(self) -> None:
        """End the worker."""
        if self._worker:
            self._worker.kill()
            self._worker.communicate()
            self._worker = None

    def _start(self) -> subprocess.Popen[bytes]:
        limits = [str(self._cpu_seconds), str(self._memory_bytes)]
        return subprocess.Popen(  # noqa: S603 - our own module, no input in its arguments
            [sys.executable, "-m", "connectors._sandbox", *limits],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(path or str(Path.cwd()) for path in sys.path)},
        )

    def _epitaph(self, status: int) -> str:
        if status == -signal.SIGXCPU:
            return f"took more than {self._cpu_seconds} s of CPU time to parse, which harmless input does not; look at it by hand"
        return f"ended the parser's process (status {status}); look at it by hand"


def serve(requests: BinaryIO, answers: BinaryIO, cpu_seconds: int) -> None:
    """Answer calls until `requests` ends."""
    while True:
        try:
            function, args = pickle.load(requests)  # noqa: S301 - from our own code
        except EOFError:
            return
        _grant(cpu_seconds)
        pickle.dump(_run(function, args), answers)
        answers.flush()


def _grant(cpu_seconds: int) -> None:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    used = math.ceil(usage.ru_utime + usage.ru_stime)
    resource.setrlimit(resource.RLIMIT_CPU, (used + cpu_seconds, resource.getrlimit(resource.RLIMIT_CPU)[1]))


def _run(function: str, args: tuple[Any, ...]) -> tuple[str, Any]:
    module, _, name = function.partition(":")
    try:
        return RETURNED, getattr(importlib.import_module(module), name)(*args)
    except DijlaError as error:
        return REFUSED, error
    except Exception as error:  # noqa: BLE001 - the edge of a process: whatever a third-party parser raises is an answer
        return FAILED, ReadError(f"made the parser fail: {type(error).__name__}: {error}")


def main() -> None:
    """Serve on stdin and stdout; what libraries print goes nowhere."""
    cpu_seconds, memory_bytes = (int(arg) for arg in sys.argv[1:])
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    serve(sys.stdin.buffer, answers, cpu_seconds)


if __name__ == "__main__":
    main()
