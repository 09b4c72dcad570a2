"""Secrets of every kind are given to sources whose servers say them back; then they are looked for in all that `dijla` writes and prints."""

from __future__ import annotations

import zlib
from base64 import b64encode
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import pytest

from connectors._file_outbox import states
from connectors._state import HOST
from schemas.avro import read_container
from schemas.records import DeadLetter, RawItem
from tests.connectors.commands import DEBUG, Commands, source
from tests.connectors.servers import mastodon, reddit, telegram, x
from tests.connectors.servers.apis import Serving
from tests.connectors.servers.echo import MODES, Echo

HEADER, PARAMETER = "planted-header/secret==", "planted query/secret"
ENVIRONMENT = {
    "SAMPLE_HEADER": f"Bearer {HEADER}",
    "SAMPLE_PARAMETER": PARAMETER,
    "SAMPLE_BOT": telegram.TOKEN,
    "SAMPLE_USER": mastodon.TOKEN,
    "SAMPLE_CLIENT": reddit.CLIENT,
    "SAMPLE_CLIENT_SECRET": reddit.SECRET,
    "SAMPLE_X": x.TOKEN,
}
PLANTED = (HEADER, PARAMETER, telegram.TOKEN, mastodon.TOKEN, reddit.SECRET, reddit.TOKEN, reddit.FEED, x.TOKEN, f"{reddit.CLIENT}:{reddit.SECRET}")
SPELLED = {spelled for one in PLANTED for spelled in (one, quote(one), quote(one, safe=""), one.replace(" ", "+"), b64encode(one.encode()).decode())}
KINDS = {
    "rss": ("rss", 'secrets = { "header.Authorization" = "SAMPLE_HEADER", "query.key" = "SAMPLE_PARAMETER" }'),
    "bot": ("telegram", 'options = { via = "bot" }', 'secrets = { token = "SAMPLE_BOT" }'),
    "mastodon": ("mastodon", 'secrets = { token = "SAMPLE_USER" }'),
    "reddit": ("reddit", 'options = { subreddit = "SampleNews" }', 'secrets = { client_id = "SAMPLE_CLIENT", client_secret = "SAMPLE_CLIENT_SECRET" }'),
    "x": ("x", 'secrets = { token = "SAMPLE_X" }'),
    "bluesky": ("bluesky", 'options = { langs = ["ar"] }', 'secrets = { "header.X-Key" = "SAMPLE_HEADER", "query.key" = "SAMPLE_PARAMETER" }'),
}


@dataclass
class Scene:
    commands: Commands
    elsewhere: Echo
    echoes: list[Echo]
    names: list[str]


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    """A server for each kind of source and each way to answer badly, and those that answer well."""
    with ExitStack() as stack:

        def at(server: Serving) -> str:
            return stack.enter_context(server.running()).url

        elsewhere = Echo(mode="401")
        at(elsewhere)
        echoes = {f"{kind}.{mode}": Echo(mode=mode, elsewhere=elsewhere.url) for kind in KINDS for mode in MODES}
        tables = [source(name, *_of(name, at(server))) for name, server in echoes.items()]
        private = {f"feed.{mode}": Echo(mode=mode, elsewhere=elsewhere.url) for mode in MODES}
        environment = dict(ENVIRONMENT)
        for name, server in private.items():
            variable = "SAMPLE_" + name.replace(".", "_").upper()
            environment[variable] = f"{at(server)}/r/SampleNews/new/.rss?feed={reddit.FEED}&user=sample"
            tables.append(source(name, "reddit", server.url, 'options = { via = "feed" }', f'secrets = {{ feed = "{variable}" }}'))
        bot, subreddit, stream = telegram.Telegram(), reddit.Reddit(), x.X()
        bot.post(1, "bulletin")
        subreddit.post(1, "bulletin")
        stream.tell(x.a_post(1, "bulletin"))
        good = {"bot.well": bot, "mastodon.well": mastodon.Mastodon(posted=[mastodon.a_status(1)]), "reddit.well": subreddit, "x.well": stream}
        tables += [source(name, *_of(name, at(server))) for name, server in good.items()]
        commands = Commands(tmp_path, environment)
        commands.sources(*tables)
        echoes |= private
        yield Scene(commands, elsewhere, list(echoes.values()), [*echoes, *good])


def _of(name: str, url: str) -> tuple[str, ...]:
    kind, *lines = KINDS[name.partition(".")[0]]
    return (kind, url, *lines)


def stored(out: Path) -> Iterator[str]:
    """All that stands in a folder of --out, inflated and decoded."""
    for file in sorted(out.rglob("*")):
        if file.suffix == ".avro":
            kind: type[RawItem] | type[DeadLetter] = RawItem if "items" in file.parts else DeadLetter
            for record in read_container(file, kind):
                yield repr(record)
                if isinstance(record, RawItem):
                    yield zlib.decompress(record.original).decode(errors="replace")
        elif file.is_file():
            yield file.read_bytes().decode("latin-1")


def found_in(texts: dict[str, str]) -> list[tuple[str, str, str]]:
    """Where a secret is seen, which one, and what stands around it."""
    hits = []
    for where, text in texts.items():
        folded = text.lower()
        for one in sorted(SPELLED):
            if (at := folded.find(one.lower())) >= 0:
                hits.append((where, one, text[max(0, at - 80) : at + 120]))
    return hits


def test_what_is_looked_for_is_found_where_it_stands() -> None:
    assert {one for _, one, _ in found_in({"a": f"x{quote(PARAMETER, safe='').lower()}x"})} == {quote(PARAMETER, safe="")}


def test_nothing_planted_is_seen(scene: Scene) -> None:
    commands = scene.commands
    seen: dict[str, str] = {}

    ended = commands.once("--log-format", "text")
    assert ended.returncode == 3, ended.stderr
    seen |= {"once, printed": ended.stdout, "once, logged": ended.stderr, "once, stored": "\n".join(stored(commands.out))}
    assert {"forbidden", "server_error", "refused_address", "ok", "unreadable"} <= set(ended.stdout.split())
    assert sum("bulletin" in text for text in stored(commands.out)) >= 3

    commands.out.rename(commands.folder / "first")
    with commands.collecting("--log-format", "json", program=DEBUG) as running:
        running.until(lambda: all(name in states(commands.out) for name in scene.names) if (commands.out / ".cursors.sqlite").exists() else False)
        pages = "\n".join(running.page(path) for path in ("/metrics", "/healthz", "/readyz"))
        assert running.stop() == 0
        assert '"level": "DEBUG"' in running.said
        seen |= {"monitor": pages, "followed, logged": running.said, "followed, stored": "\n".join(stored(commands.out))}
    assert any(name.startswith(HOST) for name in states(commands.out))

    for options in ([], ["--json"]):
        told = commands.dijla("sources", "--sources", commands.file, "--out", str(commands.out), *options)
        assert told.returncode == 0, told.stderr
        seen[f"sources {options}"] = told.stdout + told.stderr

    checks = f"{DEBUG}import pipeline.cli\nfor name in {scene.names!r}:\n  for more in [[], ['--json']] if name.endswith('moved') else [[]]:\n"
    checks += f"    pipeline.cli.main(['check', name, '--sources', {commands.file!r}, *more], standalone_mode=False)\nraise SystemExit\n"
    checked = commands.dijla(program=checks)
    assert checked.returncode == 0, checked.stderr
    assert "would be sent" in checked.stdout
    assert "x-echo: " in checked.stdout
    seen["check"] = checked.stdout + checked.stderr

    assert found_in(seen) == []
    assert all(server.asked for server in scene.echoes), "a server that was not asked says nothing"
    assert not scene.elsewhere.asked, "a redirect to another port of a private address is not followed"
