"""Where a user's cache and state are kept (XDG base directories), and a lock between processes."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def cache_folder() -> Path:
    """What can be fetched again."""
    return _xdg("XDG_CACHE_HOME", ".cache")


def state_folder() -> Path:
    """What must survive a restart."""
    return _xdg("XDG_STATE_HOME", ".local/state")


def _xdg(variable: str, default: str) -> Path:
    base = os.environ.get(variable)
    return (Path(base) if base else Path.home() / default) / "dijla"


@contextmanager
def locked(file: Path) -> Iterator[None]:
    """Hold `file` alone among processes; a process that dies lets go."""
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with file.open("a") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
