"""What words mean: the language files, read and validated into forms with senses."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from pipeline.datafiles import DATA, read_family, read_toml, refuse
from pipeline.folding import fold

_KEYS = {"code", "name", "scripts", "prefixes", "suffixes", "spellings", "concepts", "numbers", "months", "weekdays", "words", "examples"}
_WORDS = ("joins", "in_dates", "abbreviations", "leads_to_city")
_GAP = " ... "
_BETWEEN = r"(?!\w)[^.!?;:؟]{1,60}?"
_SPECIAL = re.compile(r"[+*]|\.\.\.")
_WORD = re.compile(r"\w")
_JOINERS = str.maketrans("-_\n", "   ")


@dataclass(frozen=True, slots=True)
class Sense:
    """What a form means: one of a concept, a number, a month (1-12), a weekday (1 Monday .. 7) or a place (its index in the gazetteer)."""

    kind: str
    concept: str = ""
    value: int = 0


@dataclass(frozen=True, slots=True)
class Form:
    """A form of a language, ready to be matched on folded text.

    `literal` opens it, `tail` (a regular expression, empty for none) continues it; `anywhere` where it counts in a text of any language.
    """

    literal: str
    tail: str
    sense: Sense
    language: str
    prefixes: frozenset[str]
    anywhere: bool = False


@dataclass(frozen=True, slots=True)
class Language:
    """A language file."""

    code: str
    name: str
    scripts: tuple[str, ...]
    prefixes: frozenset[str]
    suffixes: tuple[str, ...]
    table: Mapping[str, Any]

    def spelled(self, written: str) -> Iterator[str]:
        """The form as it is written, and as it may be spelled: each pair of `spellings` puts one letter in place of another."""
        yield written
        for letter, other in self.table.get("spellings", ()):
            if letter in written:
                yield written.replace(letter, other)

    def form(self, written: str, sense: Sense, *, anywhere: bool = False) -> Form:
        """A form as files write it.

        '+' behind a word allows a suffix of the language, '*' any further letters. " ... " stands for other words of the clause: the form is what
        stands before it, where the rest follows.
        """
        literal, tail = self._compiled(written)
        return Form(literal, tail, sense, self.code, self.prefixes, anywhere)

    def _compiled(self, written: str) -> tuple[str, str]:
        view = matching_view(fold(written).text).strip()
        if not _SPECIAL.search(view):
            return view, ""
        first, *far = view.split(_GAP)
        literal, *rest = re.split(r"([+*])", first)
        ahead = "".join(rf"(?={_BETWEEN}\b{self._pattern(re.split(r'([+*])', part))}(?!\w))" for part in far)
        return literal, self._pattern(rest) + ahead

    def _pattern(self, parts: Sequence[str]) -> str:
        marks = {"+": _ending(self.suffixes), "*": r"\w*"}
        return "".join(marks[part] if part in marks else re.escape(part) for part in parts)


@cache
def _ending(suffixes: tuple[str, ...]) -> str:
    """A pattern of any one of the suffixes or none, the longest first."""
    return f"(?:{'|'.join(sorted(map(re.escape, suffixes), key=len, reverse=True))})?"


def matching_view(folded: str) -> str:
    """Folded text as forms see it, letter for letter: hyphen, underscore and line break are spaces."""
    return folded.translate(_JOINERS) if not folded.isascii() else folded.replace("-", " ").replace("_", " ").replace("\n", " ")


@cache
def load_concepts() -> Mapping[str, str]:
    """Concept -> its meaning. Raises DataFileError."""
    families = read_toml(DATA / "concepts.toml")
    return {f"{family}.{name}": meaning for family, names in families.items() for name, meaning in names.items()}


@cache
def load_languages() -> Mapping[str, Language]:
    """Code -> language, from every language file. Raises DataFileError that lists every error of every file."""
    languages, errors = {}, []
    for name, table in read_family("languages").items():
        errors += [f"languages/{name}.toml: {error}" for error in _errors(name, table)]
        endings = tuple(fold(ending).text for ending in table.get("suffixes", ()))
        glued = frozenset(fold(prefix).text for prefix in table.get("prefixes", ()))
        languages[name] = Language(name, table.get("name", name), tuple(table.get("scripts", ())), glued, endings, table)
    refuse(errors)
    return languages


def _errors(name: str, table: Mapping[str, Any]) -> Iterator[str]:
    if table.get("code") != name:
        yield f"code is {table.get('code')!r}, not the file's name"
    yield from (f"unknown key {key!r}" for key in sorted(table.keys() - _KEYS))
    named = {
        *table.get("concepts", {}),
        *(concept for example in table.get("examples", ()) for concept in (*example["finds"], *example["misses"])),
    }
    yield from (f"unknown concept {concept!r}" for concept in sorted(named - load_concepts().keys()))
    if not table.get("examples"):
        yield "no examples"
    for key, lowest, highest in (("numbers", 0, 10**9), ("months", 1, 12), ("weekdays", 1, 7)):
        yield from (
            f"{key}: {form!r} is {value!r}" for form, value in table.get(key, {}).items() if not isinstance(value, int) or not lowest <= value <= highest
        )
    yield from (f"spellings: {pair!r} is no pair of letters" for pair in table.get("spellings", ()) if not _is_pair(pair))
    yield from (f"words: unknown list {key!r}; known are {', '.join(_WORDS)}" for key in sorted(table.get("words", {}).keys() - set(_WORDS)))
    forms = [form for forms in table.get("concepts", {}).values() for form in forms] + [*table.get("numbers", ()), *table.get("months", ())]
    yield from (f"empty form {form!r}" for form in forms if not _WORD.search(form))


def _is_pair(given: object) -> bool:
    return isinstance(given, list) and len(given) == 2 and all(isinstance(letter, str) and letter for letter in given)


def language_forms(language: Language) -> Iterator[Form]:
    """Every form of a language file. Names of actors count in a text of any language."""
    for concept, written in language.table.get("concepts", {}).items():
        for form in written:
            for spelled in language.spelled(form):
                yield language.form(spelled, Sense("concept", concept=concept), anywhere=concept.startswith("actor."))
    for kind, key in (("number", "numbers"), ("month", "months"), ("weekday", "weekdays")):
        for form, value in language.table.get(key, {}).items():
            yield language.form(form, Sense(kind, value=value))


@cache
def words(kind: str) -> frozenset[str]:
    """Folded short words of all languages that only mean something beside others.

    joins: between two counts; in_dates: between the day, the month and the year of a date; abbreviations: a full stop behind them ends no sentence;
    leads_to_city: between a place and the city that contains it.
    """
    return frozenset(fold(word).text for language in load_languages().values() for word in language.table.get("words", {}).get(kind, ()))


@cache
def month_names() -> frozenset[str]:
    """Folded names of the months in all languages."""
    return frozenset(fold(name).text for language in load_languages().values() for name in language.table.get("months", {}))
