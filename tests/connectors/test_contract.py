"""Every connector has recorded payloads beside what it makes of them; a connector without is a failure.

A pair is tests/samples/connectors/NAME/x.payload (the bytes of a response, or of a message) and x.expected.json beside it: `source` (a table of the
sources file), `payload` (url, and any of status, headers, event, cursor, redirects, moved_to), and what it gives: `records`, `cursor`, `more`,
or `refused`. To add one write the .payload, and an .expected.json with `source` and `payload`; then

    PYTHONPATH=. python tests/connectors/test_contract.py

writes the rest of all of them: read the difference before it is committed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from archive_samples import plain

from connectors._connector import Payload, Refusal, connector
from connectors._sources import source_of
from schemas.errors import ReadError

ROOT = Path(__file__).parents[2]
SAMPLES = ROOT / "tests" / "samples" / "connectors"
FETCHED = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
NAMES = sorted(file.stem for file in (ROOT / "connectors").glob("[!_]*.py") if file.stem != "archive")
PAYLOADS = sorted(SAMPLES.glob("*/*.payload"))


def expected_path(payload: Path) -> Path:
    return payload.with_suffix(".expected.json")


def outcome(payload: Path, given: Mapping[str, Any]) -> dict[str, Any]:
    """What the connector makes of a payload, as plain JSON."""
    source = source_of(given["source"])
    facts = {**given["payload"], "redirects": tuple(given["payload"].get("redirects", ()))}
    try:
        parsed = connector(source.type).parse(Payload(body=payload.read_bytes(), fetched_at=FETCHED, **facts), source)
    except Refusal as refusal:
        return {"refused": {"status": refusal.status, "message": str(refusal)}}
    except ReadError as error:
        return {"refused": {"message": str(error)}}
    records = [plain(record) for record in parsed.records]
    return {"records": records, "cursor": dict(parsed.cursor), "more": parsed.more}


def load(payload: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(expected_path(payload).read_text(encoding="utf8"))
    return found


@pytest.mark.parametrize("payload", PAYLOADS, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_payload_gives_what_is_expected(payload: Path) -> None:
    expected = load(payload)
    assert expected["source"]["type"] == payload.parent.name
    assert outcome(payload, expected) == {name: value for name, value in expected.items() if name not in ("source", "payload")}


@pytest.mark.parametrize("name", NAMES)
def test_every_connector_has_a_payload_with_an_item(name: str) -> None:
    records = [record for payload in PAYLOADS if payload.parent.name == name for record in load(payload).get("records", [])]
    assert any("native_id" in record for record in records), f"tests/samples/connectors/{name} holds no pair with an item"


@pytest.mark.parametrize("payload", PAYLOADS, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_items_are_live_and_of_their_connector(payload: Path) -> None:
    given = load(payload)
    source = source_of(given["source"])
    for item in (record for record in given.get("records", []) if "native_id" in record):
        assert (item["source_id"], item["source_type"], item["fetched_at"]) == (source.id, source.type, FETCHED.isoformat())
        assert not {"mode", "archive_file", "archive_position"} & item.keys()


@pytest.mark.parametrize("payload", PAYLOADS, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_parsing_is_a_pure_function(payload: Path) -> None:
    given = load(payload)
    assert outcome(payload, given) == outcome(payload, given)


def main() -> None:
    for payload in PAYLOADS:
        given = load(payload)
        written = {"source": given["source"], "payload": given["payload"], **outcome(payload, given)}
        expected_path(payload).write_text(json.dumps(written, ensure_ascii=False, indent=1) + "\n", encoding="utf8")


if __name__ == "__main__":
    main()
