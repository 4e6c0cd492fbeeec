"""Every fixed sentence of the server's own, in each language it speaks.

What is spoken is without digits and symbols, and fits any voice: the Hindi lines say nothing whose verb would tell
whether a man or a woman speaks.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from core.money import Money
from core.spoken import hindi, say_list, say_money, say_number
from pipelines.base import base_language
from providers.base import ENGLISH, LanguageNotOffered, Words


@dataclass(frozen=True, slots=True)
class Lines:
    """What is said in one language.

    Attributes:
        still_there: After a silence.
        taking_leave: After another one; then the call ends.
        staying: Somebody was there after all.
        let_me_read: To a yes that came before the read-back had been heard.
        one_moment: While an act takes longer than usual.
        type_it: To whoever talks while a code is asked for.
        not_known: Where an act was begun and its outcome is unknown.
        nothing_done: The code did not come in time.
        long_enough: Before a call is ended for its length.
        used_up: Before it is ended for its cost.
        closing_down: Before it is ended because the server stops.
        words: What is said when a vendor is slow or fails.
        truth: What is said in place of a false claim, given what was moved (newest last, at most a few), how many
            payments there were before those, and whether anything else was changed.
        moved: One payment in such a sentence: the amount, and to whom.
    """

    still_there: str
    taking_leave: str
    staying: str
    let_me_read: str
    one_moment: str
    type_it: str
    not_known: str
    nothing_done: str
    long_enough: str
    used_up: str
    closing_down: str
    words: Words
    truth: Callable[[Sequence[str], int, bool], str]
    moved: Callable[[Money, str], str]

    @property
    def prompts(self) -> tuple[str, ...]:
        """Those worth keeping as sound."""
        return (
            self.still_there,
            self.taking_leave,
            self.staying,
            self.long_enough,
            self.used_up,
            self.closing_down,
            self.words.one_moment,
            self.words.apology,
        )


def lines(tag: str) -> Lines:
    """The sentences in the language of a BCP 47 tag.

    Raises: LanguageNotOffered.
    """
    found = _LINES.get(base_language(tag))
    if found is None:
        raise LanguageNotOffered(f"There are no sentences in {tag}; there are: {', '.join(_LINES)}")
    return found


def _truth_in_english(moved: Sequence[str], more: int, changed: bool) -> str:
    if not moved:
        return f"To be clear: no money has moved in this call{'' if changed else ', and nothing has been changed'}."
    before = f", and {say_number(more)} {'payment' if more == 1 else 'payments'} before that" if more > 0 else ""
    return f"To be clear: what has moved in this call is {say_list(moved)}{before}. No other money has moved."


def _truth_in_hindi(moved: Sequence[str], more: int, changed: bool) -> str:
    if not moved:
        nothing_else = "" if changed else ", और कुछ भी बदला नहीं गया है"
        return f"सही बात यह है: इस कॉल में कोई पैसा नहीं भेजा गया है{nothing_else}।"
    before = f", और उससे पहले {hindi.say_number(more)} और भुगतान" if more > 0 else ""
    listed = say_list(moved, conjunction="और")
    return f"सही बात यह है: इस कॉल में केवल यह भुगतान हुआ है: {listed}{before}। इसके अलावा कोई पैसा नहीं भेजा गया है।"


_LINES = {
    "en": Lines(
        still_there="Are you still there?",
        taking_leave="I can't hear anyone, so I'll hang up now. Goodbye.",
        staying="All right, I'm still here.",
        let_me_read="Please let me read it to you first.",
        one_moment="One moment, please.",
        type_it="Please type the code on the keypad on your screen, or press cancel.",
        not_known=(
            "I can't tell yet whether that went through. Please look at your statement before you try again; "
            "nothing is done twice."
        ),
        nothing_done="The code was not entered in time, so nothing was done.",
        long_enough="We have been talking for a long time, so I have to end this call now. Goodbye.",
        used_up="I'm sorry, this call has used up what it may cost, so I have to end it now. Goodbye.",
        closing_down=(
            "I'm sorry, this service is being restarted and I have to end the call. Please call again in a moment."
        ),
        words=ENGLISH,
        truth=_truth_in_english,
        moved=lambda amount, whom: f"{say_money(amount)}{f' to {whom}' if whom else ''}",
    ),
    "hi": Lines(
        still_there="क्या आप अब भी लाइन पर हैं?",
        taking_leave="कोई आवाज़ नहीं आ रही है, इसलिए यह कॉल अब समाप्त हो रही है। नमस्ते।",
        staying="ठीक है, कॉल जारी है।",
        let_me_read="कृपया पहले पूरी बात सुन लीजिए।",
        one_moment="कृपया एक क्षण रुकिए।",
        type_it="कृपया कोड अपनी स्क्रीन के कीपैड पर टाइप कीजिए, या कैंसिल दबाइए।",
        not_known=(
            "अभी यह पता नहीं चल पाया है कि वह काम पूरा हुआ या नहीं। दोबारा कोशिश करने से पहले कृपया अपना स्टेटमेंट "
            "देख लीजिए; कोई काम दो बार नहीं किया जाता।"
        ),
        nothing_done="कोड समय पर नहीं डाला गया, इसलिए कुछ नहीं किया गया।",
        long_enough="हमारी बातचीत काफ़ी लंबी हो गई है, इसलिए यह कॉल अब समाप्त करनी होगी। नमस्ते।",
        used_up="क्षमा कीजिए, इस कॉल के ख़र्च की सीमा पूरी हो गई है, इसलिए इसे अब समाप्त करना होगा। नमस्ते।",
        closing_down=("क्षमा कीजिए, यह सेवा दोबारा शुरू की जा रही है और कॉल समाप्त करनी होगी। कृपया थोड़ी देर में फिर कॉल कीजिए।"),
        words=Words(
            one_moment="एक क्षण रुकिए।",
            again="माफ़ कीजिए, फिर से शुरू करते हैं। ",
            apology="क्षमा कीजिए, अभी और मदद नहीं हो पाएगी। कृपया थोड़ी देर बाद फिर कॉल कीजिए। नमस्ते।",
        ),
        truth=_truth_in_hindi,
        moved=lambda amount, whom: f"{f'{whom} को ' if whom else ''}{hindi.say_money(amount)}",
    ),
}
