"""The metrics: one call counts for Beam and for Prometheus, names follow the conventions, the page lists them all."""

from __future__ import annotations

import gc
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Thread
from typing import Any

import apache_beam as beam
import pytest
from apache_beam.runners.portability.fn_api_runner.fn_runner import FnApiRunner

from pipeline import metrics
from pipeline.metrics import REGISTRY

PAGE = Path(__file__).resolve().parents[2] / "docs" / "operations.md"
NOW = datetime(2026, 11, 3, 12, 0, tzinfo=UTC)


def value(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


def ours() -> Iterator[Any]:
    return (metric for metric in REGISTRY.collect() if metric.name.startswith(metrics.NAMESPACE))


def _count(element: int) -> None:
    metrics.written("reports").inc()
    metrics.failed("sample").inc(2)
    metrics.joined("url").inc()


def _deliver() -> None:
    for _ in range(5_000):
        metrics.written("events", "kafka").inc()


def test_one_call_counts_for_beam_and_for_prometheus() -> None:
    samples = (
        ("dijla_records_written_total", {"kind": "reports", "sink": "avro"}),
        ("dijla_records_failed_total", {"stage": "sample"}),
        ("dijla_reports_deduplicated_total", {"layer": "url"}),
    )
    before = [value(name, **labels) for name, labels in samples]
    with beam.Pipeline(runner=FnApiRunner()) as pipeline:
        pipeline | beam.Create(range(5)) | beam.Map(_count)
    result = pipeline.result
    assert metrics.counts(result) == {"reports_written": 5, "dead_letters_sample": 10, "same_url_joined": 5}
    assert [value(name, **labels) - was for (name, labels), was in zip(samples, before, strict=True)] == [5, 10, 5]


def test_threads_lose_no_count() -> None:
    before = value("dijla_records_written_total", kind="events", sink="kafka")
    threads = [Thread(target=_deliver) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert value("dijla_records_written_total", kind="events", sink="kafka") - before == 20_000


def test_records_of_no_known_kind_or_layer_are_refused() -> None:
    with pytest.raises(KeyError):
        metrics.written("rumours")
    with pytest.raises(KeyError):
        metrics.joined("hearsay")


def test_the_tagger_counts_reports_and_their_events() -> None:
    names = ("dijla_reports_examined_total", "dijla_reports_tagged_total")
    before = [value(name, language="ckb") for name in names]
    tags = value("dijla_tags_total", type="ied_attack", language="ckb")
    metrics.examined("ckb", [])
    metrics.examined("ckb", ["ied_attack", "ied_attack", "riot"])
    assert [value(name, language="ckb") - was for name, was in zip(names, before, strict=True)] == [2, 1]
    assert value("dijla_tags_total", type="ied_attack", language="ckb") - tags == 2


def test_latency_is_observed_for_each_time_that_is_known_and_never_negative() -> None:
    names = [f"dijla_{since}_to_sink_seconds" for since in ("published", "first_seen", "appended")]

    def counted() -> list[tuple[float, float]]:
        return [(value(f"{name}_count", kind="events", mode="live"), value(f"{name}_sum", kind="events", mode="live")) for name in names]

    before = counted()
    metrics.delivered("events", "live", NOW, published=NOW - timedelta(hours=3), first_seen=NOW + timedelta(seconds=9))
    change = [(count - count_was, total - total_was) for (count, total), (count_was, total_was) in zip(counted(), before, strict=True)]
    assert change == [(1, 10_800), (1, 0), (0, 0)]


def test_the_watermarks_age_grows_while_nobody_moves_it() -> None:
    metrics.watermark(901, datetime.now(UTC) - timedelta(seconds=100))
    first = value("dijla_watermark_age_seconds", split="901")
    assert 100 <= first < 130
    assert value("dijla_watermark_age_seconds", split="901") > first
    metrics.watermark(901, datetime.now(UTC))
    assert value("dijla_watermark_age_seconds", split="901") < 30


def test_state_is_summed_over_keys() -> None:
    metrics.state("Sample", 1, 100)
    metrics.state("Sample", 2, 50)
    metrics.state("Sample", 1, 30)
    assert value("dijla_state_bytes", fold="Sample") == 80


class _Producer:
    def __init__(self, in_flight_bytes: int) -> None:
        self.in_flight_bytes = in_flight_bytes


def test_bytes_in_flight_are_those_of_the_living_producers() -> None:
    before = value("dijla_producer_in_flight_bytes")
    one, other = _Producer(100), _Producer(20)
    metrics.sending(one)
    metrics.sending(other)
    assert value("dijla_producer_in_flight_bytes") - before == 120
    one.in_flight_bytes = 7
    del other
    gc.collect()
    assert value("dijla_producer_in_flight_bytes") - before == 7


def test_names_follow_the_conventions() -> None:
    found = list(ours())
    assert len(found) > 15
    for metric in found:
        assert re.fullmatch("dijla_[a-z_]+", metric.name)
        assert metric.documentation.endswith(".")
        if metric.type != "counter":  # a counter's _total is the library's doing
            assert metric.name.endswith(("_seconds", "_bytes", "_messages")), f"{metric.name} names no unit"


def test_the_page_lists_every_metric() -> None:
    rows = re.findall(r"^\| `(dijla_\w+)` \| (\w+) \| ([\w`, ]*) \| (.+) \|$", PAGE.read_text(encoding="utf8"), re.MULTILINE)
    # The library tells the labels of a metric that has no series yet only here.
    labels = {name: collector._labelnames for collector, names in REGISTRY._collector_to_names.items() for name in names if hasattr(collector, "_labelnames")}
    expected = [
        (name, metric.type, ", ".join(f"`{label}`" for label in labels[name]), metric.documentation)
        for metric in ours()
        for name in [metric.name + ("_total" if metric.type == "counter" else "")]
    ]
    assert rows == expected
