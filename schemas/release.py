"""Freeze the current schemas as a released version: `python -m schemas.release`, in a checkout, when a version of Dijla is published.

A schema that equals its last released version gets no new one. `--replace` overwrites the last version instead: only for one
that nobody has seen yet.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from schemas.definitions import RECORDS

FOLDER = Path(__file__).parent


def release(folder: Path, *, replace: bool) -> list[Path]:
    """Copy <folder>/<name>.avsc to <folder>/released/<name>-<n>.avsc where it changed; returns the files written."""
    return [written for name in RECORDS if (written := _release_one(folder, name, replace=replace))]


def _release_one(folder: Path, name: str, *, replace: bool) -> Path | None:
    current = (folder / f"{name}.avsc").read_bytes()
    last = len(list((folder / "released").glob(f"{name}-*.avsc")))
    before = folder / "released" / f"{name}-{last}.avsc"
    if last and before.read_bytes() == current:
        return None
    target = before if last and replace else folder / "released" / f"{name}-{last + 1}.avsc"
    target.write_bytes(current)
    return target


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m schemas.release", description="Freeze the current schemas as a released version.")
    parser.add_argument("--replace", action="store_true", help="overwrite the last version, which nobody has seen yet")
    for written in release(FOLDER, replace=parser.parse_args().replace):
        sys.stdout.write(f"{written}\n")


if __name__ == "__main__":
    main()
