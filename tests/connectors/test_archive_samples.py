"""Every ending and every shape that the archive connector knows has a sample beside the records expected of it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from archive_samples import expected_path, read_plain, samples

from connectors._posts import PLATFORMS
from connectors._shapes import ENDINGS

EXPECTED = {path.name: json.loads(expected_path(path).read_text()) for path in samples() if expected_path(path).exists()}


@pytest.mark.parametrize("sample", samples(), ids=lambda path: path.name)
def test_sample_gives_the_expected_records(sample: Path) -> None:
    assert read_plain(sample) == EXPECTED[sample.name]


@pytest.mark.parametrize("ending", ENDINGS)
def test_every_ending_has_a_sample_that_holds_an_item(ending: str) -> None:
    assert any("native_id" in record for name, records in EXPECTED.items() if name.endswith(ending) for record in records)


@pytest.mark.parametrize("shape", [*PLATFORMS, "line", "json_feed", "feed", "html", "mail", "text"])
def test_every_shape_has_a_sample(shape: str) -> None:
    assert any(record.get("source_type") == f"archive.{shape}" for records in EXPECTED.values() for record in records)


@pytest.mark.parametrize("operation", ["update", "delete"])
def test_edits_and_deletions_keep_the_id_of_the_post(operation: str) -> None:
    posts = EXPECTED["bluesky-jetstream.jsonl"]
    created = next(post for post in posts if "operation" not in post)
    assert [post["item_id"] for post in posts if post.get("operation") == operation] == [created["item_id"]]
