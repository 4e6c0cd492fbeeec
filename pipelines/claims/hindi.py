"""Claims in Hindi, in Latin letters and mixed with English: "भेज दिए हैं", "ho gaya", "payment कर दिया".

Hindi tells a deed by a perfective at the end of a clause, and has few of them that tell none. So every one counts
unless it is plainly negated, asked, conditional, of a code, or of what the caller said or spent.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from core.spoken.tokens import word_set
from pipelines.claims.clauses import Claim
from pipelines.claims.spelling import squash

# Hindi words that are neither English nor names: "Diya" and "Gaya" are.
_MARKS = word_set(
    "hai hain ko ka ke mein nahi nahin kya gaye gayi gae gai diye kiye huye chuka chuke chuki bhej bheja bheje bheji "
    "bhejo bhejna rupaye rupae paise paisa raha rahe maine aapka aapke aapki aapne yeh woh hoga hogi honge "
    "jaenge jayenge jaega bhara bhare bhari "
    "jayega jaegi jayegi hogaya hogayi kardiya kardi bhejdiya bhejdiye theek bilkul haan karun dun hun hoon aur"
)
_HINDI_DEED = re.compile(
    r"\b(?:bhej|de|kar|ho|chal|mil|pahunch|pahuch|jud|lag|bhar|ban|kat|nikal|nipat|ja) "
    r"(?:dia|die|di|gaya|gae|gai|hua|hue|hui)\b"
)

# All below is matched against words as `squash` leaves them.
_PAST = (
    r"(?:dia|die|di|gaya|gae|gai|chuka|chuke|chuki|dala|dale|dali|hua|hue|hui|kia|kie|lia|lie|li|ki (?:gai|hai|thi|ja))"
)
_SURE_STEM = (
    r"(?:bhej|bhijva|transfer|send|sent|pe|pay|paid|bhugtan|bhugatan|payment|jama|bhar|chuka|nipa?ta|nipat|"
    r"niba?ta|nibat|badha|pahuncha?|pahucha?|"
    r"ravana|kar|ho|karva|kara|jud|jod|block|blok|band|lag|laga|set|ad|cancel|radd?|post|proces|procesd|"
    r"process|ja|"
    r"chal|mil|kat|nikal|utar|a|nikl|done|complete|complit|safal|debit|credit|kredit|ban|bana|hat|hata|badal|darj|de|"
    r"chale|hasil|sampan|pura|puri|pure|ruk|rok|vapas|refund|update|add|khul|band|save|sev|rakh|dal)"
)
# Somebody who is not the caller.
_TO_ANOTHER = r"\b(?!(?:ap|mujh|ham|kis|din|rat|tarikh|subah|sham|[a-z]+var)\b)[a-z]+ ko"
_DEEDS = tuple(
    re.compile(pattern)
    for pattern in (
        rf"\b{_SURE_STEM} (?:{_SURE_STEM} ){{0,2}}(?:bhi |hi |to |ja )?{_PAST}\b",
        r"\b(?:bheja|bheje|bheji|chukaya|chukae|chukai|bhara|bhare|bhari|karvaya|karvae|karaya|lagaya|lagae|"
        r"lagai|jodi|"
        r"jode|joda|hataya|hatae|banaya|banae|banai|pahun?ch[aei]|nipa?t[aei]|karav?aya|karav?ae)\b",
        r"\b(?:kia|kie|hua|hue|hui|ki gai)\b",
        r"\blimit (?:[a-z]+ )?(?:badh|ghat) (?:gai|gaya|chuki)\b",
        rf"{_TO_ANOTHER} (?:[a-z]+ ){{0,3}}?(?:mil|pahun?ch) ja(?:ega|enge|egi)\b",
        rf"{_TO_ANOTHER} (?:[a-z]+ ){{0,3}}?mil(?:a?ne (?:hi )?val[aei] (?:hai|hain)|eg[aei]|enge)\b",
    )
)
# What the speaker is about to do: "bhej deti hun", "paise bhejti hun", "kar deta hun".
_ACT = (
    r"(?:bhej|bhijva|transfer|send|pe|pay|payment|bhugtan|bhugatan|jama|bhar|chuka|niba?ta|nipa?ta|ada|blok|block|band|"
    r"lok|lock|friz|frize|set|ad|jod|laga|badha|refund|darj|recharge|richarj|debit|credit|proces)"
)
_PROMISES = tuple(
    re.compile(pattern)
    for pattern in (
        rf"\b{_ACT} (?:(?:kar |karva )?[dl]et[aei] (?:hun|hain)|kara?t[aei] hun)\b",
        r"\b(?:bhej|bhar|jod|chuka|laga)a?t[aei] hun\b",
        r"\b(?:bhej|bhar)a?ne (?:hi )?(?:lag[aie]|ja rah[aie]|val[aei]) hun\b",
        r"(?:^|\b(?:mai|main|me|abhi|turant|yah|yeh|yahi|vahi|sab|ji|han|ise|use|isko|aj|hi|bhi) )"
        r"kar(?: det[aei] (?:hun|hain)|a?t[aei] hun)\b",
        r"\bkam kar det[aei] (?:hun|hain)\b",
    )
)
_SUM = r"(?:sau|hundred|hazar|thousand|lakh|karod|rupae|rupe|rupes|paise|paisa|rakam|rashi|amount)"
_OTHERS_PLACE = (
    r"(?!(?:apke|apne|is|us|kis|kiske|jis|mere|unke|inke)\b)[a-z]+ ke (?:[a-z]+ )?"
    r"(?:khate|acount|akaunt|pas|hath|valet)(?: me)?"
)
_OWN_PLACE = rf"(?:acount|akaunt|khate|pas)(?: me)?(?= .*\b{_SUM}\b)"
# These are deeds of money, if it is of money that the clause speaks.
_WITH_MONEY = tuple(
    re.compile(pattern)
    for pattern in (
        r"\b(?:mila|mile|mili|kata|kate|kati|nika?l[aei]|utar?[aei]|gaya|gae|gai|die|dia|chuka|chuke|chuki|"
        r"pahunch|ravana|dale|dala)\b",
        r"\b(?:mil|pahunch|pahuch|a|dikh|jama ho|kat|chale|ho) (?:ja(?:ega|enge|egi|enge|yega|yenge|yegi)|jaen)\b",
        r"\b(?:milega|milenge|milegi|pahunchega|pahunchenge|dikhenge|dikhega|aenge|aega)\b",
        r"\ble (?:lia|lie|li)\b|\b(?:sau|hundred|hazar|thousand|lakh|rupae|paise|rakam|rashi) di\b",
        r"\b(?:mila?|pahun?cha?|ja)ne (?:hi |bhi )?val[aei] (?:hai|hain)\b",
        r"\b(?:raste|rah) me\b|\bja (?:rahe|raha|rahi)\b",
        rf"\b{_OTHERS_PLACE}(?: (?:hi|bhi|ab|abhi|safe|surakshit))? (?:hain|hai|[a-z]+ (?:rupae|paise) hain)\b",
        r"\bab\b.*\b(?:account|acount|khate|pas)\b.*\b(?:zyada|jyada|adhik|kam)\b",
        r"\bke pas (?:ab |abhi )?(?:[a-z]+ ){1,6}(?:hain|hai)\b",
        r"\b(?:bahar|nikal|alag|kam) (?:hain|hai|ho)\b",
    )
)
_STATES = tuple(
    re.compile(pattern)
    for pattern in (
        r"\b(?:safal|saphal|safaltapurvak|saphalatapurvak|safalta|saphalata|saphalatapurvak|sampan|complete|complit|"
        r"sucesful|sucesfuly|sakses[a-z]*|mukamal|done|dan|sent|paid|ped|(?:blok|lok)d|(?:block|lock)ed|"
        r"transfered|credited|debited|procesed|"
        r"executed|clear|kliyar)\b",
        r"\b(?:pura|puri|pure|khatm|khatam|final|pakka|tay|set|on|active|block|blok|band|lok|lock|friz|frize|add|ad|"
        r"darj|shuru|tamam|posted|chuka?ta) (?:hai|hain|samajhie|samjhie|maniye|manie|ho|raha|rahi|rahe)\b",
        r"\b(?:pura|puri|khatm|khatam|complete|complit|kamplit|kampalit|chuka?ta)$",
        r"\bada (?:hai|hain)\b|\bada$|\bkam (?:ph|f)ata?he?\b|\b(?:reminder|rimaindar|alarm) lag[ai] (?:hai|hain)\b",
        r"\b(?:bil|bakaya|baki|dues?|dyu|hisab|udhar)\b.*\b(?:[zj](?:e|i)ro|shunya?|nil)\b",
        r"\bab\b.*\b(?:suchi|list|payee|pei|peyi) me (?:hai|hain)\b",
        r"\bpa (?:lia|lie|li|gae|gaya|chuke|chuka)\b|\bse (?:amir|dhani) (?:hai|ho)\b",
        r"\bab [a-z]+ k[aei] (?:hai|hain|hua|hue)$",
        r"\b(?:preshit|antarit|sthanantarit|sthanantrit)\b",
        r"\b(?:transfer|payment|bhugtan|bhugatan|paise|proses|process|proces)\b.*\b(?:ho|kia ja) (?:raha|rahi|rahe)\b",
        r"\b(?:bil|transaction|tranjaikshan|payment|transfer|bhugtan|bhugatan|hisab)\b.* ?\b(?:sa(?:f|ph)|ok|"
        r"okay|oke)(?: hai)?$",
        r"\bko (?:[a-z]+ ){1,6}ka (?:bhugtan|bhugatan|payment|transfer)$",
        r"\b(?:maine|mainne|hamne|humne|mene)\b.* (?!(?:nam|dhyan|javab|khol|dikha|bata|suna|padh|samjha|likh|keh|kah|"
        r"bol|dohra)\b)[a-z]+ (?:dia|die|di)\b",
        r"\bkam tamam\b|\bbadhai\b|\bmubarak\b|\bnishchint\b|\bbefikr\b|\bsamajh lijie\b|\bman lijie\b|\bmubark\b",
        r"\b(?:rasid|utr|reference|refrens|transaction (?:id|number|aidi)|traanzaction (?:id|number)|pava?ti)\b",
        r"\b(?:bhej|transfer|payment|bhugtan|bhugatan|send|jama|block|blok|band|proces|pay) (?:kar |ho |kia )?(?:ja )?"
        r"(?:raha|rahi|rahe)\b",
        r"\b(?:repharens|rephrens|refarens) (?:number|nambar)\b",
    )
)
# Without any verb, these tell a deed if nothing is asked: "card block", "500 rupaye Ravi ke paas".
_VERBLESS = tuple(
    re.compile(pattern)
    for pattern in (
        r"\bcard (?:ab )?(?:blok|block|band|lok|lock|friz|frize)$",
        rf"\b{_SUM}\b.*\b(?:debit|credit|kredit)$|\bko (?:transfer|payment|bhugtan|bhugatan)$",
        r"\b(?:transaction|payment|transfer|bhugtan|bhugatan) pas$",
        rf"\b{_SUM}\b.* {_OTHERS_PLACE}$|{_OTHERS_PLACE} (?:[a-z]+ ){{0,5}}{_SUM}$",
    )
)
# And by what is no more: that claims all the same.
_NO_MORE = tuple(
    re.compile(pattern)
    for pattern in (
        r"\bkuchh? (?:aur )?karn[ae] ki (?:zarurat|jarurat|avashyakata) nahi\b|\bkuchh? nahi karna\b",
        r"\bbil(?:l)? (?:ab )?(?:bakaya|baki|due|dyu) nahi\b|\bbakaya khatm\b|\bhisab (?:barabar|saf|clear)\b",
        r"\bcard\b.*\bkam nahi (?:kar(?:ega|enge)|aega)\b",
        r"\b(?:bil|bakaya|baki|due|dyu) nahi rah[aie]\b",
        r"\blautae? (?:die|dia)\b|\bja chuk[aei]\b",
    )
)
_PART = re.compile(rf"(?:{_SURE_STEM}|{_PAST}|bhej[aei]|bhi|hi)")
_BALANCE = re.compile(
    r"\b(?:naya|nae|nai|updated|bacha hua|ab (?:apka |apke khate ka )?|baki) ?(?:balance|bailens|belens|bailans|"
    r"balans|"
    r"shesh)\b|\b(?:balance|bailens|bailans|belens|balans|shesh) (?:ab|ghatkar|kam hokar)\b|"
    r"\b(?:ghatakar|ghatkar|ghatane ke bad)\b|"
    rf"\b{_SUM} (?:hi |baki |shesh )?rah ga[ei]\b|"
    rf"\bab (?:[a-z]+ ){{0,3}}{_OWN_PLACE} .*\bhain?\b|\b{_OWN_PLACE} ab .*\bhain?\b|"
    r"\b(?:bache|bacha|bach gae|bach gaya|shesh) (?:hain|hai|rahe|raha|gae|gaya)\b"
)

_MONEY = re.compile(
    r"\b(?:paise|paisa|rupae|rupaye|rupees?|rakam|rakm|rashi|amount|amaunt|money|payment|pement|bhugtan|"
    r"bhugatan|transfer|"
    r"bil|bill|sau|hazar|lakh|karod|hundred|thousand|fund|funds|kharcha|deposit)\b"
)
_OTHER = re.compile(
    r"\b(?:card|kard|reminder|rimaindar|remainder|yad|payee|peyi|suchi|list|alarm|request|anurodh|shikayat|complaint|"
    r"number|limit)\b"
)
_SENT_AFTER_A_CODE = re.compile(r"\b(?:[a-z]+te hi|ke bad)\b")
_CODE = re.compile(r"\b(?:code|kod|otp|sms|sandesh|mesej|message|ank|eseems|link)\b")
_ASKS = word_set(
    "kya kitna kitne kitni kab kaun kon kisko kise kahan kaise kis kyon kyun konsa kaunsa kaun-sa kinhe kisne"
)
_KNOWN = re.compile(r"\b(?:pata|malum|jante|janti|dekha|dekh lia|khabar|notice|yad) (?:hai|hain|ho|chala|hi)?\b")
_NEGATORS = word_set("nahi nahin nahi na mat bina")
_AFTER_NEGATED = r"(?:hua|hue|hui|hai|hain|ho|raha|rahi|rahe|gaya|gae|gai|kia|kie|tha|the|thi|ja|bheja|bheje|bheji)\b"
_SOOTHING = re.compile(
    r"\b(?:chinta|fikr|phikr|fikar|pareshan|tension|tenshan|ghabrane|ghabraie|ghabra|darie|dar)\b"
    r"(?: (?:ki|ka|ke|koi|bat|hone|karne|zarurat|jarurat))* (?:mat|na|nahi)\b(?: (?:hai|karen|kare|kijie|karo|"
    r"lijie|hon|"
    r"ho|hoie|kijiega|ghabraie))?|\b(?:mat|na) (?:ghabraie|ghabrao|darie|daro)\b"
    r"|\b(?:ghabraie|ghabrao|darie) (?:mat|nahi|na)\b"
    r"|\bkoi (?:bat|dikkat|samasya|problem|chinta|shak|pareshani|fikr|rukavat|der|deri) (?:hi )?nahi\b(?: "
    r"(?:hai|hui|ai))?"
    r"|\bkyon nahi\b|\bkyun nahi\b|\bbina (?:kisi )?[a-z]+ ke\b|\bna (?:sirf|keval)\b|\bhai na\b|\bnahi kya\b"
)
_FAILS = re.compile(
    r"\b(?:asafal|asaphal|fail|fel|failed|reject|rijekt|decline|dikalain|radd?|cancel|bounce|baunc|ruka)\b"
)
_IF = word_set("agar yadi")
_IDLE = re.compile(r"\b(?:soch|dhyan|dekhen|dekhenge|yad|chahte hain to jan|jan|bata)\b")
_CLAUSE = re.compile(
    r"[,:()\u2014\u2013]+|\s-\s|\b(?:aur|lekin|magar|kyonki|isalie|islie|phir|balki|toh|jabki|yani|tatha|evam|"
    r"kih|par ab|isaliye|and|but|so|then|because)\b"
)
# What is said, understood or remembered, and what has only become late or wrong.
_SAID = re.compile(
    r"(?!sama?jh(?:o|ie)\b|bataun\b)(?:bata|samajh|samjh|bol|keh|kah|sun|puch|likh|dekh|padh|yad|bhul|soch|dikha|pahchan|chun|mang|sujha|khoj|"
    r"dhundh|"
    r"janch|khol|rah$|jan$|man$)"
)
_BEFORE_DONE = word_set(
    "kharch der deri galti galati bat bate baten khushi samasya dikkat taklif asuvidha gadbad gadabad error "
    "problem call kol phon "
    "phone fon anurodh koshish sampark saval pata pasand tay chunav shuruat intazar istemal upayog prayas zikr "
    "jikr suna "
    "pucha varnan dhanyavad paida mahsus chahe"
)
_TO_BE_DONE = re.compile(
    r"^ ?(?:ja(?:ne|na|ni|ega|egi|enge|yega|yegi|yenge|te|ta|ti|en|e|ye|un|o)\b|ja sak|nahi ja sak|karte|"
    r"hote|jane)"
)
_WILL_BE = re.compile(r"^ ?ja(?:ega|enge|egi)\b")
_WHAT_HAPPENED = re.compile(r"(?:hua|hui|ho gaya|ho gai|kia)(?: (?:hai|tha|thi|ji|apko|apako))*")
_ENDS_IN_KYA = re.compile(rf"\b(?:{_PAST}|mil[aei]|a[ei]|hai|hain|tha|the|thhe|thi) kya(?: ji)?$")
_BY_CALLER = re.compile(r"\b(?:apne|ap ne)\b.*\b(?:kaha|bataya|pucha|bola|manga|chaha|chuna|diya|dia|kia)\b")
_TO_COME = re.compile(r"(?:g[aei]|jaen|hun|t[aei] hain)$")
# On what it still waits: "han kahte hi", "code dalne par", "ap han kahen to".
_UPON = re.compile(
    r"\b(?:[a-z]+ne (?:par|ke bad)|(?:sahmati|sahamati|manjuri|pushti|code|kod|otp) (?:ke bad|milne par)|"
    r"(?:kaha?|bola?|mila?|dala?|bata|kara?|de)te hi|jaise hi|tab|agar|yadi|jab tak|"
    r"(?:han|ap) (?:[a-z]+ ){0,2}(?:kahe?i?n|kahie|kaho|bole?i?n|bolie|bolo|bataen|batao|den|dijie|karen),? "
    r"(?:to|toh))\b"
)
_AT_ONCE = re.compile(r"\b(?:abhi|turant|fauran|aj|thodi der)\b")
# What happens by itself: a line breaks off, a date passes, a bill comes, a name is found.
_AGAIN = r"(?:(?:phir|phir se|aj|kal|abhi|hi|bhi|to|toh|achanak|bich me) )?"
_BY_ITSELF = re.compile(
    rf"\b(?:(?:ava[zj]|kol|call|lain|line|phon|phone|fon|sampark|network|netvark) {_AGAIN}(?:kat|tut|jud)"
    rf"|(?:tarikh|date|det|din|samay|vakt|time|taim|mahina|mauka) {_AGAIN}(?:nikal|bit|gu[zj]ar)"
    r"|(?<!\bis )(?<!\bisi )(?<!\bus )(?<!\busi )(?:samay|vakt|time|taim) ho"
    r"|(?:samay|time|satr|session|seshan|avadhi|sima) (?:samapt|khatm|pura|puri) ho|(?:sima|limit) par (?:ho|kar)"
    rf"|pata (?:chal|lag)|galat number lag|samajh (?:me )?a|ap {_AGAIN}vapas a"
    rf"|(?:bil|(?<!\bki )(?<!\bka )(?:salary|sailari|vetan|tankhvah|pension|penshan)) {_AGAIN}a"
    r"|(?:nam|khata|acount|bil|suchi|list|jankari|vivaran|detail|log|record|rikard|bat|page|pej|payee|pei) mil"
    r"|kharcha? (?:[a-z]+ (?:par |me )?)?(?:ho|badh|ghat)) "
    r"(?:gaya|gae|gai|chuka|chuke|chuki|li|lia)\b"
    r"|(?:^|[,.] ?|\b(?:ab|to|toh|bahut|kafi|are) )(?:subah|dopahar|sham|rat) ho gai\b"
    r"|\bkharcha? (?:[a-z]+ (?:par |me )?)?(?:hua|hue|hui)\b|\bbil mil[aei]\b"
    r"|\bapne (?:(?!abhi\b)[a-z]+ ){0,4}kisten chukai\b"
)
_RECEIVER = re.compile(r"\b(?:ko|use|unhe|unhen|ise|inhe|usko|unko|isko|usne|khate|acount|akaunt)\b")
_SAFE = re.compile(r"\b(?:safe|surakshit) (?:hain|hai)\b")
_ELSE = re.compile(r"\b(?:aur koi|koi aur|dusra|dusri|dusre|anya|dobara|phir se|do bar)\b")
_BACK = re.compile(
    r"\b(?:vapas|refund|rifand|laut|lauta|radd?|cancel|kainsal|ruk|rok|asafal|asaphal|fail|fel|reject|bounce|"
    r"undo|nirast)\b"
)


def is_hindi(words: Sequence[str]) -> bool:
    """Whether plain Latin words are Hindi, or partly."""
    return bool(_MARKS & set(words)) or _HINDI_DEED.search(squash(" ".join(words))) is not None


def claims(sentence: str) -> tuple[list[Claim], bool]:
    """What a sentence claims in Hindi, and whether it says that money has not moved after all or has come back.

    Args:
        sentence: Plain, in Latin letters.
    """
    squashed = _BY_ITSELF.sub(" ", _SOOTHING.sub(" , ", squash(sentence)))
    asks = "?" in squashed
    found: list[Claim] = []
    undoes = False
    pieces = [piece.strip(" .!?;'\"") for piece in _CLAUSE.split(squashed)]
    pieces = [piece for piece in pieces if piece]
    whole_money = bool(_MONEY.search(squashed))
    upon = _UPON.search(squashed) is not None
    for at, clause in enumerate(pieces):
        asked = at == len(pieces) - 1 and _is_asked(clause, marked=asks)
        if asked or _is_condition(clause):
            continue
        undoes = undoes or (whole_money and bool(_SAFE.search(clause)))
        for match, needs_money in _matches(clause, asks=asks):
            if needs_money and not whole_money:
                continue
            if upon and _TO_COME.search(match[0]):
                continue
            if _tells_nothing(clause, match, upon=upon) or (not whole_money and _is_found(clause, match)):
                continue
            negated = _is_negated(clause, match)
            back = bool(_BACK.search(clause))
            if negated != back:
                undoes = undoes or not _ELSE.search(clause)
            if negated and not _FAILS.search(clause):
                continue
            found.append(_claim(clause, match[0]))
        if any(not (upon and _TO_COME.search(match[0])) for match in _no_more(clause)) and (
            "koi " not in clause or "nahi rah" in clause
        ):
            found.append(_claim(clause, clause))
        if _BALANCE.search(clause):
            found.append(Claim("balance", balance=True))
    return found, undoes


def asks_whether_done(text: str) -> bool:
    """Whether a caller's plain words ask in Hindi if something has been done."""
    squashed = squash(text)
    return any(pattern.search(squashed) for pattern in (*_DEEDS, *_WITH_MONEY, *_STATES))


def _matches(clause: str, *, asks: bool) -> list[tuple[re.Match[str], bool]]:
    verbless = () if asks else _VERBLESS
    return [
        (match, needs_money)
        for patterns, needs_money in ((_DEEDS + _PROMISES, False), (_WITH_MONEY, True), (_STATES + verbless, False))
        for pattern in patterns
        for match in pattern.finditer(clause)
    ]


def _no_more(clause: str) -> list[re.Match[str]]:
    return [match for pattern in _NO_MORE if (match := pattern.search(clause))]


def _claim(clause: str, word: str) -> Claim:
    other = bool(_OTHER.search(clause))
    mine = bool(re.search(r"\b(?:maine|mainne|hamne|humne|mene)\b", clause))
    return Claim(word, money=not other, other=other, mine=mine)


def _is_found(clause: str, match: re.Match[str]) -> bool:
    """Whether it only says that something was found ("Ravi mil gaya"), not received ("Ravi ko mil gaya", "mil gae")."""
    found = "mil gaya", "mil gai", *(["mil gae"] if match.start() else [])
    return match[0] in found and not _RECEIVER.search(clause)


def _tells_nothing(clause: str, match: re.Match[str], *, upon: bool) -> bool:
    before, after = clause[: match.start()].split(), clause[match.end() :]
    last = before[-1] if before else ""
    if _TO_BE_DONE.match(after) and (upon or not (_WILL_BE.match(after) and _AT_ONCE.search(clause))):
        return True
    if last == "kya" and _WHAT_HAPPENED.fullmatch(match[0] + after):
        return True
    stem = match[0].split()[0]
    if _SAID.match(last) or _SAID.match(stem):
        return True
    if last in _BEFORE_DONE and stem in ("kia", "kie", "hua", "hue", "hui", "ki", "ho"):
        return True
    if _CODE.search(clause) and not _MONEY.search(clause) and not _SENT_AFTER_A_CODE.search(clause):
        return True
    return bool(_BY_CALLER.search(clause)) and not re.search(rf"\b(?:{_ACT}\b|bhej)", clause)


def _is_negated(clause: str, match: re.Match[str]) -> bool:
    before, inside, after = clause[: match.start()].split(), match[0].split(), clause[match.end() :]
    while before and _PART.fullmatch(before[-1]):
        before.pop()
    if before and before[-1] in _NEGATORS:
        return True
    if _NEGATORS & set(inside) or re.match(rf" ?(?:nahi|nahin) {_AFTER_NEGATED}", after):
        return True
    # "nahi" may stand before the noun of the verb: "nahi transfer hua".
    return (
        len(before) > 1
        and before[-2] in ("nahi", "nahin")
        and before[-1] in ("transfer", "payment", "abhi", "kuch", "ho")
    )


def _is_asked(clause: str, *, marked: bool) -> bool:
    if _ENDS_IN_KYA.search(clause):
        return True
    return marked and bool(_ASKS & set(clause.split())) and not _KNOWN.search(clause)


def _is_condition(clause: str) -> bool:
    words = clause.split()
    return bool(_IF & set(words[:3])) and not _IDLE.search(clause)


# What is said around the names in a claim.
_FILLERS = word_set(
    "ap apne apke apka apki apko ne ko ka ki ke se me par tak hai hain tha the thhe thi ho gaya gae gai dia die "
    "di kia kie "
    "hua hue hui chuka chuke chuki bhej bheja bheje bheji bhejna kar karke ja raha rahi rahe rupae rupe rupaya "
    "paise paisa "
    "rakam rashi payment bhugatan bhugtan transfer transaction account acount bachat chalu khata khate bank ji "
    "han thik "
    "bilkul ab abhi maine hamne yah yeh voh ve vo unhe use unke uske naya nae balance bailens safal saphal safalta "
    "saphalatapurvak safaltapurvak pura puri complete successfully sucesful sucesfuly suces done acha kuch kya madad "
    "chahie dhanyavad dhanyavaad kripya please ok okay bas turant aj sahi kul abhi-abhi pahunch mil gayi lijie "
    "lo ka bad"
)
_PAST_DAYS = re.compile(
    r"\b(?:pichhale|pichle|pichhle|pichali|bite|kal|parson|tarikh|mahine|hafte|saptah|sal|din pahle|akhri|antim|"
    r"ant|statement|"
    r"stetament|len den|lenden|transactions|janvari|january|farvari|pharavari|february|march|mai|jun|june|julai|july|"
    r"agast|august|sitambar|september|aktubar|october|navambar|november|disambar|december|april|aprail)\b"
)
_THIS_MOMENT = re.compile(r"\b(?:abhi|aj|maine|hamne|turant|fauran|ab)\b")
_REQUEST = re.compile(r"\b(?:anurodh|request|rikvest|shikayat|complaint|suchna|suchana)\b")
_REMINDER = re.compile(r"\b(?:reminder|rimaindar|remainder|yad)\b")


def names_in(words: Sequence[str], known: Sequence[str]) -> set[str]:
    """What is left of a claim's words but for `known` names, however they are spelled, and what stands around them."""
    names = {squash(word) for word in known}
    return {word for word in words if not set(squash(word).split()) <= _FILLERS | names}


def tells_of_the_past(text: str) -> bool:
    """Whether plain words name a time before this call, and not this moment."""
    squashed = squash(text)
    return bool(_PAST_DAYS.search(squashed)) and not _THIS_MOMENT.search(squashed)


def kept_thing(text: str) -> str | None:
    """Which thing plain words say was set or passed on, in English: a request or a reminder."""
    squashed = squash(text)
    return "request" if _REQUEST.search(squashed) else "reminder" if _REMINDER.search(squashed) else None
