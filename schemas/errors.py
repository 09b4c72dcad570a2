"""The one exception tree: every error that Dijla raises on purpose is a DijlaError."""

from __future__ import annotations


class DijlaError(Exception):
    """Base of all errors. The message says what was wrong, where, and what to do."""


class UsageError(DijlaError):
    """The user asked for something that cannot be done: a wrong path, option or setting."""


class DataFileError(DijlaError):
    """One of our own data files (language, event type, place, schema) is wrong."""


class SchemaError(DijlaError):
    """Bytes or a record do not fit their schema, or a schema breaks compatibility."""


class ReadError(DijlaError):
    """An input cannot be read: unreadable, malformed or over a limit.

    `file` and `position` (entry number from 0, None for the file as a whole) say where.
    """

    def __init__(self, message: str, *, file: str | None = None, position: int | None = None) -> None:
        super().__init__(message)
        self.file = file
        self.position = position


class WriteError(DijlaError):
    """An output cannot be written: no room, no permission."""
