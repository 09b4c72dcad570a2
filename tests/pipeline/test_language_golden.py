"""Hard cases of every language that we name, each with what makes it hard. All sentences are our own."""

from __future__ import annotations

import pytest

from pipeline import language_model
from pipeline.language import detect

COMMON = [  # the languages that the sources write in; what else each could be taken for
    ("en", "Government minister resigns, parliament debates the budget"),  # half of its words are French
    ("en", "Karbala, Samarra and Ramadi: markets open again"),  # a headline of names
    ("fr", "Un policier tué, quatre civils blessés à Kirkouk"),  # no article, no verb
    ("fr", "L'attaque d'hier n'a pas été revendiquée."),  # apostrophes cut the words
    ("de", "Zwei Soldaten bei Angriff verletzt"),  # no article; Dutch and Danish are near
    ("de", "Wir wissen noch nicht, was dort passiert ist"),  # no letter that English lacks
    ("es", "Tres heridos en un ataque en la capital"),  # Catalan and Portuguese are a letter away
    ("es", "Ahora mismo no sabemos nada de los rehenes"),  # without an accent or ñ
    ("it", "Le autorità non hanno ancora confermato la notizia"),  # le, non: French too
    ("it", "Uccisi due militari nella notte"),
    ("pt", "Dois soldados foram mortos ontem à noite"),  # Galician and Spanish are near
    ("pt", "Ninguém ficou ferido no ataque de hoje"),
    ("nl", "Daarna is de weg naar het vliegveld weer vrijgegeven"),  # Afrikaans has most of these words
    ("nl", "Vijf gewonden na aanslag op markt"),
    ("tr", "Saldirida bes kisi yaralandi, yollar kapatildi"),  # typed without Turkish letters
    ("tr", "Fakat bugün hiç kimse gelmedi"),  # Azerbaijani would be faqat, bu gün, heç kim
    ("tk", "Men düýn bazara gitdim, ýöne hiç zat almadym."),  # men, bazara: in all Turkic languages
    ("tk", "Bu gün howa gowy"),
    ("kmr", "Em naxwazin ku tu biçî"),  # only w, x, q, ê and î tell it from Turkish
    ("kmr", "Polisan du kes girtin"),  # typed without circumflexes
    ("ru", "Никогда не говори мне об этом"),  # Bulgarian and Macedonian have half of these words
    ("ru", "У нас завтра нет занятий"),
    ("ar", "شلونكم اليوم يا ناس، اكو كهرباء لو ماكو"),  # Iraqi speech, not the language of news
    ("ar", "وين جنت البارحة"),
    ("ar", "چان اكو مي وهسه ماكو"),  # Iraqis write چ, which Persian has too
    ("ckb", "نرخی نان و شەکر گران بوو"),  # few of the letters that only Sorani has
    ("ckb", "سه‌رۆكی هه‌رێم له‌ هه‌ولێر قسه‌ی كرد"),  # typed with ه and a joiner in place of ە, and an Arabic kaf
    ("fa", "هوا امروز خيلي سرد است و كسي بيرون نمي رود"),  # typed on an Arabic keyboard: ي and ك
    ("fa", "پدرم فردا به تهران می‌رود"),
    ("ur", "كل سے بارش ہو رہی ہے"),  # with an Arabic kaf
    ("ur", "حکومت نے سڑکیں بند کر دیں"),
    ("he", "שלום"),  # the letters alone
    ("zh", "军队说,道路已经重新开放。"),
    ("zh", "她今天沒有來學校,因為下雨了。"),  # traditional
]
OTHERS = [  # must be named as themselves, never as the nearest common one
    ("az", "Polis bildirib ki, dünən axşam heç kim xəsarət almayıb."),  # Turkish
    ("uz", "Politsiya kecha kechqurun hech kim jarohatlanmaganini aytdi."),  # Turkmen, Turkish
    ("ca", "La policia diu que ningú no va resultar ferit en l'explosió d'ahir."),  # Spanish
    ("gl", "O goberno anunciou que as estradas seguirán pechadas ata o luns pola neve."),  # Portuguese
    ("oc", "La polícia ditz que degun foguèt pas nafrat dins l'explosion d'ièr de ser."),  # Catalan, French
    ("ro", "Poliția spune că nimeni nu a fost rănit în explozia de aseară."),  # Italian
    ("af", "Die polisie sê niemand is beseer in die ontploffing van gisteraand nie."),  # Dutch
    ("fy", "De plysje seit dat der nimmen ferwûne rekke is by de ûntploffing fan juster."),  # Dutch
    ("lb", "D'Police seet, datt bei der Explosioun gëschter Owend kee verletzt gouf."),  # German
    ("sv", "Polisen säger att ingen skadades i explosionen i går kväll."),  # Danish, Norwegian
    ("da", "Politiet siger, at ingen blev såret ved eksplosionen i går aftes."),  # Norwegian
    ("no", "Politiet sier at ingen ble skadet i eksplosjonen i går kveld."),  # Danish
    ("is", "Lögreglan segir að enginn hafi slasast í sprengingunni í gærkvöldi."),
    ("fo", "Løgreglan sigur, at eingin varð skadd ur í spreingingini í gjárkvøldið."),  # Icelandic
    ("fi", "Poliisin mukaan kukaan ei loukkaantunut eilisillan räjähdyksessä."),
    ("et", "Politsei teatel ei saanud eilses plahvatuses keegi viga."),  # Finnish
    ("se", "Boazodoallit leat duhtavaččat go muohta lea rievdan."),  # Finnish; n-grams of it are nobody's but the voter's
    ("pl", "Policja podaje, że we wczorajszym wybuchu nikt nie został ranny."),
    ("cs", "Policie uvedla, že při včerejším výbuchu nebyl nikdo zraněn."),  # Slovak
    ("sk", "Polícia uviedla, že pri včerajšom výbuchu nebol nikto zranený."),  # Czech
    ("sl", "Policija sporoča, da v sinočnji eksploziji ni bil nihče ranjen."),  # Croatian
    ("hr", "Policija kaže da u sinoćnjoj eksploziji nitko nije ozlijeđen."),  # Slovene
    ("hu", "A rendőrség szerint senki sem sérült meg a tegnap esti robbanásban."),
    ("sq", "Policia thotë se askush nuk u plagos në shpërthimin e mbrëmshëm."),
    ("lt", "Policija teigia, kad per vakarykštį sprogimą niekas nenukentėjo."),
    ("lv", "Policija ziņo, ka vakardienas sprādzienā neviens nav cietis."),  # Lithuanian
    ("id", "Polisi mengatakan tidak ada yang terluka dalam ledakan tadi malam."),
    ("jv", "Pulisi ngandhani yen ora ana wong sing tatu ing bledosan wingi bengi."),  # Indonesian
    ("tl", "Sinabi ng pulisya na walang nasugatan sa pagsabog kagabi."),
    ("sw", "Polisi walisema kwamba hakuna mtu aliyejeruhiwa katika mlipuko wa jana usiku."),
    ("rw", "Polisi yavuze ko nta muntu wakomerekeye mu iturika ryabaye ejo nimugoroba."),  # Swahili
    ("sn", "Mapurisa akati hapana munhu akakuvara pakuputika kwakaitika nezuro manheru."),  # Swahili
    ("st", "Mapolesa a bolela hore ha ho motho ya lemetseng phatlohong ya maobane bosiu."),
    ("zu", "Amaphoyisa athi akekho olimele ekuqhumeni okwenzeke izolo ebusuku."),
    ("xh", "Amapolisa athi akukho mntu wonzakeleyo kuqhushumbo lwayizolo ebusuku."),  # Zulu
    ("so", "Booliisku waxay sheegeen in aan cidna ku dhaawacmin qaraxii xalay."),
    ("ha", "'Yan sanda sun ce babu wanda ya ji rauni a fashewar da ta faru jiya da yamma."),
    ("yo", "Àwọn ọlọ́pàá sọ pé kò sí ẹni tó farapa nínú ìbúgbàù tó ṣẹlẹ̀ lálẹ́ àná."),  # Vietnamese, by its marks
    ("ig", "Ndị uwe ojii kwuru na ọ dịghị onye merụrụ ahụ na mgbawa ahụ mere n'abalị ụnyaahụ."),  # Vietnamese
    ("mg", "Nilaza ny polisy fa tsy nisy naratra tamin'ny fipoahana omaly hariva."),
    ("ht", "Lapolis di pa gen moun ki blese nan eksplozyon ki te fèt yè swa."),  # French
    ("vi", "Cảnh sát cho biết không có ai bị thương trong vụ nổ tối qua."),
    ("cy", "Dywed yr heddlu na chafodd neb ei anafu yn y ffrwydrad neithiwr."),
    ("br", "Ar polis a lavar n'eo bet gloazet den ebet en tarzhadenn dec'h da noz."),
    ("ga", "Dúirt na gardaí nár gortaíodh aon duine sa phléascadh aréir."),
    ("gd", "Thuirt na poilis nach deach duine sam bith a ghoirteachadh san spreadhadh a-raoir."),  # Irish
    ("eu", "Gobernuak esan du errepideak bihar goizean irekiko direla."),
    ("mt", "Il-pulizija qalet li ħadd ma weġġa' fl-isplużjoni tal-bieraħ filgħaxija."),  # Arabic in Latin letters, words of Italian
    ("eo", "La polico diris ke neniu estis vundita en la eksplodo hieraŭ vespere."),
    ("la", "Milites urbem magnam noctu ceperunt et portas clauserunt."),  # Italian
    ("ps", "پوليسو وويل چې د تېرې شپې په چاودنه کې څوک نه دي ټپيان شوي."),  # Persian
    ("sd", "پوليس چيو ته گذريل رات ڌماڪي ۾ ڪير به زخمي نه ٿيو."),  # Urdu
    ("ug", "ساقچىلار تۈنۈگۈن كەچتىكى پارتلاشتا ھېچكىم يارىلانمىدى دېدى."),  # Sorani writes its vowels too
    ("uk", "Поліція каже, що вчора ввечері ніхто не постраждав."),  # Russian
    ("be", "Паліцыя паведамляе, што ў выніку ўчорашняга выбуху ніхто не пацярпеў."),  # Russian, Ukrainian
    ("bg", "Полицията съобщи, че никой не е пострадал при снощната експлозия."),  # Russian, Macedonian
    ("mk", "Полицијата соопшти дека никој не е повреден во синоќешната експлозија."),  # Serbian, Bulgarian
    ("sr", "Полиција каже да нико није повређен у синоћној експлозији."),
    ("kk", "Полиция кешегі жарылыстан ешкім жараланбағанын хабарлады."),  # Kyrgyz, Tatar
    ("ky", "Милиция кечээ кечинде болгон жарылууда эч ким жабыркаган жок деп билдирди."),  # Kazakh
    ("tt", "Полиция кичә кичке шартлауда беркем дә зыян күрмәгән дип белдерә."),  # Bashkir
    ("ba", "Полиция кисә кис булған шартлауҙа бер кем дә зыян күрмәгән тип хәбәр итә."),  # Tatar
    ("mn", "Өчигдөр орой болсон дэлбэрэлтэд хэн ч гэмтээгүй гэж цагдаагийнхан мэдэгдлээ."),  # letters alone: no n-gram is ours
    ("tg", "Полис гуфт, ки дар таркиши шаби гузашта касе осеб надидааст."),  # Persian in Cyrillic letters
    ("hi", "पुलिस ने कहा कि कल रात के धमाके में कोई घायल नहीं हुआ।"),
    ("mr", "काल रात्रीच्या स्फोटात कोणीही जखमी झाले नाही, असे पोलिसांनी सांगितले."),  # Hindi
    ("ne", "हिजो रातिको विस्फोटमा कोही घाइते नभएको प्रहरीले जनाएको छ।"),  # Hindi
    ("ja", "警察は、昨夜の爆発で負傷者はいなかったと発表した。"),  # half of the signs are Chinese
]
TOLD_BY_THE_SCRIPT = [  # each language's name for itself
    ("hy", "հայերեն"), ("bn", "বাংলা ভাষা"), ("ka", "ქართული"), ("el", "ελληνικά"), ("gu", "ગુજરાતી"), ("pa", "ਪੰਜਾਬੀ ਭਾਸ਼ਾ"), ("ko", "한국어"), ("km", "ភាសាខ្មែរ"),
    ("kn", "ಕನ್ನಡ"), ("lo", "ພາສາລາວ"), ("ml", "മലയാളം"), ("my", "မြန်မာဘာသာ"), ("si", "සිංහල භාෂාව"), ("ta", "தமிழ் மொழி"), ("te", "తెలుగు భాష"), ("dv", "ދިވެހި ބަސް"),
    ("th", "ภาษาไทย"), ("bo", "བོད་སྐད་ཡིག"),
]  # fmt: skip


@pytest.mark.parametrize(("code", "text"), COMMON)
def test_the_languages_of_the_sources(code: str, text: str) -> None:
    found = detect(text)
    assert found.code == code
    assert found.confidence > 0.5


@pytest.mark.parametrize(("code", "text"), OTHERS)
def test_other_languages_are_not_claimed(code: str, text: str) -> None:
    assert detect(text).code == code


@pytest.mark.parametrize(("code", "text"), TOLD_BY_THE_SCRIPT)
def test_the_script_alone_tells(code: str, text: str) -> None:
    assert detect(text).code == code


@pytest.mark.parametrize("text", ["Baghdad, Iraq", "Mosul, Kirkuk, Erbil", "KADHIMI"])
def test_names_alone_are_no_language(text: str) -> None:
    assert (detect(text).code, detect(text).confidence) == ("und", 0.0)


@pytest.mark.parametrize("names", ["Karbala Samarra Ramadi", "Barzani Kadhimi Sulaymaniyah"])
def test_names_do_not_decide(names: str) -> None:
    assert detect(f"{names}: markets open again").code == "en"
    assert detect(f"{names}: les marchés rouvrent").code == "fr"


@pytest.mark.parametrize("text", ["asdf jkl qwer uiop zxcv", "jkhgf kjhg fdsa poiu", "sdfsdf dfgdfg ghjghj", "йцук фывап ячсмит ждлорп", "ضصثقف شسيبل ئءؤرلا"])
def test_a_keyboard_is_no_language(text: str) -> None:
    assert detect(text).code == "und"


def test_simplified_and_traditional_are_one_language() -> None:
    shared = "今天天安出去山上看天"  # written alike in both
    assert detect(shared).code == "zh"
    assert detect(shared).confidence > 0.5


def test_every_candidate_has_a_case() -> None:
    models = [model for script in ("Latn", "Arab", "Cyrl", "Deva", "Hani") if (model := language_model.model(script))]
    candidates = {code.partition("-")[0] for model in models for code in model.codes} - {"und"}
    assert candidates <= {code for code, _ in COMMON + OTHERS}
