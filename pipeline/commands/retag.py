"""`dijla retag`: today's rules over an archive of reports."""

from __future__ import annotations

import json
from pathlib import Path

import click


@click.command()
@click.argument("old", type=click.Path(exists=True, path_type=Path))
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder for reports/: the same reports with today's events.")
@click.option("--examples", type=click.IntRange(min=0), default=5, show_default=True, help="Examples shown of what was gained, lost, changed: so many of each.")
@click.option("--json", "as_json", is_flag=True, help="Print counts and examples as one JSON object.")
def retag(old: Path, out: Path, examples: int, as_json: bool) -> None:
    """Tag reports again with today's rules, and show what they gain, lose and change.

    OLD is the --out folder of a replay or a run, a folder of report files, or one such file. Languages, stories and texts stay as they were.

    \b
    Example:  dijla retag out/ --out retagged/
    """
    from pipeline.retag import retag as retagged
    from pipeline.retag_report import Comparison
    from pipeline.show import Progress
    from pipeline.tag import load_tagger, with_events

    comparison = Comparison(examples)
    with Progress(hidden=as_json) as progress:
        for one in retagged(old, out, with_events(load_tagger())):
            comparison.add(one)
            progress.read(comparison.reports)
    if as_json:
        click.echo(json.dumps(comparison.as_json(), ensure_ascii=False, indent=2))
    else:
        comparison.print()
        click.echo(f"  {out / 'reports'}/")
