"""Mastodon: a timeline by its stream, the gap before each connection by the REST API.

Source: https://docs.joinmastodon.org/methods/streaming/ and /methods/timelines/. Options: `timeline`, one of public (the default), local, hashtag
with `hashtag`, account with `account` (its id; it has no stream and is polled). Secret: `token`, a user's; without it the timeline is polled.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from urllib.parse import quote, urlencode

from connectors import _mastodon
from connectors._connector import Cursor, Parsed, Payload, Request, Subscription
from connectors._items import address_of, known_options, origin_of
from connectors._json import Json, as_object, as_text, dumps, loads, packed
from connectors._origin import Origin
from connectors._sources import Source
from connectors._text import decode
from schemas.errors import ReadError, UsageError
from schemas.records import DeadLetter, RawItem

_PAGE = 40
_NAMED = ("hashtag", "account")
_TIMELINES = ("public", "local", *_NAMED)
_LONGEST_ID = 64


def request(source: Source, cursor: Cursor) -> Request:
    """The page behind the cursor, the latest at first. Raises UsageError where the options or the secret are wrong."""
    timeline, name = _timeline(source)
    path = {
        "public": "timelines/public",
        "local": "timelines/public",
        "hashtag": f"timelines/tag/{quote(name, safe='')}",
        "account": f"accounts/{quote(name, safe='')}/statuses",
    }[timeline]
    asked = {"limit": str(_PAGE)}
    if timeline == "local":
        asked["local"] = "true"
    if "min_id" in cursor:
        asked["min_id"] = cursor["min_id"]
    return Request(f"{_base(source)}/{path}?{urlencode(asked)}", _headers(source), secret_parts=_secrets(source))


def subscribe(source: Source, cursor: Cursor) -> Subscription | None:
    """The stream of the timeline; None for an account's, which has none, and without a token, as servers want one since 4.2. Raises UsageError."""
    timeline, name = _timeline(source)
    if timeline == "account" or "token" not in source.secrets:
        return None
    path = {"public": "public", "local": "public/local", "hashtag": f"hashtag?{urlencode({'tag': name})}"}[timeline]
    return Subscription(f"{_base(source)}/streaming/{path}", "sse", _headers(source), secret_parts=_secrets(source))


def parse(payload: Payload, source: Source) -> Parsed:
    """The statuses of a page, oldest first, or of a stream's event; cursor `min_id`, the newest id. Raises ReadError.

    There is another page where this one had something new: servers leave out of a page what they filter, so that a short one need not be the last,
    and one that does not know `min_id` gives the same page for ever. Its Link header says no more, and would be an address to send the token to.
    """
    decoded = decode(payload.body, "utf-8")
    origin = origin_of(payload, source).read_as(decoded)
    if payload.event is not None:
        return _told(payload.event, decoded.text, origin, payload.cursor)
    page = loads(decoded.text)
    if not isinstance(page, list):
        raise ReadError(f"is no timeline of Mastodon: {as_text(as_object(page).get('error')) or 'no list of statuses'}")
    statuses = [as_object(status) for status in reversed(page)]
    after = _behind(payload.cursor, statuses)
    return Parsed([_record_or_letter(status, origin) for status in statuses], after, more="min_id" in payload.cursor and after != payload.cursor)


def _told(event: str, data: str, origin: Origin, cursor: Cursor) -> Parsed:
    """What an event of the stream gives; only a new status moves the cursor."""
    if event == "delete":
        return Parsed([_deletion(data.strip(), origin)], cursor)
    if event not in ("update", "status.update"):
        return Parsed([], cursor)
    status = as_object(loads(data))
    if event == "update":
        return Parsed([_record(status, origin)], _behind(cursor, [status]))
    return Parsed([_record(status, origin, operation="update")], cursor)


def _deletion(status_id: str, origin: Origin) -> RawItem:
    if not status_id.isalnum() or len(status_id) > _LONGEST_ID:
        raise ReadError("is a deletion at Mastodon without an id")
    return origin.item(**_mastodon.fields({"deleted": status_id}), original=packed({"deleted": status_id}))


def _record(status: Json, origin: Origin, **given: Any) -> RawItem:
    """Its item; of a boost that of the boosted status, which is the publication of whoever wrote it."""
    boosted = as_object(status.get("reblog"))
    post = boosted or status
    fields = {**_mastodon.fields(post), **given}
    publisher = fields["publisher"] if boosted else origin.publisher or fields["publisher"]
    return origin.item(**{**fields, "publisher": publisher}, original=packed(post))


def _record_or_letter(status: Json, origin: Origin) -> RawItem | DeadLetter:
    try:
        return _record(status, origin)
    except ReadError as error:
        return origin.dead_letter(error, dumps(status))


def _behind(cursor: Cursor, statuses: Iterable[Json]) -> Cursor:
    """The newest id: ids are texts that grow, in length too."""
    ids = [found for status in statuses if (found := as_text(status.get("id"))) and len(found) <= _LONGEST_ID]
    newest = max([*ids, *cursor.values()], key=lambda status_id: (len(status_id), status_id), default=None)
    return {} if newest is None else {"min_id": newest}


def _timeline(source: Source) -> tuple[str, str]:
    known_options(source, "timeline", *_NAMED, secrets=("token",))
    timeline = source.options.get("timeline", "public")
    if timeline not in _TIMELINES:
        raise UsageError(f"source {source.id}: options.timeline is {timeline!r}: choose of {', '.join(_TIMELINES)}")
    if unused := next((name for name in _NAMED if name in source.options and name != timeline), None):
        raise UsageError(f"source {source.id}: options.{unused} needs options.timeline = {unused!r}; it is {timeline!r}")
    name = str(source.options.get(timeline, "")).removeprefix("#")
    if timeline in _NAMED and not name:
        raise UsageError(f"source {source.id}: options.timeline = {timeline!r} needs options.{timeline}")
    if timeline == "account" and not name.isalnum():
        raise UsageError(f"source {source.id}: options.account is {name!r}; set the id that {_base(source)}/accounts/lookup?acct=NAME tells")
    return timeline, name


def _base(source: Source) -> str:
    return f"{address_of(source).rstrip('/')}/api/v1"


def _headers(source: Source) -> dict[str, str]:
    return {"authorization": f"Bearer {source.secret('token')}"} if "token" in source.secrets else {}


def _secrets(source: Source) -> tuple[str, ...]:
    return (source.secret("token"),) if "token" in source.secrets else ()
