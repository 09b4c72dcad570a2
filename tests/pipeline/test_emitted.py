"""What a restart does not write again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from pipeline.broker.cluster import Cluster
from pipeline.resume import Resume
from pipeline.sinks.kafka import Outlet, _WriteTopics
from schemas.kafka.envelope import SingleObject
from schemas.kafka.settings import TopicSettings
from schemas.kafka.topics import Topics
from tests.pipeline.on_topics import an_event, create_topic, new_topic, read_all, send_events, settings

EVER = datetime.fromtimestamp(0, UTC)


def test_the_latest_of_an_event_stays_the_latest_after_a_restart(broker: Cluster) -> None:
    """Compaction has left the last revision only; the rebuild tells all of them again, and one that is new."""
    topics = Topics.of(TopicSettings(prefix=new_topic(broker) + "."))
    create_topic(broker, topics.events)
    create_topic(broker, topics.events_latest, cleanup_policy="compact")
    send_events(broker, topics.events, [an_event(1, revision) for revision in (0, 1, 2)])
    send_events(broker, topics.events_latest, [an_event(1, 2)])
    outlet = Outlet(settings(broker), topics, SingleObject, Resume(rebuilt_from=EVER, done_at=EVER), timedelta(seconds=30))
    sink = _WriteTopics("events", outlet)
    sink.setup()
    sink.start_bundle()
    for revision in (0, 1, 2, 3):
        sink.process(an_event(1, revision))
    sink.finish_bundle()
    sink.teardown()
    found = [[int(dict(record.headers)["revision"]) for record in read_all(broker, topic)] for topic in (topics.events, topics.events_latest)]
    assert found == [[0, 1, 2, 3], [2, 3]]
