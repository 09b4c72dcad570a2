"""Telegram's public preview of a channel, https://t.me/s/CHANNEL: a page of HTML with the latest 20 posts or so."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import lxml.etree
import lxml.html

from connectors._connector import Refusal
from connectors._json import packed
from connectors._origin import Origin
from schemas.errors import ReadError
from schemas.records import DeadLetter, RawItem

_POST = re.compile(r"([A-Za-z0-9_]{1,64})/([0-9]{1,18})")
_MARK = "tgme_widget_message"
_MEDIA = {
    "photo": "photo_wrap",
    "video": "video_player",
    "round_video": "roundvideo_player",
    "voice": "voice_player",
    "document": "document_wrap",
    "poll": "poll",
}


def parse(page: bytes, origin: Origin) -> list[RawItem | DeadLetter]:
    """Posts of a page, oldest first; native_id = CHANNEL/NUMBER, body = its HTML without attributes but href, "" for a photo alone.

    Raises Refusal (html) where it is no page of a channel. lxml may take long on hostile pages: call it in a Sandbox.
    """
    try:
        root = lxml.html.document_fromstring(page, parser=lxml.html.HTMLParser(encoding="utf-8"))
    except lxml.etree.ParserError as error:
        raise Refusal("html", "is an empty page, where a channel's preview was expected") from error
    if not root.find_class("tgme_channel_history") and not root.find_class("tgme_channel_info"):
        raise Refusal("html", "is a page, but not the preview of a Telegram channel; open it in a browser to see what it says")
    return list(_posts(root, origin))


def _posts(root: Any, origin: Origin) -> Iterator[RawItem | DeadLetter]:
    for position, message in enumerate(root.find_class(_MARK)):
        if message.find_class("service_message"):
            continue
        try:
            yield _item(message, origin)
        except ReadError as error:
            yield origin.dead_letter(error, lxml.html.tostring(message, encoding="utf-8"), position=position)


def _item(message: Any, origin: Origin) -> RawItem:
    post = _POST.fullmatch(message.get("data-post", ""))
    if not post:
        raise ReadError("is a Telegram post whose data-post is no CHANNEL/NUMBER")
    facts = _facts(message)
    return origin.item(
        post[0],
        url=f"https://t.me/{post[0]}",
        operation="update" if _is_edited(message) else "create",
        body=_text(message),
        content_type="text/html",
        author=_said(message, f"{_MARK}_from_author") or _said(message, f"{_MARK}_owner_name"),
        publisher=origin.publisher or post[1],
        credit=_channel(facts.get("forwarded_url")) or facts.get("forwarded_from"),
        published_raw=_published(message),
        original=packed(facts) if facts else None,
    )


def _text(message: Any) -> str:
    """The markup of its text, else of its poll's question."""
    # An album wraps its text twice; what a post answers to is a js-message_reply_text.
    found = message.find_class("js-message_text") or message.find_class(f"{_MARK}_poll_question")
    if not found:
        return ""
    text = found[-1]
    # The rest of the attributes is layout that changes with the number of views: it would look like an edit.
    for element in text.iter(lxml.etree.Element):
        for name in set(element.attrib) - {"href"}:
            del element.attrib[name]
    for spacer in text.xpath(".//span[not(node())]"):
        spacer.drop_tree()
    markup = lxml.html.tostring(text, encoding="unicode", with_tail=False)
    return str(markup).partition(">")[2].rpartition("</")[0].strip()


def _published(message: Any) -> str | None:
    return next((time for date in message.find_class(f"{_MARK}_date") for time in date.xpath(".//time/@datetime")), None)


def _is_edited(message: Any) -> bool:
    return any("edited" in text for part in message.find_class(f"{_MARK}_meta") for text in part.xpath("text()"))


def _facts(message: Any) -> dict[str, Any]:
    """What belongs to a post, but is not its own text: where it was forwarded from, what it answers, what it links to, its media."""
    facts = {
        "forwarded_from": _said(message, f"{_MARK}_forwarded_from_name"),
        "forwarded_url": _address(message, f"{_MARK}_forwarded_from_name"),
        "reply_url": _address(message, f"{_MARK}_reply"),
        "reply_author": next((_said(reply, f"{_MARK}_author_name") for reply in message.find_class(f"{_MARK}_reply")), None),
        "reply_text": _said(message, "js-message_reply_text"),
        "link_url": _address(message, f"{_MARK}_link_preview"),
        "link_title": _said(message, "link_preview_title"),
        "link_description": _said(message, "link_preview_description"),
        "media": [kind for kind, mark in _MEDIA.items() if message.find_class(f"{_MARK}_{mark}")],
    }
    return {name: value for name, value in facts.items() if value}


def _channel(address: str | None) -> str | None:
    """The channel's name in https://t.me/NAME/123."""
    found = re.match(r"https://t\.me/(\w+)", address or "")
    return found[1] if found else None


def _said(message: Any, mark: str) -> str | None:
    return next((" ".join(part.text_content().split()) for part in message.find_class(mark)), None) or None


def _address(message: Any, mark: str) -> str | None:
    return next((part.get("href") for part in message.find_class(mark)), None)
