"""A real Kafka for the tests that need one: `broker`, which all share, and `own_cluster`, which a test may hurt."""

from __future__ import annotations

import os
import shutil
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

with warnings.catch_warnings():
    # kafka-python reads its files in a way that Python 3.11 calls deprecated.
    warnings.simplefilter("ignore", DeprecationWarning)
    import kafka  # noqa: F401

from pipeline.broker.cluster import Cluster, ensure_running, stop
from pipeline.broker.errors import MissingToolError
from pipeline.broker.jars import java, kafka_jars

# Retention is looked at every second, so that a test can see records go; a killed node is missed after 4 s, not 9. Samples keep
# their times however old they get: only a topic that says so loses records.
FAST = {
    "log.retention.ms": "-1",
    "log.retention.check.interval.ms": "1000",
    "log.segment.delete.delay.ms": "1000",
    "log.cleaner.backoff.ms": "500",
    "broker.heartbeat.interval.ms": "500",
    "broker.session.timeout.ms": "4000",
}
settings.register_profile("shared")  # machines are shared: no test times an example
settings.load_profile("shared")

NOT_TESTED = "NO KAFKA HERE, NOT TESTED"
# kafka-python leaves a socket that could not connect to the garbage collector.
NEVER_CONNECTED = r"ignore:unclosed <socket\.socket .* laddr=\('0\.0\.0\.0', \d+\)>:ResourceWarning"
FOLDER = pytest.StashKey[Path]()


def pytest_configure(config: pytest.Config) -> None:
    """One folder a run. The process that starts the xdist workers makes it and hands it to them: it outlives each of them."""
    config.addinivalue_line("filterwarnings", NEVER_CONNECTED)
    given = getattr(config, "workerinput", {}).get("broker_folder")
    config.stash[FOLDER] = Path(given or tempfile.mkdtemp(prefix="dijla-broker-"))


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    node.workerinput["broker_folder"] = str(node.config.stash[FOLDER])


def pytest_unconfigure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):
        stop(config.stash[FOLDER])
        shutil.rmtree(config.stash[FOLDER], ignore_errors=True)


@pytest.fixture(scope="session")
def kafka_installed() -> None:
    """Without Java or Maven the tests are skipped, loudly; in CI they fail."""
    try:
        java()
        kafka_jars()
    except MissingToolError as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(f"{NOT_TESTED}: {error}")


def pytest_terminal_summary(terminalreporter: Any) -> None:
    reasons = [report.longrepr[2] for report in terminalreporter.stats.get("skipped", []) if NOT_TESTED in str(report.longrepr)]
    if reasons:
        terminalreporter.write_line(f"{len(reasons)} tests: {reasons[0]}", red=True, bold=True)


@pytest.fixture(scope="session")
def broker(request: pytest.FixtureRequest, kafka_installed: None) -> Cluster:
    """One node for the whole run, started by the first test that asks; every test uses topics of its own."""
    return ensure_running(request.config.stash[FOLDER], properties=FAST)[0]


@pytest.fixture
def own_cluster(tmp_path: Path, kafka_installed: None) -> Iterator[Callable[..., Cluster]]:
    """own_cluster(nodes=3, listeners=("SASL_SSL",), properties={...}): a started cluster of the test's own, arguments as Cluster.plan's."""
    with ExitStack() as cleanup:

        def make(*, properties: dict[str, str] | None = None, **plan: Any) -> Cluster:
            folder = Path(tempfile.mkdtemp(prefix="kafka-", dir=tmp_path))
            cluster = Cluster.plan(folder, properties=FAST | (properties or {}), **plan)
            cleanup.callback(cluster.erase)
            cluster.start()
            return cluster

        yield make
