"""A text that is rewritten step by step and still knows where each of its characters stood at first."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

Written = str | Callable[[re.Match[str]], str]
"""What `re.sub` takes: a template, or a function of the match."""


@dataclass(frozen=True, slots=True)
class Trail:
    """`origins[i]` is the index, in the first text of `size` characters, of what became `text[i]`; ascending."""

    text: str
    origins: Sequence[int]
    size: int

    @staticmethod
    def of(text: str) -> Trail:
        """A text as it is."""
        return Trail(text, range(len(text)), len(text))

    def sub(self, pattern: re.Pattern[str], written: Written) -> Trail:
        """As `pattern.sub(written, text)`."""
        texts, origins, last = list[str](), list[int](), 0
        for found in pattern.finditer(self.text):
            new = found.expand(written) if isinstance(written, str) else written(found)
            texts += self.text[last : found.start()], new
            origins += self.origins[last : found.start()]
            origins += self._aligned(found, new)
            last = found.end()
        return Trail("".join([*texts, self.text[last:]]), [*origins, *self.origins[last:]], self.size)

    def _aligned(self, found: re.Match[str], new: str) -> list[int]:
        """Characters that stayed keep their place; what is put between them stands where the next one does."""
        at, origins = found.start(), []
        for letter in new:
            origins.append(self.origins[min(at, found.end() - 1)])
            at += at < found.end() and self.text[at] == letter
        return origins

    def translate(self, table: Mapping[int, int | None]) -> Trail:
        """As `text.translate(table)`, for a table that knows every character."""
        kept = [(chr(point), origin) for letter, origin in zip(self.text, self.origins, strict=True) if (point := table[ord(letter)]) is not None]
        return Trail("".join(letter for letter, _ in kept), [origin for _, origin in kept], self.size)

    def cut(self, start: int, end: int) -> Trail:
        """The characters [start, end); the first text ends where the next one stood."""
        size = self.origins[end] if end < len(self.text) else self.size
        return Trail(self.text[start:end], self.origins[start:end], size)

    def then(self, text: str) -> Trail:
        """The same with `text`, which stood behind the first text, as it is."""
        size = self.size + len(text)
        return Trail(self.text + text, [*self.origins, *range(self.size, size)], size)

    def origin(self, start: int, end: int) -> tuple[int, int]:
        """The span of the first text that became [start, end), up to where the next character stood; start < end."""
        return self.origins[start], self.origins[end] if end < len(self.origins) else self.size
