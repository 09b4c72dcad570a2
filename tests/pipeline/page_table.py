"""Tables of the documentation that are made from the product itself."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

DOCS = Path(__file__).resolve().parents[2] / "docs"
_BEGIN, _END = "<!-- table: begin -->", "<!-- table: end -->"


def with_table(page: Path, table: Iterable[str]) -> str:
    """The text of a page with this table between its marks."""
    text = page.read_text(encoding="utf8")
    begin, end = text.index(_BEGIN) + len(_BEGIN), text.index(_END)
    return f"{text[:begin]}\n{''.join(table)}{text[end:]}"
