"""Transactions that have ended, and that some partition still holds open: readers of committed records stand before them for ever.

Kafka 4.4 leaves one behind when a broker without replicas dies between a commit and the writing of its markers: while it starts again its
partitions have no leader for a moment, and the coordinator takes them for deleted (docs/decisions.md). The coordinator still knows how the last
transaction of an id ended, until the next producer of that id begins: so this is to be called before `init_transactions`.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from kafka import TopicPartition
from kafka.admin import KafkaAdminClient
from kafka.admin import TransactionState as State
from kafka.errors import RetriableError, TransactionalIdNotFoundError, for_code
from kafka.protocol.producer.transaction import WriteTxnMarkersRequest

from schemas.kafka.clients import admin, explained
from schemas.kafka.settings import KafkaSettings

_PATIENCE_S = 20.0
_RETRY_S = 0.1
_SETTLING_S = 5.0
_LOG = "__transaction_state"
_ENDING = (State.PREPARE_COMMIT, State.PREPARE_ABORT)
_ENDED = {State.COMPLETE_COMMIT: True, State.COMPLETE_ABORT: False}


class Mended(NamedTuple):
    """A partition whose missing marker was written, and whether it says that the transaction was committed."""

    at: TopicPartition
    committed: bool


def mend(settings: KafkaSettings, topics: Sequence[str] | None = None, transactional_ids: Sequence[str] | None = None) -> list[Mended]:
    """Write the markers that are missing on these topics for the last transactions of these ids; without topics or ids, of all that are there.

    Raises:
        KafkaFailure: nothing is known of a transaction within 20 s; NotAuthorised where a marker is missing and may not be written (ALTER on the cluster).
    """
    with explained(settings), admin(settings) as client:
        deadline = time.monotonic() + _PATIENCE_S
        while True:
            try:
                ids = _all_ids(client) if transactional_ids is None else transactional_ids
                ended = {found.producer_id: found for each in ids if (found := _how_it_ended(client, each, deadline))}
                return list(_mended(client, topics, ended, deadline)) if ended else []
            except RetriableError:  # a broker that has just started looks for its coordinators, and loads what they knew
                if time.monotonic() > deadline:
                    raise
                time.sleep(_RETRY_S)


class _Ended(NamedTuple):
    transactional_id: str
    producer_id: int
    began_ms: int
    committed: bool


def _all_ids(client: KafkaAdminClient) -> list[str]:
    """Coordinators of which it is not known yet that they are here list nothing: so all is listed until nothing more comes."""
    if _LOG not in (topic["name"] for topic in client.describe_topics()):
        return []
    before, listed, end = None, [""], time.monotonic() + _SETTLING_S
    while (not listed or listed != before) and time.monotonic() < end:
        time.sleep(_RETRY_S)
        before, listed = listed, sorted({one.transactional_id for there in client.list_transactions().values() for one in there})
    return listed


def _how_it_ended(client: KafkaAdminClient, transactional_id: str, deadline: float) -> _Ended | None:
    """How the last transaction ended; None where there is none, or one under way."""
    while True:
        try:
            found = client.describe_transactions([transactional_id])[transactional_id]
        except TransactionalIdNotFoundError:
            return None
        if found.state not in _ENDING or time.monotonic() > deadline:
            committed = _ENDED.get(found.state)
            return None if committed is None else _Ended(transactional_id, found.producer_id, found.transaction_start_time_ms, committed)
        time.sleep(_RETRY_S)


def _mended(client: KafkaAdminClient, topics: Sequence[str] | None, ended: Mapping[int, _Ended], deadline: float) -> Iterator[Mended]:
    leaders = _leaders(client, topics, deadline)
    for at, there in client.describe_producers(leaders).items():
        for producer in there.active_producers:
            found = ended.get(producer.producer_id)
            # What is open may be the next transaction, begun since we asked: then the coordinator does not say the same any more.
            if found and producer.current_transaction_start_offset >= 0 and found == _how_it_ended(client, found.transactional_id, deadline):
                _write_marker(client, leaders[at], at, producer, committed=found.committed)
                yield Mended(at, found.committed)


def _leaders(client: KafkaAdminClient, topics: Sequence[str] | None, deadline: float) -> dict[TopicPartition, int]:
    """Of all partitions, those that get one in time."""
    while True:
        described = client.describe_topics(topics)
        found = {TopicPartition(topic["name"], one["partition_index"]): one["leader_id"] for topic in described for one in topic["partitions"]}
        led = {at: leader for at, leader in found.items() if leader >= 0}
        if len(led) == len(found) or time.monotonic() > deadline:
            return led
        time.sleep(_RETRY_S)


def _write_marker(client: KafkaAdminClient, leader: int, at: TopicPartition, producer: Any, *, committed: bool) -> None:
    """What `abort_transaction` of kafka-python sends, which cannot commit."""
    marker = WriteTxnMarkersRequest.WritableTxnMarker
    request = WriteTxnMarkersRequest(
        markers=[
            marker(
                producer_id=producer.producer_id,
                producer_epoch=producer.producer_epoch,
                transaction_result=committed,
                topics=[marker.WritableTxnMarkerTopic(name=at.topic, partition_indexes=[at.partition])],
                coordinator_epoch=max(producer.coordinator_epoch, 0),
            )
        ]
    )
    answer = client._manager.run(client._manager.send, request, leader)
    for error in (for_code(partition.error_code) for written in answer.markers for topic in written.topics for partition in topic.partitions):
        if error.errno:
            raise error(f"{at}: the marker of a transaction was not written")
