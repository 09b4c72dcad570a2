"""Bluesky: Jetstream events, and post views as getPosts, getAuthorFeed and searchPosts give them.

Source: https://github.com/bluesky-social/jetstream and https://docs.bsky.app/docs/api/app-bsky-feed-get-posts.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from connectors._json import Json, as_list, as_object, as_text
from schemas.errors import ReadError

_COLLECTION = "app.bsky.feed.post"


def split(record: Json) -> list[Json] | None:
    """Single posts of an event, a view, or a page of views; None where the record is no Bluesky one."""
    if "did" in record and "kind" in record and "time_us" in record:
        return [record] if as_object(record.get("commit")).get("collection") == _COLLECTION else []
    if _is_view(record):
        return [record]
    if _is_view(record.get("post")):
        return [record["post"]]
    for views in (record.get("feed"), record.get("posts")):
        found = [view for entry in as_list(views) for view in split(as_object(entry)) or []]
        if found:
            return found
    return None


def fields(post: Json) -> dict[str, Any]:
    """RawItem fields of an event or a view. Raises ReadError where it has no id."""
    return _event_fields(post) if "commit" in post else _view_fields(post)


def _is_view(value: Any) -> bool:
    return isinstance(value, dict) and str(value.get("uri")).startswith("at://") and isinstance(value.get("record"), dict)


def _event_fields(event: Json) -> dict[str, Any]:
    commit = as_object(event["commit"])
    did, key, operation = as_text(event["did"]), as_text(commit.get("rkey")), commit.get("operation")
    if not did or not key or operation not in ("create", "update", "delete"):
        raise ReadError("is a Bluesky commit without a usable did, rkey or operation")
    return {
        "native_id": f"at://{did}/{_COLLECTION}/{key}",
        "operation": operation,
        "url": f"https://bsky.app/profile/{did}/post/{key}",
        "author": did,
        "publisher": did,
        "fetched_at": _from_micros(event["time_us"]),
        **_record_fields(as_object(commit.get("record"))),
    }


def _view_fields(view: Json) -> dict[str, Any]:
    author, uri = as_object(view.get("author")), str(view["uri"])
    did = as_text(author.get("did"))
    return {
        "native_id": uri,
        "url": f"https://bsky.app/profile/{did}/post/{uri.rpartition('/')[2]}" if did else None,
        "author": as_text(author.get("displayName")) or as_text(author.get("handle")) or did,
        "publisher": did,
        **_record_fields(view["record"]),
    }


def _record_fields(record: Json) -> dict[str, Any]:
    languages = as_list(record.get("langs"))
    return {
        "body": as_text(record.get("text")),
        "published_raw": as_text(record.get("createdAt")),
        "credit": _quoted(as_object(record.get("embed"))),
        "declared_language": as_text(languages[0]) if languages else None,
    }


def _quoted(embed: Json) -> str | None:
    """Who wrote the post that this one shows: app.bsky.embed.record, alone or with media."""
    record = as_object(embed.get("record"))
    uri = str(as_object(record.get("record")).get("uri") or record.get("uri") or "")
    return uri.split("/")[2] if uri.startswith("at://") and f"/{_COLLECTION}/" in uri else None


def _from_micros(value: Any) -> datetime | None:
    try:
        return datetime.fromtimestamp(value / 1_000_000, UTC)
    except (TypeError, ValueError, OverflowError, OSError):
        return None
