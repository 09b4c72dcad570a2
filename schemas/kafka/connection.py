"""What kafka-python needs to reach a cluster: addresses, TLS, login."""

from __future__ import annotations

import logging
import ssl
from pathlib import Path
from typing import Any

from schemas.kafka.failures import TlsFailed
from schemas.kafka.oauth import ClientCredentials
from schemas.kafka.settings import KafkaSettings

# At DEBUG these write requests as they are, the password among them. A level of their own would let their INFO through where nobody wants it.
for _name in ("kafka.admin.client", "kafka.net.connection", "kafka.protocol.parser"):
    logging.getLogger(_name).addFilter(lambda record: record.levelno >= logging.INFO)


def connection(settings: KafkaSettings) -> dict[str, Any]:
    """Arguments for any client of kafka-python. Holds secrets: not to be shown.

    Raises TlsFailed for files that are no certificate or key, UsageError for a secret's file that cannot be read.
    """
    config: dict[str, Any] = {
        "bootstrap_servers": settings.bootstrap_servers.split(","),
        "client_id": settings.client_id,
        "security_protocol": settings.security_protocol,
        # The default of 30 s keeps a client away long after the brokers are back.
        "reconnect_backoff_max_ms": 1000,
    }
    if settings.with_tls:
        config["ssl_context"] = tls_context(settings)
    if settings.with_login:
        config["sasl_mechanism"] = settings.sasl_mechanism
        if settings.sasl_mechanism == "OAUTHBEARER":
            config["sasl_oauth_token_provider"] = ClientCredentials(settings)
        else:
            config |= {"sasl_plain_username": settings.sasl_username, "sasl_plain_password": settings.password()}
    return config


def tls_context(settings: KafkaSettings) -> ssl.SSLContext:
    """Checks the broker's certificate and name; shows our certificate where we have one. Raises TlsFailed."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if settings.ssl_cafile:
        try:
            context.load_verify_locations(settings.ssl_cafile)
        except OSError as error:
            raise TlsFailed(f"ssl_cafile {settings.ssl_cafile}: no PEM certificate could be read: {_reason(error)}") from error
    else:
        context.load_default_certs()
    if settings.ssl_certfile:
        _load_own_certificate(context, settings.ssl_certfile, settings.ssl_keyfile or settings.ssl_certfile)
    return context


def _load_own_certificate(context: ssl.SSLContext, certificate: Path, key: Path) -> None:
    def refuse() -> str:
        # Without a function OpenSSL would ask on the terminal.
        raise TlsFailed(f"ssl_keyfile {key} is encrypted: give the key unencrypted, in a file that only its user can read")

    try:
        context.load_cert_chain(certificate, key, refuse)
    except OSError as error:
        raise TlsFailed(f"ssl_certfile {certificate}, ssl_keyfile {key}: no PEM certificate and its key could be read: {_reason(error)}") from error


def _reason(error: OSError) -> str:
    if isinstance(error, ssl.SSLError):
        return (error.reason or "it is no PEM").lower().replace("_", " ")
    return error.strerror or str(error)
