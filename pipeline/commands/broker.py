"""`dijla broker`: a real Kafka on this machine, and the topics that Dijla needs on any."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipeline.commands.options import kafka_options

if TYPE_CHECKING:
    from pipeline.broker.cluster import Cluster
    from pipeline.config import Config

_folder = click.option(
    "--dir", "folder", type=click.Path(file_okay=False, path_type=Path), help="Folder of data, logs and state.  [default: ~/.local/state/dijla/broker]"
)
_as_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")


@click.group()
def broker() -> None:
    """A real Apache Kafka on this machine, without Docker; and the topics that Dijla needs on any Kafka."""


@broker.command()
@click.option("--port", type=click.IntRange(1024, 65_000), default=9092, show_default=True, help="Port of the first node; the next ones take the next ports.")
@click.option("--nodes", type=click.Choice(["1", "3"]), default="1", show_default=True, help="Three survive the loss of one.")
@_folder
@_as_json
def start(port: int, nodes: str, folder: Path | None, as_json: bool) -> None:
    """Start Kafka on 127.0.0.1 and wait until it answers; it runs on until `dijla broker stop`.

    Needs Java 17 and Maven. The first start downloads Kafka (45 MB) into the user's cache. Data of an earlier run are kept; a transaction that
    hangs since Kafka was killed is brought to its end.
    """
    from pipeline.broker.cluster import ensure_running
    from pipeline.broker.jars import KAFKA, kafka_is_cached
    from schemas.kafka.hanging import mend
    from schemas.kafka.settings import KafkaSettings

    if not kafka_is_cached():
        click.echo(f"fetching {KAFKA} from Maven Central, once (45 MB)", err=True)
    cluster, started = ensure_running(_given(folder), nodes=int(nodes), port=port)
    for (topic, partition), committed in mend(KafkaSettings(bootstrap_servers=cluster.bootstrap)) if started else ():
        click.echo(f"{topic} partition {partition}: a transaction hung since Kafka was killed, now {'committed' if committed else 'aborted'}", err=True)
    _say(cluster, "started" if started else "was running already", as_json)


@broker.command()
@_folder
def stop(folder: Path | None) -> None:
    """Stop the Kafka that `start` started; its data are kept."""
    from pipeline.broker.cluster import stop as stop_cluster

    cluster = stop_cluster(_given(folder))
    click.echo(f"stopped {cluster.bootstrap}" if cluster else "no broker runs")


@broker.command()
@_folder
@_as_json
def status(folder: Path | None, as_json: bool) -> None:
    """Show what runs or is stopped: bootstrap servers, process ids, folder. Exit status 1 when nothing, or not every node, runs."""
    from pipeline.broker.cluster import Cluster

    cluster = Cluster.open(_given(folder))
    if cluster:
        _say(cluster, "runs" if cluster.complete else "has nodes that do not run" if cluster.running else "is stopped", as_json)
    else:
        click.echo("{}" if as_json else "no broker has been started here")
    if not (cluster and cluster.complete):
        click.get_current_context().exit(1)


@broker.command()
@kafka_options
@_as_json
def topics(config: Config, as_json: bool) -> None:
    """Create the topics that are missing, then check all; exit status 1 when one is not as it must be.

    Partitions, replication and retention are settings: section [topics] of --config.
    """
    from schemas.kafka.clients import admin
    from schemas.kafka.topics import create, existing, problems, specs

    wanted = specs(config.topics)
    with admin(config.kafka) as client:
        created = create(client, wanted)
        there, found = existing(client, wanted), problems(client, wanted)
    if as_json:
        click.echo(json.dumps({"topics": [spec.name for spec in wanted], "created": created, "problems": found}, indent=2))
    else:
        for name in (spec.name for spec in wanted if spec.name in there):
            click.echo(f"{name:<28} {there[name].partitions:>3} partitions x {there[name].replication}  {'created' if name in created else 'exists'}")
        for problem in found:
            click.echo(problem, err=True)
    if found:
        click.get_current_context().exit(1)


def _given(folder: Path | None) -> Path:
    from pipeline.broker.folders import state_folder

    return folder or state_folder() / "broker"


def _say(cluster: Cluster, what: str, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(cluster.state(), indent=2))
    else:
        pids = f"pid {', '.join(str(node.pid or 'none') for node in cluster.nodes)}; " if cluster.running else ""
        click.echo(f"Kafka {what}: {cluster.bootstrap} ({pids}{cluster.folder})")
