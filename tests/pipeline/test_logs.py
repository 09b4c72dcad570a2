"""Logs: what programs read, what people read, what neither may ever see, and what is said only once."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from datetime import datetime
from io import StringIO
from typing import Any

import pytest
from pydantic import BaseModel, SecretStr

from pipeline import logs

HOSTILE = "Blast\n2026-01-01T00:00:00.000Z ERROR pipeline: forged\r\x1b[2J\x9b31m\u202egnp.exe\u2028\ud800\x00 بغداد"


class Terminal(StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def as_before(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Loggers, handlers and secrets are the process's: put them back."""
    loggers = [logging.getLogger(name) for name in ("", *logs.OURS)]
    levels, handlers = [logger.level for logger in loggers], logging.getLogger().handlers[:]
    monkeypatch.setattr(logs, "_secrets", [])
    with warnings.catch_warnings():
        yield
        logging.captureWarnings(False)
    logging.getLogger().handlers[:] = handlers
    for logger, level in zip(loggers, levels, strict=True):
        logger.setLevel(level)


@pytest.fixture
def logged(monkeypatch: pytest.MonkeyPatch) -> Callable[..., StringIO]:
    """logged(level=...): the file that is standard error from now on, logs set up with these arguments."""

    def begin(file: StringIO | None = None, **options: Any) -> StringIO:
        file = file or StringIO()
        monkeypatch.setattr(sys, "stderr", file)
        # What pytest captures travels between its workers, which a lone surrogate cannot.
        logging.getLogger().handlers.clear()
        logs.set_up(**options)
        return file

    return begin


def lines(file: StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.getvalue().splitlines()]


def log(name: str = "pipeline.sample") -> logging.Logger:
    return logging.getLogger(name)


def at(seconds: float, message: str, *args: object, name: str = "pipeline.sample", level: int = logging.WARNING, **extra: object) -> logging.LogRecord:
    record = logging.LogRecord(name, level, "sample.py", 1, message, args, None)
    record.created = seconds
    vars(record).update(extra)
    return record


def test_programs_get_one_object_a_line(logged: Callable[..., StringIO]) -> None:
    file = logged()
    log().info("read %d items of %s", 3, "osint.raw", extra={"topic": "osint.raw", "partition": 3, "share": float("nan"), "message_": None})
    (line,) = lines(file)
    assert abs((datetime.fromisoformat(line.pop("time")) - datetime.now().astimezone()).total_seconds()) < 60
    assert line == {
        "level": "INFO",
        "logger": "pipeline.sample",
        "message": "read 3 items of osint.raw",
        "topic": "osint.raw",
        "partition": 3,
        "share": "nan",
        "message_": None,
    }


def test_people_get_text(logged: Callable[..., StringIO]) -> None:
    terminal = logged(Terminal())
    log().warning("skipped", extra={"partition": 3, "offset": 17})
    assert terminal.getvalue()[24:] == " WARNING  pipeline.sample: skipped partition=3 offset=17\n"


def test_the_form_may_be_asked_for(logged: Callable[..., StringIO]) -> None:
    file = logged(as_json=False)
    log().warning("text")
    logs.set_up(as_json=True)
    log().warning("json")
    text, line = file.getvalue().splitlines()
    assert text.endswith("pipeline.sample: text")
    assert json.loads(line)["message"] == "json"


def test_an_exception_stays_with_its_line(logged: Callable[..., StringIO]) -> None:
    file = logged()
    for as_json in (True, False):
        logs.set_up(as_json=as_json)
        try:
            raise ValueError(HOSTILE)
        except ValueError:
            log().exception("failed")
    first, *text = file.getvalue().split("\n")
    assert json.loads(first)["exception"].endswith(f"ValueError: {HOSTILE}")
    assert text[0].endswith("ERROR    pipeline.sample: failed")
    assert text.pop() == ""
    assert all(line.startswith("  | ") for line in text[1:]), "a forged line shows its bar"


@pytest.mark.parametrize("as_json", [True, False])
def test_text_of_a_feed_is_neither_line_nor_command(logged: Callable[..., StringIO], as_json: bool) -> None:
    file = logged(as_json=as_json)
    log().warning("title %s", HOSTILE, extra={"title": HOSTILE})
    written = file.getvalue()
    assert written.endswith("\n")
    assert [letter for letter in written[:-1] if not letter.isprintable()] == []
    assert "بغداد" in written
    if as_json:
        assert json.loads(written)["title"] == HOSTILE


class Inner(BaseModel):
    password: SecretStr | None = None
    token: SecretStr = SecretStr("tok/en \u00e9")


class Outer(BaseModel):
    name: str = "plain"
    inner: Inner = Inner(password=SecretStr("hunter22\n"))


@pytest.mark.parametrize("as_json", [True, False])
def test_secrets_never_stand_in_a_line(logged: Callable[..., StringIO], as_json: bool) -> None:
    file = logged(as_json=as_json)
    logs.conceal_all(Outer())
    logs.conceal(SecretStr("hunter22-and-more"), SecretStr(""))
    try:
        raise ValueError("login hunter22 refused")
    except ValueError:
        log().exception("sent %s", "hunter22-and-more", extra={"url": "https://bob:s3cret@host/?t=tok%2Fen%20%C3%A9", "all": ["tok/en \u00e9"]})
    written = file.getvalue()
    for secret in ("hunter22", "and-more", "tok/en", "tok%2F", "s3cret", "bob"):
        assert secret not in written
    assert written.count(logs.MASK) >= 5
    assert "refused" in written


def test_libraries_are_held_at_warning(logged: Callable[..., StringIO]) -> None:
    file = logged()
    for name in ("kafka.client", "apache_beam.runners", "httpx", "pipeline.sample", "connectors.rss", "schemas.kafka.delivery"):
        log(name).info("chatter")
        log(name).debug("noise")
    assert [line["logger"] for line in lines(file)] == ["pipeline.sample", "connectors.rss", "schemas.kafka.delivery"]
    log("kafka.client").warning("bootstrap failed")
    assert lines(file)[-1]["message"] == "bootstrap failed"
    logs.set_up(level=logging.DEBUG, libraries=logging.INFO)
    log("kafka.client").info("connected")
    log().debug("detail")
    assert [line["message"] for line in lines(file)[-2:]] == ["connected", "detail"]


def test_warnings_of_python_are_lines_too(logged: Callable[..., StringIO]) -> None:
    file = logged()
    warnings.simplefilter("always")
    warnings.warn("old ways", DeprecationWarning, stacklevel=1)
    (line,) = lines(file)
    assert line["logger"] == "py.warnings"
    assert "old ways" in line["message"]


def test_called_again_or_after_others_it_logs_once(logged: Callable[..., StringIO], monkeypatch: pytest.MonkeyPatch) -> None:
    file = logged()
    logging.getLogger().addHandler(logging.StreamHandler(file))
    logs.set_up()
    log().info("once")
    assert len(lines(file)) == 1
    monkeypatch.setattr(sys, "stderr", other := StringIO())
    file.close()
    log().info("elsewhere")
    assert lines(other)[0]["message"] == "elsewhere"


def test_what_is_repeated_is_said_once_with_its_count() -> None:
    repeats = logs.Repeats()
    said = [at(second, "connection lost") for second in (0, 1, 29, 30, 31, 61)]
    assert [repeats.filter(record) for record in said] == [True, False, False, True, False, True]
    assert [getattr(record, "repeated", None) for record in said] == [None, None, None, 2, None, 1]


def test_only_what_is_the_same_is_a_repeat() -> None:
    repeats = logs.Repeats()
    different = [
        at(0, "lost to retention", partition=1, offset=1),
        at(0, "lost to retention", partition=2, offset=1),
        at(0, "lost to retention", partition=1, level=logging.ERROR),
        at(0, "behind by %d", 3),
        at(0, "behind by %d", 4),
        at(0, "<Node %d at 0x7f12> timed out", 1, name="kafka.net"),
    ]
    assert all(map(repeats.filter, different))
    assert not repeats.filter(at(1, "lost to retention", partition=1, offset=2))
    assert not repeats.filter(at(1, "<Node %d at 0x7fff> timed out", 2, name="kafka.net"))
    assert repeats.filter(at(1, "lost to retention", partition=1, level=logging.INFO)), "news are no nuisance"
    assert all(repeats.filter(at(second, "stop", level=logging.CRITICAL)) for second in (0, 1))


def test_a_clock_set_back_silences_nothing_for_longer() -> None:
    repeats = logs.Repeats()
    assert repeats.filter(at(10_000, "late"))
    assert repeats.filter(at(5_000, "late"))


def test_messages_without_end_take_no_memory_without_end() -> None:
    repeats = logs.Repeats()
    assert all(repeats.filter(at(0, f"{number:b} again")) for number in range(3_000))
    assert len(repeats._said) == 1_000


def test_what_beam_says_of_libraries_that_nobody_uses_is_left_out() -> None:
    program = (
        "import logging; from pipeline import logs; logs.set_up(); import apache_beam.io.gcp.internal.clients.bigquery; logging.warning('another of the root')"
    )
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=90, check=True).stderr

    assert [json.loads(line)["message"] for line in said.splitlines()] == ["another of the root"]
