"""A real Flink and a real Kafka, one of each for a test."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from deploy.flink.local.cluster import FlinkCluster
from deploy.flink.local.jars import flink_jars, job_server_jar
from pipeline.broker.cluster import Cluster
from pipeline.broker.errors import MissingToolError
from tests.conftest import NOT_TESTED
from tests.pipeline.live import Live


@pytest.fixture(scope="session")
def flink_installed() -> None:
    """Without Java or Maven the tests are skipped, loudly; in CI they fail."""
    try:
        flink_jars()
        job_server_jar()
    except MissingToolError as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(f"{NOT_TESTED}: {error}")


@pytest.fixture
def flink(flink_installed: None, tmp_path: Path) -> Iterator[Callable[..., FlinkCluster]]:
    """flink(task_managers=2): a cluster of the test's own."""
    with ExitStack() as cleanup:

        def make(**given: Any) -> FlinkCluster:
            return cleanup.enter_context(FlinkCluster(tmp_path / "flink", **given))

        yield make


@pytest.fixture
def live(broker: Cluster, tmp_path: Path) -> Iterator[Live]:
    installation = Live(broker, tmp_path)
    yield installation
    installation.end()
