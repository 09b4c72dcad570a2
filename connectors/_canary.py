"""An item of our own making that must come out at the end: that it does shows that the way is open when no source has anything to say.

It has no words and no address, so no stage finds an event in it, a copy of it, or a story that it belongs to.
"""

from __future__ import annotations

from datetime import datetime

from connectors._origin import item_id
from schemas.records import CANARY, RawItem

_SOURCE = "dijla.canary"


def canary(now: datetime) -> RawItem:
    """The one of this moment (aware)."""
    native_id = now.isoformat()
    return RawItem(item_id=item_id(_SOURCE, native_id), native_id=native_id, source_id=_SOURCE, source_type=CANARY, published_raw=native_id, fetched_at=now)
