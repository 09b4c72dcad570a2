"""One process at a time writes to a folder."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from schemas.errors import UsageError, WriteError


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the folder, made where it is missing; the lock dies with the process.

    Raises UsageError where another process holds it or it is no folder, WriteError where it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle = os.open(folder, os.O_RDONLY)
    except (FileExistsError, NotADirectoryError) as error:
        raise UsageError(f"{folder} is a file: choose a folder for --out") from error
    except OSError as error:
        raise WriteError(f"{folder}: cannot be made: {error.strerror}; choose another --out") from error
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError as error:
        raise UsageError(f"another process is writing to {folder}: wait for it, or choose another --out") from error
    finally:
        os.close(handle)
