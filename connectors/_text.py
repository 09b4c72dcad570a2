"""Bytes -> text, whatever the encoding; and the date that a text file may begin with."""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass

import charset_normalizer

_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_CHARSET = re.compile("utf-(8|16|32)|iso|cp|ascii|koi8|mac|big5|gb|hz|euc|shift|johab|tis|kz|ptcp")
_SEVEN_BIT = ("iso2022", "hz", "utf-16", "utf-32")
_LATIN = frozenset({"cp1252", "iso8859-1", "iso8859-15", "ascii"})
_DATE = re.compile(r"\s*date\s+(\d{4}-\d{2}(?:-\d{2})?)(?![\d-])\s*")
_HIGH_RUN = re.compile(rb"[\x80-\xff]{2,}")
_ARABIC = re.compile("[\u0620-\u065f\u066e-\u06d3]")
_ASCII, _HIGH = bytes(range(0x80)), bytes(range(0x80, 0x100))
_WESTERN = re.compile("[àâäçéèêëîïôöùûüÿñáíóúßœÀÂÄÇÉÈÊËÎÏÔÖÙÛÜÑÁÍÓÚŒ’‘“”–—…«»°€·\xa0]")
_SAMPLE = 64 * 1024


@dataclass(frozen=True, slots=True)
class Decoded:
    """Text, the encoding it was read in, and what had to be mended (charset_overruled, charset_guessed, bytes_replaced)."""

    text: str
    charset: str
    repairs: tuple[str, ...] = ()


def decode(data: bytes, declared: str | None = None) -> Decoded:
    """Text of `data`: by BOM, else as UTF-8 where it is UTF-8, else as declared, else by a guess. Never raises.

    Valid UTF-8 beyond ASCII is hardly ever anything else, so it overrules a declared one-byte encoding, which any bytes fit.
    """
    for bom, charset in _BOMS:
        if data.startswith(bom):
            return _forced(data, charset)
    codec = _codec(declared)
    if codec and codec.startswith(_SEVEN_BIT):
        return _forced(data, codec)
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        return _not_utf8(data, codec)
    return Decoded(text, "utf-8", () if codec in (None, "utf-8", "ascii") or data.isascii() else ("charset_overruled",))


def split_date(text: str) -> tuple[str | None, str]:
    """The date (YYYY-MM or YYYY-MM-DD, as written) of a leading `date ...`, and the text behind it."""
    match = _DATE.match(text)
    return (match[1], text[match.end() :]) if match else (None, text)


def _codec(declared: str | None) -> str | None:
    try:
        name = codecs.lookup(declared.strip()).name if declared else ""
    except (LookupError, ValueError):
        return None
    # Python also has codecs that are no text encodings, or raise, or give lone surrogates: base64, idna, utf-7.
    if not _CHARSET.match(name):
        return None
    # Pages that say Latin-1 mean its superset: https://encoding.spec.whatwg.org/#names-and-labels
    return "cp1252" if name == "iso8859-1" else name


def _forced(data: bytes, charset: str) -> Decoded:
    name = charset.removesuffix("-sig").replace("cp125", "windows-125")
    try:
        return Decoded(data.decode(charset), name)
    except (UnicodeDecodeError, LookupError):
        return Decoded(data.decode(charset, "replace"), name, ("bytes_replaced",))


def _not_utf8(data: bytes, codec: str | None) -> Decoded:
    damaged = data.decode("utf-8", "replace")
    bad = damaged.count("\ufffd")
    good = len(damaged) - bad - len(data.translate(None, _HIGH))
    if codec in (None, "utf-8") and good >= 10 * bad:
        return Decoded(damaged, "utf-8", ("bytes_replaced",))
    if codec in (None, "utf-8") or (codec in _LATIN and _is_arabic(data)):
        return _guess(data)
    return _forced(data, codec or "utf-8")


def _is_arabic(data: bytes) -> bool:
    """Whether the bytes read as windows-1256 make Arabic words; other alphabets give a mix of Arabic and French letters there."""
    runs = b"".join(_HIGH_RUN.findall(data[:_SAMPLE])).decode("cp1256", "replace")
    high = len(data[:_SAMPLE]) - len(data[:_SAMPLE].translate(None, _HIGH))
    return len(_ARABIC.findall(runs)) > 0.8 * high


def _is_western(data: bytes) -> bool:
    high = data[:_SAMPLE].translate(None, _ASCII).decode("cp1252", "replace")
    return len(_WESTERN.findall(high)) > 0.9 * len(high)


def _guess(data: bytes) -> Decoded:
    if _is_arabic(data):
        charset = "cp1256"
    elif _is_western(data):
        charset = "cp1252"
    else:
        best = charset_normalizer.from_bytes(data[:_SAMPLE]).best()
        charset = best.encoding if best else "cp1252"
    decoded = _forced(data, charset)
    return Decoded(decoded.text, decoded.charset, ("charset_guessed", *decoded.repairs))
