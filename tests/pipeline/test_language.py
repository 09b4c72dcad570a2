"""Language detection: golden hard cases, properties, determinism over threads, processes and forks. All sentences are our own."""

from __future__ import annotations

import multiprocessing
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime

import apache_beam as beam
import pytest
from apache_beam.runners.direct.direct_runner import BundleBasedDirectRunner
from apache_beam.testing.util import assert_that, equal_to
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline import language_model
from pipeline.detect_language import DetectLanguage, with_language
from pipeline.language import Language, detect
from schemas.records import Report

GOLDEN = [  # code, script, text
    ("fr", "Latn", "Deux blessés dans l'explosion"),
    ("fr", "Latn", "Trois roquettes se sont abattues dimanche soir près de l'ambassade, sans faire de victimes."),
    ("fr", "Latn", "VIOLENTE EXPLOSION DANS LE CENTRE DE BAGDAD"),  # capitals: langdetect leaves them out
    ("en", "Latn", "Two rockets hit the airport road"),
    ("en", "Latn", "Police said on Monday that nobody was hurt when the roadside bomb went off."),
    ("en", "Latn", "Mosul, Kirkuk, Erbil, Basra: what we know about the raids"),  # names of another language's places
    ("de", "Latn", "Die Botschaft wurde in der Nacht mit Raketen beschossen."),
    ("es", "Latn", "La policía dice que no hay muertos tras el ataque con cohetes."),
    ("it", "Latn", "Due persone sono state ferite in un attacco nella capitale."),
    ("pt", "Latn", "A polícia disse que não há mortos após o ataque de domingo."),
    ("nl", "Latn", "Er zijn geen slachtoffers gevallen bij de aanval op de basis."),  # not Afrikaans
    ("tr", "Latn", "Patlamada üç kişi yaralandı"),
    ("tr", "Latn", "Bağdat'ta dün gece büyükelçiliğe roketli saldırı düzenlendi."),
    ("az", "Latn", "Hücum nəticəsində heç kim xəsarət almayıb."),  # must not be claimed as Turkish
    ("tk", "Latn", "Düýn gije ilçihananyň golaýynda ýarylma boldy."),
    ("kmr", "Latn", "Di êrîşê de sê kes birîndar bûn"),
    ("kmr", "Latn", "Îro li Bexdayê xwepêşandaneke mezin hat lidarxistin û polîsan rê girt."),
    ("ar", "Arab", "انفجار عبوة ناسفة شرقي بغداد"),
    ("ar", "Arab", "أعلنت خلية الإعلام الأمني سقوط ثلاثة صواريخ داخل المنطقة الخضراء دون خسائر بشرية."),
    ("ar", "Arab", "أَعْلَنَتِ الشُّرْطَةُ عَنْ حَظْرِ التَّجْوَالِ"),  # with all vowels
    ("ckb", "Arab", "دوو کەس لە تەقینەوەکەدا بریندار بوون"),
    ("ckb", "Arab", "هێزە ئەمنییەکان ڕێگاکەیان داخست و داوایان لە خەڵک کرد لە ماڵەوە بمێننەوە."),
    ("fa", "Arab", "در این حمله سه نفر زخمی شدند"),
    ("fa", "Arab", "نیروهای امنیتی می‌گویند راکت‌ها به نزدیکی فرودگاه اصابت کرده است."),  # zero-width non-joiners
    ("ur", "Arab", "دھماکے میں تین افراد زخمی ہو گئے"),
    ("ps", "Arab", "په چاودنه کې درې کسان ټپیان شوي دي"),
    ("he", "Hebr", "שלוש רקטות נפלו ליד השגרירות"),
    ("ru", "Cyrl", "При взрыве никто не пострадал"),
    ("uk", "Cyrl", "Унаслідок вибуху ніхто не постраждав, повідомила поліція."),
    ("zh", "Hans", "三枚火箭弹落在大使馆附近,没有人员伤亡。"),
    ("zh", "Hant", "警方說,昨晚的爆炸沒有造成人員傷亡。"),
    ("ja", "Jpan", "大使館の近くにロケット弾三発が着弾した。"),
    ("ko", "Hang", "대사관 근처에 로켓 세 발이 떨어졌다."),
    ("el", "Grek", "Τρεις ρουκέτες έπεσαν κοντά στην πρεσβεία."),
    ("hi", "Deva", "धमाके में तीन लोग घायल हो गए हैं।"),
]
TOLD_BY_THE_WORDS = [  # what surrounds the words must not decide
    ("fr", "RT @sample_outlet_a: Deux blessés dans l'attaque de ce matin https://example.org/a-long-english-title-of-the-story"),
    ("ar", "عاجل | سماع دوي انفجار في بغداد #Baghdad #Iraq #BreakingNews 🚨🚨"),
    ("ar", "#انفجار_عنيف_في_وسط_بغداد"),  # a sentence written as one hashtag
    ("ckb", "🔴 تەقینەوە لە بازاڕی شار – Sample Outlet (@sample_outlet_a) pic.twitter.com/abcdefgh"),
    ("tr", "Çoook güzel bir haber, herkese teşekkürler!!!! 😂😂"),
    ("es", "Los vecinos &quot;no saben nada&quot; de lo que pasó ayer"),
    ("fr", "Coups de feu entendus près du pont #BreakingNews #WarUpdates"),  # tags at the end are English everywhere
    ("fr", "#NousSommesEnsemble #ToutVaBien"),  # tags are all there is: their words tell
    ("tr", "#BağdattaNelerOluyor"),
    ("ar", "#حظر_التجوال يبدأ مساء اليوم via @sample_outlet_a t.co/AbCdEf"),  # the sentence goes on from its tag
    ("ckb", "هێزەکان ڕێگایان داخست (Photo: Sample Agency, all rights reserved by the agency)"),  # a credit is in the agency's language
    ("es", "Vía libre en el centro (Foto: agencia) RT @sample_outlet_a: pic.twitter.com/AbCdEf"),
    ("ar", "أكدت وزارة الداخلية وقوع الهجوم، وقالت إن التحقيق مستمر (Reuters, BBC World Service)"),
]
NO_LANGUAGE = [
    "", " \n\t", "12345", "٢٠٢٠/١٢/٢٠", "🚨🚨🚨", "🇮🇶", "❤️", "#️⃣ 1️⃣", "!!!", "@sample_outlet_a @sample.outlet-b", "https://example.org/news/attack",
    "#Baghdad #Iraq", "#بغداد", "RT @sample_outlet_a: https://example.org/x",
    "name@example.org", "ok", "LOL", "\x00\x00", "\ud800\udfff", "ـــــ",
]  # fmt: skip

SAMPLE = Report(item_id="1", native_id="1", source_id="sample.outlet-a", source_type="archive", first_seen=datetime(2020, 12, 20, tzinfo=UTC))


@pytest.mark.parametrize(("code", "script", "text"), GOLDEN)
def test_hard_cases(code: str, script: str, text: str) -> None:
    found = detect(text)
    assert (found.code, found.script) == (code, script)
    assert found.confidence > 0.5


@pytest.mark.parametrize(("code", "text"), TOLD_BY_THE_WORDS)
def test_only_the_words_tell(code: str, text: str) -> None:
    assert detect(text).code == code


@pytest.mark.parametrize("text", NO_LANGUAGE)
def test_no_language_is_undetermined(text: str) -> None:
    found = detect(text)
    assert (found.code, found.confidence) == ("und", 0.0)


def test_without_letters_there_is_no_script() -> None:
    assert detect("🚨 12:30") == Language("und", 0.0, "Zyyy")


def test_a_script_that_we_do_not_know_is_undetermined() -> None:
    assert detect("ᏣᎳᎩ ᎦᏬᏂᎯᏍᏗ") == Language("und", 0.0, "Zzzz")


def test_more_words_make_more_confident() -> None:
    sentence = "Las autoridades dicen que no hay heridos y que las calles del centro siguen cerradas desde esta mañana"
    confidences = [detect(sentence[:length]).confidence for length in (20, 45, len(sentence))]
    assert confidences == sorted(confidences)
    assert confidences[-1] > 0.95


def test_a_second_language_takes_confidence_away() -> None:
    arabic, english = "أعلنت الشرطة فتح الطرق في العاصمة بعد ساعات", "Police reopened the roads"
    assert detect(arabic).confidence > detect(f"{arabic} {english}").confidence > 0.5


@pytest.mark.parametrize("text", ["zxqv wkjh bbtr qqzp vvkx jjwq", "قفثق ضصثق شسيب طظكم", "фывап олдж ячсм"])
def test_letters_at_random_are_no_language(text: str) -> None:
    assert detect(text).code == "und"


def test_the_declared_language_decides_ties_only() -> None:
    tie, sentence = "Presidente de Cuba", "The ministry said that the roads are closed."
    assert detect(tie, "es-ES").code == "es"
    assert detect(tie, "pt_BR").code == "pt"
    assert detect(sentence, "ar").code == "en"
    assert detect("🚨", "ar").code == "und"


def test_declared_kurdish_is_the_kurdish_of_the_script() -> None:
    latin, arabic = "Em li vir in", "ئێمە لێرەین"
    assert detect(latin, "ku").confidence > detect(latin).confidence
    assert detect(latin, "ku").code == "kmr"
    assert detect(arabic, "ku_IQ").code == "ckb"


@given(st.text(st.characters(), max_size=300), st.none() | st.text(max_size=8))
def test_any_string_gets_an_answer(text: str, declared: str | None) -> None:
    found = detect(text, declared)
    assert 0 <= found.confidence <= 1
    assert found.code == "und" or found.confidence >= 0.3
    assert len(found.script) == 4
    assert detect(text, declared) == found


@settings(max_examples=30)
@given(st.text("éÀ@#/_.&;w-–( \u200c\u0640ێاßİa1🚨\ud800", max_size=400))
def test_furniture_in_any_order_gets_an_answer(text: str) -> None:
    assert detect(text).script in {"Latn", "Arab", "Zyyy"}


@given(st.sampled_from(GOLDEN), st.text("🚨!?0123456789 \n…-", max_size=20))
def test_noise_around_a_text_changes_nothing(golden: tuple[str, str, str], noise: str) -> None:
    text = golden[2]
    assert detect(f"{noise} {text} {noise}") == detect(text)


@pytest.mark.parametrize("unit", ["a", "a ", "@", "#_", "www.", "&", "- (@", "\ufdfa", "\ud800", "x@y.", "http://"])
def test_ten_million_characters_cost_no_more_than_a_page(unit: str) -> None:
    language_model.load()
    huge = unit * (10_000_000 // len(unit))
    started = time.perf_counter()
    found = detect(huge)
    assert time.perf_counter() - started < 1.0
    assert found == detect(huge[:3_000])


def test_eight_threads_may_make_the_first_call() -> None:
    texts = [text for _, _, text in GOLDEN]
    expected = [detect(text) for text in texts]
    language_model._models.clear()
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: [detect(text) for text in texts], range(8)))
    assert answers == [expected] * 8


def test_a_forked_worker_gives_the_same_answers() -> None:
    texts = [text for _, _, text in GOLDEN]
    expected = [detect(text) for text in texts]
    with multiprocessing.get_context("fork").Pool(2) as pool:
        assert pool.map(detect, texts) == expected


def test_a_new_process_gives_the_same_answers() -> None:
    script = "import sys; from pipeline.language import detect; print([detect(t) for t in sys.argv[1:]])"
    texts = [text for _, _, text in GOLDEN[::5]]
    runs = [
        subprocess.run([sys.executable, "-c", script, *texts], capture_output=True, text=True, check=True, env={"PYTHONHASHSEED": seed}).stdout
        for seed in ("1", "2")
    ]
    assert runs[0].strip() == runs[1].strip() == str([detect(text) for text in texts])


def test_every_candidate_has_a_profile_and_every_text_a_candidate() -> None:
    language_model.load()
    models = {script: language_model.model(script) for script in ("Latn", "Arab", "Cyrl", "Deva", "Hani")}
    candidates = {code for model in models.values() if model for code in model.codes}
    ours = {file.name.removesuffix(".txt") for file in language_model._PROFILES.iterdir() if file.name.endswith(".txt")}
    assert ours <= candidates
    assert set(language_model._lists()["common"]) <= candidates
    assert {"ar", "ckb", "kmr", "fa", "tr", "tk", "ur", "en", "fr", "de", "es", "it", "ru", "nl", "pt", "zh-cn"} <= candidates


def test_a_transform_fills_language_confidence_and_script() -> None:
    titled = replace(SAMPLE, title="Tirs de roquettes sur la zone verte", text="Aucune victime n'est à déplorer.")
    bare = replace(SAMPLE, text="🚨", declared_language="ar")
    with beam.Pipeline(runner=BundleBasedDirectRunner()) as p:
        found = p | beam.Create([titled, bare], reshuffle=False) | DetectLanguage()
        answers = found.good | beam.Map(lambda report: (report.text, report.language, report.language_confidence > 0.9, report.script))
        assert_that(answers, equal_to([(titled.text, "fr", True, "Latn"), (bare.text, "und", False, "Zyyy")]))


def test_only_the_language_fields_change() -> None:
    report = replace(SAMPLE, text="Nothing happened here today.")
    found = with_language(report)
    second = {"language_second": found.language_second, "language_second_confidence": found.language_second_confidence}
    assert found == replace(report, language="en", language_confidence=found.language_confidence, text_language="en", script="Latn", **second)
