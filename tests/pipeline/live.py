"""`dijla run` as a process against a real broker, on Prism, with topics of the test's own."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import blake2b
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4

from kafka import TopicPartition

from pipeline.broker.cluster import Cluster
from schemas import avro
from schemas.kafka import clients
from schemas.kafka.delivery import Delivery
from schemas.kafka.envelope import SingleObject, raw_message
from schemas.kafka.settings import KafkaSettings, TopicSettings
from schemas.kafka.topics import Topics, create, specs
from schemas.records import DeadLetter, Event, RawItem, Report
from tests.pipeline.on_topics import read_all

RecordT = TypeVar("RecordT", Report, Event, DeadLetter)
CODEC = SingleObject()


@dataclass
class Live:
    """One installation: a broker, topics under one prefix, and the processes that run on them."""

    broker: Cluster
    folder: Path
    topic_settings: dict[str, Any] = field(default_factory=lambda: {"partitions": 4})
    environment: dict[str, str] = field(default_factory=dict)
    prefix: str = field(default_factory=lambda: f"t{uuid4().hex[:8]}.")
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.settings = TopicSettings(prefix=self.prefix, **self.topic_settings)
        self.kafka = KafkaSettings(bootstrap_servers=self.broker.bootstrap)
        self.topics = Topics.of(self.settings)
        self.environment |= {f"DIJLA_TOPICS__{name.upper()}": str(value) for name, value in (*self.topic_settings.items(), ("prefix", self.prefix))}
        self.make_topics()

    def make_topics(self) -> None:
        with clients.admin(self.kafka) as admin:
            create(admin, specs(self.settings))

    @property
    def log(self) -> str:
        """What all runs logged."""
        return "".join(file.read_text(encoding="utf8", errors="replace") for file in sorted(self.folder.glob("run-*.log")))

    def command(self, *arguments: str) -> list[str]:
        name, *rest = arguments
        return [sys.executable, "-m", "pipeline.cli", name, "--bootstrap-servers", self.broker.bootstrap, *rest]

    def dijla(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """A command to its end."""
        return subprocess.run(self.command(*arguments), env={**os.environ, **self.environment}, capture_output=True, text=True, timeout=120, check=False)

    def start(self, *options: str) -> subprocess.Popen[bytes]:
        """`dijla run`, ready."""
        log = self.folder / f"run-{len(self.processes)}.log"
        command = self.command("run", "--log-format", "json", *options)
        with log.open("wb") as stderr:
            process = subprocess.Popen(command, env={**os.environ, **self.environment}, stdout=subprocess.DEVNULL, stderr=stderr)
        self.processes.append(process)
        self.wait(lambda: process.poll() is not None or self._ready(log), "ready")
        return process

    def stop(self, process: subprocess.Popen[bytes]) -> int:
        """SIGTERM; the exit status."""
        process.send_signal(signal.SIGTERM)
        return process.wait(30)

    def end(self) -> None:
        for process in self.processes:
            if process.poll() is None:
                process.kill()
                process.wait()

    def monitored(self, path: str) -> str:
        """What the last run's monitor answers."""
        return self._get(sorted(self.folder.glob("run-*.log"))[-1], path)

    def publish(self, items: Iterable[RawItem], rate: float | None = None) -> None:
        """Items to the raw topic, in this order."""
        begin = time.monotonic()
        with closing(Delivery(self.kafka)) as delivery:
            for number, item in enumerate(items):
                if rate:
                    time.sleep(max(0.0, begin + number / rate - time.monotonic()))
                delivery.send(raw_message(self.topics.raw, item, CODEC))

    def read(self, topic: str, cls: type[RecordT]) -> list[RecordT]:
        """All records of a topic."""
        return [avro.decode_single_object(message.value, cls) for message in read_all(self.broker, topic)]

    def count(self, topic: str) -> int:
        """Records of a topic."""
        with clients.consumer(self.kafka) as consumer:
            partitions = [TopicPartition(topic, number) for number in consumer.partitions_for_topic(topic)]
            return sum(consumer.end_offsets(partitions).values()) - sum(consumer.beginning_offsets(partitions).values())

    def wait(self, is_so: Callable[[], bool], what: str, seconds: float = 60) -> None:
        """Until it is so."""
        end = time.monotonic() + seconds
        while not is_so():
            assert time.monotonic() < end, f"not {what} after {seconds:g} s; the log ends:\n{self.log[-3000:]}"
            time.sleep(0.2)

    def _ready(self, log: Path) -> bool:
        try:
            return bool(json.loads(self._get(log, "/readyz"))["ok"])
        except (OSError, LookupError):
            return False

    @staticmethod
    def _get(log: Path, path: str) -> str:
        address = re.findall(r"monitor: (http://[^/]+)", log.read_text(encoding="utf8", errors="replace"))[-1]
        with urllib.request.urlopen(address + path, timeout=5) as answer:
            return str(answer.read().decode())


def items(count: int, *, first: int = 0) -> list[RawItem]:
    """Items seen a millisecond apart, one in ten of an attack in one of eight places; the text of none is another's."""
    places = ("Karrada", "Adhamiyah", "Kadhimiya", "Dora", "Sadr City", "Zafaraniya", "Green Zone", "Taji")
    made = []
    for n in range(first, first + count):
        tells = f"A roadside bomb wounded {n % 7 + 2} people in {places[n // 10 % 8]}, Baghdad, on Sunday, according to bulletin {n}."
        other = f"The council of town number {n} met on Sunday and spoke about {n} new street lamps and a bakery, says bulletin {n}."
        body = tells if n % 10 == 3 else other
        seen = datetime.fromtimestamp(1_608_500_000 + n / 1000, UTC)
        made.append(
            RawItem(
                item_id=blake2b(b"%d" % n, digest_size=16).hexdigest(), native_id=str(n), source_id=f"sample.outlet-{n % 5}", source_type="test", body=body, url=f"https://o.example/{n}",
                published_raw="2020-12-20T18:00:00Z", fetched_at=seen, mode="live",
            )
        )  # fmt: skip
    return made
