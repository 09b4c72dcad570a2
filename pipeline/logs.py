"""Structured logs on standard error: JSON lines for programs, text for people.

No secret that was concealed stands in a line, and no text of a feed can pass for a line, or a terminal's command, of its own.
What varies from case to case belongs into `extra`, not into the message: `log.warning("skipped", extra={"partition": 3, "offset": 17})`.
"""

from __future__ import annotations

import json
import logging
import math
import re
import sys
from collections import OrderedDict
from datetime import UTC, datetime, timedelta
from threading import Lock
from typing import Any, TextIO
from urllib.parse import quote

from pydantic import BaseModel, SecretStr

MASK = "**********"
OURS = ("pipeline", "connectors", "schemas")
"""Loggers of our own packages; all others are libraries'."""

_secrets: list[str] = []
_USER_OF_URL = re.compile(r"(?<=://)[^\s/@]+(?=@)")
# What ends a line, moves a terminal's cursor or reorders a line: controls, separators, marks of direction; halves of pairs.
_UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufeff]")
_NUMBER = re.compile(r"0x[0-9a-fA-F]+|\d+")
_OWN = ("time", "level", "logger", "message")
_STANDARD = frozenset((*vars(logging.makeLogRecord({})), *_OWN, "asctime", "taskName", "exception"))
_WHICH = ("topic", "partition", "stage", "source")
_REMEMBERED = 1_000
# Beam logs it whenever it is imported where Google's client libraries are not installed. Nothing here uses them: it would only worry people.
_OF_NO_USE = ("root", "apitools not found, and bigquery client libraries are not available despite the import not raising an ImportError.")


def set_up(*, as_json: bool | None = None, level: int = logging.INFO, libraries: int = logging.WARNING) -> None:
    """Send what our packages log from `level` on, and libraries from `libraries` on, to standard error; warnings of Python too.

    `as_json` None: text if that is a terminal, else JSON lines. May be called again.
    """
    root = logging.getLogger()
    # A library that logs while it is imported leaves a plain handler at the root: every line would be there twice.
    for old in [handler for handler in root.handlers if type(handler) in (_Handler, logging.StreamHandler)]:
        root.removeHandler(old)
    handler = _Handler(sys.stderr)
    handler.setFormatter(JsonLines() if as_json or (as_json is None and not sys.stderr.isatty()) else TextLines())
    handler.addFilter(lambda record: (record.name, record.msg) != _OF_NO_USE)
    handler.addFilter(Repeats())
    root.addHandler(handler)
    root.setLevel(libraries)
    for name in OURS:
        logging.getLogger(name).setLevel(level)
    logging.captureWarnings(True)


def conceal(*secrets: SecretStr) -> None:
    """From now on these never stand in a log line, as they are or quoted as in a URL."""
    for secret in secrets:
        value = secret.get_secret_value().strip()
        _secrets.extend({value, quote(value, safe="")} - {"", *_secrets})
    _secrets.sort(key=len, reverse=True)  # one that holds another goes first


def conceal_all(settings: BaseModel) -> None:
    """Conceal every SecretStr of these settings and of those within."""
    for _, value in settings:
        if isinstance(value, SecretStr):
            conceal(value)
        elif isinstance(value, BaseModel):
            conceal_all(value)


def masked(text: str) -> str:
    """The text without the secrets that were concealed, and without what stands before the @ of a URL."""
    for secret in _secrets:
        text = text.replace(secret, MASK)
    return _USER_OF_URL.sub(MASK, text)


class Repeats(logging.Filter):
    """Lets a warning or error through once in `every`; the next one through says how many were `repeated` in between.

    Ours are the same where message, topic, partition, stage and source are; a library's where only numbers differ.
    """

    def __init__(self, every: timedelta = timedelta(seconds=30)) -> None:
        super().__init__()
        self._every = every.total_seconds()
        self._said: OrderedDict[tuple[object, ...], tuple[float, int]] = OrderedDict()
        self._lock = Lock()

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether this record is said. Its own time is the clock."""
        if not logging.WARNING <= record.levelno < logging.CRITICAL:
            return True
        key = _sameness(record)
        with self._lock:
            last, repeated = self._said.pop(key, (-math.inf, 0))
            if abs(record.created - last) < self._every:
                self._said[key] = last, repeated + 1
                return False
            self._said[key] = record.created, 0
            if len(self._said) > _REMEMBERED:
                self._said.popitem(last=False)
        if repeated:
            record.repeated = repeated
        return True


def _sameness(record: logging.LogRecord) -> tuple[object, ...]:
    if record.name.partition(".")[0] in OURS:
        return record.name, record.levelno, record.getMessage(), *(getattr(record, name, None) for name in _WHICH)
    return record.name, record.levelno, _NUMBER.sub("#", record.getMessage())


class JsonLines(logging.Formatter):
    """One JSON object a line: time (RFC 3339, UTC), level, logger, message, the extras, exception."""

    def format(self, record: logging.LogRecord) -> str:
        """The line, without its end."""
        line = json.dumps(_fields(record) | _exception(self, record), ensure_ascii=False)
        return _UNSAFE.sub(lambda found: f"\\u{ord(found[0]):04x}", line)


class TextLines(logging.Formatter):
    """`TIME LEVEL LOGGER: MESSAGE key=value ...`; an exception's lines follow, each marked with a bar."""

    def format(self, record: logging.LogRecord) -> str:
        """The lines, without the last one's end."""
        fields = _fields(record)
        head = "{time} {level:<8} {logger}: {message}".format_map(fields)
        extras = (f"{name}={value}" for name, value in fields.items() if name not in _OWN)
        trace = (f"  | {line}" for text in _exception(self, record).values() for line in text.split("\n"))
        return "\n".join(map(_on_one_line, (" ".join((head, *extras)), *trace)))


def _on_one_line(text: str) -> str:
    return _UNSAFE.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def _fields(record: logging.LogRecord) -> dict[str, Any]:
    time = f"{datetime.fromtimestamp(record.created, UTC):%Y-%m-%dT%H:%M:%S}.{int(record.msecs):03}Z"
    own = zip(_OWN, (time, record.levelname, record.name, masked(record.getMessage())), strict=True)
    return dict(own) | {name: _plain(value) for name, value in vars(record).items() if name not in _STANDARD}


def _exception(formatter: logging.Formatter, record: logging.LogRecord) -> dict[str, str]:
    return {"exception": masked(formatter.formatException(record.exc_info))} if record.exc_info else {}


def _plain(value: object) -> object:
    """What JSON has as it is; anything else as its text."""
    if value is None or isinstance(value, int) or (isinstance(value, float) and math.isfinite(value)):
        return value
    return masked(str(value))


class _Handler(logging.StreamHandler[TextIO]):
    def emit(self, record: logging.LogRecord) -> None:
        """Write to what standard error is now: a progress bar or a test may have put its own there."""
        self.stream = sys.stderr
        super().emit(record)
