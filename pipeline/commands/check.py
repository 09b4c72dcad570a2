"""`dijla check`: look at one source."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipeline.commands.options import config_options
from schemas.errors import UsageError

if TYPE_CHECKING:
    from connectors._poll import Polled
    from connectors._sources import Source
    from pipeline.config import Config


@click.command()
@click.argument("source", metavar="SOURCE")
@click.option("--sources", "file", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE.toml", help="Where SOURCE is an id of.")
@click.option("--type", "kind", default="rss", show_default=True, help="Its connector, where SOURCE is a URL.")
@click.option("--allow-private", is_flag=True, help="Ask it even at an address that is not public, where SOURCE is a URL.")
@config_options()
@click.option("--json", "as_json", is_flag=True, help="Print the records as JSON lines.")
def check(source: str, file: Path | None, kind: str, allow_private: bool, config: Config, as_json: bool) -> None:
    """Poll a source once and show everything: HTTP facts, items and their dates, what would be sent and why the rest not. Sends and stores nothing.

    SOURCE is an id of the sources file, or a URL. Exit status 3 where it cannot be read.

    \b
    Example:  dijla check https://news.example/feed.xml
    """
    from pydantic import SecretStr

    from pipeline import logs

    logs.set_up()
    chosen = _source(source, file, kind, allow_private=allow_private)
    logs.conceal(*map(SecretStr, chosen.hidden()))
    polled = asyncio.run(_poll(chosen, config.collect.contact))
    _show(chosen, polled, as_json=as_json)
    if polled.failure:
        click.get_current_context().exit(3)


def _source(name: str, file: Path | None, kind: str, *, allow_private: bool) -> Source:
    from connectors._sources_file import checked, load, unusable

    if file is None:
        if "://" not in name:
            raise UsageError(f"{name} is no URL; if it is the id of a source, say in which file: --sources FILE.toml")
        return checked([{"id": "check", "type": kind, "url": name, "allow_private": allow_private}], "SOURCE")[0]
    found = {source.id: source for source in load(file)}
    if name not in found:
        raise UsageError(f"{file} has no source {name}: it has {', '.join(sorted(found))}")
    if why := unusable(found[name]):
        raise UsageError(f"source {name}: {why}")
    return found[name]


async def _poll(source: Source, contact: str | None) -> Polled:
    from connectors._poll import opened, poll
    from connectors._state import State

    async with opened(_now, contact) as (http, reader):
        return await poll(source, State(), http, reader, _now, luck=0.5)


def _now() -> datetime:
    return datetime.now(UTC)


def _show(source: Source, polled: Polled, *, as_json: bool) -> None:
    from pipeline.commands.source_tables import record_table
    from pipeline.logs import masked
    from pipeline.terminal import console, data
    from schemas.avro import to_json

    payload = polled.payload
    if as_json:
        for record in polled.records:
            click.echo(json.dumps(to_json(record), ensure_ascii=False))
        return
    screen = console()
    screen.print(data(f"{source.id} ({source.type}): {polled.state.status} {masked(polled.state.message)}".rstrip()))
    if payload:
        for address in payload.redirects:
            screen.print(data(masked(f"  by way of {address}")))
        screen.print(data(masked(f"  {payload.url}: status {payload.status}, {len(payload.body):,} bytes")))
    for name, value in _headers(polled).items():
        screen.print(data(masked(f"  {name}: {value}")))
    screen.print(f"{polled.read} records read, {len(polled.records)} would be sent")
    screen.print(record_table(polled))


def _headers(polled: Polled) -> Mapping[str, str]:
    from connectors._http import FetchFailed

    if polled.payload:
        return polled.payload.headers
    return polled.failure.headers if isinstance(polled.failure, FetchFailed) else {}
