"""What a run on Flink needs: Beam's options that go with our source and sinks, and the combinations that would lose data refused."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import timedelta

from pipeline.settings import RunSettings
from schemas.errors import UsageError

FLINK = "FlinkRunner"
_DEFAULTS = {
    "finish_bundle_before_checkpointing": None,  # without it a checkpoint holds a bundle open, and with short intervals nothing is read
    "checkpointing_interval": "10000",
    "externalized_checkpoints_enabled": None,
    "retain_externalized_checkpoints_on_cancellation": None,
    # Named, it turns chaining off (it is on by default, and the flag is its opposite). What Flink chains depends on the parallelism, and names the
    # operators: a savepoint made at parallelism 1 did not restore at 2.
    "operator_chaining": None,
    "max_bundle_size": "100000",
    "max_bundle_time_mills": "100",
}
_POLL = timedelta(seconds=1)
_BUNDLE = timedelta(seconds=5)
_BUNDLE_RECORDS = 100_000


def flink_options(given: Sequence[str]) -> list[str]:
    """Beam's options with what Flink needs besides; what the user gave stands.

    Raises UsageError for combinations that lose data, or that start no worker.
    """
    named = {name.removeprefix("--"): value for name, _, value in (option.partition("=") for option in given)}
    if "flink_submit_uber_jar" in named and "savepoint_path" in named:
        raise UsageError("--flink_submit_uber_jar ignores --savepoint_path, so everything would be read again: submit through a job server, --job_endpoint")
    if named.get("environment_type", "").upper() not in ("EXTERNAL", "PROCESS", "DOCKER"):
        raise UsageError(
            "--environment_type should be EXTERNAL with --environment_config=HOST:PORT of a worker pool, PROCESS, or DOCKER: "
            "the workers of a job on Flink must live on without this command"
        )
    if named.get("environment_type", "").upper() == "EXTERNAL" and not named.get("environment_config"):
        raise UsageError("--environment_type=EXTERNAL needs --environment_config=HOST:PORT, where each TaskManager finds its worker pool")
    if not named.get("checkpointing_interval", "1").isdecimal() or int(named.get("checkpointing_interval", "1")) == 0:
        raise UsageError("--checkpointing_interval should be milliseconds above 0: without checkpoints a restart loses the state")
    return [*given, *(f"--{name}" if value is None else f"--{name}={value}" for name, value in _DEFAULTS.items() if name not in named)]


def flink_settings(settings: RunSettings) -> RunSettings:
    """Settings of the source as Flink wants them, where the user chose none.

    It resumes a source once a bundle: long ones on a backlog, and few while idle, as each resume adds to the checkpoint (beam#27648). It cuts
    delays below a second to zero.
    """
    wanted = {"poll": _POLL, "bundle": _BUNDLE, "bundle_records": _BUNDLE_RECORDS}
    return settings.model_copy(update={name: value for name, value in wanted.items() if name not in settings.model_fields_set})


def without_warnings_of_options() -> None:
    """Beam's Python side warns of every option that only the job server knows."""
    logging.getLogger("apache_beam.options.pipeline_options").setLevel(logging.ERROR)
