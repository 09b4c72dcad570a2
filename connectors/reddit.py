"""Reddit: the new posts of a subreddit, by OAuth, or by the private feed of an account.

Source: https://www.reddit.com/dev/api#GET_new and https://github.com/reddit-archive/reddit/wiki/OAuth2. Options: `subreddit`; `via`, "api" (the default)
with the secrets `client_id` and `client_secret`, or "feed" with the secret `feed`, the feed's whole address.
"""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from connectors import _feeds
from connectors._connector import Cursor, Parsed, Payload, Refusal, Request, TokenRequest
from connectors._items import known_options, origin_of
from connectors._json import Json, as_object, as_text, dumps, loads, packed
from connectors._origin import Origin
from connectors._sources import SecretError, Source
from connectors._text import decode
from connectors._walk import walked
from schemas.errors import ReadError, UsageError
from schemas.records import DeadLetter, RawItem

_SITE, _API = "https://www.reddit.com", "https://oauth.reddit.com"
_SUBREDDIT = re.compile(r"(?:r/)?([A-Za-z0-9][A-Za-z0-9_]{1,20})")
_NAME = re.compile(r"t3_([0-9a-z]{1,13})")
_GONE = frozenset({"[deleted]", "[removed]"})


def request(source: Source, cursor: Cursor) -> Request:
    """A page of the listing, the newest at first, or the feed. Raises UsageError where the source's options or secrets are wrong."""
    known_options(source, "subreddit", "via", secrets=("client_id", "client_secret", "feed"))
    if _is_feed(source):
        return _feed(source)
    subreddit = _SUBREDDIT.fullmatch(str(source.options.get("subreddit", "")))
    if not subreddit:
        raise UsageError(f"source {source.id}: set options.subreddit to the name behind https://www.reddit.com/r/")
    # Not `before`: once that post is deleted, a listing before it is empty for ever.
    asked = {"limit": "100", "raw_json": "1", **({"after": f"t3_{cursor['before']}"} if "before" in cursor else {})}
    client_id, client_secret = source.secret("client_id"), source.secret("client_secret")
    base = source.url and source.url.rstrip("/")
    return Request(
        f"{base or _API}/r/{subreddit[1]}/new?{urlencode(asked)}",
        token=TokenRequest(f"{base or _SITE}/api/v1/access_token", client_id, client_secret),
        secret_parts=(client_id, client_secret),
    )


def parse(payload: Payload, source: Source) -> Parsed:
    """Its posts, oldest first; native_id = the fullname, t3_... Raises ReadError, Refusal (refused)."""
    if _is_feed(source):
        return Parsed(_feeds.parse(payload.body, origin_of(payload, source))[::-1], {})
    decoded = decode(payload.body, "utf-8")
    listing = as_object(loads(decoded.text))
    children = as_object(listing.get("data")).get("children")
    if not isinstance(children, list):
        raise Refusal("refused", f"is no listing of Reddit: {as_text(listing.get('message')) or 'it has no data.children'}")
    origin = origin_of(payload, source).read_as(decoded)
    records = [_record(as_object(child), origin, position) for position, child in enumerate(children)][::-1]
    ids = [record.native_id.removeprefix("t3_") for record in records if isinstance(record, RawItem)]
    return Parsed(records, *walked(payload.cursor, ids, base=36))


def _is_feed(source: Source) -> bool:
    via = source.options.get("via", "api")
    if via not in ("api", "feed"):
        raise UsageError(f'source {source.id}: options.via is {via!r}; set "api" (OAuth) or "feed" (an account\'s private feed)')
    return bool(via == "feed")


def _feed(source: Source) -> Request:
    address = source.secret("feed")
    tokens = parse_qs(urlsplit(address).query).get("feed", [])
    if not address.startswith(("http://", "https://")) or not tokens:
        raise SecretError(f"source {source.id}: its secret feed is no address of a private feed (https://www.reddit.com/r/NAME/new/.rss?feed=TOKEN&user=NAME)")
    return Request(address, secret_parts=(address, *tokens))


def _record(child: Json, origin: Origin, position: int) -> RawItem | DeadLetter:
    try:
        fields = _fields(as_object(child.get("data")))
        return origin.item(**{**fields, "publisher": origin.publisher or fields["publisher"]}, original=packed(child))
    except ReadError as error:
        return origin.dead_letter(error, dumps(child), position=position)


def _fields(post: Json) -> dict[str, Any]:
    name, path = as_text(post.get("name")) or "", as_text(post.get("permalink"))
    if not _NAME.fullmatch(name):
        raise ReadError("is no post of Reddit: its name is not t3_...")
    is_gone = bool(post.get("removed_by_category")) or post.get("selftext") in _GONE
    return {
        "native_id": name,
        "operation": "delete" if is_gone else "update" if post.get("edited") else "create",
        "url": f"{_SITE}{path}" if path else None,
        "title": as_text(post.get("title")),
        "body": as_text(post.get("selftext")) or (None if post.get("is_self") else as_text(post.get("url"))),
        "author": as_text(post.get("author")),
        "publisher": as_text(post.get("subreddit")),
        "published_raw": _seconds(post.get("created_utc")),
        "updated_raw": _seconds(post.get("edited")),
    }


def _seconds(value: Any) -> str | None:
    """Seconds since 1970 as Reddit writes them, 1608487200.0, without the fraction that is always zero; None for its false."""
    return as_text(int(value)) if isinstance(value, float) and value.is_integer() else as_text(value)
