"""Plain langdetect, seeded: its random walk gives the same answer each time."""

from __future__ import annotations

from importlib import resources

from langdetect.detector_factory import DetectorFactory
from langdetect.lang_detect_exception import LangDetectException

from pipeline.detectors._plain import plain
from pipeline.language import Detect

_LABELS = {"zh-cn": "zh", "zh-tw": "zh"}
_SEED = 0


def load() -> Detect:
    """A factory of our own: the library's is global, is not safe where threads make the first call, and takes profiles in the folder's order."""
    profiles = sorted((resources.files("langdetect") / "profiles").iterdir(), key=lambda file: file.name)
    factory = DetectorFactory()
    factory.set_seed(_SEED)
    factory.load_json_profile([file.read_text(encoding="utf-8") for file in profiles if file.is_file()])

    def classify(text: str) -> tuple[str, float]:
        detector = factory.create()
        detector.append(text)
        try:
            found = detector.get_probabilities()
        except LangDetectException:  # no n-gram that it knows
            return "und", 0.0
        return (found[0].lang, found[0].prob) if found else ("und", 0.0)

    return plain(classify, _LABELS)
