"""Whether a caller agreed: a closed grammar, without any guess.

Agreement moves money, so every word has to belong to it: "yes but", "yes make it six hundred" and "okay wait" are none.
Refusal moves nothing and is taken from any sentence that begins with it or holds "stop" or "cancel".
"""

from __future__ import annotations

from collections.abc import Sequence, Set
from typing import Literal

from core.spoken.tokens import phrases, tokens_of, word_set

Consent = Literal["yes", "no", "repeat"]

MAX_WORDS = 12
"""More words are no mere agreement."""

_MAX_CHARACTERS = 200

_AGREES = frozenset(
    phrases(
        "yes, yeah, yep, yup, yea, yess, aye, sure, okay, ok, okey, okay then, ok then, certainly, definitely, "
        "absolutely, of course, by all means, correct, thats right, that is right, thats correct, that is correct, "
        "its right, it is right, its correct, it is correct, all correct, thats fine, that is fine, its fine, it is "
        "fine, fine go ahead, thats okay, that is okay, thats ok, that is ok, its okay, its ok, it is okay, it is ok, "
        "sounds good, looks good, go ahead, go for it, just do it, just send it, do it, do that, do so, please do, "
        "lets do it, lets do that, lets go ahead, send it, send that, send the money, pay it, pay that, pay the bill, "
        "transfer it, transfer the money, make the payment, make the transfer, proceed, you may, you can, you may "
        "proceed, you can proceed, carry on, confirm, confirmed, confirm it, i confirm, i confirm it, i agree, "
        "agreed, i do, i approve, approved, i am sure, im sure, yes it is, yes i am, yes you can, yes you may, yes "
        "that is it, haan, haanji, haan ji, ji haan, han, han ji, ji han, bilkul, theek hai, thik hai, sahi hai, "
        "kar do, kardo, kar dijiye, bhej do, bhejdo, bhej dijiye, bhejo, bhejiye, bhej den, karo, kijiye, kariye, kar "
        "den, kar de, bhej de, haan haan, achha theek hai, theek hai ji, theek, sahi, zaroor, ji zaroor, ji bilkul, "
        "haan bilkul, haan theek hai, payment kar do, transfer kar do, payment kar dijiye, transfer kar dijiye, "
        "paise bhej do, paise bhej dijiye, bill bhar do, bill bhar dijiye, bhar do, bhar dijiye, send kar do, send "
        "kar dijiye, confirm karo, confirm kar do, confirm kar dijiye, confirm hai, ok hai, okay hai, yes ji, ji yes, "
        "ho jaye, chalega, aage badhiye, aage badho"
    )
)
_POLITE = frozenset(
    phrases(
        "please, thanks, thank you, thank you very much, thanks a lot, sir, madam, maam, ji, now, right now, right "
        "away, at once, immediately, with it, with that, with the transfer, with the payment, alright, all right, "
        "fine, good, great, perfect, exactly, abhi, turant, kripya, dhanyavaad, shukriya, achha, bhai"
    )
)
_OPENINGS = word_set("oh well so and arre arrey arey")
# "Theek hai, kar do" agrees, "theek kar do" wants something put right, and "abhi theek hai" finds it right as it is.
_APPROVES_HINDI = word_set("theek thik sahi achha")
_APPROVES = _APPROVES_HINDI | word_set("fine good great perfect correct")
_ACTS_HINDI = word_set(
    "kar karo kardo karna karen kijiye kariye bhej bhejo bhejdo bhejna bhejen bhejiye bhar bharo bhariye ho hone jaye"
)
_BETWEEN = word_set(
    "abhi turant kripya please ji bhai sir madam maam now payment paise transfer send bill dhanyavaad shukriya thanks"
)
_AS_IT_IS = _APPROVES | word_set("ok okay")
_GIVES = word_set("do dijiye")
_LEAVES = phrases(
    "chhodo, chhodiye, chhod do, chhod dijiye, rehne do, rehne dijiye, roko, rokiye, rok do, rok dijiye, band karo, "
    "band kar do, band kijiye, band kar dijiye, mana karo, mana kar do, mana kijiye, mana kar dijiye"
)
_ACKNOWLEDGES = phrases("theek hai, thik hai, achha, ok, okay")
_REFUSES = frozenset((*_LEAVES, *((*first, *leaves) for first in _ACKNOWLEDGES for leaves in _LEAVES))) | frozenset(
    phrases(
        "no, nope, nah, naah, no way, not now, not yet, not really, not today, not at all, certainly not, definitely "
        "not, absolutely not, of course not, rather not, id rather not, i would rather not, better not, please no, "
        "dont, do not, please dont, please do not, i dont want to, i do not want to, i dont want that, i dont want it, "
        "i changed my mind, ive changed my mind, i have changed my mind, changed my mind, forget it, forget that, "
        "forget about it, never mind, nevermind, never, leave it, drop it, later, maybe later, wrong, thats wrong, "
        "that is wrong, thats not right, that is not right, thats not correct, that is not correct, its wrong, it is "
        "wrong, not correct, not right, incorrect, i refuse, i disagree, i do not, i dont, scratch that, undo, undo "
        "it, nahi, nahin, nahi ji, nahin ji, ji nahi, ji nahin, mat karo, mat bhejo, mat bhejna, mat bhejiye, mat "
        "karna, mat kijiye, mat kariye, mat karen, mat bhejen, na bhejo, na bhejen, na karen, na karo, rehne den, "
        "bhejo mat, bhejna mat, bhejiye mat, bhejen mat, karo mat, karna mat, kijiye mat, kariye mat, karen mat, abhi "
        "nahi, abhi nahin, aaj nahi, bilkul nahi, bilkul nahin, nahi bhejna, nahin bhejna, nahi karna, nahin karna, "
        "nahi chahiye, nahin chahiye, nahi mat bhejo, galat, galat hai, sahi nahi hai, theek nahi hai, cancel kar do, "
        "cancel karo, cancel kijiye, cancel kar dijiye, baad mein, phir kabhi, na, bhejna nahi hai, nahi bhejna hai, "
        "paise nahi bhejna"
    )
)
_ASKS_AGAIN = frozenset(
    phrases(
        "repeat, repeat it, repeat that, repeat please, can you repeat, can you repeat it, can you repeat that, could "
        "you repeat, could you repeat it, could you repeat that, please repeat, please repeat that, please repeat it, "
        "say again, say it again, say that again, say that once more, can you say that again, could you say that "
        "again, can you say it again, could you say it again, come again, again, once again, once more, one more "
        "time, one more time please, again please, read it again, read that again, can you read it again, could you "
        "read it again, pardon, pardon me, i beg your pardon, beg your pardon, excuse me, sorry, sorry what, sorry "
        "what was that, what, what was that, what did you say, whats that, what is that, what did you just say, i "
        "didnt hear, i didnt hear you, i didnt hear that, i did not hear, i did not hear you, i did not hear that, "
        "didnt hear you, i couldnt hear, i couldnt hear you, i couldnt hear that, i cant hear you, i didnt catch "
        "that, i did not catch that, didnt catch that, i didnt get that, i did not get that, i didnt understand, i "
        "did not understand, i dont understand, how much, how much was it, how much was that, how much is it, to "
        "whom, to who, who, who to, which account, from which account, what amount, is it done, is that done, is it "
        "sent, did it go through, did that go through, has it gone through, did you send it, have you sent it, was it "
        "sent, phir se, phir se boliye, phir se "
        "bolo, dobara boliye, kya, kya kaha, kya kaha aapne, aapne kya kaha, phir se bataiye, phir se sunaiye, ek baar "
        "phir, ek baar phir boliye, ek baar phir se boliye, ek baar aur, ek baar aur boliye, dobara bolo, dobara "
        "bataiye, dobara sunaiye, dobara, kitna, kitna rupaye, kisko, kya bola, sunai nahi diya, suna nahi, nahi suna, "
        "samajh nahi aaya, nahi samjha, nahi samjhi, samjha nahi, samjhi nahi, mai nahi samjha, mai nahi samjhi, "
        "mai samjha nahi, mai samjhi nahi, mujhe sunai nahi diya, mujhe samajh nahi aaya, repeat karo, repeat kijiye, "
        "repeat kar do, repeat kar dijiye, bhej diya kya, ho gaya kya, kya ho gaya, kya bhej diya"
    )
)
_NO_REFUSAL = phrases(
    "no problem, no problems, no worries, no worry, no issue, no issues, no doubt, not a problem, not sure, dont "
    "worry, dont stop, dont cancel, do not stop, do not cancel, never mind the, dont know, do not know, dont forget, "
    "do not forget, dont hang up, do not hang up, dont understand, koi baat nahi, koi dikkat nahi, koi problem nahi, "
    "pata nahi, kyon nahi, kyun nahi, mat ruko, mat rukiye, mat roko, mat rokiye, mat rokna, na roko, na rokiye, "
    "cancel mat, cancel nahi, stop mat, nahi samjha, "
    "nahi samjhi, samajh nahi, nahi suna, sunai nahi, nahi toh"
)
_STOPS = word_set("cancel stop abort halt")
_STOPS_IT = frozenset(
    (stop, *what)
    for stop in _STOPS
    for what in ((), ("it",), ("that",), ("this",), ("everything",), ("the", "transfer"), ("the", "payment"))
)
_YES_HINDI = word_set("haan haanji han haa yes bilkul")
_NEGATES = word_set("dont not never without")
_DONT_SEND = phrases(
    "dont send, dont pay, dont do, dont transfer, dont proceed, dont make, dont go ahead, do not send, do not pay, do "
    "not do, do not transfer, do not proceed, do not make, do not go ahead, dont want, do not want"
)
_DONT_SEND_HINDI = phrases(
    "mat bhejo, mat bhejna, mat bhejiye, mat bhejen, mat bhej, mat karo, mat karna, mat kijiye, mat kariye, mat karen, "
    "mat do, mat dena, mat dijiye, mat kar, mat bhar, bhejo mat, bhejna mat, bhejiye mat, bhejen mat, karo mat, "
    "karna mat, kijiye mat, kariye mat, karen mat, na bhejo, na bhejen, na karen, na karo, "
    "nahi bhejna, nahin bhejna, nahi karna, nahin karna, "
    "nahi chahiye, nahin chahiye, rehne do, rehne dijiye, rehne den, chhod do, chhod dijiye, bhejna nahi, karna nahi"
)
_AGREES_AND_AGREES = _AGREES | {("and", *phrase) for phrase in _AGREES}
_LONGEST = max(map(len, _AGREES_AND_AGREES | _POLITE | _REFUSES | _ASKS_AGAIN))


def hear_consent(text: str) -> Consent | None:
    """What a turn answers to "Shall I go ahead?": "yes", "no", "repeat" to hear it again, or None.

    "yes" only when every word of `text` belongs to agreement and nothing was unintelligible or asked. None is anything
    unclear or more than an answer ("yes but", "yes send six hundred", "hm", "okay wait"): not to be acted upon.
    """
    if len(text) > _MAX_CHARACTERS:
        return None
    tokens, lost = tokens_of(text)
    words = [token.text for token in tokens]
    while words[:1] and words[0] in _OPENINGS:
        words = words[1:]
    if not words or len(words) > MAX_WORDS:
        return None
    if _refuses(words):
        return "no"
    if lost or any(token.gap == "lost" for token in tokens):
        return None
    if _is_made_of(words, _ASKS_AGAIN, _POLITE):
        return "repeat"
    asks = "?" in text or "？" in text
    return "yes" if not asks and _agrees(words) else None


def is_plain_refusal(text: str) -> bool:
    """Whether a turn that is a "no" says nothing else: "no, thank you", "cancel it", but not "no, six hundred"."""
    tokens, _ = tokens_of(text[:_MAX_CHARACTERS])
    words = [token.text for token in tokens]
    while words[:1] and words[0] in _OPENINGS:
        words = words[1:]
    return bool(words) and _is_made_of(words, _REFUSES | _STOPS_IT, _POLITE)


def _agrees(words: Sequence[str]) -> bool:
    if len(words) > 1 and words[-1] == "na" and words[-2] in _GIVES:  # "bhej do na" begs, "na bhejo" refuses
        words = words[:-1]
    return not _wants_it_right(words) and _is_made_of(words, _AGREES_AND_AGREES, _POLITE)


def _wants_it_right(words: Sequence[str]) -> bool:
    """Whether a word of approval belongs to an act or to how things stand: "theek kar do", "abhi theek hai"."""
    for at, word in enumerate(words):
        before, after = words[at - 1] if at else "", words[at + 1] if at + 1 < len(words) else ""
        if (before == "abhi" and word in _AS_IT_IS) or (word == "correct" and "please" in (before, after)):
            return True
        if word not in _APPROVES:
            continue
        act = next((other for other in words[at + 1 :] if other not in _BETWEEN), "")
        if act in _ACTS_HINDI or (word in _APPROVES_HINDI and after != "hai" and before in _ACTS_HINDI | _GIVES):
            return True
    return False


def _refuses(words: Sequence[str]) -> bool:
    if any(_holds(words, idiom) for idiom in _NO_REFUSAL):
        return False
    agrees = any(_holds(words, phrase) for phrase in _AGREES if phrase != ("do", "it"))
    if any(word in _STOPS and (not at or words[at - 1] not in _NEGATES) for at, word in enumerate(words)):
        return True
    if any(_holds(words, phrase) for phrase in (*_DONT_SEND, *_DONT_SEND_HINDI)):
        return True
    if _is_made_of(words, _REFUSES, _POLITE):
        return True
    if words[0] in ("nahi", "nahin", "mat"):  # in "nahi, kar do" the rest may well be of something else
        return not _YES_HINDI & set(words)
    return words[0] in ("no", "nope", "nah", "dont") and not agrees


def _is_made_of(words: Sequence[str], needed: Set[tuple[str, ...]], allowed: Set[tuple[str, ...]]) -> bool:
    """Whether the words are nothing but phrases of both kinds, with one of the needed kind at least."""
    # How far the words can be covered, without and with a needed phrase so far.
    reached = {(0, False)}
    for at in range(len(words)):
        for so_far in (False, True):
            if (at, so_far) not in reached:
                continue
            for length in range(1, min(_LONGEST, len(words) - at) + 1):
                phrase = tuple(words[at : at + length])
                if phrase in needed:
                    reached.add((at + length, True))
                if phrase in allowed:
                    reached.add((at + length, so_far))
    return (len(words), True) in reached


def _holds(words: Sequence[str], phrase: Sequence[str]) -> bool:
    return any(tuple(words[at : at + len(phrase)]) == tuple(phrase) for at in range(len(words) - len(phrase) + 1))
