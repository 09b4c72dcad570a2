"""Tokens for SASL OAUTHBEARER from an OAuth 2 token endpoint (client credentials, RFC 6749 section 4.4)."""

from __future__ import annotations

import threading
import time

import httpx
import msgspec
from kafka.net.sasl.oauth import AbstractTokenProvider

from schemas.kafka.failures import AuthenticationFailed
from schemas.kafka.settings import KafkaSettings

_TIMEOUT_S = 5.0
# A token is replaced when this part of its life is over; a broker asks again before it ends.
_USED_OF_LIFE = 0.8


class _Answer(msgspec.Struct):
    access_token: str
    expires_in: float = 60.0


class _Refusal(msgspec.Struct):
    error: str = ""


class ClientCredentials(AbstractTokenProvider):  # type: ignore[misc] # untyped there
    """Gets a token when asked and keeps it until most of its life is over; safe to share among threads."""

    def __init__(self, settings: KafkaSettings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._token = ""
        self._renew_at = 0.0

    def token(self) -> str:
        """An access token that is valid now. Raises AuthenticationFailed where the endpoint gives none."""
        with self._lock:
            if time.monotonic() >= self._renew_at:
                answer = self._ask()
                self._token = answer.access_token
                self._renew_at = time.monotonic() + answer.expires_in * _USED_OF_LIFE
            return self._token

    def _ask(self) -> _Answer:
        settings = self._settings
        endpoint = str(settings.oauth_token_endpoint)
        form = {"grant_type": "client_credentials"} | ({"scope": settings.oauth_scope} if settings.oauth_scope else {})
        try:
            response = httpx.post(endpoint, data=form, auth=(settings.oauth_client_id or "", settings.client_secret()), timeout=_TIMEOUT_S)
        except httpx.HTTPError as error:
            raise AuthenticationFailed(f"authentication failed: the token endpoint {endpoint} does not answer: {error}") from error
        if response.is_success:
            try:
                return msgspec.json.decode(response.content, type=_Answer)
            except (msgspec.DecodeError, UnicodeDecodeError):
                # Not chained: what does not fit may be the token.
                raise AuthenticationFailed(f"authentication failed: the token endpoint {endpoint} answers without an access_token in JSON") from None
        raise AuthenticationFailed(
            f"authentication failed: the token endpoint {endpoint} refuses client {settings.oauth_client_id}: "
            f"{_refusal(response)}; check oauth_client_id, its secret and oauth_scope"
        )


def _refusal(response: httpx.Response) -> str:
    """The status and OAuth's own error code; never the body, which may repeat what we sent."""
    try:
        error = msgspec.json.decode(response.content, type=_Refusal).error
    except (msgspec.DecodeError, UnicodeDecodeError):
        error = ""
    return f"HTTP {response.status_code} {error}".rstrip()
