"""The sources file: what to collect, from whom, how often. TOML, one `[[sources]]` table each."""

from __future__ import annotations

import os
import re
import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, HttpUrl, StringConstraints, TypeAdapter, ValidationError

from connectors._origin import Origin
from schemas.errors import UsageError


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError("is no IANA time zone, as Asia/Baghdad is one") from error
    return name


def _tag(language: str) -> str:
    if not re.fullmatch(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8})*", language):
        raise ValueError("is no language tag, as ar, ckb and en-GB are")
    return language


def _variable(name: str) -> str:
    if not _VARIABLE.fullmatch(name):
        raise ValueError("must name an environment variable, as SAMPLE_TOKEN: capitals, digits and _; the secret itself never stands here")
    return name


_VARIABLE = re.compile(r"[A-Z_][A-Z0-9_]*")
_SECRET_HEADER = re.compile(r"authorization|cookie|token|secret|passw|api-?key", re.IGNORECASE)
_Url = Annotated[str, AfterValidator(lambda url: str(TypeAdapter(HttpUrl).validate_python(url)) and url)]


class Source(BaseModel):
    """One source; frozen, picklable. Secrets are named, never held: `secrets` maps the connector's name of one to an environment variable."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    id: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._-]{0,99}$")] = Field(description="Its name for ever: ids of items are made of it.")
    type: str = Field(description="The connector: rss, bluesky, mastodon, telegram, youtube, x, reddit, webpage.")
    url: _Url | None = Field(default=None, description="What to fetch, or where the service is; a connector may know it by itself.")
    publisher: str | None = Field(default=None, description="Publisher family: feeds of one publisher corroborate nothing.")
    reliability: Literal["A", "B", "C", "D", "E", "F"] = Field(default="F", description="Admiralty reliability; F: cannot be judged.")
    language: Annotated[str, AfterValidator(_tag)] | None = Field(default=None, description="Language tag, where the items do not say theirs.")
    time_zone: Annotated[str, AfterValidator(_zone)] | None = Field(default=None, description="IANA zone of dates that give none.")
    country: Annotated[str, StringConstraints(pattern="^[A-Z]{2}$")] | None = Field(default=None, description="ISO 3166 code of the publisher's seat.")
    interval: timedelta = Field(default=timedelta(minutes=5), ge=timedelta(seconds=10), le=timedelta(days=31), description="How often to look, at most.")
    headers: Mapping[str, str] = Field(default_factory=dict, description="Headers to send besides.")
    secrets: Mapping[str, Annotated[str, AfterValidator(_variable)]] = Field(default_factory=dict, description="Secret -> the environment variable with it.")
    allow_private: bool = Field(default=False, description="Whether url's own host and port may be a private address; never where it redirects to.")
    full_text: bool = Field(default=False, description="Whether to fetch the article behind each new item, for feeds of summaries.")
    verified: bool = Field(default=True, description="Whether somebody has seen it work.")
    options: Mapping[str, Any] = Field(default_factory=dict, description="What only its connector knows: its page in docs/connectors.md.")

    def secret(self, name: str) -> str:
        """The value of a secret, as the environment has it now. Raises UsageError where it is not named, or not set."""
        variable = self.secrets.get(name)
        if variable is None:
            raise UsageError(f'source {self.id}: its connector needs a secret: set secrets.{name} = "ENVIRONMENT_VARIABLE"')
        if not (value := os.environ.get(variable)):
            raise UsageError(f"source {self.id}: the environment has no {variable}, which is to hold its {name}")
        return value

    def origin(self, now: datetime) -> Origin:
        """What its items have in common."""
        return Origin(
            source_id=self.id,
            source_type=self.type,
            read_at=now,
            fetched_at=now,
            publisher=self.publisher,
            source_reliability=self.reliability,
            time_zone=self.time_zone,
            url=None,
        )


def load(file: Path) -> list[Source]:
    """The sources of a file. Raises UsageError: one message that lists every error, each with its source."""
    try:
        content = tomllib.loads(file.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise UsageError(f"{file}: cannot be read: {error.strerror}") from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UsageError(f"{file}: is no TOML: {error}") from error
    tables = content.get("sources")
    if not isinstance(tables, list) or not tables or set(content) != {"sources"}:
        raise UsageError(f"{file}: must hold [[sources]] tables, at least one, and nothing else")
    sources, problems = _validated(tables)
    problems += [*_doubled(tables), *_shown_secrets(sources)]
    if problems:
        raise UsageError("\n  ".join([f"{file}: wrong sources:", *problems]))
    return sources


def source_of(table: Mapping[str, Any]) -> Source:
    """The source of one table. Raises UsageError."""
    sources, problems = _validated([table])
    if problems:
        raise UsageError("\n  ".join(["wrong source:", *problems]))
    return sources[0]


def _validated(tables: Sequence[Any]) -> tuple[list[Source], list[str]]:
    sources: list[Source] = []
    problems: list[str] = []
    for number, table in enumerate(tables, start=1):
        name = _id_of(table) or f"number {number}"
        try:
            sources.append(Source.model_validate(table))
        except ValidationError as error:
            problems += [f"{name}: {'.'.join(map(str, one['loc']))}: {one['msg'].removeprefix('Value error, ')}" for one in error.errors(include_url=False)]
    return sources, problems


def _id_of(table: Any) -> str | None:
    given = table.get("id") if isinstance(table, dict) else None
    return given if isinstance(given, str) and given.isprintable() else None


def _doubled(tables: Sequence[Any]) -> Iterator[str]:
    for name, count in Counter(map(_id_of, tables)).items():
        if name and count > 1:
            yield f"{name}: {count} sources have this id: items of one would be taken for the other's"


def _shown_secrets(sources: Sequence[Source]) -> Iterator[str]:
    for source in sources:
        if source.url and "@" in urlsplit(source.url).netloc:
            yield f"{source.id}: url: holds a user's name or password; a secret is named under secrets, where its connector takes one"
        for name in filter(_SECRET_HEADER.search, source.headers):
            yield f"{source.id}: headers.{name}: is for a secret; it is named under secrets, where its connector takes one"
