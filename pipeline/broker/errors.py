"""What can go wrong with a local broker."""

from __future__ import annotations

from schemas.errors import DijlaError, UsageError


class MissingToolError(UsageError):
    """A program that the broker needs (java, mvn) is not installed."""


class PortInUseError(UsageError):
    """Another program listens on a port that the broker was asked to use."""


class BrokerError(DijlaError):
    """Maven or Kafka did not do what it was asked; the message ends with the last lines it wrote."""


def last_lines(output: str) -> str:
    """The end of what a Java program wrote, without the frames of its stack traces."""
    return "\n".join([line for line in output.splitlines() if line.strip() and not line.startswith("\tat ")][-15:])
