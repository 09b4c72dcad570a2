"""`dijla collect`, `check` and `sources` as a user runs them, into a folder."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from connectors import archive
from connectors._file_outbox import states
from connectors._state import decode_state
from schemas.records import RawItem
from tests.connectors.commands import ROOT, Commands, source
from tests.connectors.servers.apis import Answer, Asked, Serving
from tests.connectors.visits import NOW


@dataclass
class Outlets(Serving):
    """A feed of one bulletin at each path; another answer where `instead` has one."""

    instead: dict[str, Answer] = field(default_factory=dict)

    def answer(self, asked: Asked) -> Answer:
        name = asked.target.partition("?")[0].strip("/")
        item = f"<item><guid>{name}</guid><title>Bulletin of {name}</title><link>https://outlet.example/{name}</link></item>"
        return self.instead.get(name) or Answer(200, f'<rss version="2.0"><channel><title>{name}</title>{item}</channel></rss>'.encode(), {"etag": '"1"'})


@pytest.fixture
def outlets() -> Iterator[Outlets]:
    with Outlets().running() as served:
        yield served


@pytest.fixture
def commands(tmp_path: Path) -> Commands:
    return Commands(tmp_path)


def feeds(served: Outlets, *names: str) -> list[str]:
    return [source(f"sample.{name}", "rss", f"{served.url}/{name}") for name in names]


def titles(out: Path) -> list[str | None]:
    return sorted(str(record.title) for record in archive.read([out], now=NOW, mode="replay") if isinstance(record, RawItem))


def test_once_collects_into_a_folder_what_replay_reads(commands: Commands, outlets: Outlets) -> None:
    commands.sources(*feeds(outlets, "a", "b"))

    first, second = commands.once("--json"), commands.once("--json")

    assert (first.returncode, second.returncode) == (0, 0), first.stderr + second.stderr
    assert [json.loads(line) for line in first.stdout.splitlines()] == [
        {"source": "sample.a", "status": "ok", "message": "", "read": 1, "sent": 1},
        {"source": "sample.b", "status": "ok", "message": "", "read": 1, "sent": 1},
    ]
    assert [json.loads(line)["sent"] for line in second.stdout.splitlines()] == [0, 0]
    assert titles(commands.out) == ["Bulletin of a", "Bulletin of b"]
    assert commands.dijla("replay", str(commands.out), "--out", str(commands.folder / "replayed")).returncode == 0


def test_once_ends_with_three_where_a_source_failed(commands: Commands, outlets: Outlets) -> None:
    outlets.instead["b"] = Answer(500)
    commands.sources(*feeds(outlets, "a", "b"))

    ended = commands.once()

    assert ended.returncode == 3
    assert "server_error" in ended.stdout
    assert titles(commands.out) == ["Bulletin of a"]


def test_the_health_of_sources_is_seen(commands: Commands, outlets: Outlets) -> None:
    outlets.instead["b"] = Answer(410)
    commands.sources(*feeds(outlets, "a", "b", "c"))
    commands.once()
    options = ("--sources", commands.file, "--out", str(commands.out))

    table, lines = commands.dijla("sources", *options), commands.dijla("sources", *options, "--json")

    assert (table.returncode, lines.returncode) == (0, 0)
    assert {word for word in table.stdout.split() if word.startswith("sample.")} == {"sample.a", "sample.b", "sample.c"}
    rows = {row["source"]: row for row in map(json.loads, lines.stdout.splitlines())}
    assert [(row["status"], row["failures"]) for row in rows.values()] == [("ok", 0), ("gone", 1), ("ok", 0)]
    assert "status 410" in rows["sample.b"]["message"]
    assert rows["sample.a"]["last_item"]
    assert rows["sample.b"]["next_poll"]


def test_a_source_without_its_secret_stops_no_other(commands: Commands, outlets: Outlets) -> None:
    bot = source("sample.bot", "telegram", outlets.url, 'options = { via = "bot" }', 'secrets = { token = "SAMPLE_NEVER_SET" }')
    commands.sources(*feeds(outlets, "a"), bot)

    ended = commands.once("--log-format", "text")

    assert ended.returncode == 3
    assert "WARNING" in ended.stderr
    assert "source sample.a: ok\n" in ended.stderr
    assert "source sample.bot: no_secret the environment has no SAMPLE_NEVER_SET" in ended.stderr
    assert titles(commands.out) == ["Bulletin of a"]
    rows = commands.dijla("sources", "--sources", commands.file, "--out", str(commands.out), "--json").stdout.splitlines()
    assert [json.loads(row)["status"] for row in rows] == ["ok", "no_secret"]

    checked = commands.dijla("check", "sample.bot", "--sources", commands.file)
    assert (checked.returncode, "SAMPLE_NEVER_SET" in checked.stderr) == (2, True)

    commands.sources(bot)
    alone = commands.once()
    assert (alone.returncode, "no source can be asked" in alone.stderr) == (2, True)


def test_a_source_whose_secret_is_set_later_is_collected(commands: Commands, outlets: Outlets) -> None:
    commands.sources(*feeds(outlets, "a"), source("sample.b", "rss", f"{outlets.url}/b", 'secrets = { "header.X-Key" = "SAMPLE_KEY" }'))
    assert commands.once().returncode == 3

    assert Commands(commands.folder, {"SAMPLE_KEY": "planted-key"}).once().returncode == 0
    assert titles(commands.out) == ["Bulletin of a", "Bulletin of b"]
    assert [asked.headers["x-key"] for asked in outlets.asked if asked.target == "/b"] == ["planted-key"]


@pytest.mark.parametrize("command", [["collect", "--once", "--out", "OUT"], ["check", "sample.a"], ["sources", "--out", "OUT"]])
def test_a_wrong_file_is_refused_with_all_its_errors(command: list[str], commands: Commands, outlets: Outlets) -> None:
    commands.out.mkdir()
    commands.sources(
        *feeds(outlets, "a", "a"),
        source("sample.b", "rsss", outlets.url),
        source("sample.c", "rss", outlets.url).replace("interval = 10", "interval = 9"),
        source("sample.d", "rss", outlets.url, "options = { depth = 3 }"),
        source("sample.e", "rss", f"{outlets.url}/feed?token=s3cret"),
        source("sample.f", "telegram", outlets.url, 'options = { via = "bot" }'),
    )

    ended = commands.dijla(*[part.replace("OUT", str(commands.out)) for part in command], "--sources", commands.file)

    assert ended.returncode == 2
    assert [line.split(":")[0].strip() for line in ended.stderr.splitlines()[1:]] == [
        "sample.b", "sample.c", "sample.d", "sample.e", "sample.f", "sample.a",
    ]  # fmt: skip
    assert "s3cret" not in ended.stderr
    assert not outlets.asked


def test_a_stop_in_good_order_keeps_what_was_collected(commands: Commands, outlets: Outlets) -> None:
    outlets.instead["b"] = Answer(404)
    commands.sources(*feeds(outlets, "a", "b"))

    with commands.collecting() as running:
        running.until(lambda: 'dijla_source_polls_total{source="sample.b",status="not_found"} 1.0' in running.page("/metrics"))
        running.until(lambda: 'dijla_source_items_total{source="sample.a"} 1.0' in running.page("/metrics"))
        page = running.page("/metrics")
        assert json.loads(running.page("/healthz"))["ok"]
        assert running.stop() == 0

    assert 'dijla_source_failures{source="sample.b"} 1.0' in page
    assert 'dijla_source_stale{source="sample.a"} 0.0' in page
    assert 'dijla_source_last_item_timestamp_seconds{source="sample.a"}' in page
    assert "Traceback" not in running.said
    assert titles(commands.out) == ["Bulletin of a"]
    assert decode_state(states(commands.out)["sample.b"]).status == "not_found"


def test_check_shows_and_stores_nothing(commands: Commands, outlets: Outlets) -> None:
    outlets.instead["b"] = Answer(403, headers={"x-reason": "not from there"})
    commands.sources(*feeds(outlets, "a", "b"))

    good = commands.dijla("check", "sample.a", "--sources", commands.file)
    assert (good.returncode, good.stderr) == (0, "")
    assert all(said in good.stdout for said in ("sample.a (rss): ok", "status 200", 'etag: "1"', "1 records read, 1 would be sent", "Bulletin of a"))

    (line,) = commands.dijla("check", "sample.a", "--sources", commands.file, "--json").stdout.splitlines()
    assert json.loads(line)["native_id"] == "a"

    bad = commands.dijla("check", "sample.b", "--sources", commands.file)
    assert (bad.returncode, "forbidden" in bad.stdout, "x-reason: not from there" in bad.stdout) == (3, True, True)

    other = commands.dijla("check", "sample.z", "--sources", commands.file)
    assert (other.returncode, "sample.a, sample.b" in other.stderr) == (2, True)

    public = commands.dijla("check", f"{outlets.url}/a")
    assert (public.returncode, "refused_address" in public.stdout, "--allow-private" in public.stdout) == (3, True, True)
    assert [file.name for file in commands.folder.iterdir()] == ["sources.toml"]


def test_check_shows_how_each_entry_will_be_read(commands: Commands, outlets: Outlets) -> None:
    entries = (
        "<item><guid>a1</guid><title>One [bold]two[/bold]</title><link>https://outlet.example/1</link><description>First&#9;words.</description>"
        "<pubDate>Mon, 21 Dec 2020 18:30:00</pubDate></item>"
        "<item><guid>a2</guid><title>Two</title><pubDate>5 minutes ago</pubDate></item><item><guid>a3</guid><title>Three</title></item>"
    )
    outlets.instead["a"] = Answer(200, f'<rss version="2.0"><channel><title>a</title>{entries}</channel></rss>'.encode())

    shown = commands.dijla("check", f"{outlets.url}/a", "--allow-private")

    assert (shown.returncode, shown.stderr) == (0, "")
    rows = [" ".join(line.split()) for line in shown.stdout.partition("native id")[2].splitlines()[2:]]
    assert [row for row in rows if row] == [
        "create a3 no date Three",
        "create a2 unreadable Two",
        "written: 5 minutes ago",
        "create a1 2020-12-21 18:30 One [bold]two[/bold]",
        "zone_assumed First words.",
        "written: Mon, 21 Dec 2020 18:30:00 https://outlet.example/1",
    ]


def test_check_says_what_to_do_with_what_is_no_url(commands: Commands) -> None:
    ended = commands.dijla("check", "sample.a")

    assert (ended.returncode, ended.stderr) == (2, "dijla: sample.a is no URL; if it is the id of a source, say in which file: --sources FILE.toml\n")


def test_servers_are_told_the_contact_that_is_set(commands: Commands, outlets: Outlets) -> None:
    told = Commands(commands.folder, {"DIJLA_COLLECT__CONTACT": "feeds@sample.example"})
    told.sources(*feeds(outlets, "a"))

    assert told.once().returncode == 0
    assert told.dijla("check", "sample.a", "--sources", told.file).returncode == 0
    assert [asked.headers["user-agent"] for asked in outlets.asked] == ["dijla/0.1 (+feeds@sample.example; feed collector)"] * 2

    wrong = Commands(commands.folder, {"DIJLA_COLLECT__CONTACT": "two\nlines"}).once()
    assert (wrong.returncode, "DIJLA_COLLECT__CONTACT" in wrong.stderr) == (2, True)


def test_the_commands_of_the_readme_do_what_it_says(commands: Commands, outlets: Outlets) -> None:
    section = (ROOT / "README.md").read_text(encoding="utf8").partition("## Collect\n")[2].partition("\n## ")[0]
    table = section.partition("```toml\n")[2].partition("```")[0]
    commands.sources(table.replace("https://outlet-a.example", outlets.url) + "allow_private = true\n")
    lines = re.findall(r"^dijla (.*?) *#", section, re.MULTILINE)
    places = {"sources.toml": commands.file, "collected": str(commands.folder / "collected"), "out": str(commands.folder / "replayed")}

    ended = [commands.dijla(*(places.get(word, word) for word in line.split())) for line in lines]

    assert [line.split()[0] for line in lines] == ["check", "collect", "sources", "replay"]
    assert [one.returncode for one in ended] == [0, 0, 0, 0], [one.stderr for one in ended]
    assert titles(commands.folder / "collected") == ["Bulletin of feed"]
    assert list((commands.folder / "replayed" / "reports").glob("*.avro"))
