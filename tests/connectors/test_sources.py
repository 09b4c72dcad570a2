"""The sources file: what it may hold, every error of it at once, and the list that is shipped."""

from __future__ import annotations

import pickle
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from connectors._connector import StreamConnector, connector
from connectors._sources import Source, source_of
from connectors._sources_file import load, unusable
from schemas.errors import UsageError

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
EXAMPLE = Path(__file__).parents[2] / "deploy" / "sources.example.toml"


def a_source(*lines: str) -> str:
    return "\n".join(("[[sources]]", 'id = "sample.outlet-a"', 'type = "rss"', 'url = "https://outlet-a.example/feed"', *lines, ""))


def loaded(folder: Path, text: str) -> list[Source]:
    (folder / "sources.toml").write_text(text, encoding="utf-8")
    return load(folder / "sources.toml")


def refused(folder: Path, text: str) -> list[str]:
    """The lines of the message behind the first."""
    with pytest.raises(UsageError) as error:
        loaded(folder, text)
    assert "sources.toml" in str(error.value)
    return [line.strip() for line in str(error.value).splitlines()[1:]]


def test_a_source_says_all_that_its_items_have_in_common(tmp_path: Path) -> None:
    (source,) = loaded(
        tmp_path,
        a_source(
            'publisher = "outlet-a"', 'reliability = "B"', 'language = "ckb"', 'time_zone = "Asia/Baghdad"', 'country = "IQ"', 'interval = "PT2M"',
            'headers = { accept-language = "ckb" }', 'secrets = { token = "SAMPLE_TOKEN" }', "allow_private = true", "full_text = true", "verified = false",
            'options = { via = "bot" }',
        ).replace('"rss"', '"telegram"'),
    )  # fmt: skip

    origin = source.origin(NOW)
    assert (origin.source_id, origin.source_type, origin.publisher) == ("sample.outlet-a", "telegram", "outlet-a")
    assert (origin.source_reliability, origin.time_zone, origin.read_at, origin.url) == ("B", "Asia/Baghdad", NOW, None)
    assert (source.interval, source.country, source.language) == (timedelta(minutes=2), "IQ", "ckb")
    assert (dict(source.headers), dict(source.options)) == ({"accept-language": "ckb"}, {"via": "bot"})
    assert (source.allow_private, source.full_text, source.verified) == (True, True, False)


def test_what_is_not_said_claims_nothing(tmp_path: Path) -> None:
    (source,) = loaded(tmp_path, a_source())

    assert (source.reliability, source.publisher, source.language, source.time_zone) == ("F", None, None, None)
    assert (source.interval, source.allow_private, source.full_text) == (timedelta(minutes=5), False, False)
    assert pickle.loads(pickle.dumps(source)) == source


def test_every_error_of_every_source_is_told_at_once(tmp_path: Path) -> None:
    wrong = a_source('reliability = "G"', 'country = "Iraq"').replace("outlet-a", "outlet-b")
    nameless = '[[sources]]\nurl = "ftp://outlet.example/"\n'
    lines = refused(tmp_path, wrong + a_source() + a_source('time_zone = "Mars/Base"') + nameless)

    assert [line.split(":")[:2] for line in lines] == [
        ["sample.outlet-b", " reliability"],
        ["sample.outlet-b", " country"],
        ["sample.outlet-a", " time_zone"],
        ["number 4", " id"],
        ["number 4", " type"],
        ["number 4", " url"],
        ["sample.outlet-a", " 2 sources have this id"],
    ]


def test_a_misspelt_file_is_told_with_the_errors_of_its_tables(tmp_path: Path) -> None:
    misspelt = '[[source]]\nid = "Outlet B"\ntype = "rsss"\nintervall = 9\n'
    lines = refused(tmp_path, "defaults = 1\n" + a_source('country = "Iraq"') + misspelt)

    assert [line for line in lines if "country" not in line] == [
        "defaults: unknown; the file holds [[sources]] tables alone",
        "[[source]]: unknown; did you mean [[sources]]?",
        "Outlet B: id: is no id: up to 100 of a-z 0-9 . _ -, a letter or digit first, as outlet-a.news",
        "Outlet B: intervall: unknown field; did you mean interval?",
        "Outlet B: type: there is no connector 'rsss': neither connectors/rsss.py nor an entry point of the group dijla.connectors",
    ]
    assert len(lines) == 6
    assert refused(tmp_path, misspelt)[0] == "[[source]]: unknown; did you mean [[sources]]?"


@pytest.mark.parametrize(
    ("line", "where"),
    [
        ('nmae = "Outlet A"', "nmae"),
        ('interval = "5m"', "interval"),
        ("interval = 9", "interval"),
        ("interval = inf", "interval"),
        ('interval = "P32D"', "interval"),
        ('language = "Arabic"', "language"),
        ('language = "ar_IQ"', "language"),
        ('time_zone = "+03:00"', "time_zone"),
        ('time_zone = "Asia"', "time_zone"),
        ('time_zone = "../../etc/passwd"', "time_zone"),
        ('country = "iq"', "country"),
        ('allow_private = "perhaps"', "allow_private"),
        ('reliability = ""', "reliability"),
        ('secrets = { token = "1234:AAE-bot" }', "secrets.token"),
        ('secrets = { token = "" }', "secrets.token"),
        ("headers = { x-page = 3 }", "headers.x-page"),
        ('headers = { Authorization = "Bearer s3cret" }', "headers.Authorization"),
        ('headers = { cookie = "s3cret" }', "headers.cookie"),
        ('headers = { X-Api-Key = "s3cret" }', "headers.X-Api-Key"),
        ('headers = { X-Auth-Token = "s3cret" }', "headers.X-Auth-Token"),
    ],
)
def test_each_field_has_its_rule(line: str, where: str, tmp_path: Path) -> None:
    (told,) = refused(tmp_path, a_source(line))

    assert told.startswith(f"sample.outlet-a: {where}: ")


def test_what_only_a_connector_sees_is_told_with_the_rest(tmp_path: Path) -> None:
    lines = refused(
        tmp_path,
        a_source("options = { depth = 3, width = 2 }", 'secrets = { token = "SAMPLE_TOKEN" }')
        + a_source('country = "Iraq"').replace("outlet-a", "outlet-b")
        + a_source().replace("outlet-a", "outlet-c").replace('"rss"', '"rsss"')
        + '[[sources]]\nid = "sample.x"\ntype = "x"\noptions = { backfill_minutes = 9 }\n'
        + '[[sources]]\nid = "sample.m"\ntype = "mastodon"\nurl = "https://social.example"\noptions = { timeline = "hashtag" }\n'
        + '[[sources]]\nid = "sample.bot"\ntype = "telegram"\noptions = { via = "bot" }\n',
    )

    assert [line.split(":")[:2] for line in lines] == [
        ["sample.outlet-a", " options.depth"],
        ["sample.outlet-b", " country"],
        ["sample.outlet-c", " type"],
        ["sample.x", " options.backfill_minutes is 9; X can repeat 1 to 5 minutes, and only for some of its plans"],
        ["sample.m", " options.timeline = 'hashtag' needs options.hashtag"],
        ["sample.bot", " its connector needs a secret"],
    ]
    assert all(name in lines[0] for name in ("options.depth", "options.width", "secrets.token"))


def test_a_secret_that_is_not_set_is_no_error_of_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bot = '[[sources]]\nid = "sample.bot"\ntype = "telegram"\noptions = { via = "bot" }\nsecrets = { token = "SAMPLE_TOKEN", "header.X-Key" = "SAMPLE_KEY" }\n'
    (source,) = loaded(tmp_path, bot)
    assert unusable(source) == (
        "the environment has no SAMPLE_TOKEN, which is to hold its token; the environment has no SAMPLE_KEY, which is to hold its header.X-Key"
    )

    monkeypatch.setenv("SAMPLE_KEY", "planted-key")
    monkeypatch.setenv("SAMPLE_TOKEN", "planted-token")
    assert unusable(source).startswith("its token is none of a Telegram bot")
    assert "planted" not in unusable(source)

    monkeypatch.setenv("SAMPLE_TOKEN", "123:planted-token")
    assert unusable(source) == ""


@pytest.mark.parametrize("query", ["token=s3cret", "a=1&access_token=s3cret", "key=s3cret", "apikey=s3cret", "API_KEY=s3cret", "password=s3cret", "sig=s3cret"])
def test_a_url_holds_no_secret_parameter(query: str, tmp_path: Path) -> None:
    (told,) = refused(tmp_path, a_source().replace("/feed", f"/feed?{query}"))

    assert told.startswith("sample.outlet-a: url: its parameter")
    assert "s3cret" not in told


@pytest.mark.parametrize("query", ["feed=rss2", "keyword=baghdad", "format=xml&monkey=1", "author=7"])
def test_other_parameters_are_none(query: str, tmp_path: Path) -> None:
    (source,) = loaded(tmp_path, a_source().replace("/feed", f"/feed?{query}"))

    assert source.url == f"https://outlet-a.example/feed?{query}"


@pytest.mark.parametrize("name", ["header.", "header.X Key", "query.a=b", "Token", "query."])
def test_a_secret_has_a_name_that_can_be_sent(name: str, tmp_path: Path) -> None:
    (told,) = refused(tmp_path, a_source(f'secrets = {{ "{name}" = "SAMPLE_TOKEN" }}'))

    assert told.startswith("sample.outlet-a: secrets.")


@pytest.mark.parametrize("name", ["", "Outlet", "outlet a", "-outlet", "a" * 101, "../outlet", "outlet\\n"])
def test_an_id_is_plain(name: str, tmp_path: Path) -> None:
    (told,) = refused(tmp_path, a_source().replace("sample.outlet-a", name))

    assert ": id: " in told


@pytest.mark.parametrize("url", ["", "outlet-a.example/feed", "file:///etc/passwd", "https://", "https://[::1/", "https://user:s3cret@outlet-a.example/"])
def test_a_url_is_of_the_web_and_holds_nobody(url: str, tmp_path: Path) -> None:
    (told,) = refused(tmp_path, a_source().replace("https://outlet-a.example/feed", url))

    assert told.startswith("sample.outlet-a: url: ")


def test_no_message_shows_a_secret(tmp_path: Path) -> None:
    planted = a_source('headers = { Authorization = "s3cret" }').replace("https://", "https://s3cret:s3cret@")
    wrong = a_source('secrets = { token = "s3cret", key = ["s3cret"] }').replace("https://", "s3cret://s3cret@").replace("outlet-a", "outlet-b")
    lines = refused(tmp_path, planted + wrong)

    assert len(lines) == 5
    assert "s3cret" not in "".join(lines)


@pytest.mark.parametrize("text", ["", "sources = []", 'sources = "a"', "[sources]\nid = 1"])
def test_a_file_without_sources_is_refused(text: str, tmp_path: Path) -> None:
    assert refused(tmp_path, text) == ["must hold [[sources]] tables, at least one"]


@pytest.mark.parametrize("text", ["sources = [", "\ufffe"])
def test_what_is_no_toml_is_refused(text: str, tmp_path: Path) -> None:
    assert refused(tmp_path, text) == []


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    (tmp_path / "latin").write_bytes(a_source('publisher = "é"').encode("latin-1"))
    for name in ("none.toml", "latin", "."):
        with pytest.raises(UsageError, match=r"cannot be read|is no TOML"):
            load(tmp_path / name)


def test_a_file_of_windows_is_read(tmp_path: Path) -> None:
    (tmp_path / "sources.toml").write_bytes(b"\xef\xbb\xbf" + a_source().replace("\n", "\r\n").encode())

    assert [source.id for source in load(tmp_path / "sources.toml")] == ["sample.outlet-a"]


def test_a_secret_is_what_the_environment_holds_now(monkeypatch: pytest.MonkeyPatch) -> None:
    source = source_of({"id": "sample.a", "type": "telegram", "secrets": {"token": "SAMPLE_TOKEN"}})
    monkeypatch.setenv("SAMPLE_TOKEN", "s3cret")
    assert source.secret("token") == "s3cret"
    assert "s3cret" not in repr(source)

    monkeypatch.setenv("SAMPLE_TOKEN", "")
    with pytest.raises(UsageError, match="the environment has no SAMPLE_TOKEN"):
        source.secret("token")
    with pytest.raises(UsageError, match=r"set secrets\.key"):
        source.secret("key")


def test_the_shipped_list_is_one_that_every_connector_takes() -> None:
    for source in load(EXAMPLE):
        asked = connector(source.type)
        request = asked.request(source, {})
        assert request or isinstance(asked, StreamConnector), source.id
        if isinstance(asked, StreamConnector):
            assert asked.subscribe(source, {}), source.id


def test_the_shipped_list_claims_nothing_that_nobody_has_seen() -> None:
    sources = load(EXAMPLE)

    assert not any(source.verified or source.allow_private or source.secrets for source in sources)
    assert {source.publisher for source in sources if source.reliability != "F"} == {"usgs", "emsc", "gfz"}


def test_the_shipped_list_is_for_baghdad() -> None:
    sources = load(EXAMPLE)

    assert 60 <= len(sources) <= 110
    assert {"ar", "ckb", "kmr", "en", "fr", "fa", "tr"} <= {source.language for source in sources}
    assert {"rss", "telegram", "youtube", "bluesky"} <= {source.type for source in sources}
    for country, zone in {"IQ": "Asia/Baghdad", "IR": "Asia/Tehran", "TR": "Europe/Istanbul"}.items():
        assert {source.time_zone for source in sources if source.country == country} == {zone}
    assert all(ZoneInfo(source.time_zone) for source in sources if source.time_zone)


def test_the_shipped_list_names_each_address_once_and_families_for_all_outlets() -> None:
    sources = load(EXAMPLE)

    asked = Counter((source.url, str(source.options)) for source in sources)
    assert asked.most_common(1)[0][1] == 1
    open_to_all = {source.id for source in sources if source.publisher is None}
    assert all(name.startswith(("mastodon.", "bluesky.")) for name in open_to_all)
