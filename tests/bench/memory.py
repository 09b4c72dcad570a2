"""Peak memory and speed of `dijla replay` as a process, on 100,000 and on 1,000,000 short items."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.bench.samples import json_lines

GOALS = {100_000: 600, 1_000_000: 1024}


def replayed(count: int) -> tuple[float, float]:
    """Seconds and peak megabytes of the process that replays so many items."""
    with tempfile.TemporaryDirectory() as folder:
        archive = Path(folder) / "sample.jsonl"
        with archive.open("wb") as out:
            out.writelines(json_lines(count))
        command = [sys.executable, "-m", "pipeline.cli", "replay", str(archive), "--out", str(Path(folder) / "out"), "--json"]
        begin = time.perf_counter()
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise SystemExit(f"replay of {count} items ended with status {process.returncode}")
        return time.perf_counter() - begin, usage.ru_maxrss / 1024


def main() -> None:
    """Print a row for each size."""
    print("\nReplay as a process")
    for count, goal in GOALS.items():
        seconds, peak = replayed(count)
        print(f"  {count:>9,} items: {seconds:7.0f} s, {count / seconds:7,.0f} items/s, peak {peak:6.0f} MB (goal: under {goal} MB)", flush=True)
