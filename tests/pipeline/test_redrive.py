"""Dead letters back on their topic: each once, the hopeless ones parked, the others left where they are."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest
from click.testing import CliRunner, Result
from kafka import KafkaProducer
from kafka.errors import KafkaError
from kafka.structs import OffsetAndMetadata

from pipeline.broker.cluster import Cluster
from pipeline.commands.redrive import redrive as command
from pipeline.decoder import Decoder
from pipeline.handled import METADATA_BYTES, Handled, TooScatteredError
from pipeline.letters import Selection
from pipeline.redrive import Redrive, RedriveFailed, Taken
from pipeline.topic_positions import MissingTopicError
from schemas import avro
from schemas.errors import UsageError
from schemas.kafka.settings import TopicSettings
from schemas.kafka.topics import Topics
from schemas.records import DeadLetter, KafkaPosition, RawItem, Report
from tests.pipeline.on_topics import START, Sent, a_letter, an_item, create_topic, delete_before, items, new_topic, read_all, send, settings

EVERYTHING = Selection()


@pytest.fixture
def topics(broker: Cluster) -> Topics:
    found = Topics.of(TopicSettings(prefix=new_topic(broker) + "."))
    for topic in (found.raw, found.dead_letters, found.dead_letters_parked):
        create_topic(broker, topic)
    return found


def redrive(broker: Cluster, topics: Topics, selection: Selection = EVERYTHING, *, max_attempts: int = 3, dry_run: bool = False) -> list[Taken]:
    with Redrive(settings(broker), topics, Decoder(settings(broker), topics.schemas), group=f"redrive-{topics.raw}", max_attempts=max_attempts) as redriving:
        return list(redriving.plan(selection) if dry_run else redriving.run(selection))


def bury(broker: Cluster, topics: Topics, letters: Sequence[DeadLetter]) -> None:
    send(broker, topics.dead_letters, [Sent(avro.encode_single_object(letter), letter.payload_sha256.encode()) for letter in letters])


def letter_of(number: int, **fields: object) -> DeadLetter:
    return a_letter(avro.encode_single_object(an_item(number)), **fields)


def back(broker: Cluster, topics: Topics) -> list[tuple[str, str]]:
    """(native id, attempt) of every message on the raw topic."""
    records = read_all(broker, topics.raw)
    return [(avro.decode_single_object(record.value, RawItem).native_id, dict(record.headers)["attempts"].decode()) for record in records]


def parked(broker: Cluster, topics: Topics) -> list[str]:
    return [dict(record.headers)["parked"].decode() for record in read_all(broker, topics.dead_letters_parked)]


def actions(taken: list[Taken]) -> list[str]:
    return [one.decision.action for one in taken]


def test_a_dead_letter_goes_back_with_its_key_and_the_number_of_the_attempt(broker: Cluster, topics: Topics) -> None:
    bury(broker, topics, [letter_of(1), letter_of(2, attempts=2)])
    assert actions(redrive(broker, topics)) == ["redrive", "redrive"]
    assert back(broker, topics) == [("1", "2"), ("2", "3")]
    assert [record.key for record in read_all(broker, topics.raw)] == [an_item(1).item_id.encode(), an_item(2).item_id.encode()]


def test_nothing_is_put_back_twice(broker: Cluster, topics: Topics) -> None:
    bury(broker, topics, [letter_of(1)])
    redrive(broker, topics)
    assert redrive(broker, topics) == []
    bury(broker, topics, [letter_of(2)])
    assert len(redrive(broker, topics)) == 1
    assert back(broker, topics) == [("1", "2"), ("2", "2")]


def test_what_the_filter_leaves_is_there_for_the_next_run(broker: Cluster, topics: Topics) -> None:
    bury(broker, topics, [letter_of(number, stage="tag" if number % 2 else "language") for number in range(6)])
    assert actions(redrive(broker, topics, Selection(stage="tag"))) == ["leave", "redrive"] * 3
    assert redrive(broker, topics, Selection(stage="nowhere"))[0].decision.action == "leave"
    assert actions(redrive(broker, topics)) == ["redrive"] * 3
    assert sorted(back(broker, topics)) == [(str(number), "2") for number in range(6)]


def test_a_dry_run_changes_nothing(broker: Cluster, topics: Topics) -> None:
    bury(broker, topics, [letter_of(1), letter_of(2, attempts=3)])
    assert actions(redrive(broker, topics, dry_run=True)) == ["redrive", "park"]
    assert actions(redrive(broker, topics, dry_run=True)) == ["redrive", "park"]
    assert (back(broker, topics), parked(broker, topics)) == ([], [])


def test_after_max_attempts_a_letter_is_parked_as_it_is(broker: Cluster, topics: Topics) -> None:
    bury(broker, topics, [letter_of(1, attempts=2), letter_of(2, attempts=1)])
    assert actions(redrive(broker, topics, max_attempts=2)) == ["park", "redrive"]
    (record,) = read_all(broker, topics.dead_letters_parked)
    assert avro.decode_single_object(record.value, DeadLetter) == letter_of(1, attempts=2)
    assert parked(broker, topics) == ["failed 2 times"]
    assert redrive(broker, topics) == []


def test_the_attempts_of_a_message_that_fails_again_are_counted_where_it_stands(broker: Cluster, topics: Topics) -> None:
    """The pipeline need not carry them along: the letter says where the message stood, and there its header is."""
    bury(broker, topics, [letter_of(1)])
    for attempt in (2, 3):
        redrive(broker, topics)
        assert back(broker, topics)[-1] == ("1", str(attempt))
        bury(broker, topics, [letter_of(1, topic=topics.raw, partition=0, offset=(attempt - 2) * 2)])  # a transaction's mark takes an offset
    assert actions(redrive(broker, topics)) == ["park"]
    assert parked(broker, topics) == ["failed 3 times"]


def test_a_payload_that_was_cut_is_fetched_from_where_it_stood(broker: Cluster, topics: Topics) -> None:
    send(broker, topics.raw, [*items([7], headers=[("mode", b"live"), ("attempts", b"1")]), *items([8])])
    value = avro.encode_single_object(an_item(7))
    cut = a_letter(value[:5], payload_sha256=hashlib.sha256(value).hexdigest(), payload_truncated=True, topic=topics.raw, partition=0, offset=0)
    bury(broker, topics, [cut, replace(cut, offset=1), replace(cut, offset=5)])
    taken = redrive(broker, topics)
    assert actions(taken) == ["redrive", "park", "park"]
    again = read_all(broker, topics.raw)[2]
    assert (again.key, again.value) == (an_item(7).item_id.encode(), value)
    assert sorted(again.headers) == [("attempts", b"2"), ("mode", b"live")]
    assert parked(broker, topics) == [
        f"{topics.raw} partition 0 offset 1 is not what stands there now",
        f"{topics.raw} partition 0 offset 5 is no longer on the topic",
    ]


def test_what_the_topic_has_deleted_is_parked(broker: Cluster, topics: Topics) -> None:
    send(broker, topics.raw, items([7, 8]))
    delete_before(broker, topics.raw, 1)
    value = avro.encode_single_object(an_item(7))
    bury(broker, topics, [a_letter(value[:50], payload_truncated=True, topic=topics.raw, partition=0, offset=0)])
    assert actions(redrive(broker, topics)) == ["park"]
    assert "no longer on the topic" in parked(broker, topics)[0]


def test_a_report_that_failed_is_its_item_again(broker: Cluster, topics: Topics) -> None:
    """A stage behind the decoding keeps the report, or the item with its position: neither is what stood on the topic."""
    send(broker, topics.raw, items([7, 8]))
    item = an_item(7)
    report = Report(item_id=item.item_id, native_id="7", source_id=item.source_id, source_type="test", first_seen=START)
    at = {"topic": topics.raw, "partition": 0, "offset": 0}
    bury(broker, topics, [a_letter(avro.encode_single_object(report), **at), a_letter(avro.encode_single_object(report), **at | {"offset": 1})])
    assert actions(redrive(broker, topics)) == ["redrive", "park"]
    assert read_all(broker, topics.raw)[2].value == avro.encode_single_object(item)
    with_position = replace(an_item(9), kafka=KafkaPosition(topic=topics.raw, partition=0, offset=3, appended_at=START))
    bury(broker, topics, [a_letter(avro.encode_single_object(with_position), stage="normalise", topic=topics.raw, partition=0, offset=3)])
    assert actions(redrive(broker, topics)) == ["redrive"]
    assert avro.decode_single_object(read_all(broker, topics.raw)[-1].value, RawItem) == with_position


def test_poison_goes_back_byte_for_byte(broker: Cluster, topics: Topics) -> None:
    send(broker, topics.raw, [Sent(b"poison", b"its key")])
    digest = hashlib.sha256(b"poison").hexdigest()
    bury(broker, topics, [a_letter(b"poison", payload_sha256=digest, topic=topics.raw, partition=0, offset=offset) for offset in (0, 9)])
    assert actions(redrive(broker, topics)) == ["redrive", "redrive"]
    assert [(record.key, record.value) for record in read_all(broker, topics.raw)[1:]] == [(b"its key", b"poison"), (None, b"poison")]


def test_what_never_was_on_the_raw_topic_is_parked_with_the_reason(broker: Cluster, topics: Topics) -> None:
    bury(broker, topics, [a_letter(b"a line", file="feeds/a.jsonl"), a_letter(b"bytes"), a_letter(b"bytes", topic="else", partition=0, offset=0)])
    send(broker, topics.dead_letters, [Sent(b"no dead letter", b"key")])
    assert actions(redrive(broker, topics)) == ["park"] * 4
    why = parked(broker, topics)
    assert why[0] == "came from feeds/a.jsonl: mend it there and publish it again"
    assert why[2] == f"came from else, not from {topics.raw}"
    assert why[3].startswith("cannot be read: DeadLetter: no single-object encoding")


def test_a_run_that_dies_before_the_commit_has_put_nothing_back(broker: Cluster, topics: Topics, monkeypatch: pytest.MonkeyPatch) -> None:
    bury(broker, topics, [letter_of(1), letter_of(2)])

    def dies(*_: object) -> None:
        raise KafkaError("broken")

    with monkeypatch.context() as broken:
        broken.setattr(KafkaProducer, "commit_transaction", dies)
        with pytest.raises(RedriveFailed, match="run it again"):
            redrive(broker, topics)
    assert back(broker, topics) == []
    assert actions(redrive(broker, topics)) == ["redrive", "redrive"]
    assert back(broker, topics) == [("1", "2"), ("2", "2")]


def test_of_two_runs_at_the_same_time_one_is_stopped(broker: Cluster, topics: Topics, monkeypatch: pytest.MonkeyPatch) -> None:
    bury(broker, topics, [letter_of(number) for number in range(3)])
    with Redrive(settings(broker), topics, Decoder(settings(broker), topics.schemas), group=f"redrive-{topics.raw}", max_attempts=3) as slow:
        commit = slow._commit

        def late(client: KafkaProducer, batch: list[Taken]) -> None:
            assert len(redrive(broker, topics)) == 3
            commit(client, batch)

        monkeypatch.setattr(slow, "_commit", late)
        with pytest.raises(RedriveFailed):
            list(slow.run(EVERYTHING))
    assert len(back(broker, topics)) == 3


def test_topics_that_are_missing_are_said(broker: Cluster) -> None:
    topics = Topics.of(TopicSettings(prefix="no-such-"))
    with pytest.raises(MissingTopicError, match=r"no topic no-such-.* .*dijla broker topics"):
        redrive(broker, topics)


@pytest.mark.parametrize(
    ("selection", "fits"),
    [
        (Selection(), True),
        (Selection(stage="tag", error="ValueError", text="ODD"), True),
        (Selection(stage="decode"), False),
        (Selection(error="Value"), False),
        (Selection(text="even"), False),
        (Selection(since=START, until=START + timedelta(seconds=1)), True),
        (Selection(since=START + timedelta(seconds=1)), False),
        (Selection(until=START), False),
    ],
)
def test_selection(selection: Selection, fits: bool) -> None:
    assert selection(a_letter(b"")) is fits


@pytest.mark.parametrize("left", [set(), {5}, {0, 9}, {3, 4, 5}, set(range(0, 10_000, 2)), set(range(50_000))])
def test_what_is_left_over_survives_the_commit(left: set[int]) -> None:
    handled = Handled(60_000, set(left))
    again = Handled.of(handled.committable())
    assert (again.end, again.left) == (60_000, left)
    assert handled.committable().offset == min(left, default=60_000)
    assert len(handled.committable().metadata or "") <= METADATA_BYTES


def test_too_much_to_remember_is_said() -> None:
    scattered = {number for number in range(100_000) if hashlib.sha256(b"%d" % number).digest()[0] & 1}
    with pytest.raises(TooScatteredError, match="without a filter"):
        Handled(100_000, scattered).committable()


def test_handled_follows_retention_and_foreign_metadata() -> None:
    handled = Handled(10, {2, 8})
    assert [offset in handled for offset in (1, 2, 8, 9, 10)] == [True, False, False, True, False]
    handled.begin_at(5)
    assert (handled.start, handled.end, handled.left) == (8, 10, {8})
    handled.begin_at(20)
    assert (handled.start, handled.end) == (20, 20)
    for metadata in ("", "of another program", "left 9 !", "left 9 AAAA"):
        assert (Handled.of(OffsetAndMetadata(7, metadata)).start, Handled.of(OffsetAndMetadata(7, metadata)).left) == (7, set())


def dijla_redrive(broker: Cluster, topics: Topics, *arguments: str) -> Result:
    prefix = topics.raw.removesuffix("raw")
    return CliRunner().invoke(command, ["--bootstrap-servers", broker.bootstrap, "--group", prefix, *arguments], env={"DIJLA_TOPICS__PREFIX": prefix})


def test_a_stage_that_there_is_not_is_refused() -> None:
    answer = CliRunner().invoke(command, ["--stage", "tagg", "--dry-run"])
    assert (answer.exit_code, "'tagg' is not one of 'read', 'decode'" in answer.output) == (2, True)


def test_the_command_shows_what_it_would_do_then_does_it(broker: Cluster, topics: Topics) -> None:
    bury(broker, topics, [letter_of(1, error_message="[bold]odd\x1b[31m words"), letter_of(2, attempts=3), letter_of(3, stage="language")])
    dry = dijla_redrive(broker, topics, "--stage", "tag", "--dry-run")
    assert dry.exit_code == 0
    for words in ("0/0", "ValueError: [bold]odd", "2026-11-20 12:00", "parked: failed 3 times", "1 to be put back, 1 to be parked, 1 left"):
        assert words in dry.output
    assert "\x1b" not in dry.output
    done = dijla_redrive(broker, topics, "--stage", "tag", "--json")
    assert done.exit_code == 3
    found = json.loads(done.stdout)
    assert [found[name] for name in ("dry_run", "redrive", "park", "leave")] == [False, 1, 1, 1]
    assert [(letter["offset"], letter["action"]) for letter in found["letters"]] == [(0, "redrive"), (1, "park")]
    assert back(broker, topics) == [("1", "2")]
    rest = dijla_redrive(broker, topics, "--error", "ValueError", "--text", "odd", "--since", "2026-11-20", "--until", "2026-11-21")
    assert (rest.exit_code, "1 put back, 0 parked, 0 left" in rest.output) == (0, True)
    assert isinstance(dijla_redrive(broker, topics, "--since", "once").exception, UsageError)
