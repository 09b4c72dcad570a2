"""Every setting of the pipeline, validated once, in one place."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from pipeline import detectors
from pipeline.severity import SEVERITIES


def _severity(word: str) -> str:
    if word not in SEVERITIES:
        raise ValueError(f"should be one of {', '.join(SEVERITIES)}")
    return word


Severity = Annotated[str, AfterValidator(_severity)]


class Settings(BaseModel):
    """Settings of one run; frozen, picklable, the same for every worker."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    shards: int = Field(default=64, ge=1, le=4096, description="Shards of the deduplication state; part of the upgrade contract.")
    hold: timedelta | None = Field(default=None, ge=timedelta(0), description="Of a stream, run.hold; null folds a bounded input once, at its end.")
    tagging: bool = Field(default=True, description="Whether reports are tagged; off, only to measure what the rest costs.")
    language_detector: Annotated[str, AfterValidator(detectors.checked)] = Field(
        default=detectors.DEFAULT, description=f"Which detector tells the language: {', '.join(detectors.names())}."
    )
    dedupe_ttl: timedelta = Field(default=timedelta(days=14), description="How long an item is remembered; not shorter than incident_ttl.")
    near_ttl: timedelta = Field(default=timedelta(days=3), gt=timedelta(0), description="How long a text's sample is remembered, to know near-duplicates by.")
    dedupe_entries: int = Field(
        default=50_000_000,
        ge=1,
        description="Exact signatures, and samples of texts, remembered at most in all shards, 44 bytes each; beyond, the oldest are forgotten.",
    )
    incident_ttl: timedelta = Field(default=timedelta(days=14), description="How long an incident stays open after its last report and its day.")
    alert_cooldown: timedelta = Field(
        default=timedelta(0),
        ge=timedelta(0),
        description="How soon an incident alerts again for a changed status; an escalation always does.",
    )
    digest_below: Severity = Field(
        default="unknown", description="Incidents less grave than this word of CAP do not alert but say `digest`, to be read together later; escalations alert."
    )
    slice_items: int = Field(default=20_000, ge=1, description="Items in one slice of a replay; changes no result.")
    slice_bytes: int = Field(default=32_000_000, ge=1, description="Bytes of items in one slice of a replay; changes no result.")


def _contact(text: str) -> str:
    if not re.fullmatch(r"[!-'*-\[\]-~]{3,200}", text):
        raise ValueError("should be 3 to 200 printable ASCII characters, no space, ( ) or \\ among them")
    return text


class CollectSettings(BaseModel):
    """Settings of `dijla collect`; frozen."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    contact: Annotated[str, AfterValidator(_contact)] | None = Field(
        default=None, description="Web or mail address in the user agent, for whoever runs the servers that are asked."
    )
    canary: timedelta | None = Field(
        default=None, ge=timedelta(seconds=1), description="How often an item without words is put on the raw topic, to see it come out; null: never."
    )


class RunSettings(BaseModel):
    """Settings of `dijla run`; frozen, picklable."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    group: str = Field(default="dijla", min_length=1, description="Consumer group: under its name the offsets that are done are committed.")
    hold: timedelta = Field(
        default=timedelta(milliseconds=100), ge=timedelta(0), description="How much later an earlier item may arrive; the ticks of the stateful steps."
    )
    splits: int = Field(default=1, ge=1, le=1000, description="Readers of the raw topic, of partitions with the same p % splits; part of the upgrade contract.")
    poll: timedelta = Field(default=timedelta(milliseconds=100), gt=timedelta(0), description="How long a reader without news waits before it asks again.")
    bundle: timedelta = Field(default=timedelta(milliseconds=300), gt=timedelta(0), description="How long a busy reader reads before it hands on what it read.")
    bundle_records: int = Field(default=5_000, ge=1, description="Records that a busy reader reads at most before it hands them on.")
    in_flight: int = Field(default=20_000, ge=1, description="Records read and not yet done at which the reader waits (on Prism, which throttles nothing).")
    rewind: timedelta | None = Field(
        default=None, description="How far before what is done a run without a durable checkpoint reads to rebuild its state; null: the longest TTL."
    )
    file_every: timedelta = Field(default=timedelta(seconds=60), gt=timedelta(0), description="How long records are collected for one Avro file.")
    delivery_deadline: timedelta = Field(default=timedelta(minutes=2), gt=timedelta(0), description="How long a producer may fail before it is replaced.")
    max_failing: float = Field(default=0.9, gt=0, le=1, description="Share of dead letters among the items of a minute at which the run stops.")
    max_failing_items: int = Field(default=500, ge=1, description="Items of a minute below which that share is not judged.")
    drain_timeout: timedelta = Field(default=timedelta(seconds=25), gt=timedelta(0), description="How long SIGTERM waits for what was read to be written.")
    canary: timedelta | None = Field(
        default=None, gt=timedelta(0), description="Age of the newest canary that came out from which /readyz says stale; null: none is expected."
    )
