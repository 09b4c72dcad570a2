"""Short items for the benchmarks: headlines and leads of our own, in three languages, one in a hundred of interest."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from connectors._origin import item_id
from schemas.records import RawItem

START = datetime(2020, 12, 1, tzinfo=UTC)
TEXTS = (
    "The ministry said on {n} that work on the new water plant would begin next month, and that {n} families would be served by it.",
    "Le prix du pain a augmenté de {n} pour cent depuis le début de l'année, selon les commerçants du marché central, qui attendent une aide.",
    "قالت الوزارة إن {n} مدرسة جديدة ستفتح أبوابها هذا العام في المحافظات الجنوبية بعد انتهاء أعمال البناء فيها.",
    "The national team won its match number {n} of the season with a late goal, and the coach praised the young players.",
    "La bourse a terminé la séance en hausse de {n} points, portée par les valeurs de l'énergie et par les banques.",
    "Traders expect shipment {n} to arrive at the southern port later this week, as the weather has improved.",
    "أعلن الاتحاد أن المباراة رقم {n} ستقام على ملعب العاصمة مساء الخميس المقبل بحضور الجمهور.",
    "A roadside bomb wounded two people in the {district} district of Baghdad on Sunday, a police source said in bulletin {n}.",
)
_DISTRICTS = ("Karrada", "Adhamiyah", "Kadhimiya", "Mansour", "Dora", "Sadr City", "Zafaraniya", "Jihad")


def line(number: int, items_a_day: int = 20_000) -> dict[str, str]:
    """One JSON line's object; every twentieth is a re-poll of the one before."""
    n = number - 1 if number % 20 == 19 else number
    text = (TEXTS[-1] if n % 100 == 4 else TEXTS[n % (len(TEXTS) - 1)]).format(n=n, district=_DISTRICTS[n // 100 % len(_DISTRICTS)])
    published = START + timedelta(days=n // items_a_day, seconds=n % items_a_day * 86_400 / items_a_day)
    return {
        "id": f"item-{n}",
        "source": f"sample.outlet-{n % 7}",
        "text": text,
        "published": published.isoformat(),
        "url": f"https://outlet-{n % 7}.example/{n}",
    }


def json_lines(count: int) -> Iterator[bytes]:
    """So many JSON lines."""
    return (json.dumps(line(number), ensure_ascii=False).encode() + b"\n" for number in range(count))


def raw_items(count: int) -> Iterator[RawItem]:
    """The same as items."""
    for given in map(line, range(count)):
        yield RawItem(
            item_id=item_id(given["source"], given["id"]),
            native_id=given["id"],
            source_id=given["source"],
            source_type="archive.json",
            body=given["text"],
            url=given["url"],
            published_raw=given["published"],
            mode="replay",
        )
