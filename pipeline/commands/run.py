"""`dijla run`: the streaming pipeline."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipeline.commands.options import config_options, host_and_port

if TYPE_CHECKING:
    from pipeline.config import Config

_BEATS = timedelta(seconds=30)
_ALIKE = 0.75
"""No option of Beam's is that much like one of ours."""


@click.command(context_settings={"ignore_unknown_options": True})
@config_options("kafka.bootstrap_servers", "run.group", "schema_registry.url", "pipeline.language_detector")
@click.option("--runner", default="PrismRunner", show_default=True, help="Beam's runner. Prism, for one machine, is fetched or built where it is not here.")
@click.option("--from", "start", default="group", show_default=True, help="group, earliest, latest or a time: where the raw topic is read from.")
@click.option("--sink", "sinks", default="kafka", show_default=True, help="kafka, avro, or both: kafka,avro.")
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), help="Folder of the Avro files of --sink avro.")
@click.option("--monitor", default="127.0.0.1:0", show_default=True, help="HOST:PORT of /metrics, /healthz and /readyz; port 0: any free one.")
@click.option("--log-format", type=click.Choice(["json", "text"]), help="Lines of the log.  [default: text on a terminal, else json]")
@click.argument("beam_options", nargs=-1, type=click.UNPROCESSED)
def run(config: Config, runner: str, start: str, sinks: str, out: Path | None, monitor: str, log_format: str | None, beam_options: tuple[str, ...]) -> None:
    """Run the streaming pipeline: from the raw topic to reports and events, until SIGTERM.

    Options that are not ours go to Beam. SIGTERM lets what was read reach the sinks, then ends with status 0.

    \b
    Example:  dijla run --bootstrap-servers 127.0.0.1:9092 --sink kafka,avro --out out/
    """
    _refuse_misspelt(beam_options)
    from pipeline import logs

    logs.set_up(as_json=None if log_format is None else log_format == "json")
    logs.conceal_all(config)
    from pipeline import detectors
    from pipeline.monitor import Health, monitored
    from pipeline.run import Plan
    from pipeline.run import run as run_pipeline
    from pipeline.topic_positions import parse_start

    host, port = host_and_port(monitor)
    detectors.load(config.pipeline.language_detector)  # what is not installed is said before anything starts
    plan = Plan(parse_start(start), _sinks(sinks), out, runner, beam_options)
    health = Health(("broker", "topics", "job"), {}, _BEATS)
    with monitored(health, host, port) as address:
        click.echo(f"monitor: {address}/metrics", err=True)
        run_pipeline(config, plan, health)


def _refuse_misspelt(beam_options: Sequence[str]) -> None:
    """Beam drops what it does not know: a run of another group than the one that was meant would write everything twice."""
    ours = [name for option in run.params for name in option.opts if name.startswith("--")]
    for given in beam_options:
        name = given.partition("=")[0]
        if name.startswith("--") and (meant := get_close_matches(name, ours, n=1, cutoff=_ALIKE)):
            raise click.NoSuchOption(name, possibilities=meant)


def _sinks(names: str) -> list[str]:
    given = [name.strip() for name in names.split(",")]
    if unknown := [name for name in given if name not in ("kafka", "avro")]:
        raise click.BadParameter(f"{', '.join(unknown)}: choose of kafka, avro", param_hint="--sink")
    return given
