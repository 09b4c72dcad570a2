"""Schemas by id in a registry that speaks Confluent's REST interface (Confluent, Apicurio at /apis/ccompat/v7, Karapace, Redpanda)."""
# ruff: noqa: N818 - the errors name what happened, and are caught by that name

from __future__ import annotations

import json
import ssl
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Self
from urllib.parse import quote

import httpx
from pydantic import BaseModel, ConfigDict, Field, FilePath, HttpUrl, SecretStr, model_validator

from schemas.avro import Record, RecordT, Schema, decode_confluent, definition, encode_confluent, parse
from schemas.definitions import load
from schemas.errors import DijlaError, SchemaError
from schemas.kafka.settings import secret_of

_CONTENT_TYPE = {"content-type": "application/vnd.schemaregistry.v1+json"}
_TIMEOUT = httpx.Timeout(10.0, connect=3.0)
_CONNECT_RETRIES = 2
Ids = Mapping[tuple[type[Record], str], int]
"""(class, topic) -> the id of the schema under the topic's subject."""

# Registries keep ids in a signed int, and take a larger one for a wrong path.
_LARGEST_ID = 2**31 - 1


class RegistryFailure(DijlaError):
    """The schema registry did not do what was asked; no record is at fault."""


class RegistryUnreachable(RegistryFailure):
    """No answer from the registry, or the answer that it is out of order."""


class SchemaRefused(RegistryFailure):
    """The registry does not accept a schema: it breaks compatibility with one that is registered, or is none."""


class _NotThere(RegistryFailure):
    """The path is the interface's, what it names does not exist."""


class RegistrySettings(BaseModel):
    """One registry and who we are there; frozen, picklable."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    url: HttpUrl = Field(description="Where the registry's Confluent interface begins, as https://registry:8080/apis/ccompat/v7.")
    username: str | None = Field(default=None, min_length=1, description="User name, where the registry asks for one (HTTP basic).")
    password: SecretStr | None = Field(default=None, min_length=1, description="Its password.")
    password_file: FilePath | None = Field(default=None, description="File that holds the password; preferred to the environment.")
    ca_file: FilePath | None = Field(default=None, description="PEM file of the authorities to trust, instead of the system's.")

    @model_validator(mode="after")
    def _secrets_apart(self) -> Self:
        if self.url.username or self.url.password:
            raise ValueError("url must hold no user name and password: it is shown in messages; set username, and password_file")
        if self.username is None and (self.password or self.password_file):
            raise ValueError("a password needs username")
        return self

    def auth(self) -> tuple[str, str] | None:
        """User name and password as they are now. Raises UsageError where the file cannot be read."""
        return None if self.username is None else (self.username, secret_of(self.password, self.password_file))


class Registry:
    """A client that asks for each id and each schema once: what it knows goes on working while the registry is down. For one thread.

    `ids` are those that another client got from id_of.
    """

    def __init__(self, settings: RegistrySettings, ids: Ids = MappingProxyType({})) -> None:
        self._url = str(settings.url).rstrip("/")
        verify = ssl.create_default_context(cafile=settings.ca_file) if settings.ca_file else True
        transport = httpx.HTTPTransport(verify=verify, retries=_CONNECT_RETRIES)
        self._http = httpx.Client(auth=settings.auth(), timeout=_TIMEOUT, transport=transport)
        self._ids = dict(ids)
        self._schemas: dict[int, Schema] = {}

    def id_of(self, cls: type[Record], topic: str) -> int:
        """The id of a record's current schema under the subject `<topic>-value`, whose versions are kept FULL_TRANSITIVE.

        Registers the schema where it is not; where it is, the right to read is enough. Raises RegistryUnreachable, SchemaRefused, RegistryFailure.
        """
        if (cls, topic) not in self._ids:
            self._ids[cls, topic] = self._registered(_subject(topic), {"schema": json.dumps(definition(cls))})
        return self._ids[cls, topic]

    def schema_of(self, schema_id: int) -> Schema:
        """The schema of an id, parsed; the same object at every call.

        Raises SchemaError for an id that the registry does not have, RegistryUnreachable, RegistryFailure.
        """
        if schema_id not in self._schemas:
            found = self._find("GET", f"/schemas/ids/{schema_id}") if schema_id <= _LARGEST_ID else None
            if found is None:
                raise SchemaError(f"schema id {schema_id} is unknown to the registry {self._url}: is it the registry of whoever wrote the record?")
            self._schemas[schema_id] = parse(load(found["schema"], where=f"{self._url}, schema id {schema_id}"))
        return self._schemas[schema_id]

    def problem(self, schema: Schema, topic: str) -> str | None:
        """Why the versions under `<topic>-value` do not allow a schema, None where they do. Registers nothing; raises as id_of."""
        found = self._find("POST", f"/compatibility/subjects/{_subject(topic)}/versions?verbose=true", {"schema": json.dumps(schema)})
        if found is None or found["is_compatible"]:
            return None
        return str(found.get("reason") or found.get("messages") or "no reason given")

    def close(self) -> None:
        """Disconnect."""
        self._http.close()

    def _registered(self, subject: str, body: Mapping[str, str]) -> int:
        known = self._find("POST", f"/subjects/{subject}", body)
        if known is None:
            self._ask("PUT", f"/config/{subject}", {"compatibility": "FULL_TRANSITIVE"})
            known = self._ask("POST", f"/subjects/{subject}/versions", body)
        return int(known["id"])

    def _find(self, method: str, path: str, body: object = None) -> Any:
        try:
            return self._ask(method, path, body)
        except _NotThere:
            return None

    def _ask(self, method: str, path: str, body: object = None) -> Any:
        try:
            response = self._http.request(method, self._url + path, json=body, headers=_CONTENT_TYPE)
        except httpx.TransportError as error:
            raise RegistryUnreachable(f"schema registry {self._url} does not answer: {error}: start it, or correct its URL") from error
        if not response.is_success:
            raise self._failure(f"{method} {path}", response)
        try:
            return response.json()
        except ValueError as error:
            raise RegistryFailure(f"{self._url} answers {method} {path} without JSON: is this the registry's Confluent interface?") from error

    def _failure(self, request: str, response: httpx.Response) -> RegistryFailure:
        status, (code, reason) = response.status_code, _explained(response)
        if status in (httpx.codes.CONFLICT, httpx.codes.UNPROCESSABLE_ENTITY):
            return SchemaRefused(f"schema registry {self._url} refuses the schema ({request}): {reason}; only a schema that all versions can read may follow")
        if status in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN):
            return RegistryFailure(f"schema registry {self._url} does not let us in ({request}: HTTP {status}): check username, password and rights")
        if response.is_server_error:
            return RegistryUnreachable(f"schema registry {self._url} is out of order ({request}: HTTP {status}): {reason}")
        kind = _NotThere if code // 100 == httpx.codes.NOT_FOUND else RegistryFailure
        return kind(f"schema registry {self._url} answers {request} with HTTP {status}: {reason}: is this the registry's Confluent interface?")


class Confluent:
    """The Confluent wire format: a codec (`schemas.kafka.envelope.Codec`) whose schemas are in a registry."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    def encode(self, record: Record, topic: str) -> bytes:
        """0, schema id, body. Raises SchemaError, and as Registry.id_of."""
        return encode_confluent(record, self._registry.id_of(type(record), topic))

    def decode(self, value: bytes, cls: type[RecordT]) -> RecordT:
        """The record. Raises SchemaError, and as Registry.schema_of."""
        return decode_confluent(value, cls, self._registry.schema_of)


def _subject(topic: str) -> str:
    return quote(f"{topic}-value", safe="")


def _explained(response: httpx.Response) -> tuple[int, str]:
    """The registry's own error code and message."""
    try:
        found = response.json()
        return int(found["error_code"]), str(found["message"])
    except (ValueError, TypeError, KeyError):
        return 0, response.reason_phrase
