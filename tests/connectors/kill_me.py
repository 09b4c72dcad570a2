"""A collector of one fake source, in a process that may be killed at any moment: `python -m tests.connectors.kill_me JSON`.

The source has numbered items; its state is the number of the next one. Prints a line for each batch that is delivered.
"""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from connectors._file_outbox import FileOutbox
from connectors._outbox import KafkaOutbox, Outbox
from schemas.kafka.envelope import SingleObject
from schemas.kafka.settings import KafkaSettings, TopicSettings
from schemas.kafka.topics import Topics
from tests.pipeline.on_topics import an_item

ROOT = Path(__file__).resolve().parents[2]
SOURCE = "sample.outlet-a"


def main(options: dict[str, Any]) -> None:
    with closing(_outbox(options)) as outbox:
        number = msgspec.json.decode(outbox.states.get(SOURCE, b'{"next": 0}'))["next"]
        while number < options["items"]:
            end = min(number + options["batch"], options["items"])
            outbox.deliver([an_item(each) for each in range(number, end)], {SOURCE: msgspec.json.encode({"next": end})})
            number = end
            sys.stdout.write(f"{number}\n")
            sys.stdout.flush()


def _outbox(options: dict[str, Any]) -> Outbox:
    def now() -> datetime:
        return datetime.now(UTC)

    if "folder" in options:
        return FileOutbox(Path(options["folder"]), now)
    topics = Topics.of(TopicSettings(prefix=options["prefix"]))
    settings = KafkaSettings(bootstrap_servers=options["bootstrap"])
    return KafkaOutbox(settings, topics, SingleObject(), name=options["name"], now=now, transactions=options["transactions"])


def run_killing(options: dict[str, Any], *, kills: int, within: tuple[float, float], seed: int, meanwhile: Callable[[int], None] = lambda _: None) -> int:
    """Start it, `kill -9` it after so many seconds, again and again; then let it finish. How many were killed at work. `meanwhile` is called at each."""
    command = [sys.executable, "-m", "tests.connectors.kill_me", msgspec.json.encode(options).decode()]
    chance, killed = random.Random(seed), 0
    for attempt in range(kills):
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            try:
                process.stdout.readline()  # the first batch is delivered; a killed start delivers none, and there is no end to it
                meanwhile(attempt)
                time.sleep(chance.uniform(*within))
            finally:
                process.kill()
                process.stdout.read()
        killed += process.returncode == -signal.SIGKILL
    subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, check=True, timeout=60)
    return killed


if __name__ == "__main__":
    main(msgspec.json.decode(sys.argv[1]))
