"""Feeds as nobody should publish them: every format, whole and damaged in every way that has been met, and what was made to hurt a parser."""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Callable, Iterator
from typing import NamedTuple

ENTRIES = 3
TITLES = ("Explosion heard in Baghdad", "انفجار في بغداد", "Réunion à Bagdad")


class Hostile(NamedTuple):
    """A body, and how many of its entries must come out of it: None where a refusal will do as well."""

    name: str
    body: bytes
    entries: int | None = None


def corpus() -> Iterator[Hostile]:
    """All of them, the same at each call."""
    for name, body in FORMATS.items():
        yield Hostile(name, body.encode(), ENTRIES)
        yield from _encoded(name, body)
        yield from _cut(name, body)
        yield from _flipped(name, body)
    for name in ("rss-2.0", "rss-0.91", "rdf-1.0", "atom-1.0", "atom-0.3"):
        yield from _marked_up(name, FORMATS[name])
    yield from _named_like_results()
    yield from _other_things()
    yield from _bombs()


def _rss(version: str) -> str:
    items = "".join(
        f"<item><title>{title}</title><link>https://outlet.example/{n}</link><description>Text {n}</description></item>" for n, title in enumerate(TITLES)
    )
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<rss version="{version}"><channel><title>Outlet</title>{items}</channel></rss>'


def _rdf(namespace: str) -> str:
    items = "".join(
        f'<item rdf:about="https://outlet.example/{n}"><title>{title}</title><link>https://outlet.example/{n}</link></item>' for n, title in enumerate(TITLES)
    )
    rdf = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<rdf:RDF xmlns:rdf="{rdf}" xmlns="{namespace}"><channel><title>Outlet</title></channel>{items}</rdf:RDF>'


def _atom(namespace: str) -> str:
    entries = "".join(
        f'<entry><id>tag:outlet.example,2026:{n}</id><title>{title}</title><link href="https://outlet.example/{n}"/><summary>Text {n}</summary></entry>'
        for n, title in enumerate(TITLES)
    )
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<feed version="0.3" xmlns="{namespace}"><title>Outlet</title>{entries}</feed>'


def _json(version: str) -> str:
    items = [{"id": str(n), "title": title, "content_text": f"Text {n}", "url": f"https://outlet.example/{n}"} for n, title in enumerate(TITLES)]
    return json.dumps({"version": f"https://jsonfeed.org/version/{version}", "title": "Outlet", "items": items}, ensure_ascii=False)


FORMATS = {
    **{f"rss-{version}": _rss(version) for version in ("0.91", "0.92", "0.93", "0.94", "2.0", "9.9")},
    "rdf-1.0": _rdf("http://purl.org/rss/1.0/"),
    "rdf-0.9": _rdf("http://my.netscape.com/rdf/simple/0.9/"),
    "atom-0.3": _atom("http://purl.org/atom/ns#"),
    "atom-1.0": _atom("http://www.w3.org/2005/Atom"),
    "json-1.0": _json("1"),
    "json-1.1": _json("1.1"),
}


def _encoded(name: str, body: str) -> Iterator[Hostile]:
    bare = body.replace(' encoding="UTF-8"', "")
    yield Hostile(f"{name} BOM", b"\xef\xbb\xbf" + body.encode(), ENTRIES)
    yield Hostile(f"{name} cp1256 declared as UTF-8", body.encode("cp1256", "replace"), ENTRIES)
    yield Hostile(f"{name} UTF-8 declared as Latin-1", body.replace("UTF-8", "ISO-8859-1").encode(), ENTRIES)
    yield Hostile(f"{name} unknown encoding", body.replace("UTF-8", "x-nothing").encode(), ENTRIES)
    yield Hostile(f"{name} base64 encoding", body.replace("UTF-8", "base64").encode(), ENTRIES)
    for charset in ("utf-16", "utf-32"):
        yield Hostile(f"{name} {charset}", bare.encode(charset), ENTRIES)
        yield Hostile(f"{name} {charset} declared as UTF-8", body.encode(charset), ENTRIES)


def _cut(name: str, body: str) -> Iterator[Hostile]:
    data = body.encode()
    for part in range(1, 12):
        yield Hostile(f"{name} cut at {part}/12", data[: len(data) * part // 12])


def _flipped(name: str, body: str) -> Iterator[Hostile]:
    for seed in range(8):
        chance, data = random.Random(f"{name} {seed}"), bytearray(body.encode())
        for _ in range(1 + seed * 2):
            data[chance.randrange(len(data))] = chance.randrange(256)
        yield Hostile(f"{name} flipped {seed}", bytes(data))


IN_A_TITLE = {
    "NUL": "A\0B",
    "control characters": "A\x01\x08\x1fB",
    "reference to a surrogate": "A &#xD800; &#55296; B",
    "escaped reference to a surrogate": "A &amp;#xD800; &amp;#55296; B",
    "reference to NUL": "A &#0; &#x0; B",
    "reference beyond Unicode": "A &#x110000; &#99999999999; B",
    "unknown entity": "A &nothing; B",
    "HTML entity": "A &nbsp; &eacute; B",
    "bare ampersand": "A & B && C",
    "unclosed tag": "A <b>B",
    "crossed tags": "A <b><i>B</b></i>",
    "unquoted attribute": "A <a href=x y>B</a>",
    "undeclared namespace": "A <zz:y>B</zz:y>",
    "processing instruction": "A <?php echo 1 ?> B",
    "noncharacters": "A \ufffe\uffff B",
    "right-to-left marks": "\u202eA\u202c \u200f\u061c B",
    "CDATA in CDATA": "<![CDATA[A <![CDATA[ B ]]> ]]>",
    "end of CDATA alone": "A ]]> B",
    "comment with dashes": "A <!-- -- --> B",
    "feed in CDATA": "<![CDATA[A </item></channel></rss> B]]>",
    "base64 claimed": '<x mode="base64" type="application/octet-stream">%%%</x>',
}


def _marked_up(name: str, body: str) -> Iterator[Hostile]:
    for what, text in IN_A_TITLE.items():
        yield Hostile(f"{name} {what}", body.replace(TITLES[0], text).encode(), ENTRIES)
    yield Hostile(
        f"{name} warning before", b"<br />\n<b>Warning</b>: Cannot modify header in <b>/srv/feed.php</b> on line <b>3</b><br />\n" + body.encode(), ENTRIES
    )
    yield Hostile(f"{name} blank lines before", b"\r\n\r\n  " + body.encode(), ENTRIES)
    yield Hostile(f"{name} script behind", body.encode() + b"<script>track()</script>", ENTRIES)
    yield Hostile(f"{name} twice", body.encode() * 2)
    yield Hostile(f"{name} no namespace", body.replace("xmlns", "data-was").encode())
    yield Hostile(f"{name} in upper case", body.upper().encode())
    yield Hostile(f"{name} comment before", b"<!-- <html> -->" + body.partition("\n")[2].encode(), ENTRIES)
    yield Hostile(f"{name} entities declared", body.replace("\n", '<!DOCTYPE a [<!ENTITY b "c">]>', 1).encode())
    yield Hostile(f"{name} external DTD", body.replace("\n", '<!DOCTYPE a SYSTEM "http://127.0.0.1:9/a.dtd">', 1).encode(), ENTRIES)


def _named_like_results() -> Iterator[Hostile]:
    """Elements called as the parser's own results are."""
    names = (
        "title_detail",
        "summary_detail",
        "content",
        "links",
        "tags",
        "authors",
        "author_detail",
        "id",
        "guidislink",
        "source",
        "published",
        "published_parsed",
    )
    names += (
        "updated",
        "updated_parsed",
        "language",
        "value",
        "type",
        "entries",
        "feed",
        "version",
        "enclosures",
        "href",
        "media_content",
        "where",
        "publisher",
    )
    for name in names:
        for how, element in (
            ("with text", f"<{name}>x</{name}>"),
            ("with an attribute", f'<{name} a="b"/>'),
            ("in an element", f"<{name}><{name}>x</{name}></{name}>"),
        ):
            yield Hostile(f"{name} {how}", FORMATS["rss-2.0"].replace("<title>", f"{element}<title>").encode())


def _other_things() -> Iterator[Hostile]:
    page = b"<!DOCTYPE html><html><head><title>Just a moment...</title></head><body>Checking your browser</body></html>"
    yield from (Hostile(f"empty {n}", body) for n, body in enumerate((b"", b" \r\n", b"\0", b"\xef\xbb\xbf", b"\xff\xfe")))
    yield Hostile("page", page)
    yield Hostile("page that names a feed", page.replace(b"</head>", b'<link rel="alternate" type="application/rss+xml"/></head>') + b"<rss><item/></rss>")
    yield Hostile("page without a head", b"<body><p>Gone</p></body>")
    yield Hostile("plain text", b"Service unavailable")
    yield Hostile("a path", b"/etc/passwd")
    yield Hostile("an address", b"http://127.0.0.1:9/feed")
    yield Hostile("gzip", gzip.compress(FORMATS["rss-2.0"].encode()))
    yield Hostile("image", b"\x89PNG\r\n\x1a\n" + bytes(range(256)))
    yield Hostile("other XML", b"<urlset><url><loc>https://outlet.example/</loc></url></urlset>")
    yield Hostile("SOAP fault", b"<soap:Envelope><soap:Body><soap:Fault/></soap:Body></soap:Envelope>")
    for n, value in enumerate(
        ("{", "[]", "[1,2]", "{}", '{"items": {}}', '{"items": null}', '{"items": [1, null, [], {"id": 5}]}', "[" * 100_000, '{"items": [NaN, 1e999]}')
    ):
        yield Hostile(f"JSON {n}", value.encode())
    yield Hostile("JSON surrogates", b'{"items": [{"id": "\\ud800", "title": "\\udfff", "content_text": "x"}]}', 1)
    yield from (Hostile(f"random {seed}", random.Random(seed).randbytes(3_000)) for seed in range(10))


def _bombs() -> Iterator[Hostile]:
    feed: Callable[[str], bytes] = lambda inside: f'<rss version="2.0"><channel><title>Outlet</title>{inside}</channel></rss>'.encode()  # noqa: E731
    item = "<item><title>A</title></item>"
    attributes = " ".join(f'a{n}="x"' for n in range(100_000))
    laughs = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
    yield Hostile("billion laughs", f'<!DOCTYPE r [<!ENTITY l0 "lol">{laughs}]>'.encode() + feed("<item><title>&l9;</title></item>"))
    yield Hostile("external entity", b'<!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/passwd">]>' + feed("<item><title>&x;</title></item>"))
    yield Hostile("parameter entity", b'<!DOCTYPE r [<!ENTITY % x SYSTEM "http://127.0.0.1:9/"> %x;]>' + feed(item))
    yield Hostile("hidden entities", b'<!DOCTYPE r [<!-- ]><rss> --><!ENTITY x "y">]>' + feed("<item><title>&x;</title></item>"))
    yield Hostile("100,000 attributes", feed(f"<item {attributes}><title>A</title></item>"))
    yield Hostile("100,000 attributes, not well-formed", feed(f"<item {attributes}><title>A & B</title></item>"))
    yield Hostile("comments opened before", b"<!--" * 100_000 + feed(item))
    yield Hostile("comments opened inside", feed(item + "<!--" * 100_000))
    yield Hostile("comments behind the end", feed(item) + b"<!---->" * 400 + b"x", 1)
    yield Hostile("declarations opened", feed(item + "<!" * 200_000))
    yield Hostile("CDATA opened", feed(item + "<![CDATA[" * 50_000))
    yield Hostile("tags opened", feed(item + "<" * 400_000))
    yield Hostile("a tag that does not end", feed(item + "<item><title>B</title><" + "a" * 400_000)[:-20])
    yield Hostile("ampersands", feed(f"<item><title>{'&' * 400_000}</title></item>"))
    yield Hostile("deep nesting", feed(item + "<b>" * 100_000))
    yield Hostile("deep items", feed("<item>" * 20_000))
    yield Hostile("deep nesting, cut short", feed("<item><title>A</title>" + "<b>" * 50_000 + "</b><c>" * 20_000)[:-20])
    yield Hostile("large page", b"<html><body>" + b"<p>text</p>" * 1_000_000)
    yield Hostile("large page without a root", b"<p>text</p>" * 1_000_000)
    yield Hostile("large title", feed(f"<item><title>{'x' * 5_000_000}</title></item>"), 1)
    yield Hostile("many distinct references", feed(f"<item><title>{''.join(f'&#{1_200_000 + n};' for n in range(50_000))}</title></item>"), 1)
    yield Hostile("many entries", feed("".join(f"<item><guid>{n}</guid><title>{n}</title></item>" for n in range(5_000))), 5_000)
    yield Hostile("very many entries", feed(item * 200_000))
    yield Hostile("deep JSON", b'{"items": [' + b'{"a":' * 100_000)
