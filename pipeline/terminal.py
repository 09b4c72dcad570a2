"""What tables on a terminal have in common."""

from __future__ import annotations

import re
import sys

from rich.console import Console
from rich.text import Text

SEVERITY_STYLE = {"extreme": "bold red", "severe": "red", "moderate": "yellow", "minor": "green"}
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def console(*, stderr: bool = False) -> Console:
    """As wide as the terminal, 160 columns where there is none."""
    stream = sys.stderr if stderr else sys.stdout
    return Console(stderr=stderr, width=None if stream.isatty() else 160)


def data(text: str, style: str = "") -> Text:
    """Feed text is data: never read as markup, and without the control characters that a terminal obeys."""
    return Text(_CONTROL.sub("\ufffd", text), style=style)
