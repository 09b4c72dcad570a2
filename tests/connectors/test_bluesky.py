"""The Bluesky connector against a Jetstream that drops connections, repeats and sends nonsense."""

from __future__ import annotations

import json
from typing import Any

import pytest

from connectors import bluesky
from connectors._connector import Parsed, Payload, StreamConnector
from connectors._framing import LARGEST
from connectors._sources import Source
from schemas.errors import ReadError, UsageError
from schemas.records import RawItem
from tests.connectors.following import Followed, follow
from tests.connectors.servers.jetstream import BEGIN, DID, Jetstream, account, event
from tests.connectors.visits import NOW, a_source

OTHER = "did:plc:samplebbbbbbbbbbbbbbbbbb"


def followed(server: Jetstream, cursor: dict[str, str] | None = None, **options: Any) -> Followed:
    return follow(lambda: a_source("bluesky", server.url, **(options or {"langs": ["en"]})), cursor or {}, served=server.serving())


def parse(message: Any, **options: Any) -> Parsed:
    body = message if isinstance(message, bytes) else json.dumps(message, ensure_ascii=False).encode()
    return bluesky.parse(Payload(body=body, url="wss://jetstream.example/subscribe", fetched_at=NOW), a_source("bluesky", None, **options))


def item(message: Any, **options: Any) -> RawItem:
    (record,) = parse(message, **options).records
    assert isinstance(record, RawItem)
    return record


def post_id(number: int) -> str:
    return f"at://{DID}/app.bsky.feed.post/3lsample{number}"


def time_us(number: int) -> dict[str, str]:
    return {"time_us": str(BEGIN + number * 1_000_000)}


def test_posts_come_and_the_cursor_is_that_of_the_last_event() -> None:
    server = Jetstream([event(1), event(2, "صاروخان على بغداد"), account(3)])
    found = followed(server)
    assert (found.ids, found.cursor, found.failure) == ([post_id(1), post_id(2)], time_us(3), None)
    assert server.asked == [{"wantedCollections": ["app.bsky.feed.post"], "maxMessageSizeBytes": [str(LARGEST)]}]


def test_a_connection_goes_back_five_seconds_and_gives_the_same_ids() -> None:
    server = Jetstream([event(number) for number in range(20)])
    again = followed(server, time_us(15))
    assert server.asked[0]["cursor"] == [time_us(10)["time_us"]]
    assert again.ids == [post_id(number) for number in range(10, 20)]
    assert again.items == followed(server).items[10:]


def test_nothing_is_lost_over_connections_that_die_within_a_message() -> None:
    server = Jetstream([event(number) for number in range(40)], cuts=[7, 8, 9, 12])
    found, statuses, cursor = set[str](), list[str | None](), dict[str, str]()
    for _ in range(5):
        one = followed(server, cursor)
        cursor = dict(one.cursor)
        found |= set(one.ids)
        statuses.append(one.failure.status if one.failure else None)
    assert statuses == ["unreachable"] * 4 + [None]
    assert found == {post_id(number) for number in range(40)}


def test_the_cursor_passes_what_is_filtered_out() -> None:
    found = followed(Jetstream([event(1), event(2, "Good morning"), account(3)]), keywords=["baghdad"])
    assert (found.ids, found.cursor) == ([post_id(1)], time_us(3))


def test_edits_and_deletions_are_operations_on_the_same_item() -> None:
    server = Jetstream([event(1), event(2, "Corrected", operation="update", key=1), event(3, operation="delete", key=1)])
    created, edited, deleted = followed(server, dids=[DID]).items
    assert [one.operation for one in (created, edited, deleted)] == ["create", "update", "delete"]
    assert created.item_id == edited.item_id == deleted.item_id
    assert (edited.body, deleted.body) == ("Corrected", "")


def test_a_deletion_is_told_only_of_chosen_accounts() -> None:
    deletion = event(3, operation="delete", key=1)
    assert parse(deletion, langs=["en"]) == Parsed([], time_us(3))
    assert parse(deletion, keywords=["baghdad"]) == Parsed([], time_us(3))
    assert item(deletion, dids=[DID], langs=["ar"], keywords=["baghdad"]).operation == "delete"
    assert parse(deletion, dids=[OTHER]) == Parsed([], time_us(3))


def test_accounts_are_asked_for_by_name() -> None:
    server = Jetstream([event(1), event(2, did=OTHER)])
    found = followed(server, dids=[OTHER])
    assert server.asked[0]["wantedDids"] == [OTHER]
    assert [one.publisher for one in found.items] == [OTHER]


@pytest.mark.parametrize("garbage", [b"{no event", b"\xff\xfe\x00\x01", b"[]", b"{}", b'{"time_us": "1"}', b"[" * 10_000, b'{"time_us": true}', b""])
def test_garbage_is_a_dead_letter_and_the_stream_goes_on(garbage: bytes) -> None:
    found = followed(Jetstream([event(1), garbage, event(2)]))
    assert (found.ids, found.cursor, found.failure) == ([post_id(1), post_id(2)], time_us(2), None)
    assert [letter.payload for letter in found.letters] == [garbage]


def test_a_text_that_is_no_utf_8_is_mended_and_says_so() -> None:
    damaged = json.dumps(event(1, "Bulletin X from Baghdad")).encode().replace(b"X", b"\xc3\x28")
    (found,) = followed(Jetstream([damaged])).items
    assert "from Baghdad" in found.body
    assert found.repairs


def test_the_server_keeps_a_message_over_the_cap_to_itself() -> None:
    server = Jetstream([event(1), event(2, "x" * LARGEST), event(3)])
    found = followed(server)
    assert (found.ids, found.failure) == ([post_id(1), post_id(3)], None)


@pytest.mark.parametrize(
    ("declared", "wanted", "is_taken"),
    [
        (["ar"], ["ar"], True),
        (["ar-IQ"], ["ar"], True),
        (["AR_iq"], ["ar"], True),
        (["en", "ar"], ["ar"], True),
        (["pt-BR"], ["pt-br"], True),
        (["pt-PT"], ["pt-BR"], False),
        (["arz"], ["ar"], False),
        (["-"], ["ar"], False),
        (["-"], ["-"], True),
        (["-"], ["ar", "-"], True),
        ([], ["-"], True),
        (None, ["-"], True),
        ([7, ""], ["-"], True),
        (["en"], ["-"], False),
        ("ar", ["ar"], False),
    ],
)
def test_languages(declared: Any, wanted: list[str], is_taken: bool) -> None:
    assert bool(parse(event(1, langs=declared), langs=wanted).records) == is_taken


@pytest.mark.parametrize(
    ("text", "keyword", "is_taken"),
    [
        ("Blast in BAGHDAD", "baghdad", True),
        ("انفجار في بغداد", "بغداد", True),
        ("وبغداد هادئة", "بغداد", True),
        ("ﺑﻐﺪﺍﺩ", "بغداد", True),
        ("تەقینەوە لە بەغدا", "بەغدا", True),
        ("DÉGÂTS à Bagdad", "de\u0301gâts", True),
        ("STRASSE", "straße", True),
        ("𝐁𝐀𝐆𝐇𝐃𝐀𝐃 now", "baghdad", True),
        ("Good morning", "baghdad", False),
    ],
)
def test_keywords(text: str, keyword: str, is_taken: bool) -> None:
    assert bool(parse(event(1, text), keywords=["never", keyword]).records) == is_taken


def test_of_the_lists_all_have_to_fit() -> None:
    assert parse(event(1), dids=[DID], langs=["en"], keywords=["baghdad"]).records
    for options in ({"dids": [OTHER]}, {"langs": ["ar"]}, {"keywords": ["sample"]}):
        assert not parse(event(1), **{"dids": [DID], "langs": ["en"], "keywords": ["baghdad"], **options}).records


@pytest.mark.parametrize(
    ("created", "claim"),
    [
        ("2026-01-15T13:00:00.000Z", "2026-01-15T13:00:00.000Z"),
        ("2031-05-05T05:05:05.000Z", "2026-01-15T14:00:01+00:00"),
        ("2026-01-15T16:00:00.000+03:00", "2026-01-15T16:00:00.000+03:00"),
        ("2026-01-15T13:00:00-03:00", "2026-01-15T14:00:01+00:00"),
        ("2031-01-01T00:00:00", "2026-01-15T14:00:01+00:00"),
        ("9999-12-31T23:59:59-23:59", "2026-01-15T14:00:01+00:00"),
        ("yesterday", "yesterday"),
        (None, None),
    ],
)
def test_a_date_behind_the_event_is_not_believed(created: str | None, claim: str | None) -> None:
    assert item(event(1, createdAt=created), langs=["en"]).published_raw == claim


def test_a_language_that_is_none_leaves_the_source_s() -> None:
    source = a_source("bluesky", None, langs=["-"]).model_copy(update={"language": "ar"})
    (record,) = bluesky.parse(Payload(body=json.dumps(event(1, langs=["-"])).encode(), url="wss://jetstream.example/", fetched_at=NOW), source).records
    assert isinstance(record, RawItem)
    assert record.declared_language == "ar"


def test_a_commit_without_an_id_cannot_be_read() -> None:
    broken = event(1)
    broken["commit"]["rkey"] = None
    with pytest.raises(ReadError, match="rkey"):
        parse(broken, langs=["en"])


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({}, "every post of the network"),
        ({"dids": []}, "every post of the network"),
        ({"dids": ["sample.bsky.social"]}, "is no DID"),
        ({"dids": [f"did:plc:{number}" for number in range(10_001)]}, "10,001 entries"),
        ({"langs": "en"}, "options.langs must be a list"),
        ({"keywords": [" "]}, "options.keywords must be a list"),
        ({"keywords": ["a"], "words": ["b"]}, "options.words"),
    ],
)
def test_wrong_options_are_named(options: dict[str, Any], said: str) -> None:
    source: Source = a_source("bluesky", None, **options)
    for ask in (bluesky.request, bluesky.subscribe):
        with pytest.raises(UsageError, match=rf"sample\.bluesky.*{said}"):
            ask(source, {})


def test_it_is_a_stream_with_nothing_to_poll() -> None:
    assert isinstance(bluesky, StreamConnector)
    assert bluesky.request(a_source("bluesky", None, langs=["ar"]), {}) is None


@pytest.mark.parametrize(
    ("url", "beginning"), [(None, "wss://jetstream2."), ("https://a.example/", "wss://a.example/sub"), ("HTTP://a.example", "ws://a.example/sub")]
)
def test_where_it_connects_to(url: str | None, beginning: str) -> None:
    assert bluesky.subscribe(a_source("bluesky", url, langs=["ar"]), {}).url.startswith(beginning)
