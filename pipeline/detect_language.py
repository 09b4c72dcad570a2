"""The stage that gives a report its languages: of all of it, of its title, of its text, and of each part where it is mixed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import apache_beam as beam
from apache_beam.pvalue import PCollection

from pipeline.dead_letter import Guard
from pipeline.language import Detect, Language, detect, load
from pipeline.mixed import parts, shares
from pipeline.scripts import NO_SCRIPT
from schemas import avro
from schemas.records import Report


def with_language(report: Report, detect: Detect = detect) -> Report:
    """The report with the language of its title and text, together and each. What the source declares is a prior, no more.

    A mixed report is in the language of its largest part, with its share as the confidence where the detector did not name it;
    its second language is that of the second largest.
    """
    fields = [detect(words, report.declared_language) for words in (report.title or "", report.text)]
    together = "\n".join(filter(None, (report.title, report.text)))
    found = max(fields, key=lambda each: each.confidence) if _agree(fields) else detect(together, report.declared_language)
    spoken = shares(parts(together, detect))
    if spoken:
        found = _of_parts(found, list(spoken.items()))
    return replace(
        report,
        language=found.code,
        language_confidence=found.confidence,
        language_second=found.second,
        language_second_confidence=found.second_confidence,
        language_shares=spoken,
        title_language=fields[0].code,
        text_language=fields[1].code,
        script=found.script,
    )


def _agree(fields: Sequence[Language]) -> bool:
    """Whether all fields that have letters are in one language, which is told: then both together say no more."""
    codes = {each.code for each in fields if each.script != NO_SCRIPT}
    return len(codes) == 1 and "und" not in codes


def _of_parts(found: Language, spoken: Sequence[tuple[str, float]]) -> Language:
    (code, share), (second, second_share) = spoken[:2]
    return replace(found, code=code, confidence=found.confidence if found.code == code else share, second=second, second_confidence=second_share)


class DetectLanguage(beam.PTransform[Any, Any]):
    """Report -> Guarded(Report) with its languages, by the detector that `load` gives, once a worker."""

    def __init__(self, load: Callable[[], Detect] = load) -> None:
        super().__init__()
        self._load = load

    def expand(self, reports: PCollection[Report]) -> Any:
        """One guarded step; the models are built when its worker starts."""
        return reports | Guard("language", partial(_step, self._load), avro.encode_single_object)


def _step(load: Callable[[], Detect]) -> Callable[[Report], Report]:
    return partial(with_language, detect=load())
