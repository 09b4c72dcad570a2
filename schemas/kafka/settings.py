"""How to reach Kafka, and what its topics are like: settings of everything that reads or writes a topic."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, FilePath, HttpUrl, SecretStr, model_validator

from schemas.errors import UsageError


def _addresses(servers: str) -> str:
    """`host:port`, several separated by commas; spaces go."""
    addresses = [address.strip() for address in servers.split(",")]
    for address in addresses:
        host, _, port = address.rpartition(":")
        if not host or not port.isdecimal() or not 0 < int(port) < 65_536:
            raise ValueError("must be HOST:PORT, several separated by commas")
    return ",".join(addresses)


def _not_masked(secret: SecretStr) -> SecretStr:
    """Settings that were printed and read again have lost their secrets: better said here than as a wrong password."""
    if set(secret.get_secret_value()) == {"*"}:
        raise ValueError("is a mask of asterisks, not the secret")
    return secret


Secret = Annotated[SecretStr, AfterValidator(_not_masked)]


def secret_of(value: SecretStr | None, file: Path | None) -> str:
    """The secret in `file`, without the line end that editors put, else `value`, else empty. Raises UsageError where the file holds none."""
    if file is None:
        return value.get_secret_value() if value else ""
    try:
        secret = file.read_text(encoding="utf8").rstrip("\r\n")
    except OSError as error:
        raise UsageError(f"{file}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError:
        # Not chained: the error holds the bytes.
        raise UsageError(f"{file}: is no UTF-8 text: a secret's file holds the secret alone") from None
    if not secret:
        raise UsageError(f"{file}: is empty: it must hold the secret")
    return secret


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, allow_inf_nan=False)


class KafkaSettings(_Section):
    """One Kafka cluster and who we are there; frozen, hashable, picklable.

    Secrets in files are read when a client connects, so they may rotate, and only the files' names travel to a runner's workers.
    A secret of the environment travels in the pickle.
    """

    bootstrap_servers: Annotated[str, AfterValidator(_addresses)] = Field(
        default="localhost:9092", description="Brokers to ask first: HOST:PORT, several separated by commas."
    )
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        default="PLAINTEXT", description="SSL: with TLS; SASL: with a user name and password, or a token."
    )
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"] | None = Field(
        default=None, description="How to log in; with SASL_PLAINTEXT and SASL_SSL."
    )
    sasl_username: str | None = Field(default=None, min_length=1, description="User name of PLAIN and SCRAM.")
    sasl_password: Secret | None = Field(default=None, min_length=1, description="Password of PLAIN and SCRAM.")
    sasl_password_file: FilePath | None = Field(default=None, description="File that holds the password; preferred to the environment.")
    ssl_cafile: FilePath | None = Field(default=None, description="PEM file of the authorities to trust, instead of the system's.")
    ssl_certfile: FilePath | None = Field(default=None, description="PEM file of our own certificate and its chain, where the broker asks for one.")
    ssl_keyfile: FilePath | None = Field(default=None, description="PEM file of its private key, not encrypted.")
    oauth_token_endpoint: HttpUrl | None = Field(default=None, description="URL where OAUTHBEARER gets its tokens, by client credentials.")
    oauth_client_id: str | None = Field(default=None, min_length=1, description="Client id there.")
    oauth_client_secret: Secret | None = Field(default=None, min_length=1, description="Client secret there.")
    oauth_client_secret_file: FilePath | None = Field(default=None, description="File that holds the client secret; preferred to the environment.")
    oauth_scope: str | None = Field(default=None, min_length=1, description="Scope to ask for, where the endpoint wants one.")
    client_id: str = Field(default="dijla", min_length=1, description="Name under which the brokers' logs and quotas know us.")

    def __reduce__(self) -> tuple[Any, ...]:
        """Equal settings have equal pickles, in every process (pydantic's own hold a set); the JSON of pydantic masks the secrets."""
        values = {name: value.get_secret_value() if isinstance(value, SecretStr) else str(value) for name, value in self if value is not None}
        return type(self).model_validate, (values,)

    @property
    def with_tls(self) -> bool:
        """Whether the connection is encrypted."""
        return self.security_protocol.endswith("SSL")

    @property
    def with_login(self) -> bool:
        """Whether we log in, by SASL."""
        return self.security_protocol.startswith("SASL")

    @property
    def addresses(self) -> list[tuple[str, int]]:
        """Host and port of each bootstrap server."""
        pairs = (address.rpartition(":") for address in self.bootstrap_servers.split(","))
        return [(host.strip("[]"), int(port)) for host, _, port in pairs]

    def password(self) -> str:
        """The password of PLAIN and SCRAM, as it is now. Raises UsageError where its file cannot be read."""
        return secret_of(self.sasl_password, self.sasl_password_file)

    def client_secret(self) -> str:
        """The secret for the token endpoint, as it is now. Raises UsageError where its file cannot be read."""
        return secret_of(self.oauth_client_secret, self.oauth_client_secret_file)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if problems := [*self._problems_of_login(), *self._problems_of_tls()]:
            raise ValueError("\n".join(problems))
        return self

    def _problems_of_login(self) -> Iterator[str]:
        if not self.with_login:
            unused = self._set("sasl_") + self._set("oauth_")
            if unused:
                yield f"{', '.join(unused)} would not be used with security_protocol {self.security_protocol}: set SASL_SSL (or SASL_PLAINTEXT)"
        elif self.sasl_mechanism is None:
            yield f"security_protocol {self.security_protocol} needs sasl_mechanism: PLAIN, SCRAM-SHA-256, SCRAM-SHA-512 or OAUTHBEARER"
        else:
            needed = ("oauth_token_endpoint", "oauth_client_id") if self.sasl_mechanism == "OAUTHBEARER" else ("sasl_username",)
            yield from (f"sasl_mechanism {self.sasl_mechanism} needs {name}" for name in needed if getattr(self, name) is None)
            if self.oauth_token_endpoint and (self.oauth_token_endpoint.username or self.oauth_token_endpoint.password):
                yield "oauth_token_endpoint must hold no user name or password: it is shown in messages; set oauth_client_id and its secret"
            yield from self._problems_of_secret("oauth_client_secret" if self.sasl_mechanism == "OAUTHBEARER" else "sasl_password")

    def _problems_of_secret(self, name: str) -> Iterator[str]:
        given = self._set(name)
        if not given:
            yield f"sasl_mechanism {self.sasl_mechanism} needs {name}_file, or {name} from the environment"
        elif len(given) > 1:
            yield f"both {name} and {name}_file are set: leave one out"

    def _problems_of_tls(self) -> Iterator[str]:
        if not self.with_tls and (unused := self._set("ssl_")):
            yield f"{', '.join(unused)} would not be used with security_protocol {self.security_protocol}: set SSL or SASL_SSL"
        if self.ssl_keyfile and not self.ssl_certfile:
            yield "ssl_keyfile is set without the ssl_certfile that it belongs to"

    def _set(self, prefix: str) -> list[str]:
        return [name for name in type(self).model_fields if name.startswith(prefix) and getattr(self, name) is not None]


class RetentionDays(_Section):
    """Days that a topic keeps its records."""

    raw: int = Field(default=30, ge=1, description="Days of osint.raw: how far back a restart without a checkpoint can rebuild its state.")
    reports: int = Field(default=30, ge=1, description="Days of osint.reports.")
    events: int = Field(default=90, ge=1, description="Days of osint.events.")
    dead_letters: int = Field(default=90, ge=1, description="Days of osint.dead-letters and osint.dead-letters.parked.")


def _prefix(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9._-]{0,200}", text):
        raise ValueError("should be of A-Z a-z 0-9 . _ - alone, at most 200 of them")
    return text


class TopicSettings(_Section):
    """What `dijla broker topics` creates, and what is checked at start."""

    prefix: Annotated[str, AfterValidator(_prefix)] = Field(default="osint.", description="What all topics' names begin with.")
    partitions: int = Field(default=8, ge=1, le=10_000, description="Partitions of each topic; at most so many workers read at once.")
    replication: int = Field(default=1, ge=1, le=100, description="Copies of each partition; 3 in production.")
    min_insync_replicas: int = Field(default=1, ge=1, le=100, description="Copies that must have a record before it counts as written; 2 in production.")
    retention_days: RetentionDays = RetentionDays()

    @model_validator(mode="after")
    def _writable(self) -> Self:
        if self.min_insync_replicas > self.replication:
            raise ValueError(f"min_insync_replicas ({self.min_insync_replicas}) is above replication ({self.replication}): nothing could be written")
        return self
