"""Posts that a text embeds, as articles paste them: the words, a picture link glued behind, then "– Name (@handle) 20 December 2020"."""

from __future__ import annotations

import re

from pipeline.dates import month_names, parse_published
from pipeline.folding import fold
from schemas.records import QuotedPost

_SIGNATURE = re.compile(r"[–—-]\s?(?P<author>[^–—\n(){}]{1,60}?)\s?\(@(?P<handle>\w{1,40})\)\s?")
_LINK = re.compile(r"(?:https?://|pic\.twitter\.com/|pic\.x\.com/|t\.co/)[^\s–—]+")
_DATE_LENGTH = 40
_LONGEST_POST = 1_000


def find_quotes(text: str) -> tuple[QuotedPost, ...]:
    """The posts embedded in `text`, in order. A post's words start at `start`: text[start : start + len(post.text)] == post.text."""
    if "(@" not in text:
        return ()
    quotes: list[QuotedPost] = []
    for signature in _SIGNATURE.finditer(text):
        start = _post_start(text, max(quotes[-1].end if quotes else 0, signature.start() - _LONGEST_POST), signature.start())
        said = text[start : signature.start()]
        words = said[: link.start()] if (link := _LINK.search(said)) else said
        published, end = _date(text, signature.end())
        quotes.append(
            QuotedPost(
                start=start,
                end=end,
                author=signature["author"].strip(),
                handle=signature["handle"],
                published=published,
                text=words.rstrip(),
                links=tuple(_LINK.findall(said)),
            )
        )
    return tuple(quotes)


def _post_start(text: str, earliest: int, end: int) -> int:
    """Where the paragraph that ends at `end` begins, behind white space."""
    start = max(earliest, text.rfind("\n", earliest, end) + 1)
    while start < end and text[start].isspace():
        start += 1
    return start


def _date(text: str, start: int) -> tuple[str | None, int]:
    """The day that stands at `start`, YYYY-MM-DD, and where it ends; None and `start` where there is none."""
    line = text[start : start + _DATE_LENGTH].split("\n")[0]
    folded = fold(line).text
    if not any(name in folded for name, _ in month_names()) and not re.match(r"\d", folded):
        return None, start
    match = re.match(r"\D{0,20}\d{1,2}\D{1,20}\d{4}|\D{0,20}\d{4}-\d{2}-\d{2}", line)
    if match is None:
        return None, start
    published = parse_published(match[0], time_zone=None, first_seen=None)
    if published.time is None or published.precision != "day":
        return None, start
    return published.time.date().isoformat(), start + match.end()
