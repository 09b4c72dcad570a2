"""Walking back through a listing that shows its newest items first, until what is known: the gap since the last visit, page by page.

A cursor holds `last`, the newest item when all behind it was known; on the way back also `newest`, where the walk began, and `before`, how far it came.
"""

from __future__ import annotations

from collections.abc import Collection

from connectors._connector import Cursor


def walked(cursor: Cursor, ids: Collection[str], *, base: int = 10) -> tuple[Cursor, bool]:
    """The cursor behind a page that shows the items `ids`, numbers in `base` that grow with time; and whether the page before it is wanted.

    A first visit (no `last`) takes one page: history is not collected. A page without items, or one that does not lead further back, ends the walk.
    """

    def number(name: str) -> int:
        return int(name, base)

    newest = cursor.get("newest") or max(ids, key=number, default=cursor.get("last"))
    if newest is None:
        return {}, False
    known, oldest = cursor.get("last"), min(ids, key=number, default=None)
    if known is None or oldest is None or number(oldest) <= number(known) or _is_stuck(cursor, number(oldest), base):
        return {"last": newest}, False
    return {"last": known, "newest": newest, "before": oldest}, True


def _is_stuck(cursor: Cursor, oldest: int, base: int) -> bool:
    return "before" in cursor and oldest >= int(cursor["before"], base)
