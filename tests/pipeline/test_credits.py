"""Wire credits: which agency a text is from."""

from __future__ import annotations

import pytest

from pipeline.credits import credited


@pytest.mark.parametrize(
    ("text", "agency"),
    [
        ("BAGHDAD (Reuters) - Three rockets hit the Green Zone on Sunday.", "Reuters"),
        ("BAGHDAD, March 1 (AFP) — A car bomb exploded in the capital.", "AFP"),
        ("Baghdad/ INA - Security forces arrested two men.", "INA"),
        ("بغداد/ واع - ألقت القوات الأمنية القبض على متهمين.", "INA"),
        ("بغداد (رويترز) - سقطت ثلاثة صواريخ على المنطقة الخضراء.", "Reuters"),
        ("واع / بغداد: انفجار في الكرادة.", "INA"),
        ("Des roquettes ont visé la Zone verte de Bagdad, a-t-on appris de source de sécurité. (AFP)", "AFP"),
        ("Bagdad (dpa) - Bei einem Anschlag sind vier Menschen getötet worden.", "dpa"),
        ("Bağdat - Anadolu Ajansı muhabirinin edindiği bilgiye göre patlama oldu.", "Anadolu"),
        ("A bomb exploded in Baghdad.\nSource: Xinhua", "Xinhua"),
        ("انفجرت عبوة في بغداد. المصدر: شفق نيوز", "Shafaq News"),
        ("Взрыв прогремел в Багдаде (ТАСС).", "TASS"),
    ],
)
def test_credits(text: str, agency: str) -> None:
    assert credited(text) == agency


@pytest.mark.parametrize(
    "text",
    [
        "Reuters journalists were barred from the Green Zone in Baghdad, the agency said.",
        "A bomb exploded in Baghdad (see map), killing three people.",
        "AP history students in Baghdad protested outside the ministry of education.",
        "انفجرت عبوة ناسفة في بغداد، ونقلت رويترز عن الشرطة أن اثنين أصيبا.",
        "The Baghdad map (AA batteries not included) is sold out.",
        "",
    ],
)
def test_an_agency_that_is_only_mentioned_is_no_credit(text: str) -> None:
    assert credited(text) is None
