"""RawItem to Report: plain text, mojibake put right, honest times, quoted posts, and the hashes that deduplication compares."""

from __future__ import annotations

import hashlib
import re
from datetime import UTC, datetime
from typing import Any

import apache_beam as beam
import inscriptis
from apache_beam.pvalue import PCollection
from lxml.etree import LxmlError

from pipeline.addresses import canonical_url
from pipeline.credits import family_of
from pipeline.dates import parse_published
from pipeline.dead_letter import Guard
from pipeline.folding import fold
from pipeline.mojibake import mended
from pipeline.quotes import find_quotes
from pipeline.trail import Trail
from schemas import avro
from schemas.records import RawItem, Report

UNKNOWN_TIME = datetime(1970, 1, 1, tzinfo=UTC)
"""First-seen time of an archived item that gives no date at all: it sorts first and never depends on the run's clock."""

_ONE_FOR_ONE = re.compile("[\ud800-\udfff\x00]")
_MARKUP = re.compile(r"[<&]")
_WORDS = re.compile(r"\w+")


def normalise(raw: RawItem) -> Report:
    """What a source said, as one Report without language, story and events. Pure; never raises on odd text."""
    html = raw.content_type == "text/html"
    headline = None if raw.title is None else readable_title(raw.title, html=html)
    body = readable(raw.body, html=html)
    title, text = headline.text if headline else None, body.text
    url = canonical_url(raw.url)
    published = parse_published(raw.published_raw or "", time_zone=raw.time_zone, first_seen=raw.fetched_at)
    seen = first_seen(raw)
    return Report(
        item_id=raw.item_id,
        native_id=raw.native_id,
        source_id=raw.source_id,
        source_type=raw.source_type,
        publisher=raw.publisher,
        credit=family_of(raw.credit) if raw.credit else None,
        source_reliability=raw.source_reliability,
        operation=raw.operation,
        url=raw.url,
        canonical_url=url,
        title=title,
        text=text,
        author=raw.author,
        quotes=find_quotes(text),
        repairs=tuple(f"mojibake_{name}" for name, trail in (("title", headline), ("text", body)) if trail and len(trail.text) < trail.size),
        declared_language=raw.declared_language,
        published=published.time,
        published_raw=raw.published_raw,
        published_precision=published.precision,
        published_repair=published.repair,
        time_zone=raw.time_zone,
        first_seen=seen[0],
        first_seen_source=seen[1],
        archive_file=raw.archive_file,
        archive_position=raw.archive_position,
        kafka=raw.kafka,
        content_hash=_digest(title or "", text, raw.url or "", raw.operation),
        text_hash=text_hash(title, text),
        story_id=raw.item_id,
        mode=raw.mode,
    )


def first_seen(raw: RawItem) -> tuple[datetime, str]:
    """The one logical time that orders everything, and where it comes from; never the run's clock.

    No item is seen after the broker appended it: a collector's clock, or a feed's date, that runs ahead would order it behind
    everything to come.
    """
    seen = _first_seen(raw)
    if raw.kafka and raw.kafka.appended_at < seen[0]:
        return raw.kafka.appended_at, "appended"
    return seen


def _first_seen(raw: RawItem) -> tuple[datetime, str]:
    """When it was fetched; in an archive that does not say, when it was last changed, else published.

    A date that names no day is its first moment, but not before the newest post that the text quotes.
    """
    if raw.fetched_at is not None:
        return raw.fetched_at, "fetched"
    for source, claim in (("updated", raw.updated_raw), ("published", raw.published_raw)):
        date = parse_published(claim or "", time_zone=raw.time_zone, first_seen=None)
        if date.time is not None:
            if date.precision in ("month", "year"):
                return max([(date.time, source), *((day, "quoted_post") for day in _quoted_days(raw.body))])
            return date.time, source
    return UNKNOWN_TIME, "unknown"


def _quoted_days(text: str) -> list[datetime]:
    return [datetime.fromisoformat(quote.published).replace(tzinfo=UTC) for quote in find_quotes(text) if quote.published]


def readable_title(title: str, *, html: bool) -> Trail:
    """The title as the report has it: as `readable`, in one line."""
    return mended(_one_line(plain_text(title, html=html)))


def readable(text: str, *, html: bool) -> Trail:
    """The text as the report has it, without markup and mojibake; its origins are offsets in the plain text."""
    return mended(plain_text(text, html=html))


def plain_text(text: str, *, html: bool) -> str:
    """Text without markup. Text that was plain keeps every offset: only lone surrogates and NUL change, one for one."""
    text = _ONE_FOR_ONE.sub("\ufffd", text)
    if not html or not _MARKUP.search(text):
        return text
    try:
        return str(inscriptis.get_text(text)).strip()
    except (LxmlError, ValueError):
        # Markup that no parser takes is still text; it is data, so showing its tags is safe.
        return text


def text_hash(title: str | None, text: str) -> str:
    """16 hex digits over the folded words: the same for a syndicated copy, empty for a text too short to tell."""
    words = _WORDS.findall(fold(f"{title or ''} {text}").text)
    return _digest(*words) if len(words) >= 6 else ""


def _digest(*parts: str) -> str:
    return hashlib.blake2b("\0".join(parts).encode("utf8", "replace"), digest_size=8).hexdigest()


def _one_line(text: str) -> str:
    return " ".join(text.split("\n")) if "\n" in text else text


class Normalise(beam.PTransform[Any, Any]):
    """RawItem -> Guarded(Report)."""

    def expand(self, items: PCollection[RawItem]) -> Any:
        """One guarded step."""
        return items | Guard("normalise", lambda: normalise, avro.encode_single_object)
