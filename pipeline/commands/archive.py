"""`dijla archive`: the raw topic kept as Avro files."""

from __future__ import annotations

import json
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipeline.commands.options import kafka_options

if TYPE_CHECKING:
    from pipeline.config import Config


@click.command()
@kafka_options
@click.option("--out", required=True, type=click.Path(file_okay=False, path_type=Path), help="Folder of the files; one process writes to it.")
@click.option("--group", default="dijla-archive", show_default=True, help="Consumer group, whose lag shows how far the files are behind.")
@click.option("--file-mb", type=click.FloatRange(min=0, min_open=True), default=64, show_default=True, help="Size at which a file is finished.")
@click.option("--file-minutes", type=click.FloatRange(min=0), default=15, show_default=True, help="Age at which a file is finished.")
@click.option("--until-end", is_flag=True, help="Stop when all is kept that stands on the topic now.")
@click.option("--json", "as_json", is_flag=True, help="Print the counts as one JSON object.")
def archive(config: Config, out: Path, group: str, file_mb: float, file_minutes: float, until_end: bool, as_json: bool) -> None:
    """Keep the raw topic as Avro files by day, which `dijla replay` reads.

    Runs until Ctrl-C or SIGTERM, which finish the files, or with --until-end to the end of the topic. A restart goes on behind the last file,
    without gap or double. What is no item goes to DIR/dead-letters/; the exit status is 3 then.

    \b
    Example:  dijla archive --out archive/ --until-end
    """
    from pipeline import logs
    from pipeline.decoder import Decoder
    from pipeline.stopping import on_signals
    from pipeline.topic_archive import TopicArchive
    from schemas.kafka.clients import consumer, explained
    from schemas.kafka.topics import Topics

    logs.set_up()
    logs.conceal_all(config)
    topics = Topics.of(config.topics)
    with (
        closing(consumer(config.kafka, group_id=group, auto_offset_reset="none")) as client,
        closing(Decoder(config.kafka, topics.schemas, config.schema_registry)) as decoder,
        explained(config.kafka),
    ):
        kept = TopicArchive(client, topics.raw, out, decoder, file_bytes=int(file_mb * 1e6), file_age=timedelta(minutes=file_minutes))
        with on_signals(kept.stop):
            kept.run(until_end=until_end)
    counts = {"items": kept.items, "dead_letters": kept.dead_letters, "missed": kept.missed}
    click.echo(
        json.dumps({"out": str(out), **counts}) if as_json else f"{out}: " + ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in counts.items())
    )
    if kept.dead_letters:
        click.get_current_context().exit(3)
