"""What detectors of other libraries have in common: the text goes in as it stands, the label comes out in our spelling."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from pipeline.cleaning import MAX_CHARACTERS
from pipeline.language import Detect, Language
from pipeline.scripts import NO_SCRIPT, script_of


def plain(classify: Callable[[str], tuple[str, float]], labels: Mapping[str, str]) -> Detect:
    """A detector of what a library says (label, confidence 0..1) of the first 3,000 characters; the declared language is not used.

    `labels` maps its labels to our codes where they differ. A text without a letter is `und`: some libraries name a language for it.
    """

    def detect(text: str, declared: str | None = None) -> Language:
        text = text[:MAX_CHARACTERS]
        script = script_of(text)
        label, confidence = ("und", 0.0) if script == NO_SCRIPT else classify(text)
        code = labels.get(label, label)
        return Language(code, 0.0 if code == "und" else round(min(confidence, 1.0), 4), script)

    return detect
