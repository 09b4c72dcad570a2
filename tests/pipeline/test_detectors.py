"""One contract for every language detector, found by listing the folder: any string, any thread, process and fork, the same answer."""

from __future__ import annotations

import importlib
import json
import multiprocessing
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline import detectors
from pipeline.labelled import read
from pipeline.language import Language
from schemas.errors import UsageError

ROOT = Path(__file__).resolve().parents[2]
LINES = list(read([ROOT / "tests" / "samples" / "language" / "labelled.tsv"]))
UNKNOWN = {  # languages of the sample that a detector has no name for; every detector stands here
    "langdetect": {"ckb", "kmr", "tk"},
    "py3langid": {"ckb"},
    "rules+langdetect": set[str](),
}
NAMES = detectors.names()


def answers(name: str) -> list[Language]:
    return [detectors.load(name)(line.text, None) for line in LINES]


def test_every_detector_is_found_and_documented() -> None:
    page = (ROOT / "docs" / "language.md").read_text(encoding="utf8")
    assert set(NAMES) == set(UNKNOWN)
    assert detectors.DEFAULT in NAMES
    assert {name for name in NAMES if f"\n| `{name}` |" not in page} == set()


@pytest.mark.parametrize("name", NAMES)
def test_easy_sentences_are_told(name: str) -> None:
    known = [(line, answer) for line, answer in zip(LINES, answers(name), strict=True) if line.language not in UNKNOWN[name]]
    assert {line.language for line, _ in known} >= {"ar", "de", "en", "es", "fa", "fr", "he", "it", "ru", "tr", "ur", "zh"}
    assert [(line, answer.code) for line, answer in known if answer.code != line.language] == []
    assert all((answer.code == "und") == (answer.confidence == 0) for _, answer in known)
    assert {line.language: answer.script for line, answer in known if line.language in ("ar", "ru", "fr")} == {"ar": "Arab", "ru": "Cyrl", "fr": "Latn"}


@pytest.mark.parametrize("name", NAMES)
def test_what_is_said_to_be_unknown_is_unknown(name: str) -> None:
    assert {line.language for line, answer in zip(LINES, answers(name), strict=True) if answer.code == line.language}.isdisjoint(UNKNOWN[name])


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("text", ["", " \n\t", "12:30 🚨", "…", "\x00", "\ud800"])
def test_nothing_to_tell_is_undetermined(name: str, text: str) -> None:
    assert detectors.load(name)(text, None) == Language("und", 0.0, "Zyyy")


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=60)
@given(text=st.text(st.characters(), max_size=300) | st.text("aB \ud800é@.https:/ـاێ漢", max_size=300), declared=st.none() | st.text(max_size=8))
def test_any_string_gets_an_answer_the_same_again(name: str, text: str, declared: str | None) -> None:
    detect = detectors.load(name)
    found = detect(text, declared)
    assert 0 <= found.confidence <= 1
    assert 2 <= len(found.code) <= 3
    assert len(found.script) == 4
    assert detect(text, declared) == found


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("unit", ["a", "ab c", "@", "\ud800", "x@y.", "http://", "ا ب", "İ"])
def test_ten_million_characters_cost_no_more_than_a_page(name: str, unit: str) -> None:
    detect, huge = detectors.load(name), unit * (10_000_000 // len(unit))
    begin = time.perf_counter()
    found = detect(huge, None)
    assert time.perf_counter() - begin < 5
    assert found == detect(huge[:3_000], None)


@pytest.mark.parametrize("name", NAMES)
def test_eight_threads_may_make_the_first_call(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = answers(name)
    monkeypatch.setattr(detectors, "_loaded", {})
    module = importlib.import_module(f"pipeline.detectors.{name.replace('+', '_')}")
    loads, load = [], module.load
    monkeypatch.setattr(module, "load", lambda: loads.append(name) or load())
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(answers, [name] * 8)) == [expected] * 8
    assert loads == [name], "loaded once"


@pytest.mark.parametrize("name", NAMES)
def test_a_forked_worker_gives_the_same_answers(name: str) -> None:
    expected = answers(name)
    with multiprocessing.get_context("fork").Pool(2) as pool:
        assert pool.map_async(answers, [name] * 4).get(timeout=60) == [expected] * 4


@pytest.mark.parametrize("seed", ["1", "2"])
def test_a_new_process_gives_the_same_answers(seed: str) -> None:
    script = f"from tests.pipeline.test_detectors import NAMES, answers; print([answers(name) for name in {NAMES}])"
    environment = {"PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)}
    ran = subprocess.run([sys.executable, "-c", script], cwd=ROOT, env=environment, capture_output=True, text=True, check=True, timeout=120)
    assert ran.stdout.strip() == str([answers(name) for name in NAMES])


def test_others_who_use_langdetect_in_this_process_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    import langdetect

    expected = answers("langdetect")
    monkeypatch.setattr(langdetect.DetectorFactory, "seed", 7)
    langdetect.detect("Somebody else asks the library.")
    assert answers("langdetect") == expected


def test_a_worker_gets_a_detector_by_its_name_alone() -> None:
    import pickle

    assert pickle.loads(pickle.dumps(partial(detectors.load, "langdetect")))() is detectors.load("langdetect")


def test_the_commands_use_the_one_that_was_chosen(tmp_path: Path) -> None:
    from click.testing import CliRunner

    from pipeline.cli import main

    sorani = next(line.text for line in LINES if line.language == "ckb")
    given = tmp_path / "in.jsonl"
    given.write_text(json.dumps({"id": "a", "text": sorani}), encoding="utf8")
    config = tmp_path / "dijla.toml"
    config.write_text('[pipeline]\nlanguage_detector = "langdetect"\nhold = "PT2S"\nshards = 2', encoding="utf8")
    found = {}
    for name, options in {"default": [], "flag": ["--language-detector", "langdetect"], "file": ["--config", str(config)]}.items():
        replayed = CliRunner().invoke(main, ["replay", str(given), "--out", str(tmp_path / name), "--format", "jsonl", "--json", *options])
        (report,) = [json.loads(line) for file in (tmp_path / name / "reports").glob("*.jsonl") for line in file.read_text(encoding="utf8").splitlines()]
        analysed = CliRunner().invoke(main, ["analyse", *options], input=given.read_bytes())
        found[name] = {report["language"], json.loads(analysed.stdout)["language"]}
        assert replayed.exit_code == analysed.exit_code == 0
    plain = detectors.load("langdetect")(sorani, None).code
    assert found == {"default": {"ckb"}, "flag": {plain}, "file": {plain}}


def test_an_unknown_name_lists_the_known() -> None:
    from pipeline.config import load

    with pytest.raises(UsageError) as caught:
        load(flags={"pipeline.language_detector": "oracle"}, environment={})
    assert f"--language-detector: 'oracle': there is no such language detector: choose of {', '.join(NAMES)}" in str(caught.value)
