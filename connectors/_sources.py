"""A source: what to collect, from whom, how often. A `[[sources]]` table of the sources file each."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, HttpUrl, StringConstraints, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from connectors._origin import Origin
from schemas.errors import UsageError

HEADER, QUERY = "header.", "query."
"""What the names of secrets begin with that go with each request, as a header or a parameter of the address."""


class SecretError(UsageError):
    """A secret is not there, or is not what its connector needs: a fault of the environment, where the sources file may be right."""


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


def _id(name: str) -> str:
    if not re.fullmatch(r"[a-z0-9][a-z0-9._-]{0,99}", name):
        raise ValueError("is no id: up to 100 of a-z 0-9 . _ -, a letter or digit first, as outlet-a.news")
    return name


def _variable(name: str) -> str:
    if not _VARIABLE.fullmatch(name):
        raise ValueError("must name an environment variable, as SAMPLE_TOKEN: capitals, digits and _; the secret itself never stands here")
    return name


def _secret_name(name: str) -> str:
    if not _SECRET_NAME.fullmatch(name):
        raise ValueError('is no name of a secret: "header.NAME", "query.NAME", or what the connector calls it')
    return name


_VARIABLE = re.compile(r"[A-Z_][A-Z0-9_]*")
_SECRET_NAME = re.compile(r"header\.[A-Za-z0-9!#$%&'*+.^_`|~-]+|query\.[^\s&=#]+|[a-z][a-z0-9_]*")
_Url = Annotated[str, AfterValidator(lambda url: str(TypeAdapter(HttpUrl).validate_python(url)) and url)]


class Source(BaseModel):
    """One source; frozen, picklable. Secrets are named, never held: `secrets` maps the connector's name of one to an environment variable."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    id: Annotated[str, AfterValidator(_id)] = Field(description="Its name for ever: ids of items are made of it.")
    type: str = Field(description="The connector: rss, bluesky, mastodon, telegram, youtube, x, reddit, webpage.")
    url: _Url | None = Field(default=None, description="What to fetch, or where the service is; a connector may know it by itself.")
    publisher: str | None = Field(default=None, description="Publisher family: feeds of one publisher corroborate nothing.")
    reliability: Literal["A", "B", "C", "D", "E", "F"] = Field(default="F", description="Admiralty reliability; F: cannot be judged.")
    language: Annotated[str, AfterValidator(_tag)] | None = Field(default=None, description="Language tag, where the items do not say theirs.")
    time_zone: Annotated[str, AfterValidator(_zone)] | None = Field(default=None, description="IANA zone of dates that give none.")
    country: Annotated[str, StringConstraints(pattern="^[A-Z]{2}$")] | None = Field(default=None, description="ISO 3166 code of the publisher's seat.")
    interval: timedelta = Field(default=timedelta(minutes=5), ge=timedelta(seconds=10), le=timedelta(days=31), description="How often to look, at most.")
    headers: Mapping[str, str] = Field(default_factory=dict, description="Headers to send besides.")
    secrets: Mapping[Annotated[str, AfterValidator(_secret_name)], Annotated[str, AfterValidator(_variable)]] = Field(
        default_factory=dict, description="Secret -> the environment variable with it."
    )
    allow_private: bool = Field(default=False, description="Whether url's own host and port may be a private address; never where it redirects to.")
    full_text: bool = Field(default=False, description="Whether to fetch the article behind each new item, for feeds of summaries.")
    verified: bool = Field(default=True, description="Whether somebody has seen it work.")
    options: Mapping[str, Any] = Field(default_factory=dict, description="What only its connector knows: its page in docs/connectors.md.")

    def secret(self, name: str) -> str:
        """The value of a secret, as the environment has it now. Raises UsageError where it is not named, SecretError where it is not set."""
        variable = self.secrets.get(name)
        if variable is None:
            raise UsageError(f'source {self.id}: its connector needs a secret: set secrets.{name} = "ENVIRONMENT_VARIABLE"')
        if not (value := os.environ.get(variable)):
            raise SecretError(f"source {self.id}: the environment has no {variable}, which is to hold its {name}")
        return value

    def sent_secrets(self, kind: str) -> dict[str, str]:
        """The secrets of a kind, HEADER or QUERY: name -> value. Raises SecretError where one is not set."""
        return {name.removeprefix(kind): self.secret(name) for name in self.secrets if name.startswith(kind)}

    def hidden(self) -> tuple[str, ...]:
        """What is never to be shown: each secret that the environment has, and its words, as servers say back what stands behind Bearer."""
        values = [value for variable in self.secrets.values() if (value := os.environ.get(variable))]
        return tuple(dict.fromkeys(part for value in values for part in (value, *value.split()[1:])))

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


def source_of(table: Mapping[str, Any]) -> Source:
    """The source of one table. Raises UsageError, with all that is wrong."""
    try:
        return Source.model_validate(table)
    except ValidationError as error:
        raise UsageError("\n  ".join(["wrong source:", *told(error)])) from None


def told(error: ValidationError) -> list[str]:
    """What is wrong, a line each, without the values."""
    return [f"{'.'.join(map(str, one['loc']))}: {_message(one)}" for one in error.errors(include_url=False)]


def _message(one: ErrorDetails) -> str:
    if one["type"] != "extra_forbidden":
        return one["msg"].removeprefix("Value error, ")
    nearest = difflib.get_close_matches(str(one["loc"][-1]), Source.model_fields, n=1)
    return "unknown field" + (f"; did you mean {nearest[0]}?" if nearest else "")
