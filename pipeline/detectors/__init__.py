"""The language detectors: a public module here is one, found by its name, `_` for `+`: rules_langdetect.py is `rules+langdetect`."""

from __future__ import annotations

import importlib
import pkgutil
import threading
from typing import TYPE_CHECKING, Protocol, cast

if TYPE_CHECKING:
    from pipeline.language import Detect

DEFAULT = "rules+langdetect"

_loaded: dict[str, Detect] = {}
_lock = threading.Lock()


class Detector(Protocol):
    """A module of this folder."""

    def load(self) -> Detect:
        """The detector with its model in memory. Called once a process."""


def names() -> tuple[str, ...]:
    """All detectors by name."""
    return tuple(sorted(module.name.replace("_", "+") for module in pkgutil.iter_modules(__path__) if not module.name.startswith("_")))


def checked(name: str) -> str:
    """`name`, where there is such a detector. Raises ValueError that lists them."""
    if name not in names():
        raise ValueError(f"there is no such language detector: choose of {', '.join(names())}")
    return name


def load(name: str) -> Detect:
    """A detector by name (one that `checked` lets through), loaded once a process, whichever thread asks first."""
    with _lock:
        if name not in _loaded:
            module = importlib.import_module(f"{__name__}.{checked(name).replace('+', '_')}")
            _loaded[name] = cast(Detector, module).load()
        return _loaded[name]
