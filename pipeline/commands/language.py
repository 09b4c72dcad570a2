"""`dijla language`: which language a text is in, and how well each detector tells."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipeline.commands.options import config_options
from pipeline.detectors import names

if TYPE_CHECKING:
    from pipeline.config import Config


@click.group()
def language() -> None:
    """Which language a text is in, and how well each detector tells."""


@language.command()
@click.argument("text", default="-")
@click.option("--declared", metavar="TAG", help="The language that the source declares, a BCP 47 tag: decides near ties only.")
@config_options("pipeline.language_detector")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def detect(text: str, config: Config, declared: str | None, as_json: bool) -> None:
    """Show the language of a text. TEXT is the text itself; without it, or as -, standard input.

    \b
    Example:  dijla language detect "Deux blessés dans l'explosion"
    """
    import msgspec

    from pipeline import detectors
    from pipeline.mixed import parts
    from pipeline.show import print_language

    given = sys.stdin.buffer.read().decode("utf-8", "replace") if text == "-" else text
    detector = detectors.load(config.pipeline.language_detector)
    found, mixed = detector(given, declared), parts(given, detector)
    if as_json:
        click.echo(json.dumps(msgspec.to_builtins(found) | {"parts": msgspec.to_builtins(mixed)}, ensure_ascii=False))
    else:
        print_language(found, mixed)


@language.command()
@click.argument("files", nargs=-1, required=True, metavar="FILE...", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--detector", "chosen", multiple=True, type=click.Choice(names()), help="May be given several times.  [default: all that are installed]")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a detector.")
def bench(files: tuple[Path, ...], chosen: tuple[str, ...], as_json: bool) -> None:
    """Compare the language detectors on your own labelled lines: how right, how honest, how fast, how large.

    A line of FILE is `language<TAB>text`, or a JSON object {"language", "text"}; the language as ISO 639 writes it (en, ckb), `und` for none.
    Labels are compared strictly. Memory is measured in a new process for each.

    \b
    Example:  dijla language bench mine.tsv --detector rules+langdetect --detector langdetect
    """
    import msgspec

    from pipeline.datafiles import read_family
    from pipeline.labelled import read
    from pipeline.language_bench import bench as compared
    from pipeline.show import Progress, print_bench
    from schemas.errors import UsageError

    lines = list(read(files))
    if not lines:
        raise UsageError(f"{', '.join(map(str, files))}: there is no line to compare detectors on")
    used = list(dict.fromkeys(chosen)) or names()
    with Progress(hidden=as_json) as progress:
        progress.read(len(lines))
        rows = compared(lines, used, read_family("languages").keys(), lambda done: progress.done(done, len(lines)))
    if as_json:
        for row in rows:
            click.echo(json.dumps(msgspec.to_builtins(row), ensure_ascii=False))
    else:
        print_bench(rows)
