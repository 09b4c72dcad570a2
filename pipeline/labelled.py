"""A user's own labelled lines, for `dijla language bench`: `language<TAB>text`, or JSON lines {"language", "text"}."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from schemas.errors import ReadError

_CODE = re.compile("[a-z]{2,3}")


class Labelled(NamedTuple):
    """A text and its language: ISO 639-1, else 639-3; `und` where it has none."""

    language: str
    text: str


def read(files: Iterable[Path]) -> Iterator[Labelled]:
    """The lines of all files, in order; empty ones are passed over. Raises ReadError naming file and line."""
    for file in files:
        try:
            with file.open("rb") as lines:
                for number, line in enumerate(lines):
                    try:
                        text = line.decode("utf-8-sig").rstrip("\r\n")
                        if text.strip():
                            yield _labelled(text)
                    except (ValueError, RecursionError) as error:
                        raise ReadError(f"{file}, line {number + 1}: {_reason(error)}", file=str(file), position=number) from error
        except OSError as error:
            raise ReadError(f"{file}: cannot be read: {error.strerror}", file=str(file)) from error


def _labelled(line: str) -> Labelled:
    """Raises ValueError."""
    if line.lstrip().startswith("{"):
        given = json.loads(line)
        language, text = _field(given, "language"), _field(given, "text")
    else:
        language, tab, text = line.partition("\t")
        if not tab:
            raise ValueError('must be language, tab, text, or a JSON object {"language", "text"}')
    if not _CODE.fullmatch(language):
        raise ValueError(f"{language[:20]!r} is no language code: write it as ISO 639 does, en, ckb, zh, or und where a text has no language")
    return Labelled(language, text)


def _field(given: dict[str, Any], name: str) -> str:
    if not isinstance(value := given.get(name), str):
        raise ValueError(f"field {name!r} must be a string, it is {'missing' if name not in given else type(value).__name__}")  # noqa: TRY004 - the input's
    return value


def _reason(error: Exception) -> str:
    if isinstance(error, UnicodeDecodeError):
        return f"not UTF-8 at byte {error.start}"
    if isinstance(error, json.JSONDecodeError):
        return f"not JSON: {error.msg} at column {error.colno}"
    return "nested too deep" if isinstance(error, RecursionError) else str(error)
