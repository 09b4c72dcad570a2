"""The table of docs/tagging.md, made from the lexicons themselves: python -m tests.pipeline.coverage_page writes it anew."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

from pipeline.lexicon import load_concepts, load_languages
from tests.pipeline.page_table import DOCS, with_table

PAGE = DOCS / "tagging.md"


def page_with_table() -> str:
    """The page with today's table in it."""
    return with_table(PAGE, _table())


def _table() -> Iterator[str]:
    languages = load_languages()
    yield f"\n| concept | {' | '.join(languages)} |\n|---|{'---|' * len(languages)}\n"
    for family, concepts in groupby(load_concepts(), key=lambda concept: concept.partition(".")[0]):
        yield f"| **{family}** |{' |' * len(languages)}\n"
        for concept in concepts:
            counts = (len(language.table.get("concepts", {}).get(concept, ())) for language in languages.values())
            yield f"| {concept.partition('.')[2]} | {' | '.join(str(count or '-') for count in counts)} |\n"
    yield "\n"


if __name__ == "__main__":
    PAGE.write_text(page_with_table(), encoding="utf8")
