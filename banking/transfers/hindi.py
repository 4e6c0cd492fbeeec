"""What is said about a transfer in Hindi, from its row and nothing else; see `words`."""

from __future__ import annotations

from banking.accounts import Account, AccountKind
from banking.bills import BillCategory
from banking.transfers.row import Factor, Mode, State, Transfer
from core.money import MINOR_PER_MAJOR
from core.spoken.hindi import confusable, say_digits, say_digits_of, say_money

# In the oblique: "बचत खाते से", "बिजली के बिल के".
_ACCOUNTS = {AccountKind.SAVINGS: "बचत खाते", AccountKind.CURRENT: "चालू खाते"}
_BILLS = {
    BillCategory.ELECTRICITY: "बिजली के",
    BillCategory.WATER: "पानी के",
    BillCategory.GAS: "गैस के",
    BillCategory.MOBILE: "मोबाइल के",
    BillCategory.LANDLINE: "लैंडलाइन के",
    BillCategory.INTERNET: "इंटरनेट के",
    BillCategory.TELEVISION: "टीवी के",
    BillCategory.CREDIT_CARD: "क्रेडिट कार्ड के",
    BillCategory.INSURANCE: "बीमे के",
    BillCategory.EDUCATION: "पढ़ाई के",
    BillCategory.TAX: "टैक्स के",
}
_BILL_WORDS = {f"{category.words} bill": f"{hindi} बिल" for category, hindi in _BILLS.items()}

_WHY = {
    "insufficient_funds": "खाते में इतने पैसे नहीं हैं।",
    "account_not_active": "यह खाता अभी चालू नहीं है।",
    "payee_gone": "यह नाम आपकी सूची से हटा दिया गया है।",
    "draft_changed": "सुनाए जाने के बाद इसमें कुछ बदल गया था।",
    "factor_failed": "कोड सही नहीं था, या अब मान्य नहीं है।",
    "bill_not_due": "यह बिल अब बकाया नहीं है।",
    "limit_per_transfer": "यह एक बार में भेजी जा सकने वाली रकम से ज़्यादा है।",
    "limit_per_day": "यह एक दिन में भेजी जा सकने वाली रकम से ज़्यादा है।",
    "limit_new_payee": "नए जोड़े गए व्यक्ति को अभी इतनी रकम नहीं भेजी जा सकती।",
}


def read_back(transfer: Transfer, account: Account) -> str:
    """The question to say aloud before anything moves."""
    amount = say_money(transfer.amount)
    if confusable(transfer.amount):
        amount = f"{amount}, यानी {say_digits_of(transfer.amount)},"
    whence = f"आपके {_ACCOUNTS.get(account.kind, 'खाते')} से"
    code = " इसके बाद एक कोड डालना होगा।" if transfer.factor is not Factor.NONE else ""
    if transfer.mode is Mode.BILL:
        bill = _BILL_WORDS.get(transfer.payee_detail, "बिल")
        return f"{transfer.payee_name} को {bill} के लिए {whence} {amount} का भुगतान करना है।{code} क्या मैं कर दूँ?"
    verb = "भेजना है" if _is_one(transfer) else "भेजने हैं"
    return f"{_payee(transfer)} को {whence} {amount} {verb}।{code} क्या मैं भेज दूँ?"


def said(transfer: Transfer) -> str:
    """How a transfer stands, to say aloud; of a posted one only ever from the committed row."""
    to, amount = transfer.payee_name, say_money(transfer.amount)
    bill, one = transfer.mode is Mode.BILL, _is_one(transfer)
    nothing = "कोई भुगतान नहीं किया गया है।" if bill else "कुछ नहीं भेजा गया है।"
    match transfer.state:
        case State.POSTED:
            balance = transfer.balance_after
            assert balance is not None
            did = "का भुगतान कर दिया गया है" if bill else "भेज दिया गया है" if one else "भेज दिए गए हैं"
            return f"हो गया। {to} को {amount} {did}। आपका नया बैलेंस {say_money(balance)} है।"
        case State.CHALLENGED:
            act = "का भुगतान करने" if bill else "भेजने"
            return f"{to} को {amount} {act} से पहले आपका कोड चाहिए। अभी {nothing}"
        case State.DECLINED:
            return f"ठीक है, रद्द। {to} को {nothing}"
        case State.EXPIRED:
            return f"बहुत देर हो गई, इसलिए {to} को {nothing}"
        case State.FAILED:
            why = _WHY.get(transfer.failure_code or "", "")
            failed = "का भुगतान नहीं हो सका" if bill else "नहीं भेजा जा सका" if one else "नहीं भेजे जा सके"
            return " ".join(filter(None, (f"{to} को {amount} {failed}।", why, nothing)))
        case _:
            return f"{to} को अभी {nothing}"


def _is_one(transfer: Transfer) -> bool:
    """Whether the verb is in the singular: one rupee, or one paisa."""
    return transfer.amount_minor in (1, MINOR_PER_MAJOR[transfer.currency])


def _payee(transfer: Transfer) -> str:
    """As the customer calls them, and where that could be somebody else, who exactly."""
    if not transfer.payee_alike:
        return transfer.payee_name
    names = dict.fromkeys([transfer.payee_name, transfer.payee_detail])  # each once
    return f"{', '.join(names)}, जिनके खाते के आखिरी अंक {say_digits(transfer.payee_tail)} हैं,"
