"""Bluesky: public posts by Jetstream, version 1.

Source: https://github.com/bluesky-social/jetstream. Options, one of them at least, as the whole network is too much: `dids`, `langs`, `keywords`;
of a list one has to fit, of the lists all.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from connectors import _bluesky
from connectors._connector import Cursor, Parsed, Payload, Request, Subscription
from connectors._framing import LARGEST
from connectors._items import known_options, origin_of
from connectors._json import Json, as_list, as_object, as_text, loads, packed
from connectors._sources import Source
from connectors._text import decode
from schemas.errors import ReadError, UsageError

_BASE = "https://jetstream2.us-east.bsky.network"
_OVERLAP = 5_000_000
"""Microseconds that a connection goes back behind the last: events arrive a little out of order."""
_LISTS = ("dids", "langs", "keywords")
_MOST_DIDS = 10_000
_UNSAID = "-"
"""A language that is none; of `langs` it wants the posts that do not say theirs."""


def request(source: Source, cursor: Cursor) -> Request | None:
    """Nothing: Jetstream repeats what a gap left out, up to a day or two. Raises UsageError where the options are wrong."""
    _options(source)
    return None


def subscribe(source: Source, cursor: Cursor) -> Subscription:
    """The posts of everybody, or of `dids`; from the cursor on, with an overlap. Raises UsageError."""
    # A message over the cap would end each connection that the cursor begins before it.
    asked = [("wantedCollections", "app.bsky.feed.post"), ("maxMessageSizeBytes", str(LARGEST))]
    asked += [("wantedDids", did) for did in _options(source)["dids"]]
    if "time_us" in cursor:
        asked.append(("cursor", str(int(cursor["time_us"]) - _OVERLAP)))
    scheme, _, rest = (source.url or _BASE).rstrip("/").partition("://")
    return Subscription(f"{'ws' if scheme.lower() == 'http' else 'wss'}://{rest}/subscribe?{urlencode(asked)}", "websocket")


def parse(payload: Payload, source: Source) -> Parsed:
    """The post of an event, none where it is not wanted; cursor `time_us`, of any event. Raises ReadError."""
    decoded = decode(payload.body, "utf-8")
    event = as_object(loads(decoded.text))
    time_us = event.get("time_us")
    if type(time_us) is not int:
        raise ReadError("is no event of Jetstream: it has no time_us")
    cursor = {"time_us": str(time_us)}
    if not _bluesky.split(event) or not _is_wanted(event, _options(source)):
        return Parsed([], cursor)
    fields = _bluesky.fields(event)
    origin = origin_of(payload, source).read_as(decoded)
    given = {
        **fields,
        "publisher": origin.publisher or fields["publisher"],
        "fetched_at": payload.fetched_at,
        "published_raw": _claim(fields["published_raw"], fields["fetched_at"]),
        "declared_language": None if fields["declared_language"] == _UNSAID else fields["declared_language"],
    }
    return Parsed([origin.item(**given, original=packed(event))], cursor)


def _claim(created: str | None, seen: datetime | None) -> str | None:
    """When it says it was written, which is what the author's program likes; not later than when the network saw it."""
    try:
        moment = datetime.fromisoformat(created or "")
    except ValueError:
        return created
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return created if seen is None or moment <= seen else seen.isoformat()


def _options(source: Source) -> dict[str, list[str]]:
    known_options(source, *_LISTS)
    found = {name: _texts(source, name) for name in _LISTS}
    if not any(found.values()):
        raise UsageError(f"source {source.id}: set options.dids, langs or keywords: without any it would take every post of the network")
    if wrong := next((did for did in found["dids"] if not did.startswith("did:")), None):
        raise UsageError(f"source {source.id}: options.dids: {wrong!r} is no DID, as did:plc:... is one; a handle's is shown by its profile's address")
    if len(found["dids"]) > _MOST_DIDS:
        raise UsageError(f"source {source.id}: options.dids has {len(found['dids']):,} entries; Jetstream takes {_MOST_DIDS:,}")
    return found


def _texts(source: Source, name: str) -> list[str]:
    given: Any = source.options.get(name, [])
    if not isinstance(given, list) or not all(isinstance(one, str) and one.strip() for one in given):
        raise UsageError(f"source {source.id}: options.{name} must be a list of texts")
    return given


def _is_wanted(event: Json, wanted: Mapping[str, Collection[str]]) -> bool:
    if wanted["dids"] and event.get("did") not in wanted["dids"]:
        return False
    commit = as_object(event.get("commit"))
    if commit.get("operation") == "delete":
        # It tells the id, no text and no language: by those nobody knows whether it is of a post that we took, and of the whole network they are
        # hundreds of thousands a day. Of chosen accounts they are few, and one of a post that we did not take does no harm.
        return bool(wanted["dids"])
    record = as_object(commit.get("record"))
    return _is_in(as_list(record.get("langs")), wanted["langs"]) and _is_about(as_text(record.get("text")) or "", wanted["keywords"])


def _is_in(declared: list[Any], wanted: Collection[str]) -> bool:
    """Whether a language is wanted as it is, or as the variety of a wanted one (RFC 4647, basic filtering)."""
    tags = [_tag(tag) for tag in declared if isinstance(tag, str) and tag] or [_UNSAID]
    return not wanted or any(tag == one or tag.startswith(f"{one}-") for one in map(_tag, wanted) for tag in tags)


def _tag(tag: str) -> str:
    return tag.strip().lower().replace("_", "-")


def _is_about(text: str, keywords: Collection[str]) -> bool:
    folded = _folded(text)
    return not keywords or any(_folded(word) in folded for word in keywords)


def _folded(text: str) -> str:
    """Without case, and without the differences of code points that nobody sees."""
    return unicodedata.normalize("NFKC", text).casefold()
