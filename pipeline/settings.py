"""Every setting of the pipeline, validated once, in one place."""

from __future__ import annotations

from datetime import timedelta

from pydantic import BaseModel, ConfigDict, Field


class Settings(BaseModel):
    """Settings of one run; frozen, picklable, the same for every worker."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    shards: int = Field(default=64, ge=1, le=4096, description="Shards of the deduplication state; part of the upgrade contract.")
    hold: timedelta | None = Field(default=None, description="How long a stateful step waits for earlier items; None folds a bounded input once, at its end.")
    dedupe_ttl: timedelta = Field(default=timedelta(days=14), description="How long an item is remembered; not shorter than incident_ttl.")
    incident_ttl: timedelta = Field(default=timedelta(days=14), description="How long an incident stays open after its last report and its day.")
    slice_items: int = Field(default=20_000, ge=1, description="Items in one slice of a replay; changes no result.")
    slice_bytes: int = Field(default=32_000_000, ge=1, description="Bytes of items in one slice of a replay; changes no result.")
