"""The command line. Each command is a thin shell around a pure function; what it prints is for people, --json for programs."""

from __future__ import annotations

import json
import logging
import re
import sys
from datetime import UTC, datetime
from enum import IntEnum
from io import TextIOWrapper
from pathlib import Path

import click
import msgspec

from pipeline.commands.archive import archive
from pipeline.commands.broker import broker
from pipeline.commands.check import check as check_source
from pipeline.commands.collect import collect
from pipeline.commands.language import language
from pipeline.commands.options import config_options
from pipeline.commands.publish import publish
from pipeline.commands.redrive import redrive
from pipeline.commands.retag import retag
from pipeline.commands.run import run
from pipeline.commands.sources import sources
from pipeline.commands.watch import watch
from pipeline.config import Config
from schemas.errors import DijlaError, UsageError

_SHARDS = 8
"""Of the state of a replay, which runs in one process."""


class Exit(IntEnum):
    """Exit status of every command."""

    DONE = 0
    FAILED = 1
    WRONG_USE = 2
    DEAD_LETTERS = 3


class _Dijla(click.Group):
    """A group whose own errors end with a message and their exit status, never with a traceback."""

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except UsageError as error:
            click.echo(f"dijla: {error}", err=True)
            ctx.exit(Exit.WRONG_USE)
        except DijlaError as error:
            click.echo(f"dijla: {error}", err=True)
            ctx.exit(Exit.FAILED)
        except BrokenPipeError:
            # The reader of our output has gone: nothing is wrong, nobody is left to tell.
            sys.stderr.close()
            ctx.exit(Exit.DONE)


@click.group(cls=_Dijla, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="dijla")
@click.option("-v", "--verbose", is_flag=True, help="Show what the libraries log.")
def main(verbose: bool) -> None:
    """News feeds and posts in, Baghdad security events out, each with the words that say so.

    Exit status: 0 done, 1 failed, 2 wrong use, 3 done but some records went to the dead letters.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal that knows no Arabic still gets the rest
    logging.basicConfig(level=logging.INFO if verbose else logging.CRITICAL, format="%(levelname)s %(name)s: %(message)s")


@main.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(exists=True, readable=False, path_type=Path))
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder for reports/, events/ and dead-letters/.")
@click.option("--format", "formats", type=click.Choice(["avro", "jsonl"]), default="avro", show_default=True, help="jsonl: JSON lines too.")
@config_options("pipeline.slice_items", "pipeline.language_detector")
@click.option("--json", "as_json", is_flag=True, help="Print counts and events as one JSON object instead of a table.")
def replay(paths: tuple[Path, ...], config: Config, out: Path, formats: str, as_json: bool) -> None:
    """Run archived feeds, posts, pages and mails through the whole pipeline.

    PATHS are files or folders: text, HTML, RSS, Atom, RDF, JSON Feed, JSON lines, exports of social platforms, mail, WARC and
    Avro, also inside gz, zst and zip. Nothing is sent and nothing alerts. An earlier replay's results in --out are replaced
    when this one is complete.

    \b
    Example:  dijla replay seeds/ --out out/
    """
    from connectors.archive import read
    from pipeline import detectors
    from pipeline.replay import replay as replayed
    from pipeline.show import Progress, print_replay, replay_as_json

    detectors.load(config.pipeline.language_detector)  # what is not installed is said before anything is read
    records = read(paths, now=datetime.now(UTC), mode="replay")
    shards = {} if "shards" in config.pipeline.model_fields_set else {"shards": _SHARDS}
    settings = config.pipeline.model_copy(update={"hold": None, **shards})
    with Progress(hidden=as_json) as progress:
        summary = replayed(records, out, settings, jsonl=formats == "jsonl", on_read=progress.read, on_done=progress.done)
    if as_json:
        click.echo(json.dumps(replay_as_json(summary, out), ensure_ascii=False, indent=2))
    else:
        print_replay(summary, out)
    _exit(Exit.DEAD_LETTERS if summary.dead_letters else Exit.DONE)


@main.command()
@config_options("pipeline.language_detector")
def analyse(config: Config) -> None:
    """Language and events of texts: JSON lines on standard input, JSON lines on standard output, in the same order.

    \b
    In:   {"id", "title"?, "text", "published"?}
    Out:  {"id", "language", "language_confidence", "events": [{"type", "status", "alert", "place", ..., "evidence"}]}

    A bad line is answered {"id", "error"} in its place; the exit status is 3 then. Alerts are judged as live would, at the
    item's own date.
    """
    from pipeline import detectors
    from pipeline.analyse import analyse as answers
    from pipeline.tag import load_tagger

    bad, detect = 0, detectors.load(config.pipeline.language_detector)

    def count() -> None:
        nonlocal bad
        bad += 1

    for answer in answers(sys.stdin.buffer, load_tagger(), count, detect):
        sys.stdout.buffer.write(answer)
        sys.stdout.buffer.flush()
    _exit(Exit.DEAD_LETTERS if bad else Exit.DONE)


@main.command()
@click.argument("text")
@click.option("--published", help="Publication date of the text, for its relative dates: 2020-12-20, or any usual spelling.")
@click.option("--title", help="Headline of the text.")
@click.option("--all", "everything", is_flag=True, help="Show the text and all that was looked at: each rule, place and word.")
@config_options("pipeline.language_detector")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def explain(text: str, config: Config, published: str | None, title: str | None, everything: bool, as_json: bool) -> None:
    """Why a text was tagged, and why not.

    TEXT is the text itself, a file, or - for standard input. A text file may begin with `date YYYY-MM-DD`.

    \b
    Example:  dijla explain "Baghdad said on Monday that oil exports rose."
    """
    from connectors._text import decode, split_date
    from pipeline import detectors
    from pipeline.analyse import item, prepared
    from pipeline.explain import explain as explained
    from pipeline.show_explanation import print_explanation
    from pipeline.tag import load_tagger

    prefixed, body = split_date(decode(_given(text)).text)
    given = item({"id": "explain", "text": body, "title": title, "published": published or prefixed})
    report = prepared(given, detectors.load(config.pipeline.language_detector))
    if published and report.published is None:
        raise UsageError(f"--published {published}: no date that we can read; give it as 2020-12-20 or 2020-12-20T18:30:00+03:00")
    explanation = explained(report, load_tagger())
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(explanation)))
    else:
        print_explanation(explanation, report, everything=everything)


_LIKE_A_PATH = re.compile(r"\S*/\S*|\S+\.[A-Za-z0-9]{1,5}")


def _given(text: str) -> bytes:
    """What TEXT stands for: standard input, a file, or itself."""
    if text == "-":
        return sys.stdin.buffer.read()
    if _LIKE_A_PATH.fullmatch(text) or Path(text[:200]).exists():
        try:
            content = Path(text).read_bytes()
        except OSError as error:
            raise UsageError(f"{text}: cannot be read: {error.strerror}; to explain these very words, give them on standard input") from error
        if b"\0" in content:
            raise UsageError(f"{text}: is no text file; `dijla replay` reads feeds, mails and archives")
        return content
    if not text.strip():
        raise UsageError("there is no text to explain")
    return text.encode("utf-8", "replace")


@main.group()
def schemas() -> None:
    """The contract: the Avro schemas of the records."""


@schemas.command()
@click.argument("name", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print the Avro schema itself.")
def show(name: str | None, as_json: bool) -> None:
    """List the schemas, or show one: raw_item, report, event, dead_letter."""
    from pipeline.show import print_schema, print_schemas
    from schemas.catalog import catalog, entry

    if as_json:
        click.echo(json.dumps(entry(name).definition if name else [e.definition for e in catalog()], ensure_ascii=False, indent=2))
    elif name:
        print_schema(entry(name))
    else:
        print_schemas(catalog())


@schemas.command()
def check() -> None:
    """Hold today's schemas against every released version: FULL_TRANSITIVE, each must read what the other wrote."""
    from schemas.catalog import catalog
    from schemas.compatibility import check as incompatibilities

    problems = incompatibilities()
    for problem in problems:
        click.echo(f"{problem.record} against version {problem.version} ({problem.direction}): {problem.path}: {problem.message}", err=True)
    if problems:
        _exit(Exit.FAILED)
    versions = ", ".join(f"{found.name} {found.released_versions}" for found in catalog())
    click.echo(f"compatible in both directions with every released version ({versions})")


for command in (broker, collect, check_source, sources, publish, run, watch, archive, redrive, retag, language):
    main.add_command(command)


def _exit(status: Exit) -> None:
    click.get_current_context().exit(status)


if __name__ == "__main__":
    main()
