"""Clients against a broker with TLS, logins and access rules: they get in, or say at once why not, and never tell a secret."""

from __future__ import annotations

import io
import logging
import re
import threading
import time
import traceback
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from kafka import KafkaProducer, TopicPartition
from kafka.admin import ACLOperation, ResourceType
from secure_kafka import CLIENT_SECRET, PASSWORD, Certificates, TokenEndpoint, allow, eventually, properties, set_password, token_endpoint

from pipeline.broker.cluster import Cluster
from pipeline.broker.ports import free_ports
from schemas.kafka.clients import admin, consumer, explained, producer
from schemas.kafka.failures import AuthenticationFailed, BrokerUnreachable, KafkaFailure, NotAuthorised, TlsFailed
from schemas.kafka.handshake import check
from schemas.kafka.oauth import ClientCredentials
from schemas.kafka.settings import KafkaSettings

OPEN, CLOSED, GROUP = "open", "closed", "group"
WRONG = "wrong-secret-of-mine"


class Secure(NamedTuple):
    """The broker, and settings for it."""

    cluster: Cluster
    certificates: Certificates
    endpoint: TokenEndpoint

    def settings(self, protocol: str, login: str | None = None, *, listener: str | None = None, **other: object) -> KafkaSettings:
        """As user alice (PLAIN, OAUTHBEARER) or bob (SCRAM), through a listener of that protocol or another."""
        logins: dict[str | None, dict[str, object]] = {
            None: {},
            "PLAIN": {"sasl_username": "alice", "sasl_password": PASSWORD},
            "SCRAM-SHA-512": {"sasl_username": "bob", "sasl_password": PASSWORD},
            "OAUTHBEARER": {"oauth_token_endpoint": self.endpoint.url, "oauth_client_id": "dijla", "oauth_client_secret": CLIENT_SECRET},
        }
        tls = {"ssl_cafile": self.certificates.authority} if protocol.endswith("SSL") else {}
        ours = {"ssl_certfile": self.certificates.client, "ssl_keyfile": self.certificates.client_key} if protocol == "SSL" else {}
        given = {"bootstrap_servers": self.cluster.servers(listener or protocol), "security_protocol": protocol, "sasl_mechanism": login}
        return KafkaSettings.model_validate(given | logins[login] | tls | ours | other)


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory, kafka_installed: None) -> Iterator[Secure]:
    folder = tmp_path_factory.mktemp("secure")
    certificates = Certificates.make(folder)
    cluster = Cluster.plan(folder / "kafka", listeners=("SSL", "SASL_PLAINTEXT", "SASL_SSL"), properties=properties(certificates))
    try:
        cluster.start()
        with token_endpoint() as endpoint:
            secure = Secure(cluster, certificates, endpoint)
            with admin(secure.settings("PLAINTEXT")) as client:
                client.create_topics({name: {"num_partitions": 1, "replication_factor": 1} for name in (OPEN, CLOSED)}, wait_for_metadata=True)
            set_password(cluster, "bob", PASSWORD)
            allow(cluster, "User:*", ACLOperation.ALL, ResourceType.TOPIC, OPEN)
            eventually(lambda: check(secure.settings("SASL_SSL", "SCRAM-SHA-512"), OPEN))
            yield secure
    finally:
        cluster.erase()


@pytest.fixture
def no_secret_told() -> Iterator[None]:
    """Whatever is logged, down to DEBUG."""
    log, root = io.StringIO(), logging.getLogger()
    handler, level = logging.StreamHandler(log), root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        yield
    finally:
        root.setLevel(level)
        root.removeHandler(handler)
    assert_no_secret(log.getvalue())


def assert_no_secret(text: str) -> None:
    for secret in (PASSWORD, CLIENT_SECRET, WRONG, "eyJhbGci"):  # as every token begins
        assert secret not in text


def sent(settings: KafkaSettings, topic: str) -> bytes:
    value = uuid.uuid4().bytes
    with closing(producer(settings)) as client:
        client.send(topic, value).get(20)
    return value


def read(settings: KafkaSettings, topic: str, *, group: str | None = None, timeout: float = 20) -> list[bytes]:
    deadline = time.monotonic() + timeout
    with closing(consumer(settings, topic, group_id=group, auto_offset_reset="earliest")) as client:
        while time.monotonic() < deadline:
            if batches := client.poll(timeout_ms=200):
                return [record.value for records in batches.values() for record in records]
    return []


def send_on(client: KafkaProducer) -> None:
    for _ in range(100):
        client.send(OPEN, b"again").get(10)
        time.sleep(0.1)


@pytest.mark.parametrize(
    ("protocol", "login"),
    [
        ("PLAINTEXT", None),
        ("SSL", None),
        ("SASL_PLAINTEXT", "PLAIN"),
        ("SASL_PLAINTEXT", "SCRAM-SHA-512"),
        ("SASL_SSL", "PLAIN"),
        ("SASL_SSL", "SCRAM-SHA-512"),
        ("SASL_SSL", "OAUTHBEARER"),
    ],
)
def test_every_way_in(secure: Secure, no_secret_told: None, protocol: str, login: str | None) -> None:
    settings = secure.settings(protocol, login)
    assert sent(settings, OPEN) in read(settings, OPEN)
    with admin(settings) as client:
        assert OPEN in client.list_topics()


def test_a_secret_in_a_file_is_read_when_a_client_connects(secure: Secure, tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text(f"{WRONG}\n")
    settings = secure.settings("SASL_SSL", "PLAIN", sasl_password=None, sasl_password_file=file)
    with pytest.raises(AuthenticationFailed):
        producer(settings)
    file.write_text(f"{PASSWORD}\n")
    assert sent(settings, OPEN)


@pytest.mark.parametrize("kind", [consumer, producer, admin])
@pytest.mark.parametrize(
    ("login", "wrong", "who"),
    [
        ("PLAIN", {"sasl_password": WRONG}, "alice by PLAIN"),
        ("SCRAM-SHA-512", {"sasl_password": WRONG}, "bob by SCRAM-SHA-512"),
        ("SCRAM-SHA-512", {"sasl_username": "eve"}, "eve by SCRAM-SHA-512"),
        ("OAUTHBEARER", {"oauth_client_secret": WRONG}, "HTTP 401 invalid_client"),
    ],
)
def test_a_wrong_secret_is_said_at_once(
    secure: Secure, no_secret_told: None, kind: Callable[[KafkaSettings], object], login: str, wrong: dict[str, object], who: str
) -> None:
    settings = secure.settings("SASL_SSL", login, **wrong)
    begun = time.monotonic()
    with pytest.raises(AuthenticationFailed, match="authentication failed") as caught:
        kind(settings)
    assert time.monotonic() - begun < 5
    assert who in str(caught.value)
    assert "bootstrap" not in str(caught.value)
    assert_no_secret("".join(traceback.format_exception(caught.value)) + repr(caught.value) + repr(settings))


def test_a_mechanism_that_the_broker_lacks(secure: Secure) -> None:
    with pytest.raises(AuthenticationFailed, match="set sasl_mechanism to what it offers: PLAIN, SCRAM-SHA-512, OAUTHBEARER"):
        check(secure.settings("SASL_SSL", "PLAIN", sasl_mechanism="SCRAM-SHA-256"))


def test_certificates_that_do_not_fit(secure: Secure) -> None:
    made = secure.certificates
    by_name = secure.cluster.servers("SASL_SSL").replace("127.0.0.1", "localhost")
    cases: list[tuple[KafkaSettings, str]] = [
        (secure.settings("SASL_SSL", "PLAIN", ssl_cafile=made.other_authority), f"not trusted .* by the authorities in ssl_cafile {made.other_authority}"),
        (secure.settings("SASL_SSL", "PLAIN", ssl_cafile=None), "not trusted .* set ssl_cafile"),
        (secure.settings("SASL_SSL", "PLAIN", bootstrap_servers=by_name), "not valid for 'localhost'"),
        (secure.settings("SSL", ssl_certfile=None, ssl_keyfile=None), "wants a certificate of ours .* set ssl_certfile and ssl_keyfile"),
        (secure.settings("SSL", ssl_certfile=made.stranger, ssl_keyfile=made.stranger_key), f"refuses our certificate {made.stranger}"),
        (secure.settings("SSL", ssl_cafile=made.client_key), f"ssl_cafile {made.client_key}: no PEM certificate could be read"),
        (secure.settings("SSL", ssl_keyfile=made.stranger_key), "ssl_certfile .* ssl_keyfile .*: key values mismatch"),
        (secure.settings("SSL", ssl_keyfile=made.encrypted_key), f"ssl_keyfile {made.encrypted_key} is encrypted"),
    ]
    for settings, message in cases:
        with pytest.raises(TlsFailed, match=message):
            producer(settings)


@pytest.mark.parametrize(
    ("protocol", "login", "listener", "failure", "message"),
    [
        ("PLAINTEXT", None, "SSL", TlsFailed, "speaks TLS: set security_protocol SSL instead of PLAINTEXT"),
        ("PLAINTEXT", None, "SASL_SSL", TlsFailed, "speaks TLS: set security_protocol SASL_SSL and sasl_mechanism PLAIN or"),
        ("PLAINTEXT", None, "SASL_PLAINTEXT", AuthenticationFailed, "wants a login: set security_protocol SASL_PLAINTEXT and sasl_mechanism"),
        ("SSL", None, "PLAINTEXT", TlsFailed, "speaks no TLS: set security_protocol PLAINTEXT instead of SSL"),
        ("SSL", None, "SASL_SSL", AuthenticationFailed, "wants a login: set security_protocol SASL_SSL and sasl_mechanism"),
        ("SASL_PLAINTEXT", "PLAIN", "PLAINTEXT", AuthenticationFailed, "has no login: set security_protocol PLAINTEXT"),
        ("SASL_PLAINTEXT", "PLAIN", "SASL_SSL", TlsFailed, "speaks TLS: set security_protocol SASL_SSL instead"),
        ("SASL_SSL", "PLAIN", "PLAINTEXT", TlsFailed, "speaks no TLS: set security_protocol PLAINTEXT"),
        ("SASL_SSL", "PLAIN", "SASL_PLAINTEXT", TlsFailed, "speaks no TLS: set security_protocol SASL_PLAINTEXT"),
    ],
)
def test_another_protocol_than_the_port_speaks(
    secure: Secure, protocol: str, login: str | None, listener: str, failure: type[KafkaFailure], message: str
) -> None:
    begun = time.monotonic()
    with pytest.raises(failure, match=f"{secure.cluster.servers(listener)} {message}"):
        consumer(secure.settings(protocol, login, listener=listener))
    assert time.monotonic() - begun < 5


def test_nothing_listens() -> None:
    port, other = free_ports(2)
    begun = time.monotonic()
    with pytest.raises(BrokerUnreachable, match=f"^nothing listens at 127.0.0.1:{port}; nothing listens at 127.0.0.1:{other}$"):
        admin(KafkaSettings(bootstrap_servers=f"127.0.0.1:{port},127.0.0.1:{other}"), bootstrap_timeout_ms=500)
    assert time.monotonic() - begun < 3


def test_one_server_of_the_list_is_enough(broker: Cluster) -> None:
    check(KafkaSettings(bootstrap_servers=f"127.0.0.1:{free_ports(1)[0]},{broker.bootstrap}"))


def test_a_broker_that_comes_is_waited_for(own_cluster: Callable[..., Cluster]) -> None:
    cluster = own_cluster()
    cluster.stop()
    starting = threading.Timer(0.5, cluster.start)
    starting.start()
    try:
        with admin(KafkaSettings(bootstrap_servers=cluster.bootstrap), bootstrap_timeout_ms=60_000) as client:
            assert client.list_topics() == []
    finally:
        starting.join()


def test_brokers_that_name_themselves_wrongly(own_cluster: Callable[..., Cluster]) -> None:
    closed = free_ports(1)[0]
    cluster = own_cluster(properties={"advertised.listeners": f"PLAINTEXT://127.0.0.1:{closed}"})
    with pytest.raises(BrokerUnreachable, match=rf"^{cluster.bootstrap} answers, .*\(nothing listens at 127.0.0.1:{closed}\).* advertised.listeners"):
        producer(KafkaSettings(bootstrap_servers=cluster.bootstrap))


def test_not_authorised_says_who_and_for_what(secure: Secure) -> None:
    settings = secure.settings("SASL_SSL", "SCRAM-SHA-512")

    def begin_transaction() -> None:
        with closing(producer(settings, transactional_id="mine")) as client:
            client.init_transactions()

    def create() -> None:
        with admin(settings) as client:
            client.create_topics({"another": {"num_partitions": 1, "replication_factor": 1}})

    def look() -> None:
        with closing(consumer(settings)) as client:
            client.end_offsets([TopicPartition(CLOSED, 0)])

    attempts: list[tuple[Callable[[], Any], str]] = [
        (lambda: sent(settings, CLOSED), "topic closed"),
        (lambda: read(settings, CLOSED), "topic closed"),
        (look, "topic closed"),
        (lambda: read(settings, OPEN, group=GROUP), "group group"),
        (begin_transaction, "transactional id"),
        (create, "topic"),
    ]
    for attempt, resource in attempts:
        with pytest.raises(NotAuthorised, match=f"do not let bob use {resource}$"), explained(settings):
            attempt()


def test_a_topic_that_may_be_written_but_not_read(secure: Secure) -> None:
    settings = secure.settings("SASL_SSL", "PLAIN")
    allow(secure.cluster, "User:alice", ACLOperation.WRITE, ResourceType.TOPIC, CLOSED)
    eventually(lambda: check(settings, CLOSED))
    assert sent(settings, CLOSED)
    with pytest.raises(NotAuthorised, match="topic closed"), explained(settings):
        read(settings, CLOSED)


def test_a_password_that_is_changed_under_a_running_producer(secure: Secure, no_secret_told: None) -> None:
    """kafka-python says only that a record ran out of time."""
    set_password(secure.cluster, "carol", PASSWORD)
    settings = secure.settings("SASL_PLAINTEXT", "SCRAM-SHA-512", sasl_username="carol")
    eventually(lambda: check(settings))
    client = producer(settings, delivery_timeout_ms=4000, request_timeout_ms=2000)
    try:
        client.send(OPEN, b"before").get(10)
        set_password(secure.cluster, "carol", "another")
        with pytest.raises(AuthenticationFailed, match=r"authentication failed: .* carol by SCRAM-SHA-512"), explained(settings):
            send_on(client)
    finally:
        client.close(timeout=0)


def test_the_defaults_hold_what_delivery_rests_on(broker: Cluster) -> None:
    """Records of an aborted transaction are not read, and nothing is committed unasked."""
    settings, topic = KafkaSettings(bootstrap_servers=broker.bootstrap), uuid.uuid4().hex
    with admin(settings) as client:
        client.create_topics({topic: {"num_partitions": 1, "replication_factor": 1}}, wait_for_metadata=True)
    with closing(producer(settings, transactional_id=topic)) as client:
        client.init_transactions()
        client.begin_transaction()
        client.send(topic, b"aborted").get(10)
        client.abort_transaction()
        client.begin_transaction()
        client.send(topic, b"committed").get(10)
        client.commit_transaction()
    assert read(settings, topic, group=topic) == [b"committed"]
    with closing(consumer(settings, group_id=topic)) as client:
        assert client.committed(TopicPartition(topic, 0)) is None


def test_a_token_is_kept_until_most_of_its_life_is_over() -> None:
    for life, asked in ((300, 1), (0, 3)):
        with token_endpoint(life) as endpoint:
            provider = ClientCredentials(_oauth(endpoint))
            assert [provider.token() for _ in range(3)][-1] == endpoint.given[-1]
            assert len(endpoint.given) == asked


def test_a_token_endpoint_that_gives_none() -> None:
    with token_endpoint() as endpoint, pytest.raises(AuthenticationFailed, match=f"{endpoint.url} answers without an access_token"):
        ClientCredentials(_oauth(endpoint, oauth_scope="none")).token()
    with pytest.raises(AuthenticationFailed, match=f"authentication failed: the token endpoint {re.escape(endpoint.url)} does not answer"):
        ClientCredentials(_oauth(endpoint)).token()


def _oauth(endpoint: TokenEndpoint, **other: object) -> KafkaSettings:
    given = {"security_protocol": "SASL_SSL", "sasl_mechanism": "OAUTHBEARER", "oauth_token_endpoint": endpoint.url}
    return KafkaSettings.model_validate(given | {"oauth_client_id": "dijla", "oauth_client_secret": CLIENT_SECRET} | other)
