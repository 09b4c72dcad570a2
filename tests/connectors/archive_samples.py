"""The sample pairs of the archive connector: tests/samples/archive/NAME beside NAME.expected.json."""

from __future__ import annotations

import zlib
from dataclasses import MISSING, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from connectors import archive
from schemas.records import DeadLetter, HttpFacts, RawItem

SAMPLES = Path(__file__).parent.parent / "samples" / "archive"
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
_SUFFIX = ".expected.json"
_CLOCK = ("first_failed_at", "last_failed_at")


def samples() -> list[Path]:
    return sorted(path for path in SAMPLES.iterdir() if not path.name.endswith(_SUFFIX))


def expected_path(sample: Path) -> Path:
    return sample.with_name(sample.name + _SUFFIX)


def read_plain(path: Path) -> list[dict[str, Any]]:
    return [plain(record) for record in archive.read([path], now=NOW)]


def plain(record: RawItem | DeadLetter | HttpFacts) -> dict[str, Any]:
    """The fields that are not at their default, bytes as text, times in ISO 8601; without the clock's."""
    values = {field.name: (getattr(record, field.name), field.default) for field in fields(record) if field.name not in _CLOCK}
    given = {name: _plain(value) for name, (value, default) in values.items() if default is MISSING or value != default}
    if isinstance(record, RawItem) and record.original:
        given["original"] = zlib.decompress(record.original).decode()
    return given


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, HttpFacts):
        return plain(value)
    return list(value) if isinstance(value, tuple) else value
