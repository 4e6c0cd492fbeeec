"""Words in Devanagari, read as their Roman spelling, so that one grammar hears both.

Recognisers write Hindi in either script, with and without nukta and chandrabindu, often both in one sentence. A word
known here becomes the spelling that the other modules know it by; any other stays what it is, and so is not understood.
"""

from __future__ import annotations

import re
import unicodedata

from core.spoken.hindi import NUMBERS
from core.spoken.numerals import (
    BELOW_TWENTY,
    HINDI,
    HINDI_CANONICAL,
    HINDI_HALVES,
    HINDI_SCALES,
    HINDI_STEPS,
    SCALES,
    TEN_WORDS,
)

_ALSO_NUMBERS = {
    5: "पाच पॉंच", 6: "छः छे छै छ", 15: "पन्द्रह पंदरह पन्द्रा पंद्रा", 17: "सतरह", 18: "अट्ठारह अठ्ठारह", 22: "बाइस",
    23: "तेइस", 25: "पचीस", 27: "सत्ताइस", 28: "अठ्ठाईस अठाईस अट्ठाइस अठाइस", 29: "उन्तीस", 31: "इकत्तीस",
    33: "तेंतीस तैतीस", 34: "चौतीस", 35: "पैतीस", 37: "सैतीस", 39: "उन्तालीस", 42: "बियालीस",
    43: "तैतालीस तिरतालीस", 44: "चौवालीस चौंवालीस चव्वालीस", 45: "पैतालीस", 47: "सैतालीस", 49: "उन्चास", 53: "तिरेपन",
    54: "चव्वन", 58: "अठावन अठ्ठावन", 63: "तिरेसठ", 64: "चौसठ", 65: "पैसठ", 67: "सरसठ", 69: "उनहतर",
    75: "पिचहत्तर", 79: "उन्यासी उन्नासी", 87: "सतासी", 88: "अठासी", 95: "पंचानवे", 98: "अठानवे", 99: "निन्नानवे",
}  # fmt: skip

# Roman spelling: the words written so. "तो" and "थे" are given spellings that are no English words.
_WORDS = """
sau: सौ; hazaar: हज़ार; lakh: लाख; karod: करोड़; dedh: डेढ़; dhai: ढाई; adhai: अढ़ाई; sava: सवा; saadhe: साढ़े; paune: पौने
one: वन; two: टू टु; three: थ्री; four: फोर; five: फाइव फाईव; six: सिक्स; seven: सेवन सैवन; eight: एट ऐट; nine: नाइन नाईन
ten: टेन; eleven: इलेवन एलेवन इलैवन; twelve: ट्वेल्व; thirteen: थर्टीन; fourteen: फोर्टीन फोरटीन; fifteen: फिफ्टीन फिफटीन
sixteen: सिक्सटीन सिक्स्टीन; seventeen: सेवेंटीन सेवंटीन सेवनटीन; eighteen: एटीन; nineteen: नाइंटीन; twenty: ट्वेंटी ट्वंटी
thirty: थर्टी; forty: फोर्टी फोरटी; fifty: फिफ्टी फिफटी; sixty: सिक्सटी सिक्स्टी; seventy: सेवेंटी सेवंटी; eighty: एटी
ninety: नाइंटी; hundred: हंड्रेड; thousand: थाउजेंड थाउज़ंड थाउसेंड; million: मिलियन; crore: क्रोर; zero: ज़ीरो शून्य
double: डबल; triple: ट्रिपल; point: पॉइंट प्वाइंट; decimal: दशमलव; and: एंड ऐंड
january: जनवरी; february: फरवरी; march: मार्च; april: अप्रैल; may: मई; june: जून; july: जुलाई; august: अगस्त
september: सितंबर सितम्बर; october: अक्टूबर अक्तूबर; november: नवंबर नवम्बर; december: दिसंबर दिसम्बर
tarikh: तारीख; baje: बजे; din: दिन; mahine: महीने महीना; saal: साल; hafte: हफ्ते हफ्ता; ghante: घंटे घंटा; minute: मिनट
log: लोग लोगों; umar: उम्र उमर; ayu: आयु; mera: मेरा; meri: मेरी; mere: मेरे; ank: अंक; sankhya: संख्या; aakhri: आखिरी
antim: अंतिम; aadhar: आधार; phone: फोन; mobile: मोबाइल; reference: रेफरेंस; varna: वरना; adhiktam: अधिकतम; nyuntam: न्यूनतम
aas: आस; paas: पास; kareeban: करीबन; andazan: अंदाजन; rok: रोक; band: बंद; mana: मना; arre: अरे; badal: बदल
badlo: बदलो बदलकर
rupaye: रुपये रुपए रुपया रूपये रूपए रूपया रुपयों रूपयों; paise: पैसे पैसा; dollar: डॉलर
ko: को; ka: का; ki: की; ke: के; se: से; hi: ही; bhi: भी; mein: में; par: पर पे; toh: तो; ne: ने; aur: और; ya: या अथवा
hai: है; hain: हैं; tha: था; thhe: थे; thi: थी; ho: हो; wala: वाला; wale: वाले; ji: जी; na: ना न; bhai: भाई; yaar: यार
bhej: भेज; bhejo: भेजो; bhejna: भेजना भेजने भेजनी; bhejiye: भेजिए भेजिये भेजिएगा; bhejdo: भेजदो; de: दे; do: दो
dena: देना देने देनी; dijiye: दीजिए दीजिये दीजिएगा दीजियेगा; kar: कर; karo: करो; karna: करना करने करनी; kardo: करदो
kijiye: कीजिए कीजिये कीजिएगा; kariye: करिए करिये; chahiye: चाहिए चाहिये; daal: डाल; dalo: डालो; dijiye: दिजिए दिजिये
transfer: ट्रांसफर ट्रांस्फर; send: सेंड; payment: पेमेंट; bill: बिल; account: खाता खाते अकाउंट एकाउंट; number: नंबर
card: कार्ड; otp: ओटीपी; pin: पिन; code: कोड; percent: प्रतिशत परसेंट फीसदी
haan: हाँ हाॅ; theek: ठीक; sahi: सही; bilkul: बिल्कुल बिलकुल; achha: अच्छा; okay: ओके; yes: यस; zaroor: ज़रूर
nahi: नहीं नही नहि; mat: मत; no: नो; cancel: कैंसिल कैंसल रद्द; ruko: रुको रुकिए रुकिये रुकें; stop: स्टॉप
rehne: रहने; chhodo: छोड़ो छोड़िए छोड़िये; chhod: छोड़; sorry: सॉरी; please: प्लीज़; kripya: कृपया
dhanyavaad: धन्यवाद शुक्रिया; thanks: थैंक्स; lekin: लेकिन मगर; balki: बल्कि; matlab: मतलब; jagah: जगह
bajay: बजाय बजाए; uski: उसकी; phir: फिर; dobara: दोबारा दुबारा; boliye: बोलिए बोलिये; bolo: बोलो; kya: क्या; kaha: कहा
bataiye: बताइए बताइये बताओ; sunaiye: सुनाइए सुनाइये सुनाओ; suniye: सुनिए; kitna: कितना कितने कितनी; kisko: किसको किसे
sirf: सिर्फ केवल; bas: बस; abhi: अभी; turant: तुरंत तुरन्त; aaj: आज; kal: कल; ab: अब; kareeb: करीब; lagbhag: लगभग
takriban: तकरीबन; kam: कम; zyada: ज़्यादा; upar: ऊपर; neeche: नीचे; andar: अंदर अन्दर; tak: तक; har: हर
liye: लिए लिये; saath: साथ; baad: बाद; guna: गुना; aadha: आधा आधे; dugna: दुगना दुगुना दोगुना; aaspaas: आसपास
samajh: समझ; samjha: समझा; samjhi: समझी; sunai: सुनाई; suna: सुना; diya: दिया; diye: दिए दिये; di: दी; aaya: आया
gaya: गया; gaye: गए गये; gayi: गई गयी; hua: हुआ; huye: हुए हुये; hui: हुई; kiya: किया; kiye: किए किये; chuka: चुका
chuke: चुके; chuki: चुकी; balance: बैलेंस बैलेन्स; koi: कोई; dikkat: दिक्कत; galat: गलत; galti: गलती
bola: बोला; baar: बार; mujhe: मुझे; chalega: चलेगा
jaye: जाए जाये; aage: आगे; badhiye: बढ़िए बढ़िये; badho: बढ़ो; bhar: भर; confirm: कन्फर्म कंफर्म; kabhi: कभी
baat: बात; kyon: क्यों क्यूँ; pata: पता; roko: रोको; rokiye: रोकिए; rokna: रोकना
aap: आप; aapka: आपका; aapke: आपके; aapki: आपकी; kih: कि; kuch: कुछ
yeh: यह ये; woh: वह वो; mai: मैं; maine: मैंने; aapne: आपने; karen: करें; bhejen: भेजें; den: दें; rakho: रखो; jao: जाओ
"""


def fold(word: str) -> str:
    """A word without nukta, and with anusvara for chandrabindu and for a half n: one of the ways it is written."""
    kept = unicodedata.normalize("NFD", word).translate(_DROPPED)
    return _HALF_N.sub("\u0902", unicodedata.normalize("NFC", kept))


_DROPPED = {0x093C: None, 0x0901: 0x0902, 0x200C: None, 0x200D: None}
_HALF_N = re.compile("न\u094d(?=[क-न])")


def _table() -> dict[str, str]:
    table = {fold(word): HINDI_CANONICAL[value] for value, word in enumerate(NUMBERS) if value}
    for value, words in _ALSO_NUMBERS.items():
        table |= dict.fromkeys(map(fold, words.split()), HINDI_CANONICAL[value])
    for entry in _WORDS.replace("\n", ";").split(";"):
        roman, _, words = entry.partition(":")
        table |= dict.fromkeys(map(fold, words.split()), roman.strip())
    return table


_ROMAN = _table()
KNOWN_WORDS = frozenset(_ROMAN.values())
_WORD = re.compile(r"[\u0900-\u0963\u0970-\u097f\u200c\u200d]+")


def in_roman(word: str) -> str:
    """The Roman spelling of a word in Devanagari; any other word as it is."""
    return word if word.isascii() else _ROMAN.get(fold(word), word)


# Letters that are taken for one another; short and long a and doubling are not told apart.
_ALIKE = str.maketrans("खघछझटठडढथधफभणशषईऊएऐऔऑीूैौॉॅञ", "कगचजततददतदपबनससइउएएओओिुेोोेन", "\u0902\u0903\u094d")
_DOUBLED = re.compile(r"(.)\1")
_LONG_ENOUGH_FOR_A_SLIP = 4


def sounds_like_a_number(word: str) -> bool:
    """Whether a word in Devanagari may be a number word in another spelling: "इकसट", "सो", "फॉर"."""
    sound = _sound(word)
    return sound in _NUMBER_SOUNDS or not _slips(sound).isdisjoint(_NUMBER_SLIPS)


def _sound(word: str) -> str:
    plain = _DOUBLED.sub(r"\1", fold(word).translate(_ALIKE))
    return plain[:1] + plain[1:-1].replace("ा", "") + plain[-1:] if len(plain) > 1 else plain


def _slips(sound: str) -> frozenset[str]:
    """A sound with any letter for one of its own, or added: two that share one differ in one letter after the first."""
    if len(sound) < _LONG_ENOUGH_FOR_A_SLIP:
        return frozenset()
    return frozenset(f"{sound[:at]}*{sound[at + more :]}" for at in range(1, len(sound) + 1) for more in (0, 1))


_NUMBER_WORDS = BELOW_TWENTY.keys() | TEN_WORDS.keys() | SCALES.keys() | HINDI.keys() | HINDI_SCALES.keys()
_NUMBER_WORDS |= HINDI_HALVES.keys() | HINDI_STEPS.keys()
_NUMBER_SOUNDS = frozenset(_sound(word) for word, roman in _ROMAN.items() if roman in _NUMBER_WORDS)
_NUMBER_SLIPS = frozenset(slip for sound in _NUMBER_SOUNDS for slip in _slips(sound))

_LETTERS = """
अ a आ a इ i ई i उ u ऊ u ऋ ri ए e ऐ ai ऑ o ओ o औ au ऍ e ऎ e ऒ o
क k ख kh ग g घ gh ङ n च ch छ chh ज j झ jh ञ n ट t ठ th ड d ढ dh ण n त t थ th द d ध dh न n प p फ ph ब b भ bh म m
य y र r ल l व v श sh ष sh स s ह h ळ l
"""
_SIGNS: dict[str, str] = dict(
    zip("ािीुूृेैॉोौॅॆॊ", ("a", "i", "i", "u", "u", "ri", "e", "ai", "o", "o", "au", "e", "e", "o"), strict=True)
)
_LATIN: dict[str, str] = dict(zip(_LETTERS.split()[::2], _LETTERS.split()[1::2], strict=True))
_FIRST_CONSONANT, _LAST_CONSONANT = "क", "ह"
_VIRAMA, _ANUSVARA = "\u094d", "\u0902"


def transliterate(text: str) -> str:
    """`text` in Latin letters: of Devanagari, known words as `in_roman`, others letter by letter, as names are."""
    return text if text.isascii() else _WORD.sub(lambda found: _spell(found[0]), text)


def _spell(word: str) -> str:
    folded = fold(word)
    known = _ROMAN.get(folded)
    if known is not None:
        return known
    spelled: list[str] = []
    for at, char in enumerate(folded):
        following = folded[at + 1 : at + 2]
        spelled.append(_LATIN.get(char) or _SIGNS.get(char) or ("n" if char == _ANUSVARA else ""))
        if _FIRST_CONSONANT <= char <= _LAST_CONSONANT and following not in (_VIRAMA, "", *_SIGNS):
            spelled.append("a")
    return "".join(spelled)
