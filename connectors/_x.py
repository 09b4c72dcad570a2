"""X: tweets of the API v2, of the API v1.1, and of an account's export.

Source: https://docs.x.com/x-api/fundamentals/data-dictionary and the v1.1 tweet object.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from connectors._json import Json, as_list, as_object, as_text
from schemas.errors import ReadError


def split(record: Json) -> list[Json] | None:
    """Single tweets, each with its user where that is given; None where the record is none of X."""
    if isinstance(record.get("tweet"), dict):
        return split({"id_str": "", **record["tweet"]})
    if "id_str" in record and ("full_text" in record or "text" in record):
        return [{"tweet": as_object(record.get("retweeted_status")) or record, "version": 1}]
    if _is_v2(record):
        return [{"tweet": record, "version": 2}]
    data = record.get("data")
    tweets = [tweet for tweet in (data if isinstance(data, list) else [data]) if _is_v2(tweet)]
    users = {as_text(user.get("id")): user for user in map(as_object, as_list(as_object(record.get("includes")).get("users")))}
    others = {as_text(tweet.get("id")): tweet for tweet in map(as_object, as_list(as_object(record.get("includes")).get("tweets")))}
    found = []
    for tweet in tweets:
        quoted = _user_of(_quoted(tweet, others), users)
        found.append({"tweet": tweet, "version": 2, "user": _user_of(tweet, users), **({"quoted": quoted} if quoted else {})})
    return found or None


def _user_of(tweet: Any, users: Mapping[str | None, Json]) -> Any:
    return users.get(as_text(as_object(tweet).get("author_id")))


def _quoted(tweet: Any, others: Mapping[str | None, Json]) -> Any:
    """The tweet that this one quotes or repeats."""
    referred = (as_object(other) for other in as_list(as_object(tweet).get("referenced_tweets")))
    return next((others.get(as_text(other.get("id"))) for other in referred if other.get("type") in ("quoted", "retweeted")), None)


def fields(post: Json) -> dict[str, Any]:
    """RawItem fields of a tweet. Raises ReadError where it has no id."""
    found = _v1_fields(post["tweet"]) if post["version"] == 1 else _v2_fields(post["tweet"], as_object(post.get("user")), as_object(post.get("quoted")))
    if not found["native_id"]:
        raise ReadError("is a tweet without an id")
    return found


def _is_v2(value: Any) -> bool:
    return isinstance(value, dict) and "id" in value and "text" in value and ("edit_history_tweet_ids" in value or {"author_id", "created_at"} <= value.keys())


def _v2_fields(tweet: Json, user: Json, quoted: Json) -> dict[str, Any]:
    native_id, handle, author_id = as_text(tweet.get("id")), as_text(user.get("username")), as_text(tweet.get("author_id"))
    edits = as_list(tweet.get("edit_history_tweet_ids"))
    return {
        "native_id": as_text(edits[0]) if edits else native_id,
        "operation": "update" if edits and native_id != as_text(edits[0]) else "create",
        "url": f"https://x.com/{handle or 'i'}/status/{native_id}",
        "body": as_text(as_object(tweet.get("note_tweet")).get("text")) or as_text(tweet.get("text")),
        "author": as_text(user.get("name")) or handle or author_id,
        "publisher": handle or author_id,
        "credit": as_text(quoted.get("username")),
        "declared_language": as_text(tweet.get("lang")),
        "published_raw": as_text(tweet.get("created_at")),
    }


def _v1_fields(tweet: Json) -> dict[str, Any]:
    user, native_id = as_object(tweet.get("user")), as_text(tweet.get("id_str")) or as_text(tweet.get("id"))
    handle = as_text(user.get("screen_name"))
    extended = as_object(tweet.get("extended_tweet"))
    return {
        "native_id": native_id,
        "url": f"https://x.com/{handle or 'i'}/status/{native_id}",
        "body": as_text(extended.get("full_text")) or as_text(tweet.get("full_text")) or as_text(tweet.get("text")),
        "author": as_text(user.get("name")) or handle,
        "publisher": handle,
        "credit": as_text(as_object(as_object(tweet.get("quoted_status")).get("user")).get("screen_name")),
        "declared_language": as_text(tweet.get("lang")),
        "published_raw": as_text(tweet.get("created_at")),
    }
