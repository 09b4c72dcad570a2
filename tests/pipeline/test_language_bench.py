"""`dijla language`: labelled lines, the figures of the table by hand, and the commands as a user types them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from pipeline.cli import main
from pipeline.labelled import Labelled, read
from pipeline.language import Language
from pipeline.language_bench import OfLanguage, bench, score
from schemas.errors import ReadError

SAMPLE = Path(__file__).resolve().parents[1] / "samples" / "language" / "labelled.tsv"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "mine.tsv"


def run(*args: str, stdin: str = "") -> tuple[int, str, str]:
    result = CliRunner().invoke(main, ["language", *args], input=stdin)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.stdout, result.stderr


def test_tab_separated_and_json_lines_are_read_in_order(file: Path) -> None:
    file.write_bytes('\ufefffr\tun\ttexte\r\n\n{"language": "ckb", "text": "دوو\\nکەس", "more": 1}\n  \nund\t🚨 \n'.encode())
    assert list(read([file, file]))[:4] == [("fr", "un\ttexte"), ("ckb", "دوو\nکەس"), ("und", "🚨 "), ("fr", "un\ttexte")]


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (b"words without a label", 'must be language, tab, text, or a JSON object {"language", "text"}'),
        (b"zh-CN\ttext", "'zh-CN' is no language code"),
        (b"\ttext", "'' is no language code"),
        (b"language\ttext", "'language' is no language code"),
        (b'{"language": "en"}', "field 'text' must be a string, it is missing"),
        (b'{"language": 1, "text": "a"}', "field 'language' must be a string, it is int"),
        (b'{"language": "en", "text": "a"', "not JSON: Expecting ',' delimiter at column 31"),
        (b'{"a": ' + b"[" * 100_000, "nested too deep"),
        (b"fr\t\xe9t\xe9", "not UTF-8 at byte 3"),
    ],
)
def test_a_bad_line_is_named_with_its_file(file: Path, line: bytes, says: str) -> None:
    file.write_bytes(b"en\tgood\n\n" + line + b"\n")
    with pytest.raises(ReadError) as caught:
        list(read([file]))
    assert str(caught.value).startswith(f"{file}, line 3: {says}")
    assert (caught.value.file, caught.value.position) == (str(file), 2)


def test_the_figures_by_hand() -> None:
    lines = [Labelled(label, "") for label in ("en", "en", "en", "en", "fr", "sv", "und")]
    told = [("en", 1.0), ("en", 0.9), ("fr", 0.95), ("und", 0.0), ("fr", 0.5), ("en", 0.4), ("fr", 0.3)]
    found = score(lines, [Language(code, confidence, "Latn") for code, confidence in told], {"en", "fr"})
    assert (found.texts, found.accuracy, found.undetermined) == (7, 3 / 7, 1 / 6)
    assert found.macro_accuracy == (2 / 4 + 1 + 0 + 0) / 4
    assert found.claimed == 1, "Swedish was called English and noise French"
    assert (found.sure, found.sure_accuracy) == (3 / 7, 2 / 3)
    assert found.languages == {"en": OfLanguage(4, 0.5, 2 / 3), "fr": OfLanguage(1, 1.0, 1 / 3), "sv": OfLanguage(1, 0.0, None), "und": OfLanguage(1, 0.0, 0.0)}


def test_shares_of_nothing_are_none() -> None:
    found = score([Labelled("und", "")], [Language("und", 0.0, "Zyyy")], {"en"})
    assert (found.accuracy, found.undetermined, found.sure_accuracy, found.claimed) == (1, None, None, 0)
    assert score([Labelled("en", "")], [Language("en", 0.5, "Latn")], {"en"}).claimed is None


def test_detectors_are_measured_side_by_side() -> None:
    lines, done = list(read([SAMPLE])) * 4, list[int]()
    langdetect, ours = bench(lines, ["langdetect", "rules+langdetect"], {"ar", "ckb", "en", "fr"}, done.append)
    assert done == [100, len(lines)]
    assert (langdetect.detector, langdetect.times_reference) == ("langdetect", 1)
    assert ours.times_reference == pytest.approx(ours.texts_per_second / langdetect.texts_per_second)
    assert ours.texts_per_second > langdetect.texts_per_second
    assert ours.score.accuracy == 1
    assert langdetect.score.languages["ckb"] == OfLanguage(8, 0.0, None)
    # The profiles of 55 languages in plain dicts: far more than noise. The default is to stay under 160 MB.
    assert langdetect.megabytes > 30
    assert 3 < ours.megabytes <= 160


def test_bench_prints_the_table() -> None:
    status, out, _ = run("bench", str(SAMPLE), "--detector", "rules+langdetect", "--detector", "rules+langdetect")
    assert status == 0
    assert out.count("rules+langdetect") == 2, "a row, a column, each once"
    assert "100.0%, 100.0%" in out
    for head in ("right", "macro", "claimed", "right if sure", "texts/s", "x langdetect", "MB", "recall, precision"):
        assert head in out


def test_bench_prints_json() -> None:
    status, out, _ = run("bench", str(SAMPLE), "--detector", "langdetect", "--json")
    row = json.loads(out)
    assert (status, row["detector"], row["score"]["texts"], row["times_reference"]) == (0, "langdetect", 34, 1)
    assert row["score"]["languages"]["fr"]["recall"] == 1


def test_bench_says_what_it_cannot_use(file: Path) -> None:
    file.write_text("en\ta\nbad\n", encoding="utf8")
    assert run("bench", str(file))[::2] == (1, f'dijla: {file}, line 2: must be language, tab, text, or a JSON object {{"language", "text"}}\n')
    file.write_text("\n", encoding="utf8")
    assert run("bench", str(file))[::2] == (2, f"dijla: {file}: there is no line to compare detectors on\n")
    status, _, err = run("bench", str(SAMPLE), "--detector", "oracle")
    assert (status, "rules+langdetect" in err) == (2, True)


def test_detect_shows_the_answer_for_a_text() -> None:
    status, out, _ = run("detect", "Deux blessés dans l'explosion", "--json")
    assert (status, json.loads(out)["code"], json.loads(out)["script"]) == (0, "fr", "Latn")
    assert json.loads(run("detect", "--json", stdin="دوو کەس لە تەقینەوەکەدا بریندار بوون")[1])["code"] == "ckb"
    status, out, _ = run("detect", "-", stdin="Presidente de Cuba")
    assert status == 0
    assert "language" in out
    assert "Latn" in out


def test_detect_takes_the_declared_language_and_the_detector() -> None:
    tie = ("detect", "Presidente de Cuba", "--json", "--declared")
    assert [json.loads(run(*tie, tag)[1])["code"] for tag in ("es-ES", "pt_BR")] == ["es", "pt"]
    sorani = ("detect", "دوو کەس لە تەقینەوەکەدا بریندار بوون", "--json", "--language-detector")
    assert json.loads(run(*sorani, "rules+langdetect")[1])["code"] == "ckb"
    assert json.loads(run(*sorani, "langdetect")[1])["code"] != "ckb"
