"""Telegram: the posts of a channel, through its public preview or through a bot that is its member.

Source: https://core.telegram.org/bots/api#getting-updates, and the pages https://t.me/s/CHANNEL. Options: `channel`; `via`, "web" (the default) or "bot".
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from connectors import _telegram, _telegram_preview
from connectors._connector import Cursor, Parsed, Payload, Refusal, Request
from connectors._items import known_options, origin_of
from connectors._json import Json, as_object, as_text, dumps, loads, packed
from connectors._origin import Origin
from connectors._sources import SecretError, Source
from connectors._text import decode
from connectors._walk import walked
from schemas.errors import ReadError, UsageError
from schemas.records import DeadLetter, RawItem

_PREVIEW, _BOTS = "https://t.me", "https://api.telegram.org"
_SHARED = ("t.me", "telegram.me", "telegram.dog")
_CHANNEL = re.compile(r"@?([A-Za-z][A-Za-z0-9_]{2,31})")
_ADDRESS = re.compile(r"(https?://[^/?#]+)(?:/(?:s/)?([^/?#]+))?/?", re.IGNORECASE)
"""Of a preview, or of a channel as people share it."""
_TOKEN = re.compile(r"[0-9]+:[A-Za-z0-9_-]+")
_UPDATES = ("channel_post", "edited_channel_post")


def request(source: Source, cursor: Cursor) -> Request:
    """A page of the preview, or getUpdates. Raises UsageError where the source's options or its token are wrong."""
    known_options(source, "channel", "via", secrets=("token",))
    return _updates(source, cursor) if _is_bot(source) else _page(source, cursor)


def parse(payload: Payload, source: Source) -> Parsed:
    """Its posts; native_id = CHANNEL/NUMBER from the preview, CHAT_ID/NUMBER from a bot. Raises ReadError, Refusal (no_preview, html, refused)."""
    return _parse_updates(payload, source) if _is_bot(source) else _parse_page(payload, source)


def _is_bot(source: Source) -> bool:
    via = source.options.get("via", "web")
    if via not in ("web", "bot"):
        raise UsageError(f'source {source.id}: options.via is {via!r}; set "web" (the public preview) or "bot" (a bot that is in the channel)')
    return bool(via == "bot")


def _page(source: Source, cursor: Cursor) -> Request:
    site, channel = _channel(source)
    before = {"before": cursor["before"]} if "before" in cursor else {}
    return Request(f"{site}/s/{channel}" + ("?" + urlencode(before) if before else ""))


def _channel(source: Source) -> tuple[str, str]:
    """Where previews are, and the channel's name: options.channel, or what url says of it."""
    address = _ADDRESS.fullmatch(source.url or _PREVIEW)
    if not address:
        raise UsageError(f"source {source.id}: url: is no address of a channel, as https://t.me/s/NAME is one; one post, or an invitation, cannot be followed")
    named = [str(name) for name in (source.options.get("channel"), address[2]) if name]
    if not named or not all(map(_CHANNEL.fullmatch, named)):
        raise UsageError(
            f"source {source.id}: set options.channel to the name behind https://t.me/, or url to https://t.me/s/NAME; a private one needs a bot (options.via)"
        )
    if len({name.removeprefix("@").lower() for name in named}) > 1:
        raise UsageError(f"source {source.id}: options.channel and url name two channels: {' and '.join(named)}; remove one")
    return address[1], named[0].removeprefix("@")


def _parse_page(payload: Payload, source: Source) -> Parsed:
    if "/s/" not in urlsplit(payload.url).path:
        raise Refusal("no_preview", "has no public preview: t.me leads away from /s/; follow the channel with a bot (options.via), or drop it")
    records = _telegram_preview.parse(payload.body, origin_of(payload, source))
    numbers = [record.native_id.rpartition("/")[2] for record in records if isinstance(record, RawItem)]
    return Parsed(records, *walked(payload.cursor, numbers))


def _updates(source: Source, cursor: Cursor) -> Request:
    token = source.secret("token")
    if not _TOKEN.fullmatch(token):
        raise SecretError(f"source {source.id}: its token is none of a Telegram bot, which is NUMBER:LETTERS as BotFather gave it")
    asked = {"timeout": "0", "limit": "100", "allowed_updates": dumps(_UPDATES).decode(), **cursor}
    base = (source.url or _BOTS).rstrip("/")
    if urlsplit(base).hostname in _SHARED:
        raise UsageError(f"source {source.id}: url: is a channel's, and a bot asks {_BOTS}: remove it, and name the channel by options.channel")
    return Request(f"{base}/bot{token}/getUpdates?{urlencode(asked, quote_via=quote)}", secret_parts=(token,))


def _parse_updates(payload: Payload, source: Source) -> Parsed:
    decoded = decode(payload.body, "utf-8")
    answer = as_object(loads(decoded.text))
    updates = answer.get("result")
    if answer.get("ok") is not True or not isinstance(updates, list):
        raise Refusal("refused", f"is no answer to getUpdates: {as_text(answer.get('description')) or 'it has no result'}")
    origin = origin_of(payload, source).read_as(decoded)
    records = [record for position, update in enumerate(updates) for record in _posts(update, source, origin, position)]
    known = [update["update_id"] for update in updates if _is_update(update)]
    # Never `more`: to ask with the next offset makes Telegram forget what it gave, and that is not delivered yet.
    return Parsed(records, {"offset": str(max(known) + 1)} if known else payload.cursor)


def _is_update(value: Any) -> bool:
    return isinstance(value, dict) and type(value.get("update_id")) is int


def _posts(update: Any, source: Source, origin: Origin, position: int) -> Iterator[RawItem | DeadLetter]:
    """Its one post, none where it is of another channel or kind; a dead letter where it cannot be read."""
    try:
        for post in _single(update):
            if _is_wanted(as_object(post["message"].get("chat")), source):
                fields = _telegram.fields(post)
                yield origin.item(**{**fields, "publisher": origin.publisher or fields["publisher"]}, original=packed(update))
    except ReadError as error:
        yield origin.dead_letter(error, dumps(update), position=position)


def _single(update: Any) -> list[Json]:
    if not _is_update(update):
        raise ReadError("is an update of Telegram without an update_id")
    return _telegram.split({name: value for name, value in update.items() if name in ("update_id", *_UPDATES)}) or []


def _is_wanted(chat: Json, source: Source) -> bool:
    channel = str(source.options.get("channel", "")).removeprefix("@").lower()
    return not channel or not chat or channel in (str(chat.get("username", "")).lower(), str(chat.get("id", "")))
