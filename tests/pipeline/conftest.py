"""Records for tests of the pipeline, made from few words."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from pipeline.broker.cluster import Cluster
from pipeline.fold import Cells, Write
from pipeline.normalise import normalise
from pipeline.prism import PrismMissing, prism
from schemas.records import RawItem, Report
from tests.conftest import NOT_TESTED
from tests.pipeline.live import Live

START = datetime(2020, 12, 20, 18, 0, tzinfo=UTC)


@pytest.fixture
def raw() -> Callable[..., RawItem]:
    """raw("id", "text", minutes=5, url=...): an item fetched so many minutes after START."""

    def make(native_id: str, body: str, minutes: float = 0, source_id: str = "sample.outlet-a", **given: Any) -> RawItem:
        item_id = hashlib.sha256(f"{source_id}\0{native_id}".encode()).hexdigest()[:32]
        return RawItem(
            item_id=item_id,
            native_id=native_id,
            source_id=source_id,
            source_type="test",
            body=body,
            **{"fetched_at": START + timedelta(minutes=minutes), "mode": "live", **given},
        )

    return make


@pytest.fixture
def report(raw: Callable[..., RawItem]) -> Callable[..., Report]:
    """report("id", "text", minutes=5): the normalised item."""
    return lambda *given, **named: normalise(raw(*given, **named))


def bare_report(name: str, text: str, day: int) -> Report:
    """A report of a name and a text, hashed without normalising, seen so many days after START."""
    item = name.encode().hex().ljust(32, "0")
    digest = text.encode().hex().ljust(16, "0")
    return Report(
        item_id=item,
        native_id=name,
        source_id="sample.outlet-a",
        source_type="test",
        first_seen=START + timedelta(days=day),
        text=text,
        content_hash=digest,
        text_hash=digest,
        story_id=item,
    )


def written(cells: Cells, writes: Sequence[Write]) -> Cells:
    """What is stored of a key after these writes."""
    after = {cell: list(pieces) for cell, pieces in cells.items()}
    for write in writes:
        kept = [] if write.replace else after.get(write.cell, [])
        after[write.cell] = [*kept, write.content] if write.content else kept
    return after


@pytest.fixture(scope="session")
def prism_installed() -> None:
    try:
        prism()
    except PrismMissing as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(f"{NOT_TESTED}: {error}")


@pytest.fixture
def live(broker: Cluster, prism_installed: None, tmp_path: Path) -> Iterator[Live]:
    installation = Live(broker, tmp_path)
    yield installation
    installation.end()
