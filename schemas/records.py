"""The records of Dijla: frozen dataclasses, one field for each field of the .avsc file of the same name.

What a field means stands in its `doc` in the .avsc file. Times are aware datetimes in UTC, texts hold no lone surrogates.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

CANARY = "canary"
"""The `source_type` of items that say nothing, but must come out at the end."""
STAGES = ("read", "decode", "normalise", "deduplicate", "language", "tag", "correlate", "write")
"""The `stage` that a dead letter may name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpFacts:
    """What the server said with the item."""

    status: int = 0
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class KafkaPosition:
    """Where it stood on its topic."""

    topic: str
    partition: int
    offset: int
    appended_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class RawItem:
    """One item as its source gave it: evidence, never rewritten."""

    item_id: str
    native_id: str
    source_id: str
    source_type: str
    publisher: str | None = None
    credit: str | None = None
    source_reliability: str = "F"
    operation: str = "create"
    url: str | None = None
    redirects: tuple[str, ...] = ()
    title: str | None = None
    body: str = ""
    content_type: str = "text/plain"
    author: str | None = None
    declared_language: str | None = None
    published_raw: str | None = None
    updated_raw: str | None = None
    time_zone: str | None = None
    fetched_at: datetime | None = None
    http: HttpFacts | None = None
    charset: str | None = None
    repairs: tuple[str, ...] = ()
    original: bytes = b""
    archive_file: str | None = None
    archive_position: int | None = None
    kafka: KafkaPosition | None = None
    mode: str = "live"


@dataclass(frozen=True, slots=True, kw_only=True)
class QuotedPost:
    """A post that the text embeds."""

    start: int
    end: int
    author: str | None = None
    handle: str | None = None
    published: str | None = None
    text: str = ""
    links: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where it happened. Coordinates are the gazetteer's, never invented."""

    name: str
    scope: str
    latitude: float | None = None
    longitude: float | None = None
    geo_precision: int | None = None
    district: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """The words that say so."""

    field: str
    start: int
    end: int
    text: str
    rule: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TaggedEvent:
    """An event that one report tells of."""

    type: str
    labels: tuple[str, ...] = ()
    status: str
    place: Place | None = None
    weapon: str = "unknown"
    target: str = "unknown"
    actor_claimed: str | None = None
    actor_alleged: str | None = None
    killed_min: int | None = None
    killed_max: int | None = None
    injured_min: int | None = None
    injured_max: int | None = None
    projectiles_min: int | None = None
    projectiles_max: int | None = None
    damage: str | None = None
    event_date: str | None = None
    event_time: datetime | None = None
    event_time_precision: str = "unknown"
    severity: str = "unknown"
    alert: bool = False
    alert_reason: str | None = None
    evidence: tuple[Evidence, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """One item understood."""

    item_id: str
    native_id: str
    source_id: str
    source_type: str
    publisher: str | None = None
    credit: str | None = None
    source_reliability: str = "F"
    operation: str = "create"
    url: str | None = None
    canonical_url: str | None = None
    title: str | None = None
    text: str = ""
    author: str | None = None
    quotes: tuple[QuotedPost, ...] = ()
    repairs: tuple[str, ...] = ()
    declared_language: str | None = None
    published: datetime | None = None
    published_raw: str | None = None
    published_precision: str = "unknown"
    published_repair: str | None = None
    time_zone: str | None = None
    first_seen: datetime
    first_seen_source: str = "unknown"
    archive_file: str | None = None
    archive_position: int | None = None
    kafka: KafkaPosition | None = None
    language: str = "und"
    language_confidence: float = 0.0
    language_second: str = "und"
    language_second_confidence: float = 0.0
    language_shares: Mapping[str, float] = field(default_factory=dict)
    title_language: str = "und"
    text_language: str = "und"
    script: str = "Zyyy"
    content_hash: str = ""
    text_hash: str = ""
    item_revision: int = 0
    story_id: str | None = None
    story_layer: str = "none"
    story_score: float = 0.0
    events: tuple[TaggedEvent, ...] = ()
    lexicon_version: str = ""
    mode: str = "live"


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldChange:
    """A material field that changed since the revision before."""

    field: str
    before: str | None = None
    after: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportRef:
    """A report that an event rests on."""

    item_id: str
    native_id: str
    source_id: str
    publisher: str | None = None
    family: str
    story_id: str | None = None
    first_seen: datetime
    source_reliability: str = "F"
    killed_min: int | None = None
    killed_max: int | None = None
    injured_min: int | None = None
    injured_max: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EventEvidence:
    """The words that say so, and the report that holds them."""

    item_id: str
    field: str
    start: int
    end: int
    text: str
    rule: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One incident, assembled from one or more reports; one record a revision."""

    event_id: str
    revision: int
    content_hash: str
    change: str
    changed: tuple[FieldChange, ...] = ()
    type: str
    labels: tuple[str, ...] = ()
    status: str
    place: Place | None = None
    weapon: str = "unknown"
    target: str = "unknown"
    actor_claimed: str | None = None
    actor_alleged: str | None = None
    killed_min: int | None = None
    killed_max: int | None = None
    injured_min: int | None = None
    injured_max: int | None = None
    projectiles_min: int | None = None
    projectiles_max: int | None = None
    damage: str | None = None
    event_date: str | None = None
    event_time: datetime | None = None
    event_time_precision: str = "unknown"
    severity: str = "unknown"
    urgency: str = "Unknown"
    certainty: str = "Unknown"
    source_reliability: str = "F"
    information_credibility: int = 6
    families: tuple[str, ...] = ()
    reports: tuple[ReportRef, ...] = ()
    evidence: tuple[EventEvidence, ...] = ()
    headline: str = ""
    first_seen: datetime
    last_seen: datetime
    supersedes: tuple[str, ...] = ()
    lexicon_version: str = ""
    mode: str = "live"
    alert: bool = False
    alert_reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """A record that could not be processed, with all it takes to try again."""

    stage: str
    error_class: str
    error_message: str
    payload: bytes = b""
    payload_size: int = 0
    payload_sha256: str = ""
    payload_truncated: bool = False
    topic: str | None = None
    partition: int | None = None
    offset: int | None = None
    file: str | None = None
    position: int | None = None
    attempts: int = 1
    first_failed_at: datetime
    last_failed_at: datetime
