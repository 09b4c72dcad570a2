"""Publication dates as sources write them, read by our own rules: zones that mean what the source means, nothing invented."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from functools import cache, lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pipeline.datafiles import read_family
from pipeline.folding import fold

EARLIEST, LATEST = 1990, 2100
"""Years in between are believed; others are Hijri years or mistakes."""

_LONGEST = 120
_ARABIA = timezone(timedelta(hours=3))
_OFFSETS = {
    "z": 0, "ut": 0, "utc": 0, "gmt": 0, "wet": 0, "bst": 1, "west": 1, "cet": 1, "mez": 1, "cest": 2, "mesz": 2, "eet": 2, "sast": 2,
    "eest": 3,
    "msk": 3, "trt": 3, "irst": 3.5, "gst": 4, "irdt": 4.5, "aft": 4.5, "pkt": 5, "ist": 5.5, "est": -5, "edt": -4, "cst": -6, "cdt": -5,
    "mst": -7, "mdt": -6, "pst": -8, "pdt": -7,
}  # fmt: skip
_EPOCH = re.compile(r"(\d{9,10})(?:\.\d*)?|(\d{12,13})|(\d{15,16})")
_TIME = re.compile(r"(?<![\d:])(\d{1,2})(?::(\d{2})(?::(\d{2})(?:[.,]\d+)?)?|h(\d{2})?(?=\s|$))\s*(am|pm|a\.m\.|p\.m\.|ص|م)?(?![\d:])")
_ISO = re.compile(r"(\d{4})(?:[-/.](\d{1,2})(?:[-/.](\d{1,2}))?)?(?!\d)")
_COMPACT = re.compile(r"(\d{4})(\d{2})(\d{2})(?:t?(\d{2})(\d{2})(\d{2})?(?:[.,]\d+)?)?(?=z|[+-]|\s|$)")
_DAY_FIRST = re.compile(r"(\d{1,2})[-/.](\d{1,2})[-/.](\d{4})")
_ISO_OTHER = re.compile(r"\d{4}-?w\d{2}(?:-?\d)?|\d{4}-\d{3}(?!\d)")
_ZONE = re.compile(r"(?:\b(?:utc|gmt))?\s?([+-])(\d{1,2})(?::?(\d{2}))?\)?\s*(?:\d{4})?$")
_ZONE_NAME = re.compile(r"\b([a-z]{1,5})\)?\.?\s*(?:\d{4})?$")
_IANA = re.compile(r"\b[A-Z][A-Za-z]+/[A-Z][A-Za-z_]+\b")
_DAY = re.compile(r"(?<![\d:])(\d{1,2})(?:st|nd|rd|th|er)?(?![\d:])")
_YEAR = re.compile(r"(?<![\d+])(?:1[3-9]|2[01])\d\d(?!\d)")
_SHORT_YEAR = re.compile(r"(?<![\d:])\d{2}(?![\d:])")


@dataclass(frozen=True, slots=True)
class Published:
    """When an item says it was published.

    `time` UTC, the start of the period where `precision` (second minute day month year unknown) is coarser; None: unknown.
    `repair`: zone_assumed, clamped_to_first_seen or unreadable.
    """

    time: datetime | None = None
    precision: str = "unknown"
    repair: str | None = None


def parse_published(raw: str, *, time_zone: str | None, first_seen: datetime | None) -> Published:
    """Reads a raw publication date; never raises.

    A date without a zone, or with one we do not know, is in the source's `time_zone` (an IANA name), else in UTC,
    which is a repair. One that
    lies after `first_seen` is clamped to it. A year before 1990 (a Hijri one, an empty clock) is unreadable.
    """
    if not raw.strip():
        return Published()
    try:
        read = _read(raw[:_LONGEST], _zone_named(time_zone))
    except (ValueError, OverflowError):
        return Published(repair="unreadable")
    if read.time is not None and first_seen is not None and read.time > first_seen:
        return replace(read, time=first_seen, repair="clamped_to_first_seen")
    return read


@lru_cache(maxsize=1024)  # one item's date is asked for when it is sorted, placed in time and normalised
def _read(raw: str, home: tzinfo | None) -> Published:
    text = fold(raw).text.strip().strip('"')
    if epoch := _EPOCH.fullmatch(text):
        return _believed(_from_epoch(epoch), "second", None)
    if compact := _COMPACT.match(text):
        day, clock, rest = _day(*compact.group(1, 2, 3)), compact.group(4, 5, 6), text[compact.end() :]
    else:
        day, rest = _calendar_day(text)
        clock, rest = _clock(rest)
    year, month, first = day[:3]
    hours, minutes, seconds = (int(part or 0) for part in clock)
    naive = datetime(year, month, first, hours, minutes, seconds)
    precision = day[3] if clock[0] is None else "minute" if clock[2] is None else "second"
    zone, sure = _zone(raw, rest, home)
    time = naive.replace(tzinfo=zone).astimezone(UTC)
    return _believed(time, precision, None if sure or clock[0] is None else "zone_assumed")


_Day = tuple[int, int, int, str]
"""Year, month, day, and the precision that was stated."""


def _calendar_day(text: str) -> tuple[_Day, str]:
    """The day that a text states, and the text without it. Raises ValueError."""
    if other := _ISO_OTHER.match(text):
        stated = datetime.strptime(other[0], "%Y-%j").date() if "w" not in other[0] else date.fromisoformat(other[0].upper())
        return (stated.year, stated.month, stated.day, "day"), text[other.end() :].lstrip("t")
    if iso := _ISO.match(text):
        return _day(*iso.groups()), text[iso.end() :].lstrip("t")
    if numeric := _DAY_FIRST.search(text):
        first, second, year = numeric.groups()
        day, month = (second, first) if int(second) > 12 else (first, second)
        return _day(year, month, day), text[: numeric.start()] + text[numeric.end() :]
    return _named_day(text)


def _day(year: str, month: str | None, day: str | None) -> _Day:
    precision = "day" if day else "month" if month else "year"
    return int(year), int(month or 1), int(day or 1), precision


def _named_day(text: str) -> tuple[_Day, str]:
    """As in "Sun, 20 Dec 2020 17:30:00 +0300", "20 décembre 2020 à 21h30", "December 20, 2020"."""
    month, start, end = _month(text)
    before, after = text[:start], text[end:]
    year = _YEAR.search(after) or _YEAR.search(before)
    stated = list(_DAY.finditer(before))[-1:] or list(_DAY.finditer(after))[:1]
    if year is None and stated:
        year = _SHORT_YEAR.search(after, stated[0].end() if stated[0].string is after else 0)
    if year is None:
        raise ValueError("no year")
    number = int(year[0]) + (2000 if len(year[0]) == 2 else 0)
    rest = after.replace(year[0], " ", 1) if year.string is after else after
    return (number, month, int(stated[0][1]) if stated else 1, "day" if stated else "month"), f"{rest} {before}" if _TIME.search(before) else rest


def _month(text: str) -> tuple[int, int, int]:
    """The month that a text names, and where. Raises ValueError."""
    for name, month in month_names():
        if match := re.search(rf"(?<!\w){re.escape(name)}\.?(?!\w)", text):
            return month, match.start(), match.end()
    raise ValueError("no month")


@cache
def month_names() -> tuple[tuple[str, int], ...]:
    """Folded month names of every language file with their numbers, longest first."""
    names = {fold(name).text: month for table in read_family("languages").values() for name, month in table.get("months", {}).items()}
    return tuple(sorted(names.items(), key=lambda pair: (-len(pair[0]), pair[0])))


def _clock(text: str) -> tuple[tuple[str | None, str | None, str | None], str]:
    """Hours, minutes, seconds (None where not stated), and what stands behind them."""
    match = _TIME.search(text)
    if match is None:
        return (None, None, None), text
    hour, minute, second, french, half = match.groups()
    hours = int(hour) % 12 + (12 if half[0] in "pم" else 0) if half else int(hour)
    return (str(hours), minute or french or "0", second), text[match.end() :]


def _zone(raw: str, rest: str, home: tzinfo | None) -> tuple[tzinfo, bool]:
    """The zone that a date states, else the source's, and whether it is sure."""
    rest = rest.strip()
    if iana := _IANA.search(raw):
        stated = _zone_named(iana[0])
        return (stated, True) if stated else (home or UTC, home is not None)
    if match := _ZONE.search(rest):
        sign, hours, minutes = match.groups()
        offset = timedelta(hours=int(hours), minutes=int(minutes or 0))
        return timezone(-offset if sign == "-" else offset), True
    name = match[1] if (match := _ZONE_NAME.search(rest)) else ""
    if name == "ast":
        return _arabia_or_atlantic(home)
    if name in _OFFSETS:
        return timezone(timedelta(hours=_OFFSETS[name])), True
    return home or UTC, home is not None


def _arabia_or_atlantic(home: tzinfo | None) -> tuple[tzinfo, bool]:
    """AST: Arabia's time where the source keeps it or does not say, Atlantic time elsewhere."""
    if home is None:
        return _ARABIA, False
    keeps = datetime(2020, 1, 1, tzinfo=home).utcoffset() == timedelta(hours=3)
    return (_ARABIA if keeps else timezone(timedelta(hours=-4))), True


def _zone_named(name: str | None) -> tzinfo | None:
    try:
        return ZoneInfo(name) if name else None
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None


def _from_epoch(match: re.Match[str]) -> datetime:
    seconds, millis, micros = match.groups()
    since = int(seconds) if seconds else int(millis) / 1e3 if millis else int(micros) / 1e6
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=since)


def _believed(time: datetime, precision: str, repair: str | None) -> Published:
    if not EARLIEST <= time.year < LATEST:
        return Published(repair="unreadable")
    return Published(time, precision, repair)
