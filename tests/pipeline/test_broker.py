"""The local broker: started, found, killed and stopped for real."""

from __future__ import annotations

import itertools
import json
import os
import socket
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer

from pipeline.broker.cluster import Cluster, ensure_running, stop
from pipeline.broker.errors import BrokerError, MissingToolError, PortInUseError
from pipeline.broker.jars import fetched, java
from pipeline.broker.ports import free_ports
from pipeline.commands.broker import broker as command
from schemas.errors import UsageError


@pytest.fixture
def folder(tmp_path: Path, kafka_installed: None) -> Iterator[Path]:
    yield tmp_path / "my broker"
    stop(tmp_path / "my broker")


def dijla_broker(*arguments: object) -> Result:
    return CliRunner().invoke(command, [str(argument) for argument in arguments])


def create(cluster: Cluster, topic: str, replication: int = 1) -> None:
    with KafkaAdminClient(bootstrap_servers=cluster.bootstrap) as admin:
        admin.create_topics({topic: {"num_partitions": 1, "replication_factor": replication}}, wait_for_metadata=True)


def send(cluster: Cluster, topic: str, values: range) -> None:
    with closing(KafkaProducer(bootstrap_servers=cluster.bootstrap, acks="all", reconnect_backoff_max_ms=1000)) as producer:
        sent = [producer.send(topic, b"%d" % value) for value in values]
        assert all(future.get(60) for future in sent)


def received(cluster: Cluster, topic: str, count: int) -> list[int]:
    settings = {"auto_offset_reset": "earliest", "consumer_timeout_ms": 20_000, "reconnect_backoff_max_ms": 1000}
    with closing(KafkaConsumer(topic, bootstrap_servers=cluster.bootstrap, **settings)) as consumer:
        return [int(record.value) for record in itertools.islice(consumer, count)]


def test_start_status_stop(folder: Path) -> None:
    port = free_ports(1)[0]
    assert dijla_broker("status", "--dir", folder).exit_code == 1

    started = dijla_broker("start", "--port", port, "--dir", folder)
    assert started.exit_code == 0, started.output
    state = json.loads(dijla_broker("status", "--dir", folder, "--json").stdout)
    pid = state["nodes"][0]["pid"]
    assert state["bootstrap"] == f"127.0.0.1:{port}"
    assert f"127.0.0.1:{port} (pid {pid};" in started.stdout
    assert os.getsid(pid) != os.getsid(0), "it would end with the terminal"

    again = dijla_broker("start", "--port", port, "--dir", folder, "--json")
    assert again.exit_code == 0
    assert json.loads(again.stdout) == state, "it was started a second time"
    with pytest.raises(UsageError, match=r"already runs on 127\.0\.0\.1"):
        ensure_running(folder, port=port + 1)

    assert dijla_broker("stop", "--dir", folder).stdout == f"stopped 127.0.0.1:{port}\n"
    stopped = dijla_broker("status", "--dir", folder)
    assert (stopped.exit_code, stopped.stdout) == (1, f"Kafka is stopped: 127.0.0.1:{port} ({folder})\n")
    assert dijla_broker("stop", "--dir", folder).stdout == "no broker runs\n"


def test_a_restart_keeps_the_data_and_many_may_ask_for_it_at_once(folder: Path) -> None:
    cluster, _ = ensure_running(folder)
    create(cluster, "kept")
    send(cluster, "kept", range(10))
    stop(folder)
    with ThreadPoolExecutor(3) as threads:
        answers = list(threads.map(lambda _: ensure_running(folder), range(3)))
    assert sorted(started for _, started in answers) == [False, False, True]
    assert {found.bootstrap for found, _ in answers} == {answers[0][0].bootstrap}
    assert received(answers[0][0], "kept", 10) == list(range(10))


@pytest.mark.faults
def test_three_nodes_survive_the_loss_of_one(own_cluster: Callable[..., Cluster]) -> None:
    cluster = own_cluster(nodes=3)
    create(cluster, "replicated", replication=3)
    send(cluster, "replicated", range(100))
    first, second, _ = cluster.nodes
    first.kill()
    assert (first.pid, cluster.complete, cluster.running) == (None, False, True)
    send(cluster, "replicated", range(100, 200))
    first.start()
    assert cluster.complete
    second.kill()
    send(cluster, "replicated", range(200, 300))
    assert received(cluster, "replicated", 300) == list(range(300))


def test_a_further_listener_asks_for_a_password(own_cluster: Callable[..., Cluster]) -> None:
    login = r'org.apache.kafka.common.security.plain.PlainLoginModule required user_reader="quotes \" and ü";'
    password = {"sasl.enabled.mechanisms": "PLAIN", "listener.name.sasl_plaintext.plain.sasl.jaas.config": login}
    cluster = own_cluster(listeners=("SASL_PLAINTEXT",), properties=password)
    options = {"security_protocol": "SASL_PLAINTEXT", "sasl_mechanism": "PLAIN", "sasl_plain_username": "reader"}
    servers = cluster.servers("SASL_PLAINTEXT")
    assert servers != cluster.bootstrap
    with KafkaAdminClient(bootstrap_servers=servers, sasl_plain_password='quotes " and ü', **options) as admin:
        assert [broker["broker_id"] for broker in admin.describe_cluster()["brokers"]] == [1]


def test_another_program_under_the_noted_pid_is_left_alone(folder: Path) -> None:
    cluster = Cluster.plan(folder)
    pid_file = folder / "node-1" / "pid"
    pid_file.parent.mkdir()
    for stale in (f"{os.getpid()}\n", "99999999\n", ""):
        pid_file.write_text(stale)
        assert cluster.nodes[0].pid is None
        assert stop(folder) is None
    assert ensure_running(folder)[1]


def test_a_port_in_use_is_named(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(PortInUseError, match=f"port {port} of 127.0.0.1 is in use by another program: give another port"):
            ensure_running(folder, port=port)
    assert stop(folder) is None


def test_a_broker_that_cannot_start_says_why(folder: Path) -> None:
    with pytest.raises(BrokerError, match=r"(?s)could not be formatted.*Invalid value 0 for configuration num\.network\.threads"):
        ensure_running(folder, properties={"num.network.threads": "0"})
    meta = folder / "node-1" / "data" / "meta.properties"
    meta.parent.mkdir()
    meta.write_text("version=1\nnode.id=7\ncluster.id=of-another\n")
    with pytest.raises(BrokerError, match=r"(?s)ended while it started; its last lines:.*Stored node id 7"):
        ensure_running(folder)
    assert stop(folder) is None, "a node was left running"
    console = folder / "node-1" / "console.log"
    deadline = time.monotonic() + 10
    while not console.read_text().endswith("ended with status 1\n"):
        assert time.monotonic() < deadline, console.read_text()
        time.sleep(0.05)


def test_what_a_folder_holds_is_checked(tmp_path: Path) -> None:
    Cluster.plan(tmp_path, nodes=3)
    with pytest.raises(UsageError, match=r"holds the data of 3 node\(s\), not 1"):
        ensure_running(tmp_path, nodes=1)
    (tmp_path / "cluster.json").write_text("{}")
    with pytest.raises(UsageError, match="is no description of a broker"):
        Cluster.open(tmp_path)


def test_without_java_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    with pytest.raises(MissingToolError, match="there is no java on the PATH: install a JDK, version 17 or newer, or run the broker in Docker"):
        java()
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    with pytest.raises(MissingToolError, match=f"there is no java in {tmp_path}/bin"):
        java()


def test_a_failed_download_leaves_no_half_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, kafka_installed: None) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    pom = tmp_path / "pom.xml"
    pom.write_text("<project>")
    with pytest.raises(BrokerError, match="Maven could not fetch"):
        fetched(pom, "broken")
    assert [file.name for file in (tmp_path / "dijla").iterdir()] == ["broken.lock"]


def test_topics_are_created_then_checked(broker: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    prefix = f"{uuid.uuid4().hex}."
    monkeypatch.setenv("DIJLA_TOPICS__PREFIX", prefix)
    first = dijla_broker("topics", "--bootstrap-servers", broker.bootstrap)
    assert first.exit_code == 0, first.output
    assert first.stdout.splitlines()[0].split() == [f"{prefix}raw", "8", "partitions", "x", "1", "created"]

    monkeypatch.setenv("DIJLA_TOPICS__PARTITIONS", "9")
    shown = dijla_broker("topics", "--bootstrap-servers", broker.bootstrap)
    assert shown.stdout.splitlines()[0].split() == [f"{prefix}raw", "8", "partitions", "x", "1", "exists"], "what is there, not what is wanted"
    assert f"topic {prefix}raw has 8 partitions, not 9" in shown.stderr

    second = dijla_broker("topics", "--bootstrap-servers", broker.bootstrap, "--json")
    assert second.exit_code == 1
    answer = json.loads(second.stdout)
    assert (len(answer["topics"]), answer["created"], len(answer["problems"])) == (8, [], 6)
    assert answer["problems"][0].startswith(f"topic {prefix}raw has 8 partitions, not 9")
