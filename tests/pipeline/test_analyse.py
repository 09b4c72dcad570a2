"""The contract of `dijla analyse`: one line for each line, in order, evidence to the code point, no line lost."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.analyse import analyse
from pipeline.tag import load_tagger

Json = dict[str, Any]
SEED = Path(__file__).resolve().parents[2] / "seeds" / "000_a6554d4f7dcfda61.txt"
KEYS = {
    "type", "status", "alert", "place", "weapon", "target", "actor_claimed", "actor_alleged", "killed_min", "killed_max", "injured_min", "injured_max",
    "event_date", "severity", "evidence",
}  # fmt: skip


def answers(*lines: Json | bytes) -> tuple[list[Json], int]:
    """The answers, and how many lines were bad."""
    bad: list[None] = []
    given_lines = [line if isinstance(line, bytes) else json.dumps(line).encode() for line in lines]
    found = [json.loads(answer) for answer in analyse(given_lines, load_tagger(), lambda: bad.append(None))]
    assert len(found) == len(lines)
    return found, len(bad)


def test_the_answer_has_the_fields_of_the_contract() -> None:
    text = "Three rockets hit the Green Zone in Baghdad on Sunday, wounding two soldiers."
    (answer,), bad = answers({"id": "a", "title": "Rockets in Baghdad", "text": text, "published": "2020-12-20T18:30:00Z"})
    assert (answer["id"], answer["language"], bad) == ("a", "en", 0)
    assert 0 <= answer["language_confidence"] <= 1
    event = answer["events"][0]
    assert event.keys() == KEYS
    assert event["place"].keys() == {"name", "scope", "latitude", "longitude", "geo_precision"}
    assert (event["type"], event["alert"], event["injured_min"], event["killed_min"]) == ("rocket_mortar_attack", True, 2, None)
    assert (event["event_date"], event["weapon"]) == ("2020-12-20", "rocket")


@pytest.mark.parametrize("published", [None, "2020-12", "2020-12-21", "2020-12-20T19:00:00Z"])
@pytest.mark.parametrize("prefixed", [True, False])
def test_the_seed_alerts_once_at_its_own_date(published: str | None, prefixed: bool) -> None:
    text = SEED.read_text(encoding="utf8")
    text = text if prefixed else text.removeprefix(" date 2020-12 ")
    (answer,), _ = answers({"id": "seed", "text": text, "published": published})
    (event,) = [event for event in answer["events"] if event["alert"]]
    assert event is answer["events"][0]
    assert (event["type"], event["status"], event["event_date"]) == ("rocket_mortar_attack", "intercepted", "2020-12-20")
    assert (event["killed_max"], event["injured_max"], event["target"], event["actor_alleged"]) == (0, 0, "diplomatic", "outlaw group")
    assert all(text[span["start"] : span["end"]] == span["text"] for e in answer["events"] for span in e["evidence"])


@pytest.mark.parametrize("encoding", ["cp1252", "cp1256"])
def test_misread_text_is_understood_and_its_evidence_stands_in_the_input(encoding: str) -> None:
    def misread(text: str) -> str:
        return "".join(bytes([byte]).decode(encoding, "ignore") or chr(byte) for byte in text.encode())

    title, sound = "عاجل: قصف\nصاروخي", "سقوط ثلاثة صواريخ على المنطقة الخضراء في بغداد. 🚨"
    given = {"title": misread(title), "text": misread(sound), "published": "2020-12-20"}
    (odd, right), _ = answers({"id": 1} | given, {"id": 2, "title": title, "text": sound, "published": "2020-12-20"})
    assert odd["language"] == right["language"] == "ar"
    assert [event["type"] for event in odd["events"]] == [event["type"] for event in right["events"]] == ["rocket_mortar_attack"]
    for span, meant in zip(odd["events"][0]["evidence"], right["events"][0]["evidence"], strict=True):
        assert span["text"] == given[span["field"]][span["start"] : span["end"]] == misread(meant["text"])


def test_old_news_does_not_alert() -> None:
    text = "Three rockets hit the Green Zone in Baghdad on 20 December 2020."
    (late, timely), _ = answers({"id": 1, "text": text, "published": "2020-12-28"}, {"id": 2, "text": text, "published": "2020-12-21"})
    assert not any(event["alert"] for event in late["events"])
    assert any(event["alert"] for event in timely["events"])


@pytest.mark.parametrize(
    ("line", "id_", "says"),
    [
        (b"not json", None, "not JSON"),
        (b"", None, "line 2: empty"),
        (b"\xff\xfe", None, "not UTF-8"),
        (b"[1, 2]", None, "not a JSON object but list"),
        (b'{"id": "x"}', "x", "'text' must be a string, it is missing"),
        (b'{"id": [1], "text": null}', [1], "'text' must be a string"),
        (b'{"id": 7, "text": "t", "title": 5}', 7, "'title' must be a string or null, it is int"),
        (b'{"id": 7, "text": "t", "published": 5}', 7, "'published'"),
        (b"[" * 100_000, None, "nested too deep"),
    ],
)
def test_a_bad_line_is_answered_in_its_place(line: bytes, id_: Any, says: str) -> None:
    found, bad = answers({"id": "before", "text": "words"}, line, {"id": "after", "text": "words"})
    assert [found[0]["id"], found[2]["id"], bad] == ["before", "after", 1]
    assert found[1].keys() == {"id", "error"}
    assert found[1]["id"] == id_
    assert says in found[1]["error"]


@pytest.mark.parametrize("id_", ["", 0, 1.5, None, True, "\ud800", 10**30, {"a": 1}, ["ä"]])
def test_the_id_comes_back_as_it_was(id_: Any) -> None:
    assert answers({"id": id_, "text": "words"})[0][0]["id"] == id_


TEXTS = st.text(st.characters()) | st.builds(
    "{}{}{}".format,
    st.text(st.characters(), max_size=20),
    st.sampled_from(["Three rockets hit the Green Zone in Baghdad.", "سقوط صواريخ على المنطقة الخضراء في بغداد", "Des roquettes ont visé Bagdad."]),
    st.text(st.characters(), max_size=20),
)


@settings(max_examples=150)
@given(TEXTS, st.none() | TEXTS, st.none() | TEXTS)
def test_no_text_breaks_it_and_every_span_is_the_text(text: str, title: str | None, published: str | None) -> None:
    (answer,), bad = answers({"id": 1, "text": text, "title": title, "published": published})
    assert bad == 0
    for event in answer["events"]:
        for span in event["evidence"]:
            assert {"text": text, "title": title or ""}[span["field"]][span["start"] : span["end"]] == span["text"]


def test_answers_come_while_lines_are_still_to_come() -> None:
    def lines() -> Iterator[bytes]:
        yield b'{"id": 1, "text": "words"}'
        asked.append(1)
        yield b'{"id": 2, "text": "words"}'

    asked: list[int] = []
    stream = analyse(lines(), load_tagger(), lambda: None)
    assert json.loads(next(stream))["id"] == 1
    assert asked == []


def test_ten_megabytes_are_borne() -> None:
    (answer,), bad = answers({"id": 1, "text": "Rockets hit the Green Zone in Baghdad. " + "x y. " * 2_000_000})
    assert bad == 0
    assert answer["events"]
