"""Telegram: updates of the Bot API, and the result.json that Telegram Desktop exports.

Source: https://core.telegram.org/bots/api#update and https://core.telegram.org/import-export.
"""

from __future__ import annotations

from typing import Any

from connectors._json import Json, as_list, as_object, as_text
from schemas.errors import ReadError

_UPDATES = ("channel_post", "edited_channel_post", "message", "edited_message")


def split(record: Json) -> list[Json] | None:
    """Single messages of a message, an update, an answer of getUpdates, or an export; None where it is none of them."""
    if "update_id" in record:
        return [{"message": record[kind], "edited": kind.startswith("edited")} for kind in _UPDATES if isinstance(record.get(kind), dict)]
    if "message_id" in record and "chat" in record:
        return [{"message": record, "edited": "edit_date" in record}]
    if isinstance(record.get("messages"), list) and "type" in record and "id" in record:
        return _of_export(record)
    chats, updates = as_list(as_object(record.get("chats")).get("list")), as_list(record.get("result"))
    if chats or updates:
        found = [split(as_object(entry)) for entry in chats or updates]
        return None if None in found else [message for messages in found for message in messages or []]
    return None


def _of_export(chat: Json) -> list[Json]:
    facts = {name: chat.get(name) for name in ("id", "name", "type")}
    return [{"exported": message, "chat": facts} for message in map(as_object, chat["messages"]) if message.get("type", "message") == "message"]


def fields(post: Json) -> dict[str, Any]:
    """RawItem fields of a message. Raises ReadError where it has no id."""
    return _message_fields(post["message"], edited=post["edited"]) if "message" in post else _exported_fields(post["exported"], post["chat"])


def _message_fields(message: Json, *, edited: bool) -> dict[str, Any]:
    chat, number = as_object(message.get("chat")), as_text(message.get("message_id"))
    chat_id, name, title = as_text(chat.get("id")), as_text(chat.get("username")), as_text(chat.get("title"))
    if not number or not chat_id:
        raise ReadError("is a Telegram message without a chat's id or its own")
    return {
        "native_id": f"{chat_id}/{number}",
        "operation": "update" if edited else "create",
        "url": f"https://t.me/{name}/{number}" if name else None,
        "body": as_text(message.get("text")) or as_text(message.get("caption")),
        "author": as_text(message.get("author_signature")) or title,
        "publisher": name or title,
        "credit": _forwarded(message),
        "published_raw": as_text(message.get("date")),
        "updated_raw": as_text(message.get("edit_date")),
    }


def _exported_fields(message: Json, chat: Json) -> dict[str, Any]:
    number, chat_id, title = as_text(message.get("id")), as_text(chat.get("id")), as_text(chat.get("name"))
    if not number or not chat_id:
        raise ReadError("is a Telegram message without a chat's id or its own")
    # The Bot API writes the ids of channels and supergroups with -100 before them; so both name a message alike.
    prefix = "-100" if "channel" in str(chat.get("type")) or "supergroup" in str(chat.get("type")) else ""
    edited = as_text(message.get("edited_unixtime")) or as_text(message.get("edited"))
    return {
        "native_id": f"{prefix}{chat_id}/{number}",
        "operation": "update" if edited else "create",
        "body": _plain(message.get("text")),
        "author": as_text(message.get("author")) or as_text(message.get("from")) or title,
        "publisher": title,
        "credit": as_text(message.get("forwarded_from")),
        "published_raw": as_text(message.get("date_unixtime")) or as_text(message.get("date")),
        "updated_raw": edited,
    }


def _forwarded(message: Json) -> str | None:
    """The channel, group or person that the message was forwarded from."""
    origin = as_object(message.get("forward_origin"))
    chat = as_object(origin.get("chat") or origin.get("sender_chat") or message.get("forward_from_chat"))
    return as_text(chat.get("username")) or as_text(chat.get("title")) or as_text(origin.get("sender_user_name"))


def _plain(text: Any) -> str | None:
    """A text, or the texts of its runs: plain strings and {"type", "text"} for links, bold and the like."""
    runs = text if isinstance(text, list) else [text]
    return "".join(as_text(as_object(run).get("text", run)) or "" for run in runs)
