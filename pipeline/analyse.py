"""One JSON line in, one JSON line out, in order: the language and the events of a text, judged as live would at its own date."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from hashlib import sha256
from typing import Any

import msgspec

from pipeline.detect_language import with_language
from pipeline.language import Detect, detect
from pipeline.normalise import normalise, readable, readable_title
from pipeline.tag import Tagger, tag
from pipeline.trail import Trail
from schemas.errors import ReadError
from schemas.records import Evidence, Place, RawItem, Report, TaggedEvent

Json = dict[str, Any]

_KINDS = {"text": "a string", "title": "a string or null", "published": "a string or null"}
_SLOTS = (
    "weapon", "target", "actor_claimed", "actor_alleged", "killed_min", "killed_max", "injured_min", "injured_max", "event_date", "severity",
)  # fmt: skip
_READ = {"title": readable_title, "text": readable}


def analyse(lines: Iterable[bytes], tagger: Tagger, on_error: Callable[[], None], detect: Detect = detect) -> Iterator[bytes]:
    """An answer for each line, in order; a bad line is answered {"id", "error"}, and on_error is called."""
    for number, line in enumerate(lines, 1):
        answer: Json = {"id": None}
        try:
            given = _object(line)
            answer["id"] = given.get("id")
            answer |= _answer(prepared(item(given), detect), tagger, given)
        except ReadError as error:
            answer["error"] = f"line {number}: {error}"
        except Exception as error:  # noqa: BLE001 - the edge of the process: no line may cost the lines behind it their answers
            answer["error"] = f"line {number}: {type(error).__name__}: {error}"
        if "error" in answer:
            on_error()
        yield _line(answer)


def item(given: Json) -> RawItem:
    """The RawItem of an object {"text", "title"?, "published"?, "id"?}. Raises ReadError for a missing or odd field."""
    for name, kind in _KINDS.items():
        value = given.get(name)
        if not isinstance(value, str) and not (value is None and name != "text"):
            raise ReadError(f"field {name!r} must be {kind}, it is {'missing' if name not in given else type(value).__name__}")
    native_id = str(given.get("id"))
    return RawItem(
        item_id=sha256(native_id.encode("utf-8", "replace")).hexdigest()[:32],
        native_id=native_id,
        source_id="analyse",
        source_type="analyse",
        title=given.get("title"),
        body=given["text"],
        published_raw=given.get("published"),
    )


def prepared(raw: RawItem, detect: Detect = detect) -> Report:
    """One item through normalise and language, ready for the tagger."""
    return with_language(normalise(raw), detect)


def _object(line: bytes) -> Json:
    try:
        given = json.loads(line.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise ReadError(f"not UTF-8 at byte {error.start}") from error
    except json.JSONDecodeError as error:
        raise ReadError(f"not JSON: {error.msg} at column {error.colno}" if line.strip() else "empty") from error
    except RecursionError as error:
        raise ReadError("nested too deep to be an item") from error
    if not isinstance(given, dict):
        raise ReadError(f"not a JSON object but {type(given).__name__}")
    return given


def _line(answer: Json) -> bytes:
    try:
        return msgspec.json.encode(answer) + b"\n"
    except UnicodeEncodeError:  # lone surrogates are echoed escaped, as they came
        return json.dumps(answer).encode() + b"\n"


def _answer(report: Report, tagger: Tagger, given: Json) -> Json:
    events = tag(report, tagger)
    read = {name: reader(given[name], html=False) for name, reader in _READ.items() if events and given.get(name)}
    return {
        "language": report.language,
        "language_confidence": report.language_confidence,
        "language_second": report.language_second,
        "language_second_confidence": report.language_second_confidence,
        "language_shares": report.language_shares,
        "title_language": report.title_language,
        "text_language": report.text_language,
        "events": [_event(event, given, read) for event in events],
    }


def _event(event: TaggedEvent, given: Json, read: Mapping[str, Trail]) -> Json:
    head: Json = {"type": event.type, "status": event.status, "alert": event.alert, "place": _place(event.place)}
    return head | {name: getattr(event, name) for name in _SLOTS} | {"evidence": [_evidence(span, given, read) for span in event.evidence]}


def _place(place: Place | None) -> Json | None:
    return {name: getattr(place, name) for name in ("name", "scope", "latitude", "longitude", "geo_precision")} if place else None


def _evidence(span: Evidence, given: Json, read: Mapping[str, Trail]) -> Json:
    """The span in the input, with its own words: the report differs from it in mojibake, lone surrogates, and line breaks of a title."""
    start, end = read[span.field].origin(span.start, span.end)
    return {"field": span.field, "start": start, "end": end, "text": given[span.field][start:end], "rule": span.rule}
