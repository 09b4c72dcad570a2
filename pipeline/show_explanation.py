"""Why a text was tagged, and why not, for people: what matters on one screen, or everything."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from rich.table import Table
from rich.text import Text

from pipeline.explain import Explanation, Fired, NotFired
from pipeline.show import table
from pipeline.terminal import console, data
from schemas.records import Report, TaggedEvent

_MOST_ROWS = 12


def print_explanation(explanation: Explanation, report: Report, *, everything: bool) -> None:
    """Language and events with their evidence; then why there is no event of another type, or, if asked for, the text and all that was looked at."""
    screen = console()
    screen.print(_languages(explanation))
    if explanation.repairs:
        screen.print(f"mended: {', '.join(explanation.repairs)}; offsets are those of the mended text")
    if everything:
        for field, text in (("title", report.title), ("text", report.text)):
            if text:
                screen.print(_marked(field, text, explanation.events))
    for event in explanation.events:
        screen.print(Text(f"\n{_headline(event)}", style="bold"))
        evidence = _joined((span.rule, span.text) for span in event.evidence)
        screen.print(table(("rule", "evidence"), evidence) if everything else _lines(evidence, len(evidence)))
    if not explanation.events:
        screen.print(Text(f"\nno event{_why_nothing(explanation)}", style="bold"))
    for part in _everything(explanation) if everything else _of_other_types(explanation):
        screen.print(part)


def _languages(explanation: Explanation) -> str:
    if explanation.language_shares:
        return "languages " + ", ".join(f"{code} ({share:.0%})" for code, share in explanation.language_shares.items())
    second = f"; second {explanation.language_second} ({explanation.language_second_confidence:.2f})" if explanation.language_second != "und" else ""
    return f"language {explanation.language} ({explanation.language_confidence:.2f}){second}"


def _why_nothing(explanation: Explanation) -> str:
    if not explanation.matches:
        return ": the text names nothing of Iraq"
    return "" if explanation.fired or explanation.not_fired else ": no rule begins with any word of it"


def _headline(event: TaggedEvent) -> str:
    place = f"{event.place.name} ({event.place.scope})" if event.place else "no place"
    alert = "alert" if event.alert else f"no alert: {event.alert_reason}"
    return f"{event.type}, {event.status}, {place}, {event.event_date or 'no day'}, {event.severity}; {alert}"


def _everything(explanation: Explanation) -> Iterator[Table | str]:
    yield table(("rule that fired", "trigger", "status (by)", "place (bound by)"), [_fired(one) for one in explanation.fired])
    yield table(("rule that did not fire", "trigger", "why not"), [(one.rule, one.trigger, _why_not(one)) for one in explanation.not_fired])
    yield table(("place named", "is", "scope", "verdict"), [(p.words, p.name, p.scope, p.verdict) for p in explanation.places])
    yield table(("words", "may mean"), [(m.words, ", ".join(m.means)) for m in explanation.matches])


def _of_other_types(explanation: Explanation) -> Iterator[Table | Text]:
    """Rules of the types that gave no event: those that fired all the same, with the places named, and those that did not fire."""
    types = {event.type for event in explanation.events}

    def is_other(one: Fired | NotFired) -> bool:
        return one.rule.partition(".")[0] not in types

    fired = [_fired(one) for one in explanation.fired if is_other(one)]
    places = list(dict.fromkeys((p.words, p.name, p.scope, p.verdict) for p in explanation.places)) if fired else []
    triggers = _joined((f"{one.rule}\n{_why_not(one)}", one.trigger) for one in explanation.not_fired if is_other(one))
    not_fired = [(rule, words, why) for key, words in triggers for rule, _, why in (key.partition("\n"),)]
    for title, rows in (("fired, but gave no event", fired), ("places named", places), ("did not fire", not_fired)):
        if rows:
            yield Text(f"\n{title}", style="bold")
            yield _lines(rows, _MOST_ROWS)
    yield Text("\n--all shows the text and all that was looked at")


def _lines(rows: Sequence[Sequence[str]], most: int) -> Table:
    """A line each, cut where the terminal ends."""
    lines = Table.grid(padding=(0, 2, 0, 0), expand=True)
    for number in range(len(rows[0])):
        lines.add_column(no_wrap=True, overflow="ellipsis", ratio=1 if number + 1 == len(rows[0]) else None)
    for row in rows[:most]:
        lines.add_row(*map(data, row))
    if len(rows) > most:
        lines.add_row(f"... and {len(rows) - most} more")
    return lines


def _joined(pairs: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """A row for each first, with its seconds, each once."""
    rows: dict[str, dict[str, None]] = {}
    for first, second in pairs:
        rows.setdefault(first, {})[second] = None
    return [(first, "; ".join(seconds)) for first, seconds in rows.items()]


def _fired(one: Fired) -> tuple[str, ...]:
    status = f"{one.status} ({one.because})" if one.because else one.status
    return one.rule, one.trigger, status, f"{one.place or '-'} ({one.bound_by or '-'})"


def _why_not(one: NotFired) -> str:
    if one.forbidden_by:
        return f"forbidden by {one.forbidden_by}"
    return "lacks " + " and ".join(" or ".join(group) for group in one.missing)


def _marked(field: str, text: str, events: Sequence[TaggedEvent]) -> Text:
    """The text with evidence underlined."""
    marked = data(text)
    for event in events:
        for span in event.evidence:
            if span.field == field:
                marked.stylize("bold underline", span.start, span.end)
    return marked
