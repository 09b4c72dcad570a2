"""`dijla collect`: the connectors."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipeline.commands.options import checked_topics, host_and_port, kafka_options
from schemas.errors import DijlaError, UsageError

if TYPE_CHECKING:
    from connectors._outbox import Outbox
    from connectors._poll import Polled
    from connectors._sources import Source
    from pipeline.config import Config
    from pipeline.monitor import Health
    from pipeline.settings import CollectSettings

_BEATS = timedelta(seconds=30)


@click.command()
@click.option("--sources", "file", required=True, type=click.Path(dir_okay=False, path_type=Path), metavar="FILE.toml", help="The sources: docs/connectors.md.")
@kafka_options
@click.option("--name", default="collector", show_default=True, help="This collector's name: a second one of the same name takes over.")
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), metavar="DIR", help="Write Avro files and cursors to DIR, not to Kafka.")
@click.option("--once", is_flag=True, help="Poll each source once, whatever its back-off, then end; exit status 3 where some failed.")
@click.option("--deadline", type=click.FloatRange(min=1), default=30.0, show_default=True, metavar="SECONDS", help="Of each source's poll, with --once.")
@click.option("--no-transactions", is_flag=True, help="Items first, cursors behind them: an item may come twice after a crash.")
@click.option("--monitor", default="127.0.0.1:0", show_default=True, help="HOST:PORT of /metrics, /healthz and /readyz; port 0: any free one.")
@click.option("--log-format", type=click.Choice(["json", "text"]), help="Lines of the log.  [default: text on a terminal, else json]")
@click.option("--json", "as_json", is_flag=True, help="Print what --once found as JSON lines.")
def collect(
    file: Path, config: Config, name: str, out: Path | None, once: bool, deadline: float, no_transactions: bool, monitor: str, log_format: str | None,
    as_json: bool,
) -> None:  # fmt: skip
    """Poll and follow sources, and put their items on the raw topic, until SIGTERM.

    A source's cursor is stored with its items, in one transaction: after a crash nothing is missing and nothing there twice.

    \b
    Example:  dijla collect --sources sources.toml --once
    """
    from pydantic import SecretStr

    from connectors._sources_file import load
    from pipeline import logs

    logs.set_up(as_json=None if log_format is None else log_format == "json")
    logs.conceal_all(config)
    sources = load(file)
    logs.conceal(*(SecretStr(value) for source in sources for value in source.hidden()))
    _require_one(sources)
    with _outbox(config, name, out, transactions=not no_transactions) as outbox:
        if once:
            polls = asyncio.run(_once(sources, outbox, deadline, config.collect.contact))
            _show(polls, as_json=as_json)
            if any(polled.failure for polled in polls.values()):
                click.get_current_context().exit(3)
        else:
            _run(sources, outbox, monitor, config.collect.model_copy(update={"canary": None}) if out else config.collect)


@contextmanager
def _outbox(config: Config, name: str, out: Path | None, *, transactions: bool) -> Iterator[Outbox]:
    from connectors._file_outbox import FileOutbox
    from connectors._outbox import KafkaOutbox
    from schemas.kafka.envelope import SingleObject

    outbox: Outbox
    if out:
        outbox = FileOutbox(out, _now)
    else:
        topics = checked_topics(config, "raw", "dead_letters", "cursors", "schemas")
        outbox = KafkaOutbox(config.kafka, topics, SingleObject(), name=name, now=_now, transactions=transactions)
    with closing(outbox):
        yield outbox


def _require_one(sources: list[Source]) -> None:
    from connectors._sources_file import unusable

    reasons = [f"{source.id}: {why}" for source in sources if (why := unusable(source))]
    if len(reasons) == len(sources):
        raise UsageError("\n  ".join(["no source can be asked:", *reasons]))


async def _once(sources: list[Source], outbox: Outbox, deadline: float, contact: str | None) -> dict[str, Polled]:
    from connectors._collect import collecting

    async with collecting(sources, outbox, _now, contact) as collector:
        return await collector.once(deadline)


def _run(sources: list[Source], outbox: Outbox, monitor: str, settings: CollectSettings) -> None:
    from connectors._metrics import REGISTRY
    from pipeline.monitor import Health, monitored

    health = Health((), {}, _BEATS)
    with monitored(health, *host_and_port(monitor), registry=REGISTRY) as address:
        click.echo(f"monitor: {address}/metrics", err=True)
        try:
            asyncio.run(_follow(sources, outbox, health, settings))
        except* DijlaError as errors:
            raise errors.exceptions[0] from None


async def _follow(sources: list[Source], outbox: Outbox, health: Health, settings: CollectSettings) -> None:
    from connectors._collect import collecting
    from pipeline.stopping import on_signals

    async with collecting(sources, outbox, _now, settings.contact) as collector:
        loop = asyncio.get_running_loop()

        def stop() -> None:
            loop.call_soon_threadsafe(collector.stop)

        with on_signals(stop):
            beating = asyncio.ensure_future(_beat(health))
            try:
                await collector.run(settings.canary)
            finally:
                beating.cancel()


async def _beat(health: Health) -> None:
    while True:
        health.beat()
        await asyncio.sleep(1)


def _now() -> datetime:
    return datetime.now(UTC)


def _show(polls: Mapping[str, Polled], *, as_json: bool) -> None:
    from pipeline.commands.source_tables import poll_table
    from pipeline.terminal import console

    if as_json:
        for name, polled in polls.items():
            facts = {"source": name, "status": polled.state.status, "message": polled.state.message, "read": polled.read, "sent": len(polled.records)}
            click.echo(json.dumps(facts, ensure_ascii=False))
    else:
        console().print(poll_table(polls))
