"""Mastodon: statuses of the REST API, streaming events, and the outbox of an account's export.

Source: https://docs.joinmastodon.org/entities/Status/, /methods/streaming/ and https://www.w3.org/TR/activitypub/.
"""

from __future__ import annotations

import html
from typing import Any

from connectors._json import Json, as_list, as_object, as_text, loads
from schemas.errors import ReadError


def split(record: Json) -> list[Json] | None:
    """Single statuses of a status, a search result, a streaming event, an activity or an outbox; None where it is none of them."""
    if "account" in record and "content" in record:
        return [as_object(record.get("reblog")) or record]
    if "event" in record and "payload" in record:
        return _of_event(record)
    if record.get("type") in ("Create", "Update", "Delete", "Announce") and "object" in record:
        return [record] if isinstance(record["object"], dict) and record["type"] != "Announce" else []
    for entries in (record.get("orderedItems"), record.get("statuses")):
        found = [status for entry in as_list(entries) for status in split(as_object(entry)) or []]
        if found:
            return found
    return None


def fields(post: Json) -> dict[str, Any]:
    """RawItem fields of a status, a deletion or an activity. Raises ReadError where it has no id."""
    if "deleted" in post:
        return {"native_id": post["deleted"], "operation": "delete"}
    post = _streamed(post["streamed"]) if "streamed" in post else post
    found = _activity_fields(post) if "object" in post else _status_fields(post)
    if not found["native_id"]:
        raise ReadError("is a Mastodon status without an id")
    return found


def _of_event(record: Json) -> list[Json]:
    payload = record["payload"]
    if record["event"] == "delete":
        return [{"deleted": str(payload)}]
    return [{"streamed": payload}] if record["event"] in ("update", "status.update") else []


def _streamed(payload: Any) -> Json:
    status = as_object(loads(payload) if isinstance(payload, str) else payload)
    return as_object(status.get("reblog")) or status


def _status_fields(status: Json) -> dict[str, Any]:
    account, edited = as_object(status.get("account")), as_text(status.get("edited_at"))
    warning = as_text(status.get("spoiler_text"))
    return {
        "native_id": as_text(status.get("id")) or as_text(status.get("uri")),
        "operation": "update" if edited else "create",
        "url": as_text(status.get("url")) or as_text(status.get("uri")),
        "title": html.escape(warning, quote=False) if warning else None,
        "body": as_text(status.get("content")),
        "content_type": "text/html",
        "author": as_text(account.get("display_name")) or as_text(account.get("acct")),
        "publisher": _author(status),
        "credit": _author(as_object(as_object(status.get("quote")).get("quoted_status"))),
        "declared_language": as_text(status.get("language")),
        "published_raw": as_text(status.get("created_at")),
        "updated_raw": edited,
    }


def _author(status: Json) -> str | None:
    account = as_object(status.get("account"))
    return as_text(account.get("url")) or as_text(account.get("acct"))


def _activity_fields(activity: Json) -> dict[str, Any]:
    note = as_object(activity["object"])
    author = as_text(note.get("attributedTo")) or as_text(activity.get("actor"))
    updated, warning = as_text(note.get("updated")), as_text(note.get("summary"))
    operation = {"Delete": "delete", "Update": "update"}.get(activity["type"], "update" if updated else "create")
    return {
        "native_id": as_text(note.get("id")),
        "operation": operation,
        "url": as_text(note.get("url")) or as_text(note.get("id")),
        "title": html.escape(warning, quote=False) if warning else None,
        "body": as_text(note.get("content")),
        "content_type": "text/html",
        "author": author,
        "publisher": author,
        "declared_language": next(iter(as_object(note.get("contentMap"))), None),
        "published_raw": as_text(note.get("published")) or as_text(activity.get("published")),
        "updated_raw": updated,
    }
