"""X: the posts that match the rules of an app's filtered stream, API v2.

Source: https://docs.x.com/x-api/posts/filtered-stream/introduction. Secret: `token`, the app's bearer token. Option: `backfill_minutes`, 1 to 5.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from connectors import _x
from connectors._connector import Cursor, Parsed, Payload, Refusal, Request, Subscription
from connectors._items import known_options, origin_of
from connectors._json import Json, as_list, as_object, as_text, loads, packed
from connectors._sources import Source
from connectors._text import decode
from schemas.errors import ReadError, UsageError

_BASE = "https://api.x.com"
_IDLE_SECONDS = 45.0
"""The stream sends an empty line every 20 s when there is nothing to tell."""
_WANTED = {
    "tweet.fields": "author_id,created_at,edit_history_tweet_ids,lang,note_tweet,referenced_tweets",
    "user.fields": "name,username",
    "expansions": "author_id,referenced_tweets.id,referenced_tweets.id.author_id",
}


def request(source: Source, cursor: Cursor) -> Request | None:
    """Nothing: what a gap left out comes by the stream itself, see `backfill_minutes`."""
    return None


def subscribe(source: Source, cursor: Cursor) -> Subscription:
    """The stream; one that was followed before is asked to repeat its last minutes. Raises UsageError where the option or the secret is wrong."""
    known_options(source, "backfill_minutes", secrets=("token",))
    minutes = source.options.get("backfill_minutes")
    if minutes is not None and (type(minutes) is not int or not 1 <= minutes <= 5):
        raise UsageError(f"source {source.id}: options.backfill_minutes is {minutes!r}; X can repeat 1 to 5 minutes, and only for some of its plans")
    token = source.secret("token")
    repeated = {"backfill_minutes": str(minutes)} if minutes and cursor else {}
    return Subscription(
        f"{(source.url or _BASE).rstrip('/')}/2/tweets/search/stream?{urlencode({**_WANTED, **repeated})}",
        "lines",
        headers={"authorization": f"Bearer {token}"},
        idle=_IDLE_SECONDS,
        secret_parts=(token,),
    )


def parse(payload: Payload, source: Source) -> Parsed:
    """The post of a line, none of an empty one; native_id = the post's id before any edit, cursor `last` = its id.

    Raises ReadError where it holds no post, Refusal (disconnected, refused) where X says why there is none.
    """
    if not payload.body.strip():
        return Parsed([], payload.cursor)
    decoded = decode(payload.body, "utf-8")
    message = as_object(loads(decoded.text))
    posts = _x.split(message)
    if not posts:
        raise _why_none(message)
    fields = _x.fields(posts[0])
    origin = origin_of(payload, source).read_as(decoded)
    given = {**fields, "body": _whole(message, fields["body"]), "publisher": origin.publisher or fields["publisher"]}
    return Parsed([origin.item(**given, original=packed(message))], {"last": str(message["data"]["id"])})


def _whole(message: Json, body: Any) -> Any:
    """The text; of a retweet, which X cuts off at 140 characters, the text of the original behind the same "RT @name: "."""
    retweeted = [
        as_text(reference.get("id")) for reference in map(as_object, as_list(message["data"].get("referenced_tweets"))) if reference.get("type") == "retweeted"
    ]
    originals = [tweet for tweet in map(as_object, as_list(as_object(message.get("includes")).get("tweets"))) if as_text(tweet.get("id")) in retweeted]
    if not originals or not isinstance(body, str):
        return body
    text = as_text(as_object(originals[0].get("note_tweet")).get("text")) or as_text(originals[0].get("text")) or ""
    return f"{body.partition(': ')[0]}: {text}"


def _why_none(message: Json) -> ReadError:
    problems = [as_object(error) for error in as_list(message.get("errors"))] or [message]
    said = next((text for problem in problems if (text := as_text(problem.get("detail")) or as_text(problem.get("title")))), None)
    if said is None:
        return ReadError("is a message of X's stream, but no post: it has no usable data")
    is_disconnect = any("disconnect_type" in problem or problem.get("title") == "operational-disconnect" for problem in problems)
    return Refusal("disconnected" if is_disconnect else "refused", f"is X saying: {said}")
