"""`dijla watch` as a user types it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from typing import Any

import pytest
from click.testing import CliRunner, Result

from pipeline.broker.cluster import Cluster
from pipeline.commands.watch import watch
from schemas import avro
from schemas.errors import DijlaError, UsageError
from schemas.kafka.settings import TopicSettings
from schemas.kafka.topics import Topics
from tests.pipeline.on_topics import Sent, an_event, create_topic, new_topic, send, send_events

PREFIX = "DIJLA_TOPICS__PREFIX"


@pytest.fixture
def topics(broker: Cluster) -> Topics:
    found = Topics.of(TopicSettings(prefix=new_topic(broker) + "."))
    create_topic(broker, found.events)
    create_topic(broker, found.schemas)
    return found


def dijla_watch(broker: Cluster, topics: Topics, *arguments: str) -> Result:
    prefix = topics.events.removesuffix("events")
    return CliRunner().invoke(watch, ["--bootstrap-servers", broker.bootstrap, "--timeout", "1", "--group", prefix, *arguments], env={PREFIX: prefix})


def lines(result: Result) -> list[Any]:
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_json_lines_are_the_events_whole(broker: Cluster, topics: Topics) -> None:
    send_events(broker, topics.events, [an_event(1), an_event(2)])
    assert lines(dijla_watch(broker, topics, "--json", "--from", "earliest")) == [avro.to_json(an_event(1)), avro.to_json(an_event(2))]
    assert lines(dijla_watch(broker, topics, "--json")) == []
    send_events(broker, topics.events, [an_event(2), an_event(3)])
    assert [line["event_id"] for line in lines(dijla_watch(broker, topics, "--json", "--from", "group"))] == [an_event(3).event_id]


def test_filters_of_the_command_line(broker: Cluster, topics: Topics) -> None:
    events = [an_event(1), an_event(2, severity="minor"), an_event(3, alert=False), an_event(4, information_credibility=4), an_event(5, labels=("protest",))]
    send_events(broker, topics.events, events)
    for number, arguments in enumerate(
        (
            ["--severity", "moderate", "--alerts", "--credibility", "3"],
            ["--type", "drone_attack", "--type", "protest", "--place", "karkh", "--place", "Taji", "--scope", "belt", "--scope", "city"],
        )
    ):
        found = lines(dijla_watch(broker, topics, "--json", "--from", "earliest", *arguments))
        assert [int(line["event_id"], 16) for line in found] == [[1, 5], [5]][number]


def test_the_table(broker: Cluster, topics: Topics) -> None:
    send_events(
        broker,
        topics.events,
        [an_event(1), an_event(1, 1), an_event(2, headline="[red]Feed \x1b[31mtext", alert=False, alert_reason="stale", event_date="2020-12-20")],
    )
    result = dijla_watch(broker, topics, "--from", "earliest")
    assert result.exit_code == 0
    for words in ("2020-12-20 ", "2026-11-20 12:02", "rocket_mortar_attack", "Green Zone (city)", "severe", "no: stale", "[red]Feed"):
        assert words in result.stdout
    assert "Event 1, revision 0" not in result.stdout
    assert "\x1b[31m" not in result.stdout


def test_a_record_that_cannot_be_decoded_ends_with_three(broker: Cluster, topics: Topics) -> None:
    send(broker, topics.events, [Sent(b"poison", b"key")])
    send_events(broker, topics.events, [an_event(1)])
    result = dijla_watch(broker, topics, "--from", "earliest", "--json")
    assert result.exit_code == 3
    assert json.loads(result.stdout)["event_id"] == an_event(1).event_id
    assert "cannot be decoded" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "error", "says"),
    [
        (["--severity", "high"], UsageError, "no severity 'high'"),
        (["--type", "rockets"], UsageError, "no type 'rockets'"),
        (["--from", "yesterday"], UsageError, "or group, earliest, latest"),
        (["--credibility", "7"], UsageError, "from 1"),
    ],
)
def test_wrong_use_is_said_before_anything_is_read(broker: Cluster, topics: Topics, arguments: list[str], error: type[DijlaError], says: str) -> None:
    result = dijla_watch(broker, topics, *arguments)
    assert isinstance(result.exception, error)
    assert says in str(result.exception)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_with_zero(broker: Cluster, topics: Topics, number: signal.Signals) -> None:
    send_events(broker, topics.events, [an_event(1)])
    command = [sys.executable, "-c", "from pipeline.commands.watch import watch; watch()", "--bootstrap-servers", broker.bootstrap, "--json"]
    with subprocess.Popen(command, env=os.environ | {PREFIX: topics.events.removesuffix("events")}, stdout=subprocess.PIPE) as running:
        try:
            assert running.stdout is not None
            assert json.loads(running.stdout.readline())["event_id"] == an_event(1).event_id
            running.send_signal(number)
            assert running.wait(15) == 0
        finally:
            running.kill()
