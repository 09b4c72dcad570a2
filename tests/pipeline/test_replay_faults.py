"""Replay under faults: poison, crashes, a full disk, kills, hostile input; nothing is lost, nothing half-written is left."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from connectors import archive
from pipeline.replay import replay
from pipeline.settings import Settings
from pipeline.sinks.avro_files import DEAD_LETTERS, REPORTS, read_files
from schemas.errors import UsageError, WriteError
from schemas.records import RawItem
from tests.pipeline.test_replay import NOW, SEED, SEEDS, files, run


def test_records_of_another_making_are_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "reports").mkdir()
    (tmp_path / "reports" / "mine.avro").write_bytes(b"precious")
    with pytest.raises(UsageError, match="no replay wrote"):
        run([SEED], tmp_path)
    assert (tmp_path / "reports" / "mine.avro").read_bytes() == b"precious"
    with pytest.raises(UsageError, match="is a file"):
        run([SEED], tmp_path / "reports" / "mine.avro")


def test_a_record_that_a_stage_cannot_bear_is_a_dead_letter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from pipeline import normalise

    real = normalise.find_quotes

    def poisoned(text: str) -> Any:
        if "poison" in text:
            raise ZeroDivisionError("a bug of ours")
        return real(text)

    monkeypatch.setattr(normalise, "find_quotes", poisoned)
    lines = [json.dumps({"id": n, "text": t, "published": "2020-12-20"}) for n, t in enumerate(["fine words", "poison", "more words"])]
    (tmp_path / "in.jsonl").write_text("\n".join(lines), encoding="utf8")
    summary = run([tmp_path / "in.jsonl"], tmp_path / "out")
    assert (summary.items, summary.dead_letters, summary.repeats, summary.counters["reports_written"]) == (3, 1, 0, 2)
    (letter,) = read_files(tmp_path / "out", DEAD_LETTERS)
    assert (letter.stage, letter.error_class, letter.error_message) == ("normalise", "ZeroDivisionError", "a bug of ours")
    from schemas.avro import decode_single_object

    assert decode_single_object(letter.payload, RawItem).body == "poison", "the letter holds all it takes to try again"


def test_a_failing_run_leaves_the_earlier_results(tmp_path: Path) -> None:
    run([SEED], tmp_path / "out")
    before = files(tmp_path / "out")

    def breaks() -> Iterable[RawItem]:
        yield from (r for r in archive.read([SEED], now=NOW) if isinstance(r, RawItem))
        raise WriteError("the disk is gone")

    with pytest.raises(WriteError):
        replay(breaks(), tmp_path / "out", Settings(shards=1))
    assert files(tmp_path / "out") == before


CHILD = """
import resource, sys
from pipeline.cli import main
limit = int(sys.argv.pop(1))
if limit:
    import signal
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    if "unpacked" in sys.argv:
        from pipeline import language_model
        sys.argv.remove("unpacked")
        language_model.load()
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
main()
"""


def child(*args: str, limit: int = 0) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", CHILD, str(limit), *args]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=SEEDS.parent)


def test_a_full_disk_ends_with_a_message_and_no_half_file(tmp_path: Path) -> None:
    """No file may grow beyond 4 kB: what a full disk does, at the write that meets it."""
    process = child("replay", str(SEEDS), "--out", str(tmp_path / "out"), "unpacked", limit=4096)
    _, stderr = process.communicate(timeout=120)
    assert process.returncode == 1, stderr
    assert "cannot be written" in stderr
    assert "Traceback" not in stderr
    assert list((tmp_path / "out").iterdir()) == []


def test_no_room_to_unpack_the_language_model_is_said(tmp_path: Path) -> None:
    process = child("replay", str(SEEDS), "--out", str(tmp_path / "out"), limit=4096)
    _, stderr = process.communicate(timeout=120)
    assert process.returncode == 1, stderr
    assert "the language model is unpacked there: free some room, or set TMPDIR" in " ".join(stderr.split())
    assert "Traceback" not in stderr


def test_killed_at_any_time_leaves_no_record_that_could_be_taken_for_whole(tmp_path: Path) -> None:
    out = tmp_path / "out"
    for _ in range(3):
        process = child("replay", str(SEEDS), "--out", str(out), "--slice-items", "5")
        while process.poll() is None and not list(out.glob(".replay/reports/*")):
            pass
        process.send_signal(signal.SIGKILL)
        process.communicate()
        assert not [path for path in out.glob("*") if not path.name.startswith(".")]
    assert run([SEEDS], out).items == 48
    assert sorted(path.name for path in out.iterdir()) == ["dead-letters", "events", "replay.json", "reports"], "left-overs are cleared"


def test_two_replays_do_not_write_to_one_folder(tmp_path: Path) -> None:
    def meanwhile() -> Iterable[RawItem]:
        with pytest.raises(UsageError, match="another process"):
            run([SEED], tmp_path / "out")
        yield from (r for r in archive.read([SEED], now=NOW) if isinstance(r, RawItem))

    assert replay(meanwhile(), tmp_path / "out", Settings(shards=1)).items == 1


def test_hard_input_loses_nothing(tmp_path: Path) -> None:
    """One good line among everything that breaks readers: all but that line are dead letters, and the line gets through."""
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "good.jsonl").write_text('{"id": "good", "text": "Three rockets hit the Green Zone in Baghdad.", "published": "2020-12-20"}\n', encoding="utf8")
    (folder / "empty.jsonl").write_bytes(b"")
    (folder / "nul.jsonl").write_bytes(b"\0\0\0\n")
    (folder / "bomb.xml").write_bytes(
        b'<?xml version="1.0"?><!DOCTYPE r [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><rss><channel><item>&b;</item></channel></rss>'
    )
    (folder / "half.gz").write_bytes(b"\x1f\x8b\x08\0\0\0\0\0\0\0")
    (folder / "surrogate.jsonl").write_text('{"id": "s", "text": "\\ud800 words", "published": "2020-12-20"}\n', encoding="utf8")
    (folder / "large.jsonl").write_text('{"id": "l", "text": "' + "x" * 11_000_000 + '"}\n', encoding="utf8")
    (folder / "link.txt").symlink_to(folder / "nowhere")
    os.mkfifo(folder / "pipe.txt")
    summary = run([folder], tmp_path / "out")
    letters = {letter.file for letter in read_files(tmp_path / "out", DEAD_LETTERS)}
    assert letters == {"empty.jsonl", "nul.jsonl", "bomb.xml", "half.gz", "large.jsonl", "link.txt", "pipe.txt"}
    assert {report.native_id: report.text for report in read_files(tmp_path / "out", REPORTS)} == {
        "good": "Three rockets hit the Green Zone in Baghdad.",
        "s": "\ufffd words",
    }
    assert summary.dead_letters == 7


@pytest.mark.faults
def test_memory_does_not_grow_with_the_slices(tmp_path: Path) -> None:
    """Twelve slices need hardly more than four: what is held is a slice and the packed state."""
    peaks = []
    for count in (4_000, 12_000):
        file = tmp_path / f"{count}.jsonl"
        with file.open("w", encoding="utf8") as out:
            for n in range(count):
                out.write(json.dumps({"id": n, "text": f"bulletin {n} says that the price rose again", "published": "2020-12-20"}) + "\n")
        command = [sys.executable, "-m", "pipeline.cli", "replay", str(file), "--out", str(tmp_path / f"out{count}"), "--slice-items", "1000", "--json"]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, cwd=SEEDS.parent)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        assert process.returncode == 0
        assert json.loads((tmp_path / f"out{count}" / "replay.json").read_text(encoding="utf8"))["reports_written"] == count
        peaks.append(usage.ru_maxrss)
    assert peaks[1] < peaks[0] * 1.25


@pytest.mark.parametrize("step", range(1, 9))
@pytest.mark.parametrize("earlier", [False, True])
def test_stopped_while_publishing_leaves_all_of_one_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: int, earlier: bool) -> None:
    """At whichever rename: the earlier results stand, and the next replay runs."""
    out = tmp_path / "out"
    if earlier:
        run([SEED], out)
    before = files(out) if earlier else {}
    real, left = Path.rename, [step]

    def failing(path: Path, target: Path) -> Path:
        if path.parent.name in ("out", ".replay"):
            left[0] -= 1
            if left[0] == 0:
                monkeypatch.setattr(Path, "rename", real)
                raise OSError(28, "No space left on device", str(target))
        return real(path, target)

    lines = tmp_path / "in.jsonl"
    lines.write_text('{"id": "a", "text": "words", "published": "2020-12-20"}\n', encoding="utf8")
    monkeypatch.setattr(Path, "rename", failing)
    try:
        run([lines], out)
    except WriteError:
        assert files(out) == before
    monkeypatch.setattr(Path, "rename", real)
    assert run([lines], out).items == 1
    assert [report.native_id for report in read_files(out, REPORTS)] == ["a"]
