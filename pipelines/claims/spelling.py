"""Hindi in Latin letters: one spelling for the many in which it is written."""

from __future__ import annotations

import re

_DOUBLES = re.compile(r"([bcdfghjklmnpqrstvwxyz])\1+")
_SHORT = {
    "gya": "gaya", "gye": "gae", "gyi": "gai", "dya": "dia", "dye": "die", "kr": "kar", "h": "hai", "hn": "hain",
    "hu": "hun", "mein": "me", "men": "me", "lga": "laga", "lgi": "lagi", "chle": "chale", "trnsfr": "transfer",
}  # fmt: skip
_SHORTENED = re.compile(rf"\b(?:{'|'.join(_SHORT)})\b")
# "hogya", "kardiya": a verb and the one that completes it in one word.
_TOGETHER = re.compile(
    r"\b(ho|kr|kar|bhej|bhijva|de|mil|chal|pahunch|pahuch|bhar|nikal|nipat|kat|ban|lag|jud|a(?=g|ch))"
    r"(gya|gye|gyi|gaya|gae|gai|dia|dya|die|di|chuka|chuke|chuki)\b"
)


def squash(text: str) -> str:
    """Plain text with every Hindi word in one of its spellings: "krdiya", "kar dia" and "kar diyaa" are one."""
    text = text.replace("aa", "a").replace("ee", "i").replace("ii", "i").replace("oo", "u").replace("uu", "u")
    text = _DOUBLES.sub(r"\1", text).replace("w", "v")
    text = re.sub(r"(?<=[aeiou])y(?=[ei]\w*\b)", "", text)  # gaye, kiye, gayi, jayenge
    text = re.sub(r"(?<=[dkl])iy(?=a\b)", "i", text)  # diya, kiya, liya
    text = re.sub(r"\bkr(?=[dknt])", "kar", text)  # krta, krna, krdi
    text = _TOGETHER.sub(r"\1 \2", text)
    return _SHORTENED.sub(lambda found: _SHORT[found[0]], text)
