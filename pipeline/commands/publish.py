"""`dijla publish`: an archive into the raw topic."""

from __future__ import annotations

import json
import tempfile
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipeline.commands.options import checked_topics, kafka_options

if TYPE_CHECKING:
    from pipeline.config import Config
    from schemas.records import DeadLetter

_NAMED = 20
"""Dead letters that are named, one line each."""


@click.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(exists=True, readable=False, path_type=Path))
@kafka_options
@click.option("--mode", type=click.Choice(["live", "replay", "backfill"]), default="replay", show_default=True, help="Only live may alert.")
@click.option("--rate", type=click.FloatRange(min=0, min_open=True), metavar="ITEMS", help="Items a second at most.  [default: as fast as they are taken]")
@click.option("--rebase-times", is_flag=True, help="Move all times of the archive so that its newest item is now.")
@click.option("--json", "as_json", is_flag=True, help="Print the counts as one JSON object.")
def publish(paths: tuple[Path, ...], config: Config, mode: str, rate: float | None, rebase_times: bool, as_json: bool) -> None:
    """Put an archive on the raw topic, in the order in which a replay goes through it.

    PATHS are as for `dijla replay`. What cannot be read goes to the dead letters; the exit status is 3 then. To publish again is
    harmless: the pipeline drops an item that says what it has said before.

    \b
    Example:  dijla publish seeds/ --mode live --rebase-times --rate 10
    """
    from connectors import archive
    from connectors._publish import Publisher
    from pipeline import logs
    from pipeline.publishing import publish as run
    from pipeline.show import Progress
    from schemas.kafka.delivery import Delivery, Undelivered
    from schemas.kafka.envelope import SingleObject
    from schemas.kafka.failures import KafkaFailure

    logs.set_up()
    logs.conceal_all(config)
    now, topics = datetime.now(UTC), checked_topics(config, "raw", "dead_letters", "schemas")
    delivery, named = Delivery(config.kafka), list[str]()

    def note(letter: DeadLetter) -> None:
        if len(named) < _NAMED:
            named.append(_told(letter))

    with closing(delivery), tempfile.TemporaryDirectory(prefix="dijla-publish-") as work, Progress(hidden=as_json) as progress:
        publisher = Publisher(delivery, topics, SingleObject(), now=now, on_letter=note)
        records, newest = archive.read(paths, now=now, mode=mode), now if rebase_times else None
        try:
            done = run(records, publisher, Path(work), rate=rate, newest=newest, on_read=progress.read, on_sent=progress.done)
        except Undelivered as error:
            raise KafkaFailure(f"broken off: {error}; publish all of it again when the brokers are up: the pipeline drops what it has had") from error
    letters = done.dead_letters + publisher.refused
    if as_json:
        click.echo(json.dumps({"items": done.items - publisher.refused, "dead_letters": letters, "topic": topics.raw, "mode": mode}))
    else:
        click.echo(f"{done.items - publisher.refused} items to {topics.raw} as {mode}, {letters} dead letters to {topics.dead_letters}")
    for line in (*named, *([f"... and {letters - _NAMED} more"] if letters > _NAMED else [])):
        click.echo(f"  {line}", err=True)
    if letters:
        click.get_current_context().exit(3)


def _told(letter: DeadLetter) -> str:
    from pipeline.terminal import data

    entry = "" if letter.position is None else f", entry {letter.position} (from 0)"
    return " ".join(str(data(f"{letter.file or '-'}{entry}: {letter.error_message}")).split())
