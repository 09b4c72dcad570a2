"""Nothing secret in what a fetch says, whatever goes wrong."""

from __future__ import annotations

import asyncio
import logging
import traceback
from urllib.parse import quote

import pytest

from connectors._connector import Request, TokenRequest
from connectors._failure import FetchFailed, cleared, shown, without
from connectors._http import Http
from tests.connectors.fetching import a_source, fetched, http, saying
from tests.connectors.servers.hostile import Heard, Hostile, response

TOKEN = "110201:AAH+s3cr/et"
PLANTED = ("s3cr", "p4ssw0rd", "h3ader", "cl1ent", "b34rer")


def evil(heard: Heard) -> list[bytes | float]:
    """Says back what it was told."""
    mode = heard.target.rpartition("mode=")[2]
    echo = heard.target.encode()
    answers: dict[str, list[bytes | float]] = {
        "ok": [response(200, b"<rss/>", X_Echo=heard.target)],
        "moved": [response(301, Location=heard.target.replace("moved", "ok"))],
        "loop": [response(301, Location=heard.target)],
        "ftp": [response(301, Location="ftp://x/" + heard.target)],
        "away": [response(302, Location="http://127.0.0.9:1" + heard.target)],
        "404": [response(404, echo, X_Echo=heard.target, Set_Cookie="a=" + heard.headers.get("authorization", "-"))],
        "empty": [response(200, b"")],
        "gzip": [response(200, b"\x1f\x8b" + echo, Content_Encoding="gzip")],
        "line": [b"HTTP/9 " + echo + b"\r\n\r\n"],
        "cut": [b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n" + echo[:5]],
        "slow": [5.0],
        "closed": [],
    }
    return answers[mode]


@pytest.mark.parametrize("mode", ["ok", "moved", "loop", "ftp", "away", "404", "empty", "gzip", "line", "cut", "slow", "closed", "own"])
def test_nothing_planted_is_seen(mode: str, caplog: pytest.LogCaptureFixture) -> None:
    async def run() -> str:
        server = Hostile(evil)
        async with server.serving(), http() as client:
            base = f"http://user:p4ssw0rd@127.0.0.1:{server.port}"
            headers = {"authorization": "Bearer h3ader"} | ({"x-own": "h3ader\r\n"} if mode == "own" else {})
            asked = Request(f"{base}/bot{TOKEN}/feed?key={quote(TOKEN, safe='')}&mode={mode}", headers, secret_parts=(TOKEN, "h3ader"))
            try:
                return repr(await client.fetch(asked, a_source(base), {}, deadline=0.5))
            except FetchFailed as failure:
                logging.getLogger("dijla").exception("source: %s", failure)
                return "".join([str(failure), repr(failure), repr(vars(failure)), *traceback.format_exception(failure)])

    with caplog.at_level(logging.DEBUG):
        seen = asyncio.run(run()) + caplog.text
    assert "127.0.0." in seen
    assert [secret for secret in PLANTED if secret in seen] == []


def test_a_moved_address_with_a_secret_in_it_is_no_place_to_remember() -> None:
    server = Hostile(evil)
    assert fetched(server, "/a?mode=moved").moved_to == f"{server.url}/a?mode=ok"
    assert fetched(server, "/a?key=s3cr&mode=moved", secret_parts=("s3cr",)).moved_to is None


def test_a_token_server_that_says_back_what_it_was_told(caplog: pytest.LogCaptureFixture) -> None:
    async def run(client: Http, server: Hostile) -> str:
        wanted = TokenRequest(f"{server.url}/token?k=cl1ent", "us", "cl1ent")
        with pytest.raises(FetchFailed) as caught:
            await client.fetch(Request(server.url, token=wanted), a_source(server.url), {})
        return str(caught.value) + repr(vars(caught.value))

    async def both() -> str:
        refusing = Hostile(lambda heard: [response(400, heard.target.encode(), X_Echo=heard.headers["authorization"])])
        answering = saying(response(200, b'{"token": "cl1ent"}'))
        async with refusing.serving(), answering.serving(), http() as client:
            return await run(client, refusing) + await run(client, answering)

    with caplog.at_level(logging.DEBUG):
        seen = asyncio.run(both()) + caplog.text
    assert "cl1ent" not in seen
    assert "dXM6Y2wxZW50" not in seen


def test_how_urls_are_shown() -> None:
    assert shown("https://user:p@ss@sample.example/a@b?c=d@e") == "https://sample.example/a@b?c=d@e"
    assert shown("https://sample.example/bot1:a%2Fb?k=1%3aA%2fB", ("1:a/b",)) == "https://sample.example/bot***?k=***"
    assert shown("https://sample.example/?k=%D8%A3+b&k=%d8%a3%20B", ("أ b",)) == "https://sample.example/?k=***&k=***"
    assert shown("https://sample.example/a?page=2&X-Amz-Signature=s3cr&access_token=a;key=#part") == (
        "https://sample.example/a?page=2&X-Amz-Signature=***&access_token=***;key=#part"
    )
    assert without("1 12 2", ("", "1", "12")) == "*** *** 2"


def test_a_body_that_says_a_secret_back_is_cleared_of_it() -> None:
    secrets = ("planted/\u0623=", "word")
    body = "a word, planted/\u0623=, PLANTED%2f%d8%a3%3D, planted\\/\u0623= and plante".encode() + b"\xff\0"

    assert cleared(body, secrets) == b"a word, ***, ***, *** and plante\xff\0"
    assert cleared(body, ()) is body


def test_what_a_source_says_back_reaches_no_parser(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAMPLE_KEY", "Bearer planted-key")
    server = Hostile(lambda heard: [response(200, f"<rss>{heard.headers['x-key'].removeprefix('Bearer ')} {heard.target}</rss>".encode())])

    assert fetched(server, "/a", source={"secrets": {"header.X-Key": "SAMPLE_KEY", "query.k": "SAMPLE_KEY"}}).body == b"<rss>*** /a?k=***</rss>"
