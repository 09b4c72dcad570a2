"""`dijla sources`: how each source does."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipeline.commands.options import checked_topics, kafka_options

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipeline.config import Config


@click.command()
@click.option("--sources", "file", required=True, type=click.Path(dir_okay=False, path_type=Path), metavar="FILE.toml", help="The sources file.")
@kafka_options
@click.option("--out", type=click.Path(file_okay=False, exists=True, path_type=Path), metavar="DIR", help="The folder of `dijla collect --out`.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON lines.")
def sources(file: Path, config: Config, out: Path | None, as_json: bool) -> None:
    """Show the health of each source, as the collector stored it: status, last item, silence, next poll, errors.

    \b
    Example:  dijla sources --sources sources.toml
    """
    from connectors._sources_file import load
    from connectors._state import State, decode_state
    from pipeline.commands.source_tables import facts, state_table
    from pipeline.terminal import console

    listed, stored, now = load(file), _stored(config, out), datetime.now(UTC)
    states = {source.id: decode_state(stored[source.id]) if source.id in stored else State() for source in listed}
    if as_json:
        for source in listed:
            click.echo(json.dumps(facts(source, states[source.id], now), ensure_ascii=False))
    else:
        console().print(state_table(listed, states, now))


def _stored(config: Config, out: Path | None) -> Mapping[str, bytes]:
    from connectors._cursors import read
    from connectors._file_outbox import states

    return states(out) if out else read(config.kafka, checked_topics(config, "cursors").cursors).states
