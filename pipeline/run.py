"""`dijla run`: the streaming pipeline from topic to topics, on a Beam runner, watched until it ends."""

from __future__ import annotations

import ctypes
import gc
import logging
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import monotonic, sleep
from typing import Any
from uuid import uuid4

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.runner import PipelineResult, PipelineState

from pipeline import progress
from pipeline.build import Sink, Source, build
from pipeline.canary import NEWEST
from pipeline.committing import Committer, commit, committed_by
from pipeline.config import Config
from pipeline.done import AfterSinks
from pipeline.failing import Failing
from pipeline.flink import FLINK, flink_options, flink_settings, without_warnings_of_options
from pipeline.monitor import Health
from pipeline.prism import serving
from pipeline.reachable import asked
from pipeline.resume import Resume, Resumed, resume
from pipeline.settings import RunSettings, Settings
from pipeline.sinks.avro_files import DEAD_LETTERS, EVENTS, REPORTS, WriteFiles
from pipeline.sinks.both import Both
from pipeline.sinks.kafka import Outlet, WriteTopics
from pipeline.sources.kafka import KafkaSource, ReadKafka
from pipeline.stopping import on_signals
from pipeline.topic_positions import Start
from schemas.errors import DijlaError, UsageError
from schemas.kafka import clients
from schemas.kafka.delivery import Delivery
from schemas.kafka.envelope import Codec, SingleObject
from schemas.kafka.registry import Confluent, Ids, Registry, RegistrySettings
from schemas.kafka.schema_topic import publish
from schemas.kafka.topics import Topics, problems, specs
from schemas.records import DeadLetter, Event, Report

PRISM = "PrismRunner"
_BOUNDED = {"DirectRunner", "BundleBasedDirectRunner", "SwitchingDirectRunner", "FnApiRunner", "InteractiveRunner"}
HOLDS = 3
"""Ticks that an element spends in the steps at most: two until it is deduplicated, one more until it is correlated."""
_SWITCH_SECONDS = 0.0005
_M_ARENA_MAX = -8  # of malloc.h
_COLLECT = 50_000, 4, 4
_LOOK_SECONDS = 0.25
_SIGN_SECONDS = 1.0
_WORKER_SECONDS = 120
_log = logging.getLogger(__name__)


class RunFailed(DijlaError):  # noqa: N818 - it names what happened
    """The pipeline ended by itself, or had to be stopped."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What to run: where to begin, the sinks by name, the folder of the files, and the options that Beam gets."""

    start: Start
    sinks: Sequence[str]
    out: Path | None
    runner: str
    beam_options: Sequence[str]


def run(config: Config, plan: Plan, health: Health) -> None:
    """Run until SIGTERM or SIGINT, then let everything read reach the sinks.

    Raises UsageError, KafkaFailure, RegistryFailure where it cannot begin, RunFailed, and what the source raises when its topic is another.
    """
    if plan.runner.rpartition(".")[2] in _BOUNDED:
        raise UsageError(f"--runner {plan.runner} is for inputs that end: take PrismRunner on one machine")
    if "avro" in plan.sinks and plan.out is None:
        raise UsageError("--sink avro needs a folder: give --out")
    if config.run.canary and not (plan.runner == PRISM and "kafka" in plan.sinks):
        raise UsageError("run.canary needs the Kafka sink and PrismRunner: elsewhere a canary does not come out in this process; remove it")
    durable = plan.runner != PRISM
    if plan.runner.rpartition(".")[2] == FLINK:
        plan = replace(plan, beam_options=flink_options(plan.beam_options))
        config = config.model_copy(update={"run": flink_settings(config.run)})
        without_warnings_of_options()
    _share_heaps()
    topics = prepared(config, health)
    codec = codec_of(config.schema_registry, topics)
    begin = _begin(config, topics, plan.start)
    name = uuid4().hex
    margin = _margin(config, plan)
    here = progress.Progress(in_flight=config.run.in_flight, margin=3 * margin // timedelta(microseconds=1))
    if not durable:
        progress.begin(name, here)
        sys.setswitchinterval(_SWITCH_SECONDS)  # the worker's threads wait for each other's answers; 5 ms a turn is most of the latency
        gc.set_threshold(*_COLLECT)  # by default a sixth of the time goes there; with less, what the runner's bundles leave behind fills the memory
    with asked(config.kafka, health), serving(plan.beam_options) if not durable else _nothing(plan.beam_options) as options:
        pipeline = beam.Pipeline(options=PipelineOptions([f"--runner={'PortableRunner' if not durable else plan.runner}", "--streaming", *options]))
        resumed = Resumed(config.kafka, topics.raw, config.run.group, _rewind(config)) if durable else None
        outlet = Outlet(config.kafka, topics, codec, begin, config.run.delivery_deadline, resumed)
        _assemble(pipeline, config, plan, outlet, name, margin)
        try:
            result = pipeline.run()
        except RuntimeError as error:
            raise RunFailed(f"{plan.runner} does not take the job: {error}") from error
        if durable:
            _see_off(result, _Sign(config, topics.raw, name), health)
            return
        try:
            _watch(result, here, health, config.run)
        finally:
            progress.end(name)


def _share_heaps() -> None:
    """With glibc each thread keeps a heap of its own, and the worker has twenty: two for all hold a quarter less memory, at the same speed."""
    if sys.platform == "linux" and (mallopt := getattr(ctypes.CDLL(None), "mallopt", None)):
        mallopt(_M_ARENA_MAX, 2)


@contextmanager
def _nothing(options: Sequence[str]) -> Iterator[Sequence[str]]:
    yield options


def prepared(config: Config, health: Health) -> Topics:
    """The topics, checked, with the schemas published.

    Raises UsageError naming everything that is missing or wrong, KafkaFailure.
    """
    with clients.admin(config.kafka) as admin:
        health.ready("broker")
        if wrong := problems(admin, specs(config.topics)):
            raise UsageError("the topics are not as they must be:\n  " + "\n  ".join(wrong))
    topics = Topics.of(config.topics)
    delivery = Delivery(config.kafka)
    publish(delivery, topics.schemas)
    delivery.close()
    health.ready("topics")
    return topics


def _begin(config: Config, topics: Topics, start: Start) -> Resume:
    with clients.consumer(config.kafka, group_id=config.run.group) as consumer, clients.explained(config.kafka):
        begin = resume(consumer, topics.raw, start, _rewind(config), datetime.now(UTC))
        commit(consumer, topics.raw, begin.done or begin.read)  # so that who comes after a crash before the first mark knows which partitions we knew
    _log.info("where the run begins", extra={"topic": topics.raw, "read": dict(begin.read), "done": dict(begin.done)})
    return begin


def _rewind(config: Config) -> timedelta:
    return config.run.rewind or max(config.pipeline.dedupe_ttl, config.pipeline.incident_ttl)


def _margin(config: Config, plan: Plan) -> timedelta:
    """The longest, on the broker's clock, that a payload stays in the steps and the sinks."""
    files = 2 * config.run.file_every if "avro" in plan.sinks else timedelta()
    return HOLDS * config.run.hold + files


def _assemble(p: beam.Pipeline, config: Config, plan: Plan, outlet: Outlet, name: str, margin: timedelta) -> None:
    settings, begin, raw = config.run, outlet.resume, outlet.topics.raw
    source = KafkaSource(config.kafka, raw, begin.read, splits=settings.splits, run=name)
    read = ReadKafka(source, poll=settings.poll, bundle=settings.bundle, bundle_records=settings.bundle_records)
    done = AfterSinks(Committer(config.kafka, raw, settings.group, name, begin.done), margin)

    def sink(family: Any) -> Any:
        ways: dict[str, Any] = {}
        if "kafka" in plan.sinks:
            ways["Topics"] = WriteTopics(family.folder, outlet)
        if plan.out is not None and "avro" in plan.sinks:
            ways["Files"] = WriteFiles(family, plan.out, every=settings.file_every, resume=begin)
        return Both(ways)

    build(p, Source(read, done=done), Sink(sink(REPORTS), sink(EVENTS)), sink(DEAD_LETTERS), _stages(config, plan))


def _stages(config: Config, plan: Plan) -> Settings:
    """The settings of the stages; on Prism one shard, unless somebody chose: each costs it as much as all, in one process."""
    alone = plan.runner == PRISM and "shards" not in config.pipeline.model_fields_set
    return config.pipeline.model_copy(update={"hold": config.run.hold, **({"shards": 1} if alone else {})})


def codec_of(registry: RegistrySettings | None, topics: Topics) -> Callable[[], Codec]:
    """How records are written: in single-object encoding; with a registry in the Confluent wire format, every schema registered now.

    The ids travel with the job: no worker, and no first record of a kind, waits for a registry that is down. Raises RegistryFailure.
    """
    if registry is None:
        return SingleObject
    written = ((Report, topics.reports), (Event, topics.events), (Event, topics.events_latest), (DeadLetter, topics.dead_letters))
    with closing(Registry(registry)) as client:
        ids: Ids = {(cls, topic): client.id_of(cls, topic) for cls, topic in written}
    return lambda: Confluent(Registry(registry, ids))


@dataclass(frozen=True, slots=True)
class _Sign:
    """The sign of life of a run's workers, wherever they are: they commit under its name."""

    config: Config
    topic: str
    run: str

    def seen(self) -> bool:
        """Whether there was one."""
        with clients.consumer(self.config.kafka, group_id=self.config.run.group) as consumer:
            return committed_by(consumer, self.topic, self.run)


def _see_off(result: PipelineResult, sign: _Sign, health: Health) -> None:
    """Wait for the first worker of a job that lives elsewhere, then look on until the job ends or a signal says that nobody need look on.

    Raises RunFailed where no worker starts, which Flink would wait for without end, and where the job ends.
    """
    leave = threading.Event()
    with on_signals(leave.set):
        begun, at_work = monotonic(), False
        while not PipelineState.is_terminal(result.state) and not leave.is_set():
            health.beat()
            if not at_work and (at_work := sign.seen()):
                health.ready("job")
                _log.info("workers are at work", extra={"run": sign.run})
            if not at_work and monotonic() - begun > _WORKER_SECONDS:
                result.cancel()
                raise RunFailed(
                    f"no worker began within {_WORKER_SECONDS} s, the job is cancelled: do the TaskManagers reach --environment_config, "
                    "has the pool this version of Dijla installed, and do the workers reach Kafka? The pool's log says more"
                )
            leave.wait(_LOOK_SECONDS if at_work else _SIGN_SECONDS)
    if leave.is_set():
        _log.info("the job goes on without this command; end it with a savepoint", extra={"run": sign.run})
    else:
        raise RunFailed(f"the job ended as {result.state}: {_reason(result)}")


def _watch(result: PipelineResult, here: progress.Progress, health: Health, settings: RunSettings) -> None:
    """Look after a running job until it is over."""
    failing, drain = Failing(settings.max_failing, settings.max_failing_items), settings.drain_timeout

    def stop() -> None:
        _log.info("stopping: what was read is brought to an end")
        here.stopping.set()

    with on_signals(stop):
        stopped: float | None = None
        health.ready("job")
        while not PipelineState.is_terminal(result.state):
            health.beat()
            _judge_partitions(health, here)
            if settings.canary:
                _judge_canary(health, settings.canary)
            if here.failure and not here.stopping.is_set():
                break
            if not here.failure and (reason := failing.judge(monotonic())):
                here.failure = RunFailed(reason)
                here.stopping.set()
            if here.stopping.is_set():
                stopped = stopped or monotonic()
                health.not_ready("job", "stopping")
                if monotonic() - stopped > drain.total_seconds():
                    here.failure = here.failure or RunFailed(
                        f"not everything read was in the sinks {drain.total_seconds():g} s after the signal: nothing is lost, what was not done is read again"
                    )
                    break
            sleep(_LOOK_SECONDS)
    if here.failure:
        if not PipelineState.is_terminal(result.state):
            result.cancel()
        raise here.failure
    if result.state != PipelineState.DONE:
        raise RunFailed(f"the job ended as {result.state}: {_reason(result)}")


def _judge_partitions(health: Health, here: progress.Progress) -> None:
    if silent := here.given_up:
        health.not_ready("partitions", f"of the raw topic, {', '.join(map(str, silent))} have more to read and give nothing: have they a leader?")
    else:
        health.ready("partitions")


def _judge_canary(health: Health, oldest: timedelta) -> None:
    if problem := NEWEST.problem(datetime.now(UTC), oldest):
        health.not_ready("canary", problem)
    else:
        health.ready("canary")


def _reason(result: PipelineResult) -> str:
    try:
        result.wait_until_finish()
    except RuntimeError as error:
        return str(error)
    return "the runner gave no reason"
