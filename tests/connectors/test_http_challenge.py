"""Challenge pages, and what only looks like one."""

from __future__ import annotations

import pytest

from connectors._challenge import challenger

PAGE = b"<!DOCTYPE html><html><head><title>%s</title></head><body>%s</body></html>"


@pytest.mark.parametrize(
    ("name", "status", "headers", "body"),
    [
        ("Cloudflare", 403, {"cf-mitigated": "challenge"}, b""),
        ("Cloudflare", 503, {"server": "cloudflare"}, PAGE % (b"Just a moment...", b"<script>window._cf_chl_opt={cvId:'3'};</script>")),
        ("Cloudflare", 403, {}, PAGE % (b"Attention Required! | Cloudflare", b"")),
        ("AWS WAF", 202, {"x-amzn-waf-action": "challenge"}, b""),
        ("AWS WAF", 405, {"x-amzn-waf-action": "captcha"}, b""),
        ("Vercel", 429, {"x-vercel-mitigated": "challenge"}, b""),
        ("Akamai", 200, {}, PAGE % (b"", b'<div id="sec-if-cpt-container">')),
        ("Imperva", 200, {}, PAGE % (b"", b'<iframe src="/_Incapsula_Resource?CWUDNSAI=9">Request unsuccessful. Incapsula incident ID: 1-2</iframe>')),
        ("DataDome", 403, {}, PAGE % (b"sample.example", b"<script>var dd={'host':'geo.captcha-delivery.com'}</script>")),
        ("HUMAN", 403, {}, PAGE % (b"", b'<div id="px-captcha">')),
        ("Kasada", 429, {}, b"<html><script>window.KPSDK={};KPSDK.now=0</script>"),
        ("Sucuri", 307, {}, b"\n<html><script>sucuri_cloudproxy_js='',S='a'</script>"),
        ("DDoS-Guard", 403, {}, PAGE % (b"DDoS-Guard", b"")),
        ("Anubis", 200, {}, PAGE % (b"", b'<script id="anubis_challenge" type="application/json">{}</script>')),
    ],
)
def test_challenges(name: str, status: int, headers: dict[str, str], body: bytes) -> None:
    assert challenger(status, headers, body) == name


@pytest.mark.parametrize(
    ("status", "headers", "body"),
    [
        (200, {"server": "cloudflare", "cf-ray": "1"}, b"<rss><item>_cf_chl_opt and px-captcha explained</item></rss>"),
        (200, {}, b'{"text": "captcha-delivery.com"}'),
        (200, {}, PAGE % (b"How challenges work", b"captcha-delivery.com " * 5000)),
        (200, {}, PAGE % (b"News", b"<script src=/cdn-cgi/challenge-platform/scripts/jsd/main.js></script>")),
        (403, {"server": "AkamaiGHost"}, PAGE % (b"Access Denied", b"Reference #18.1")),
        (404, {"cf-mitigated": ""}, PAGE % (b"Not found", b"")),
        (503, {}, b""),
    ],
)
def test_what_is_none(status: int, headers: dict[str, str], body: bytes) -> None:
    assert challenger(status, headers, body) is None
