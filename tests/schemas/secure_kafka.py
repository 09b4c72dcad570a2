"""A Kafka that asks who is there: TLS, logins of every kind, access rules; and a token endpoint on loopback."""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qs

import trustme
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from kafka.admin import (
    ACL,
    ACLOperation,
    ACLPermissionType,
    KafkaAdminClient,
    ResourcePattern,
    ResourceType,
    ScramMechanism,
    UserScramCredentialUpsertion,
)

from pipeline.broker.cluster import Cluster
from schemas.kafka.failures import KafkaFailure

PASSWORD = "correct-horse-battery"
CLIENT_SECRET = "staple-of-the-endpoint"
_JAAS = "org.apache.kafka.common.security"


class Certificates(NamedTuple):
    """PEM files: of an authority that made the broker's certificate (for 127.0.0.1 only) and a client's, and of one that nobody trusts."""

    authority: Path
    other_authority: Path
    broker: Path
    client: Path
    client_key: Path
    encrypted_key: Path
    stranger: Path
    stranger_key: Path

    @classmethod
    def make(cls, folder: Path) -> Certificates:
        made = cls(*(folder / f"{name}.pem" for name in cls._fields))
        authority, other = trustme.CA(), trustme.CA()
        broker, client, stranger = authority.issue_cert("127.0.0.1"), authority.issue_cert("client.test"), other.issue_cert("stranger.test")
        # Java reads keys in PKCS#8 only.
        made.broker.write_bytes(_key(broker, NoEncryption()) + broker.cert_chain_pems[0].bytes())
        made.encrypted_key.write_bytes(_key(client, BestAvailableEncryption(b"any")))
        for pem, file in (
            (authority.cert_pem, made.authority),
            (other.cert_pem, made.other_authority),
            (client.cert_chain_pems[0], made.client),
            (client.private_key_pem, made.client_key),
            (stranger.cert_chain_pems[0], made.stranger),
            (stranger.private_key_pem, made.stranger_key),
        ):
            pem.write_to_path(file)
        return made


def _key(certificate: trustme.LeafCert, encryption: KeySerializationEncryption) -> bytes:
    return load_pem_private_key(certificate.private_key_pem.bytes(), None).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption)


def properties(certificates: Certificates) -> dict[str, str]:
    """SSL wants a client certificate, SASL_SSL and SASL_PLAINTEXT a login; PLAINTEXT may do everything, others what rules allow."""
    logins = {
        "plain": f'{_JAAS}.plain.PlainLoginModule required user_alice="{PASSWORD}";',
        "scram-sha-512": f"{_JAAS}.scram.ScramLoginModule required;",
        "oauthbearer": f"{_JAAS}.oauthbearer.OAuthBearerLoginModule required;",
    }
    jaas = {
        f"listener.name.{listener}.{mechanism}.sasl.jaas.config": module for listener in ("sasl_ssl", "sasl_plaintext") for mechanism, module in logins.items()
    }
    return jaas | {
        "sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-512,OAUTHBEARER",
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": str(certificates.broker),
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": str(certificates.authority),
        "listener.name.ssl.ssl.client.auth": "required",
        # Clients prove themselves again every 2 s.
        "listener.name.sasl_plaintext.scram-sha-512.connections.max.reauth.ms": "2000",
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "super.users": "User:ANONYMOUS",
    }


def set_password(cluster: Cluster, user: str, password: str) -> None:
    """For SCRAM, as `kafka-configs --add-config SCRAM-SHA-512=...` does."""
    with KafkaAdminClient(bootstrap_servers=cluster.bootstrap) as admin:
        assert admin.alter_user_scram_credentials([UserScramCredentialUpsertion(user, ScramMechanism.SCRAM_SHA_512, password)]) == {user: None}


def allow(cluster: Cluster, principal: str, operation: ACLOperation, kind: ResourceType, name: str) -> None:
    """Add an access rule."""
    rule = ACL(principal, "*", operation, ACLPermissionType.ALLOW, ResourcePattern(kind, name))
    with KafkaAdminClient(bootstrap_servers=cluster.bootstrap) as admin:
        assert admin.create_acls([rule])["succeeded"] == [rule]


def eventually(attempt: Callable[[], Any], timeout: float = 10) -> Any:
    """What a node has accepted takes it a moment to apply."""
    deadline = time.monotonic() + timeout
    while True:
        try:
            return attempt()
        except KafkaFailure:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


class TokenEndpoint(NamedTuple):
    """Where it is, and how many tokens it gave."""

    url: str
    given: list[str]


@contextmanager
def token_endpoint(life: int = 300) -> Iterator[TokenEndpoint]:
    """Gives client `dijla` with CLIENT_SECRET a token of `alice` without signature, valid for `life` seconds; scope `none` gives an answer without."""
    given: list[str] = []

    class Endpoint(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            form = parse_qs(self.rfile.read(int(self.headers["content-length"])).decode())
            expected = base64.b64encode(f"dijla:{CLIENT_SECRET}".encode()).decode()
            if self.headers["authorization"] != f"Basic {expected}" or form["grant_type"] != ["client_credentials"]:
                self._answer(401, {"error": "invalid_client", "error_description": str(self.headers["authorization"])})
            elif form.get("scope") == ["none"]:
                self._answer(200, {"token_type": "Bearer"})
            else:
                given.append(_token("alice", life))
                self._answer(200, {"access_token": given[-1], "token_type": "Bearer", "expires_in": life})

        def _answer(self, status: int, body: object) -> None:
            content = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_request(self, *_: object) -> None:
            """Say nothing on standard error."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Endpoint) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield TokenEndpoint(f"http://127.0.0.1:{server.server_port}/token", given)
        server.shutdown()
        thread.join()


def _token(subject: str, life: int) -> str:
    now = int(time.time())
    parts = ({"alg": "none"}, {"sub": subject, "iat": now, "exp": now + life})
    return ".".join(base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts) + "."
