"""What `dijla run` gives Flink, and what it refuses."""

from __future__ import annotations

from datetime import timedelta

import pytest

from pipeline.flink import flink_options, flink_settings
from pipeline.settings import RunSettings
from schemas.errors import UsageError

EXTERNAL = ["--job_endpoint=localhost:8099", "--environment_type=EXTERNAL", "--environment_config=localhost:50000"]


def test_what_flink_needs_is_set_and_what_was_given_stands() -> None:
    options = flink_options([*EXTERNAL, "--checkpointing_interval=3000"])
    assert options[:4] == [*EXTERNAL, "--checkpointing_interval=3000"]
    assert "--finish_bundle_before_checkpointing" in options
    assert "--checkpointing_interval=10000" not in options
    assert "--checkpointing_interval=10000" in flink_options(EXTERNAL)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ([*EXTERNAL, "--flink_submit_uber_jar", "--savepoint_path=s3://x"], "ignores --savepoint_path"),
        (["--job_endpoint=localhost:8099"], "--environment_type should be"),
        (["--environment_type=LOOPBACK"], "must live on without this command"),
        (["--environment_type=EXTERNAL"], "needs --environment_config"),
        ([*EXTERNAL, "--checkpointing_interval=0"], "milliseconds above 0"),
        ([*EXTERNAL, "--checkpointing_interval=-1"], "milliseconds above 0"),
    ],
)
def test_what_would_lose_data_is_refused(given: list[str], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        flink_options(given)


def test_the_source_is_read_in_long_bundles_unless_somebody_chose() -> None:
    assert flink_settings(RunSettings()).bundle_records == 100_000
    assert flink_settings(RunSettings(bundle_records=7, poll=timedelta(seconds=9))).bundle_records == 7
    assert flink_settings(RunSettings(poll=timedelta(seconds=9))).poll == timedelta(seconds=9)
