"""`python -m deploy.flink.local`: a Flink on loopback until Ctrl-C, and how to run Dijla on it."""

from __future__ import annotations

import signal
from pathlib import Path

import click

from deploy.flink.local.cluster import FlinkCluster
from pipeline.broker.folders import state_folder


@click.command()
@click.option(
    "--folder", type=click.Path(file_okay=False, path_type=Path), default=None, help="Of logs, checkpoints and savepoints.  [default: in the state folder]"
)
@click.option("--task-managers", type=click.IntRange(1), default=1, show_default=True)
@click.option("--slots", type=click.IntRange(1), default=4, show_default=True, help="Of each TaskManager.")
def main(folder: Path | None, task_managers: int, slots: int) -> None:
    """Start a standalone Flink, Beam's job server and a pool of Python workers; needs Java 17 and Maven."""
    with FlinkCluster(folder or state_folder() / "flink", task_managers=task_managers, slots=slots) as cluster:
        click.echo(f"Flink: {cluster.rest_url}, everything in {cluster.folder}\nrun on it:\n  dijla run {' '.join(cluster.options)}\nCtrl-C ends it")
        signal.sigwait({signal.SIGINT, signal.SIGTERM})


if __name__ == "__main__":
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    main()
