"""JSON records -> items: Dijla's own line and the platforms' exports, recognised by their shape."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol

from connectors import _bluesky, _line, _mastodon, _telegram, _x
from connectors._json import Json, dumps, packed
from connectors._origin import Origin
from schemas.errors import ReadError
from schemas.records import DeadLetter, RawItem


class Platform(Protocol):
    """A platform's JSON."""

    def split(self, record: Json) -> list[Json] | None:
        """Single posts of a record of this platform, none where it holds other things than posts; None where it is not its."""

    def fields(self, post: Json) -> dict[str, Any]:
        """RawItem fields of a single post, native_id among them. Raises ReadError where it has no id."""


PLATFORMS: dict[str, Platform] = {"bluesky": _bluesky, "mastodon": _mastodon, "telegram": _telegram, "x": _x}


def items(value: Any, origin: Origin, *, position: int | None = None) -> Iterator[RawItem | DeadLetter]:
    """Items of a JSON value of any known shape, or of an array of them; without `position` they are numbered from 0.

    Raises ReadError where the value is nested too deeply.
    """
    try:
        for number, (platform, record) in enumerate(_singles(value)):
            yield _result(platform, record, origin, number if position is None else position)
    except RecursionError as error:
        raise ReadError("is JSON nested too deeply to be an item") from error


def _singles(value: Any) -> Iterator[tuple[str | None, Any]]:
    for record in value if isinstance(value, list) else [value]:
        for name, platform in PLATFORMS.items():
            posts = platform.split(record) if isinstance(record, dict) else None
            if posts is not None:
                yield from ((name, post) for post in posts)
                break
        else:
            yield None, record


def _result(platform: str | None, record: Any, origin: Origin, position: int) -> RawItem | DeadLetter:
    try:
        return _item(platform, record, origin, position)
    except ReadError as error:
        return origin.dead_letter(error, dumps(record), position=position)


def _item(platform: str | None, record: Any, origin: Origin, position: int) -> RawItem:
    if platform:
        given = PLATFORMS[platform].fields(record)
        given["source_type"] = f"archive.{platform}"
        return origin.item(**given, original=packed(record), archive_position=position)
    if not isinstance(record, dict):
        raise ReadError("is JSON, but no object")
    return _line.item(record, origin, position=position)
