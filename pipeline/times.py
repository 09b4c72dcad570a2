"""When it happened: weekdays, relative words and dates of a sentence, resolved against the day the report was published."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pipeline import jalali
from pipeline.dates import jalali_months
from pipeline.lexicon import words
from pipeline.matcher import Hit
from pipeline.reading import Sentence
from schemas.records import Report

HOME_ZONE = "Asia/Baghdad"
_RELATIVE = {
    "time.today": 0,
    "time.now": 0,
    "time.tonight": 0,
    "time.yesterday": -1,
    "time.last_night": -1,
    "time.day_before_yesterday": -2,
}
_PART_OF_DAY = {
    "time.dawn": 5, "time.morning": 8, "time.noon": 12, "time.afternoon": 15, "time.evening": 20, "time.night": 22, "time.tonight": 22,
    "time.last_night": 22,
}  # fmt: skip
_OLD = {
    "time.last_year": 365,
    "time.last_month": 30,
    "time.last_week": 7,
    "time.earlier_this_year": 60,
    "time.anniversary": 365,
    "time.earlier_this_month": 7,
}
_OLD_UNITS = {"time.years": 365, "time.months": 30, "time.weeks": 7}
_GLUED_YEAR = re.compile(r"(?<![\w.,/-])((?:19[5-9]|20[0-4])\d)(?!(?:[mgpx]|km|kg|mm|cm|ft|hp)\b)[^\W\d]{1,4}(?!\w)")
_NUMERIC = re.compile(r"(?<![\d/])(\d{1,2})/(\d{1,2})/(\d{4}|\d{2})(?![\d/])|(?<!\d)(\d{4}) (\d{2}) (\d{2})(?!\d)")
_NEAR = 3
_SOON = timedelta(days=31)
"""A date without a year that lies no farther ahead is of this year; else it is of the last one."""


@dataclass(frozen=True, slots=True)
class Moment:
    """A time that a sentence states: its day where it is known, else how many days ago it is at least."""

    start: int
    end: int
    day: date | None = None
    days_ago: int = 0
    hour: int | None = None
    precision: str = "day"


@dataclass(frozen=True, slots=True)
class Clock:
    """What relative times are relative to: the day of publication where the source is, None where it is unknown."""

    today: date | None
    zone: ZoneInfo

    def utc(self, day: date, hour: int) -> datetime:
        """The moment of a local hour."""
        return datetime.combine(day, time(hour), tzinfo=self.zone).astimezone(UTC)


def clock_of(report: Report) -> Clock:
    """The day of publication in the source's zone; where that is known only roughly, the day of the newest post that the text quotes."""
    try:
        zone = ZoneInfo(report.time_zone or HOME_ZONE)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        zone = ZoneInfo(HOME_ZONE)
    if report.published is not None and report.published_precision not in ("month", "year"):
        return Clock(report.published.astimezone(zone).date(), zone)
    quoted = [date.fromisoformat(quote.published) for quote in report.quotes if quote.published]
    return Clock(max(quoted, default=None), zone)


def moments(sentence: Sentence, view: str, clock: Clock, *, month_first: bool) -> list[Moment]:
    """Every time that the sentence states, in order."""
    dates = [
        *_written_dates(sentence, view, clock),
        *_glued_years(sentence, view, clock),
        *_numeric_dates(sentence, view, month_first),
        *_jalali_dates(sentence, view, clock),
    ]
    words = [moment for moment in _relative(sentence, view, clock) if not any(0 <= date.start - moment.end <= _NEAR for date in dates)]
    found = [*dates, *words]
    return [_aged(moment, clock) for moment in sorted(found, key=lambda moment: moment.start)]


def _aged(moment: Moment, clock: Clock) -> Moment:
    return replace(moment, days_ago=(clock.today - moment.day).days) if moment.day and clock.today else moment


def _written_dates(sentence: Sentence, view: str, clock: Clock) -> Iterator[Moment]:
    """ "20 December 2020", "December 20", "in January", "since 2019"."""
    numbers = [hit for hit in sentence.hits if hit.number is not None]
    for hit in sentence.hits:
        if hit.month is None:
            continue
        day = _beside(hit, numbers, view, 1, 31)
        after = max((hit, day), key=lambda h: h.end) if day else hit
        year = next((n for n in numbers if _led_over(view[after.end : n.start]) and n.start >= after.end and 1900 <= (n.number or 0) <= 2100), None)
        start, end = min(h.start for h in (hit, day, year) if h), max(h.end for h in (hit, day, year) if h)
        moment = _calendar(start, end, year.number if year else None, hit.month, day.number if day else None, clock)
        if moment and (day or year or _introduced(hit, sentence, view)):
            yield moment
    for number in numbers:
        if clock.today and 1900 <= (number.number or 0) < clock.today.year and number.end - number.start == 4:
            yield Moment(number.start, number.end, days_ago=(clock.today - date(number.number or 0, 12, 31)).days, precision="year")


def _glued_years(sentence: Sentence, view: str, clock: Clock) -> Iterator[Moment]:
    """A past year with the ending of its case: "2007an" (Kurmanji), "٢٠٠٧ی" (Sorani)."""
    for found in _GLUED_YEAR.finditer(view, sentence.start, sentence.end):
        year = int(found[1])
        if clock.today and year < clock.today.year:
            yield Moment(found.start(), found.end(1), days_ago=(clock.today - date(year, 12, 31)).days, precision="year")


def _beside(month: Hit, numbers: Sequence[Hit], view: str, low: int, high: int) -> Hit | None:
    """The number of the day next to a month's name."""
    for number in numbers:
        if number is month:
            continue
        gap = view[number.end : month.start] if number.end <= month.start else view[month.end : number.start]
        if low <= (number.number or 0) <= high and _led_over(gap):
            return number
    return None


def _led_over(gap: str) -> bool:
    """Whether only a space, a stop or a word of dates stands between the parts of a date."""
    return len(gap) <= _NEAR + 2 and ((word := gap.strip(" .,")) == "" or word in words("in_dates"))


def _introduced(month: Hit, sentence: Sentence, view: str) -> bool:
    """Whether a bare month's name is one: behind a word that introduces months, or before the word month."""
    return any(
        (hit.has(("time.in_month", "time.early_in", "time.since")) and 0 <= month.start - hit.end <= 1)
        or ("time.months" in hit.concepts and 0 <= hit.start - month.end <= 1)
        for hit in sentence.hits
    )


def _calendar(start: int, end: int, year: int | None, month: int, day: int | None, clock: Clock) -> Moment | None:
    if year is None:
        if clock.today is None:
            return None
        soon = clock.today + _SOON
        year = clock.today.year if (month, day or 1) <= (soon.month, soon.day) or soon.year > clock.today.year else clock.today.year - 1
    try:
        stated = date(year, month, day or 1)
    except ValueError:
        return None
    if day:
        return Moment(start, end, day=stated)
    month_end = (stated.replace(day=28) + timedelta(days=4)).replace(day=1) - timedelta(days=1)
    return Moment(start, end, days_ago=(clock.today - month_end).days if clock.today else 0, precision="month")


def _numeric_dates(sentence: Sentence, view: str, month_first: bool) -> Iterator[Moment]:
    if view.find("/", sentence.start, sentence.end) < 0 and not any(hit.number and hit.number >= 1000 for hit in sentence.hits):
        return
    for match in _NUMERIC.finditer(view, sentence.start, sentence.end):
        first, second, short, *iso = match.groups()
        if short:
            day, month = (second, first) if (month_first and int(first) <= 12) or int(second) > 12 else (first, second)
            parts = int(short) + (2000 if len(short) == 2 else 0), int(month), int(day)
        else:
            parts = int(iso[0]), int(iso[1]), int(iso[2])
        try:
            yield Moment(match.start(), match.end(), day=date(*parts))
        except ValueError:
            continue


def _jalali_dates(sentence: Sentence, view: str, clock: Clock) -> Iterator[Moment]:
    """ "5 Mehr 1387", "the year 1385" of Iran's calendar: four digits behind one of its months or a word for years."""
    for year in sentence.hits:
        if year.number is None or year.number not in jalali.YEARS or year.end - year.start != 4:
            continue
        named = _jalali_month().search(view, sentence.start, year.start)
        if named is None and not any("time.years" in hit.concepts and 0 <= year.start - hit.end <= 1 for hit in sentence.hits):
            continue
        day, month = (int(named[1] or 0), jalali_months()[named[2]]) if named else (0, 12)
        try:
            stated = jalali.gregorian(year.number, month, day or 29)
        except ValueError:
            continue
        start = named.start() if named else year.start
        if named and day:
            yield Moment(start, year.end, day=stated)
        elif clock.today and stated < clock.today:
            yield Moment(start, year.end, days_ago=(clock.today - stated).days, precision="month" if named else "year")


@cache
def _jalali_month() -> re.Pattern[str]:
    return re.compile(rf"(?<!\w)(?:(\d{{1,2}}) )?({'|'.join(map(re.escape, jalali_months()))}) (?:\w{{2,4}} )?$")


def _relative(sentence: Sentence, view: str, clock: Clock) -> Iterator[Moment]:
    for index, hit in enumerate(sentence.hits):
        if hit.weekday is not None:
            yield _weekday(hit, sentence.hits[index + 1 : index + 3], clock)
        for concept in hit.concepts:
            if concept in _RELATIVE:
                day = clock.today + timedelta(days=_RELATIVE[concept]) if clock.today else None
                yield Moment(hit.start, hit.end, day=day, hour=_PART_OF_DAY.get(concept), days_ago=-_RELATIVE[concept])
            elif concept in _OLD:
                yield Moment(hit.start, hit.end, days_ago=_OLD[concept], precision="year")
        if "time.ago" in hit.concepts:
            yield from _ago(hit, sentence)


def _weekday(hit: Hit, following: Sequence[Hit], clock: Clock) -> Moment:
    """The newest such weekday up to the day of publication, with the part of the day that is named beside it."""
    part = next((h for h in following if not h.concepts.isdisjoint(_PART_OF_DAY) and h.start - hit.end <= 2), None)
    hour = min(_PART_OF_DAY[concept] for concept in part.concepts if concept in _PART_OF_DAY) if part else None
    day = clock.today - timedelta(days=(clock.today.isoweekday() - (hit.weekday or 0)) % 7) if clock.today else None
    return Moment(hit.start, part.end if part else hit.end, day=day, hour=hour)


def _ago(hit: Hit, sentence: Sentence) -> Iterator[Moment]:
    """ "three years ago", "il y a deux mois": a unit beside the word."""
    for unit in sentence.hits:
        days = max((_OLD_UNITS[concept] for concept in unit.concepts if concept in _OLD_UNITS), default=0)
        if days and (abs(hit.start - unit.end) <= 2 or 0 <= unit.start - hit.end <= 15):
            yield Moment(min(hit.start, unit.start), max(hit.end, unit.end), days_ago=days, precision="year")
