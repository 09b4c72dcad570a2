"""`dijla watch`: the events, as they come."""

from __future__ import annotations

import sys
from datetime import timedelta
from typing import TYPE_CHECKING

import click

from pipeline.commands.options import config_options

if TYPE_CHECKING:
    from pipeline.config import Config


@click.command()
@config_options("kafka.bootstrap_servers", "schema_registry.url")
@click.option("--from", "start", default="group", show_default=True, help="group (where this group was), earliest, latest, or a time: 2026-11-22T18:30:00Z.")
@click.option("--group", help="Members of a group share the events; it goes on where it was.  [default: watch, with the prefix of the topics: osint.watch]")
@click.option("--severity", metavar="WORD", help="At least so grave: minor, moderate, severe, extreme.")
@click.option("--type", "types", multiple=True, metavar="TYPE", help="An event type; may be given several times.")
@click.option("--place", "places", multiple=True, metavar="NAME", help="Part of the name of the place or its district; several times.")
@click.option("--scope", "scopes", multiple=True, metavar="SCOPE", help="city, belt, near, elsewhere, unknown; several times.")
@click.option("--credibility", type=int, metavar="1-6", help="At least so credible: 1 is three independent families, 6 cannot be judged.")
@click.option("--alerts", is_flag=True, help="Only revisions that deserve an alert.")
@click.option("--timeout", type=click.FloatRange(min=0, min_open=True), metavar="SECONDS", help="End when no record has come for so long.")
@click.option("--json", "as_json", is_flag=True, help="A JSON object a line instead of a table.")
def watch(
    config: Config,
    start: str,
    group: str | None,
    severity: str | None,
    types: tuple[str, ...],
    places: tuple[str, ...],
    scopes: tuple[str, ...],
    credibility: int | None,
    alerts: bool,
    timeout: float | None,
    as_json: bool,
) -> None:
    """Show the events of the output topic as they come, each revision once; it goes on where it was.

    Ends with Ctrl-C, SIGTERM or --timeout. Exit status 3 where a record could not be decoded.

    \b
    Example:  dijla watch --from earliest --severity severe --scope city --json --timeout 30
    """
    from pipeline import logs
    from pipeline.stopping import on_signals
    from pipeline.subscribe import Filter, Subscription
    from pipeline.topic_positions import parse_start
    from pipeline.watching import show_table, write_lines

    logs.set_up()
    logs.conceal_all(config)
    wanted = Filter(severity=severity, types=types, places=places, scopes=scopes, credibility=credibility, alerts=alerts)
    pause = timedelta(seconds=timeout) if timeout else None
    begin, registry = parse_start(start), config.schema_registry
    group = group or f"{config.topics.prefix}watch"
    with (
        Subscription(config.kafka, group=group, filter=wanted, start=begin, timeout=pause, topics=config.topics, registry=registry) as events,
        on_signals(events.stop),
    ):
        if as_json:
            write_lines(events, sys.stdout.buffer)
        else:
            show_table(events)
    if events.unreadable:
        click.get_current_context().exit(3)
