"""Kafka nodes on loopback, described by a file in their folder, so that any process can find, stop and start them."""

from __future__ import annotations

import base64
import shutil
import time
import uuid
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import msgspec

from pipeline.broker.errors import PortInUseError
from pipeline.broker.folders import locked
from pipeline.broker.node import PLAINTEXT, Node
from pipeline.broker.ports import HOST, free_ports, is_free
from pipeline.broker.properties import server_properties
from schemas.errors import UsageError

_LAYOUT = "cluster.json"


class Layout(msgspec.Struct, frozen=True):
    """What `cluster.json` says; `ports` (listener -> port) and `controller_ports` have one entry a node."""

    cluster_id: str
    ports: list[dict[str, int]]
    controller_ports: list[int]
    heap: str
    properties: dict[str, str]


class Cluster:
    """The nodes whose settings, data, logs and pids are in `folder`."""

    def __init__(self, folder: Path, layout: Layout) -> None:
        self.folder = folder
        self.layout = layout
        ports = zip(layout.ports, layout.controller_ports, strict=True)
        self.nodes = tuple(Node(folder / f"node-{number}", number, *both, layout.heap) for number, both in enumerate(ports, 1))

    @classmethod
    def open(cls, folder: Path) -> Cluster | None:
        """The cluster that `folder` holds, running or not; None where there is none."""
        folder = folder.resolve()
        try:
            return cls(folder, msgspec.json.decode((folder / _LAYOUT).read_bytes(), type=Layout))
        except FileNotFoundError:
            return None
        except msgspec.DecodeError as error:
            raise UsageError(f"{folder / _LAYOUT}: is no description of a broker: {error}; give another folder, or remove this one") from error

    @classmethod
    def plan(
        cls,
        folder: Path,
        *,
        nodes: int = 1,
        port: int = 0,
        listeners: Sequence[str] = (),
        heap: str = "256m",
        properties: Mapping[str, str] | None = None,
    ) -> Cluster:
        """Describe a cluster in `folder`; data that it holds from an earlier run are kept. Nothing is started.

        The first node listens on `port`, the next on the one after it (0: any free ports). `listeners` names further ones by their
        protocol (SSL, SASL_PLAINTEXT, SASL_SSL), on free ports; `properties` are Kafka's, for all nodes.
        """
        earlier = cls.open(folder)
        if earlier and len(earlier.nodes) != nodes:
            raise UsageError(f"{folder} holds the data of {len(earlier.nodes)} node(s), not {nodes}: give another folder, or that number of nodes")
        free = iter(free_ports(nodes * (2 + len(listeners)), avoid=range(port, port + nodes)))
        layout = Layout(
            cluster_id=earlier.layout.cluster_id if earlier else _new_cluster_id(),
            ports=[{PLAINTEXT: port + node if port else next(free), **{name: next(free) for name in listeners}} for node in range(nodes)],
            controller_ports=[next(free) for _ in range(nodes)],
            heap=heap,
            properties=dict(properties or {}),
        )
        cluster = cls(folder.resolve(), layout)
        cluster.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        draft = cluster.folder / f"{_LAYOUT}.draft"
        draft.write_bytes(msgspec.json.format(msgspec.json.encode(layout)))
        draft.replace(cluster.folder / _LAYOUT)
        return cluster

    @property
    def bootstrap(self) -> str:
        """Where clients without TLS or password connect."""
        return self.servers(PLAINTEXT)

    def servers(self, listener: str) -> str:
        """The bootstrap servers of one listener."""
        return ",".join(f"{HOST}:{node.ports[listener]}" for node in self.nodes)

    @property
    def running(self) -> bool:
        """Whether any node runs."""
        return any(node.pid for node in self.nodes)

    @property
    def complete(self) -> bool:
        """Whether every node runs."""
        return all(node.pid for node in self.nodes)

    def state(self) -> dict[str, object]:
        """Plain values for programs: bootstrap, folder, complete, nodes (id, port, pid or None, log)."""
        nodes = [{"id": node.id, "port": node.ports[PLAINTEXT], "pid": node.pid, "log": str(node.log)} for node in self.nodes]
        return {"bootstrap": self.bootstrap, "folder": str(self.folder), "complete": self.complete, "nodes": nodes}

    def start(self, timeout: float = 60) -> None:
        """Start the nodes that do not run and wait until they answer. Raises PortInUseError, BrokerError; then none of them is left running."""
        stopped = [node for node in self.nodes if node.pid is None]
        for port in (port for node in stopped for port in node.all_ports):
            if not is_free(port):
                raise PortInUseError(f"port {port} of {HOST} is in use by another program: give another port, or stop that program")
        with ThreadPoolExecutor() as threads:
            tuple(threads.map(self._configure, stopped))
        with ExitStack() as undo:
            for node in stopped:
                undo.callback(node.kill)
                node.launch()
            deadline = time.monotonic() + timeout
            for node in stopped:
                node.wait(deadline - time.monotonic())
            undo.pop_all()

    def stop(self, timeout: float = 20) -> None:
        """End all nodes: ask, wait, then kill. The data stay."""
        with ThreadPoolExecutor() as threads:
            tuple(threads.map(lambda node: node.stop(timeout), self.nodes))

    def erase(self) -> None:
        """Stop, and remove the data."""
        self.stop(timeout=0)
        for node in self.nodes:
            shutil.rmtree(node.data, ignore_errors=True)

    def _configure(self, node: Node) -> None:
        defaults = server_properties(node.id, node.data, node.ports, self.layout.controller_ports)
        node.configure({**defaults, **self.layout.properties}, self.layout.cluster_id)


def ensure_running(folder: Path, *, nodes: int = 1, port: int = 0, properties: Mapping[str, str] | None = None) -> tuple[Cluster, bool]:
    """The running cluster of `folder`, and whether this call started (a part of) it; safe to call from many processes at once.

    Raises UsageError where one runs on other ports or with another number of nodes, PortInUseError, BrokerError.
    """
    with locked(folder / "lock"):
        cluster = Cluster.open(folder)
        if cluster is None or not cluster.running:
            cluster = Cluster.plan(folder, nodes=nodes, port=port, properties=properties)
        elif len(cluster.nodes) != nodes or port not in (0, cluster.nodes[0].ports[PLAINTEXT]):
            raise UsageError(f"{folder}: a broker of {len(cluster.nodes)} node(s) already runs on {cluster.bootstrap}: stop it first, or give another folder")
        started = not cluster.complete
        cluster.start()
        return cluster, started


def stop(folder: Path) -> Cluster | None:
    """Stop the cluster of `folder`; None where none runs."""
    with locked(folder / "lock"):
        cluster = Cluster.open(folder)
        if cluster is None or not cluster.running:
            return None
        cluster.stop()
        return cluster


def _new_cluster_id() -> str:
    # Kafka writes a UUID in base64; a leading dash would read as an option.
    return base64.urlsafe_b64encode(uuid.uuid4().bytes).decode("ascii").rstrip("=").replace("-", "_")
