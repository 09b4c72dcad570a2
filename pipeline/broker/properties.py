"""Kafka's settings for a cluster on loopback."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pipeline.broker.node import PLAINTEXT
from pipeline.broker.ports import HOST

_CONTROLLER = "CONTROLLER"
_PROTOCOLS = (PLAINTEXT, "SSL", "SASL_PLAINTEXT", "SASL_SSL")


def server_properties(node_id: int, data: Path, ports: dict[str, int], controller_ports: Sequence[int]) -> dict[str, object]:
    """The settings of one node, controller and broker in one; nodes are numbered from 1, `controller_ports` has one port a node.

    Listeners carry the name of their protocol; the nodes talk to each other without TLS.
    """
    nodes = len(controller_ports)
    replicas, in_sync = (3, 2) if nodes >= 3 else (1, 1)
    listeners = ",".join(f"{name}://{HOST}:{port}" for name, port in ports.items())
    return {
        "process.roles": "broker,controller",
        "node.id": node_id,
        "log.dirs": data,
        "controller.quorum.voters": ",".join(f"{voter}@{HOST}:{port}" for voter, port in enumerate(controller_ports, 1)),
        "controller.listener.names": _CONTROLLER,
        "inter.broker.listener.name": PLAINTEXT,
        "listener.security.protocol.map": ",".join([f"{_CONTROLLER}:PLAINTEXT", *(f"{name}:{name}" for name in _PROTOCOLS)]),
        "listeners": f"{listeners},{_CONTROLLER}://{HOST}:{controller_ports[node_id - 1]}",
        "advertised.listeners": listeners,
        "auto.create.topics.enable": "false",
        "default.replication.factor": replicas,
        "min.insync.replicas": in_sync,
        "offsets.topic.replication.factor": replicas,
        "offsets.topic.num.partitions": 8,
        "transaction.state.log.replication.factor": replicas,
        "transaction.state.log.min.isr": in_sync,
        "transaction.state.log.num.partitions": 8,
        "group.initial.rebalance.delay.ms": 0,
        "message.max.bytes": 1_048_588,
        # The default of 128 MB does not fit a small heap.
        "log.cleaner.dedupe.buffer.size": 4_194_304,
    }
