"""Pages that ask for a browser or a human instead of giving what was asked for, told by the headers and bodies of the services that send them.

Documented: https://developers.cloudflare.com/cloudflare-challenges/challenge-types/challenge-pages/detect-response/,
https://docs.aws.amazon.com/waf/latest/developerguide/waf-captcha-and-challenge-how-it-works.html; the others as they are seen to answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

SIZE = 64 * 1024
"""Bytes of a body that are looked at."""
_SHORT = 24 * 1024
_HTML = (b"<!doctype html", b"<html", b"<head", b"<script", b"<title", b"<meta", b"<noscript", b"<body")


class _Service(NamedTuple):
    name: str
    headers: tuple[tuple[str, str], ...] = ()
    """Name and what the value begins with; one of them is enough."""
    marks: tuple[bytes, ...] = ()
    """Texts of the challenge itself, in lower case; what these services put into ordinary pages too is no mark."""


_SERVICES = (
    _Service("Cloudflare", (("cf-mitigated", "challenge"),), (b"_cf_chl_opt", b"cf-browser-verification", b"<title>attention required! | cloudflare")),
    _Service("AWS WAF", (("x-amzn-waf-action", "challenge"), ("x-amzn-waf-action", "captcha")), (b"awswafintegration", b"gokuprops")),
    _Service("Vercel", (("x-vercel-mitigated", "challenge"),), (b"<title>vercel security checkpoint",)),
    _Service("Akamai", (), (b"sec-if-cpt-container", b"/_sec/cp_challenge/")),
    _Service("Imperva", (), (b"_incapsula_resource", b"incapsula incident id")),
    _Service("DataDome", (), (b"captcha-delivery.com",)),
    _Service("HUMAN", (), (b"px-captcha",)),
    _Service("Kasada", (), (b"kpsdk.",)),
    _Service("Sucuri", (), (b"sucuri_cloudproxy_js",)),
    _Service("DDoS-Guard", (), (b"/.well-known/ddos-guard/", b"<title>ddos-guard")),
    _Service("Anubis", (), (b"anubis_challenge", b"/.within.website/x/cmd/anubis/")),
)


def challenger(status: int, headers: Mapping[str, str], body: bytes) -> str | None:
    """The service that challenges instead of answering; None where this is no challenge. Header names are in lower case.

    A mark in the body counts in a web page only, and in a successful one only where it is short: articles write about such pages.
    """
    page = body[:SIZE].lower()
    is_suspect = (status >= 400 or len(body) < _SHORT) and page.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(_HTML)
    for service in _SERVICES:
        if any(headers.get(name, "").lower().startswith(value) for name, value in service.headers):
            return service.name
        if is_suspect and any(mark in page for mark in service.marks):
            return service.name
    return None
