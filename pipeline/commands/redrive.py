"""`dijla redrive`: dead letters put back after a fix."""

from __future__ import annotations

import json
from contextlib import closing
from datetime import datetime
from typing import TYPE_CHECKING

import click

from pipeline.commands.options import kafka_options
from schemas.records import STAGES

if TYPE_CHECKING:
    from pipeline.config import Config


@click.command()
@kafka_options
@click.option("--stage", type=click.Choice(STAGES), help="Only letters of this stage.")
@click.option("--error", metavar="CLASS", help="Only letters of this class of error: SchemaError ...")
@click.option("--text", help="Only letters whose error message holds this text.")
@click.option("--since", metavar="TIME", help="Only letters that failed last at this time or later: 2026-11-22T18:30:00Z.")
@click.option("--until", metavar="TIME", help="Only letters that failed last before this time.")
@click.option("--max-attempts", type=click.IntRange(min=1), default=3, show_default=True, help="A letter that has failed so often is parked.")
@click.option("--group", default="dijla-redrive", show_default=True, help="Consumer group that remembers which letters have been handled.")
@click.option("--dry-run", is_flag=True, help="Show what would be done, and do nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def redrive(
    config: Config,
    stage: str | None,
    error: str | None,
    text: str | None,
    since: str | None,
    until: str | None,
    max_attempts: int,
    group: str,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Put dead letters back on the raw topic after a fix, each once.

    Letters that do not fit the filter stay for another run. Those that cannot be put back, or have failed too often, go to the parking topic;
    the exit status is 3 then.

    \b
    Example:  dijla redrive --stage tag --dry-run
    """
    from pipeline import logs
    from pipeline.decoder import Decoder
    from pipeline.letters import Selection
    from pipeline.redrive import Redrive
    from pipeline.redrive_report import Report
    from schemas.kafka.clients import explained
    from schemas.kafka.topics import Topics

    logs.set_up()
    logs.conceal_all(config)
    selection = Selection(stage=stage, error=error, text=text, since=_time(since), until=_time(until))
    topics, report = Topics.of(config.topics), Report()
    with (
        explained(config.kafka),
        closing(Decoder(config.kafka, topics.schemas, config.schema_registry)) as decoder,
        Redrive(config.kafka, topics, decoder, group=group, max_attempts=max_attempts) as redriving,
    ):
        try:
            for taken in redriving.plan(selection) if dry_run else redriving.run(selection):
                report.add(taken)
        finally:
            if as_json:
                click.echo(json.dumps({"dry_run": dry_run, **report.as_json()}, ensure_ascii=False, indent=2))
            else:
                report.print(dry_run=dry_run)
    if report.counts["park"] and not dry_run:
        click.get_current_context().exit(3)


def _time(text: str | None) -> datetime | None:
    from pipeline.topic_positions import parse_time

    return None if text is None else parse_time(text)
