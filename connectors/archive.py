"""Archives: folders and files of feeds, posts, texts, pages, mails and crawls -> items."""

from __future__ import annotations

import codecs
import hashlib
import io
import os
import re
import stat
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

from connectors import _json_feed, _lines, _mail, _posts, _warc
from connectors._containers import BombError, Budget, inflate, members, paid
from connectors._json import loads
from connectors._limits import DEFAULT_LIMITS, Limits, read_document
from connectors._origin import DEAD_LETTER_BYTES, Origin
from connectors._sandbox import Sandbox
from connectors._shapes import ENDINGS, shape_of
from connectors._text import decode, split_date
from schemas.avro import read_container
from schemas.errors import ReadError, SchemaError
from schemas.records import DeadLetter, RawItem

Results = Iterator[RawItem | DeadLetter]

# Hidden files, what describes an archive instead of being in it, what a Macintosh adds to a zip, and what `dijla archive` found to be no item.
_SKIPPED = re.compile(r"\..*|(README|LICEN[CS]E)(\.(md|txt|rst))?|__MACOSX|dead-letters")
_RESULTS = {"replay.json", "reports"}
# The files of an X account's export are scripts that assign one array: window.YTD.tweets.part0 = [...]
_ASSIGNMENT = re.compile(r"^\s*window\.YTD\.[\w.]+\s*=")

_REFUSALS = {
    "empty": "is empty",
    "unknown": f"is of no known kind; give it one of the endings {' '.join(ENDINGS)}",
    "oversized": "is a message over the size limit for an item",
}


def read(paths: Sequence[Path], *, now: datetime, mode: str = "replay", limits: Limits = DEFAULT_LIMITS) -> Results:
    """Items of the files and folders at `paths`, in the order given, folders in sorted order; dead letters for what cannot be read.

    `now` (aware) becomes the time of failure in dead letters. Memory does not grow with the number of items. Bad input raises nothing.
    """
    with Sandbox(cpu_seconds=limits.cpu_seconds, memory_bytes=limits.memory_bytes) as sandbox:
        for path, name in find(paths):
            origin = Origin(source_id=name, source_type="archive", read_at=now, mode=mode, file=name)
            yield from _file(path, origin, limits, sandbox)


def find(paths: Sequence[Path]) -> Iterator[tuple[Path, str]]:
    """Files at and below `paths` with their names: relative to the folder given; a file's own name where one file is given.

    Where several paths are given, names are relative to the folder that holds them all, so that no two files share one.
    Hidden files, readmes and licences are passed over, and so are dead letters and folders of an earlier replay's results.
    """
    root = _common_folder(paths)
    seen: set[str] = set()
    for path in paths:
        if _is_folder(path):
            yield from ((file, _printable(os.path.relpath(file, root))) for file in _walk(path, seen))
        else:
            yield path, _printable(os.path.relpath(path, root))


def _common_folder(paths: Sequence[Path]) -> Path:
    if len(paths) == 1 and _is_folder(paths[0]):
        return paths[0]
    return Path(os.path.commonpath([path.absolute().parent for path in paths])) if paths else Path()


def _walk(folder: Path, seen: set[str]) -> Iterator[Path]:
    """Files below a folder in the order of their names; a folder that several links lead to is walked once."""
    here = os.path.realpath(folder)
    if here in seen:
        return
    seen.add(here)
    try:
        paths = sorted(folder.iterdir())
    except OSError:
        yield folder
        return
    if {path.name for path in paths} >= _RESULTS:
        return
    for path in paths:
        if _SKIPPED.fullmatch(path.name):
            continue
        if _is_folder(path):
            yield from _walk(path, seen)
        else:
            yield path


def _is_folder(path: Path) -> bool:
    # Path.is_dir() raises where the folder above may not be searched.
    return os.path.isdir(path)  # noqa: PTH112


def _printable(name: str) -> str:
    return os.fsencode(name).decode("utf-8", "replace")


def _file(path: Path, origin: Origin, limits: Limits, sandbox: Sandbox) -> Results:
    try:
        with _open(path) as stream:
            size = os.fstat(stream.fileno()).st_size
            budget = Budget(max(limits.inflation_floor, limits.inflation_ratio * size))
            yield from _Reading(limits, sandbox, budget).stream(stream, origin.source_id, origin, 0)
    except ReadError as error:
        yield _file_dead_letter(path, origin, error)
    except OSError as error:
        yield _file_dead_letter(path, origin, ReadError(f"cannot be read: {error.strerror}; check that it exists and may be read"))


def _open(path: Path) -> io.BufferedReader:
    if not stat.S_ISREG(path.stat().st_mode):
        raise ReadError("is no regular file that could be read")
    return io.BufferedReader(io.FileIO(path), DEAD_LETTER_BYTES)


def _file_dead_letter(path: Path, origin: Origin, error: ReadError) -> DeadLetter:
    digest, size, head = hashlib.sha256(), 0, b""
    try:
        with _open(path) as stream:
            while chunk := stream.read(DEAD_LETTER_BYTES):
                head = head or chunk
                size += len(chunk)
                digest.update(chunk)
    except (OSError, ReadError):
        return origin.dead_letter(error, head, size=-1, sha256="")
    return origin.dead_letter(error, head, size=size, sha256=digest.hexdigest())


class _Reading:
    """The reading of one file on the disk, down through its containers."""

    def __init__(self, limits: Limits, sandbox: Sandbox, budget: Budget) -> None:
        self._limits, self._sandbox, self._budget = limits, sandbox, budget

    def stream(self, stream: io.BufferedReader, name: str, origin: Origin, depth: int) -> Results:
        """Items of an open stream. Raises ReadError where it as a whole cannot be read, or not to its end."""
        if depth > self._limits.depth:
            raise ReadError(f"lies more than {self._limits.depth} containers deep; unpack it by hand")
        found = False
        for result in self._results(shape_of(stream.peek(DEAD_LETTER_BYTES), name), stream, name, origin, depth):
            found = True
            yield result
        if not found:
            raise ReadError("holds no item")

    def _results(self, shape: str, stream: io.BufferedReader, name: str, origin: Origin, depth: int) -> Results:
        match shape:
            case "gz" | "zst":
                yield from self.stream(inflate(stream, shape, self._budget), name.rpartition(".")[0], origin, depth + 1)
            case "zip":
                for member, opened in members(stream, self._budget):
                    if not any(_SKIPPED.fullmatch(part) for part in member.split("/")):
                        yield from self._member(opened, member, origin.inside(member), depth + 1)
            case "warc":
                for payload in _warc.payloads(stream, origin):
                    yield from self._member(paid(payload.stream, self._budget), payload.name, payload.origin, depth + 1)
            case "lines":
                yield from _lines.items(self._in_utf8(stream), origin, limit=self._limits.item_bytes)
            case "mbox":
                for position, message in enumerate(_mail.messages(stream, self._limits.item_bytes)):
                    shape = "mail" if len(message) <= self._limits.item_bytes else "oversized"
                    yield from self._document(shape, message, origin, position)
            case "avro":
                yield from _avro_items(stream, origin)
            case _:
                whole_is_item = shape in ("text", "html", "mail")
                limit = self._limits.item_bytes if whole_is_item else self._limits.document_bytes
                yield from self._document(shape, read_document(stream, limit), origin)

    def _in_utf8(self, stream: io.BufferedReader) -> BinaryIO:
        if not stream.peek(2).startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            return stream
        return io.BytesIO(decode(read_document(stream, self._limits.document_bytes)).text.encode())

    def _member(self, opened: io.BufferedReader | ReadError, name: str, origin: Origin, depth: int) -> Results:
        head = b""
        try:
            if isinstance(opened, ReadError):
                raise opened
            head = opened.peek(DEAD_LETTER_BYTES)
            yield from self.stream(opened, name, origin, depth)
        except BombError:
            raise
        except ReadError as error:
            yield origin.dead_letter(error, head, size=-1, sha256="")

    def _document(self, shape: str, data: bytes, origin: Origin, position: int | None = None) -> Results:
        try:
            for result in self._parsed(shape, data, replace(origin, source_type=f"archive.{shape}"), position):
                yield self._checked(result, origin)
        except ReadError as error:
            yield origin.dead_letter(error, data, position=position)

    def _parsed(self, shape: str, data: bytes, origin: Origin, position: int | None) -> Results:
        match shape:
            case "text":
                yield _text_item(data, origin)
            case "json":
                yield from _json_items(data, origin)
            case "mail":
                yield from self._sandbox.call("connectors._mail:parse", data, origin, position or 0)
            case "html":
                yield from self._sandbox.call("connectors._html:parse", data, origin)
            case "feed":
                yield from self._sandbox.call("connectors._feeds:parse", data, origin)
            case _:
                raise ReadError(_REFUSALS[shape])

    def _checked(self, result: RawItem | DeadLetter, origin: Origin) -> RawItem | DeadLetter:
        if isinstance(result, RawItem) and len(result.body) > self._limits.item_bytes:
            error = ReadError(f"is an item of {len(result.body)} characters, over the limit of {self._limits.item_bytes}")
            return origin.dead_letter(error, result.body.encode(), position=result.archive_position)
        return result


def _text_item(data: bytes, origin: Origin) -> RawItem:
    decoded = decode(data)
    published, body = split_date(decoded.text)
    if not body.strip():
        raise ReadError("holds no text")
    return origin.read_as(decoded).item(origin.source_id, body=body, published_raw=published)


def _json_items(data: bytes, origin: Origin) -> Results:
    decoded = decode(data, origin.charset)
    origin = origin.read_as(decoded)
    document = loads(_ASSIGNMENT.sub("", decoded.text, count=1))
    if _json_feed.recognises(document):
        return _json_feed.items(document, replace(origin, source_type="archive.json_feed"))
    return _posts.items(document, origin)


def _avro_items(stream: BinaryIO, origin: Origin) -> Results:
    try:
        for position, item in enumerate(read_container(stream, RawItem)):
            if item.archive_file is None:
                yield replace(item, mode=origin.mode, archive_file=origin.file, archive_position=position)
            else:
                yield replace(item, mode=origin.mode)
    except SchemaError as error:
        raise ReadError(f"cannot be read as items in Avro: {error.__cause__ or error}") from error
