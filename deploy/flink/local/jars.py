"""Flink and Beam's job server from Maven Central, into the user's cache."""

from __future__ import annotations

from pathlib import Path

from pipeline.broker.jars import fetched, packaged

_HERE = Path(__file__).parent


def flink_jars() -> Path:
    """The folder of Flink's jars; the first call of a user downloads 104 MB."""
    return fetched(_HERE / "flink.pom.xml", "flink-1.19.3")


def job_server_jar() -> Path:
    """The jar of the job server, 160 MB; the first call of a user makes it."""
    return packaged(_HERE / "job_server.pom.xml", "beam-flink-job-server-2.70.0")
