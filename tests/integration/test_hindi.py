"""Calls in Hindi and in both languages: the whole pipeline, a scripted model, a real bank."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from banking.transfers import State
from core.db import Database
from core.settings import Settings
from pipelines.banking import AGENT
from pipelines.lines import lines
from providers import ollama
from providers.base import Brief
from tests.doubles.openai_chat import Calls, OpenAIChat, Says, Turn
from tests.lines import Guest, Line

HINDI = lines("hi")

Plays = Callable[..., Awaitable[tuple[Line, OpenAIChat]]]


def sends(payee: str, amount: float, **more: Any) -> Calls:
    return Calls([("send_money", {"payee": payee, "amount": amount, **more})])


@pytest_asyncio.fixture
async def plays(database: Database, tmp_path: Path) -> AsyncIterator[Plays]:
    """A call in Hindi whose model plays a script: `line, model = await plays(turn, turn, …)`."""
    async with AsyncExitStack() as stack:
        guest = await Guest.arrives(database)

        async def play(*script: Turn) -> tuple[Line, OpenAIChat]:
            model = await stack.enter_async_context(OpenAIChat(*script))
            settings = Settings(
                _env_file=None,  # pyright: ignore[reportCallIssue]
                data_dir=tmp_path,
                llm_provider="ollama",
                ollama_base_url=model.url,
                ollama_model="test-model",
            )
            agent = AGENT.in_language("hi-IN")
            brief = Brief("banking", agent.instructions, agent.phrases, language="hi-IN")
            llm = ollama.llm(settings, brief)
            return await stack.enter_async_context(Line(database, guest, llm, language="hi")), model

        yield play


async def test_a_whole_transfer_in_hindi(plays: Plays) -> None:
    line, model = await plays(sends("Ravi", 500))
    await line.types("रवि को पाँच सौ रुपये भेजो")
    await line.read_back_heard()
    read = " ".join(line.voice.said)
    assert "Ravi को आपके बचत खाते से पाँच सौ रुपये भेजने हैं।" in read and "Shall" not in read
    await line.types("हाँ")
    await line.voice.says(containing="Ravi को पाँच सौ रुपये भेज दिए गए हैं।")
    await line.voice.says(containing="आपका नया बैलेंस नौ हज़ार पाँच सौ रुपये है।")
    assert await line.states() == [State.POSTED] and await line.postings() == 1
    assert len(model.requests) == 1, "neither consent nor outcome is the model's"


@pytest.mark.parametrize(
    ("said", "amount", "spoken", "agreed"),
    [
        ("Ravi को fifteen hundred रुपये भेज दीजिए", 1500, "एक हज़ार पाँच सौ रुपये", "yes भेज दो"),
        ("ravi ko dhai hazaar rupaye bhej do", 2500, "दो हज़ार पाँच सौ रुपये", "haan ji kar dijiye"),
        ("रवि को ५०० रुपये, नहीं, छह सौ कर दो", 600, "छह सौ रुपये", "जी हाँ, ठीक है।"),
        ("रवि को सत्तर रुपये भेजना", 70, "सत्तर रुपये, यानी सात शून्य,", "ok"),
    ],
)
async def test_both_languages_in_one_call(plays: Plays, said: str, amount: int, spoken: str, agreed: str) -> None:
    line, _ = await plays(sends("Ravi", amount))
    await line.types(said)
    await line.read_back_heard()
    assert spoken in " ".join(line.voice.said)
    await line.types(agreed)
    await line.until(lambda: bool(line.done))
    assert [each.amount_minor for each in await line.transfers()] == [amount * 100]
    assert await line.postings() == 1


async def test_a_payee_named_in_devanagari_is_found_by_their_name_in_latin_letters(plays: Plays) -> None:
    line, _ = await plays(sends("रवि", 500))
    await line.types("रवि को पाँच सौ रुपये भेजो")
    await line.read_back_heard()
    assert [each.payee_name for each in await line.transfers()] == ["Ravi"]


async def test_an_amount_the_caller_has_not_said_is_refused(plays: Plays) -> None:
    line, _ = await plays(sends("Ravi", 5000), Says(["कितने रुपये भेजने हैं?"]))
    await line.types("रवि को पाँच सौ रुपये भेजो")
    await line.voice.says(containing="कितने रुपये भेजने हैं?")
    assert await line.transfers() == []


@pytest.mark.parametrize("word", ["हाँ लेकिन कल", "haan par kal", "नहीं नहीं हाँ", "अच्छा"])
async def test_what_is_no_plain_yes_moves_nothing(plays: Plays, word: str) -> None:
    line, _ = await plays(sends("Ravi", 500), Says(["जी, बताइए।"]))
    await line.types("रवि को पाँच सौ रुपये भेजो")
    await line.read_back_heard()
    await line.types(word)
    await line.voice.says(containing="जी, बताइए।")
    assert await line.states() == [State.DRAFTED] and await line.postings() == 0


@pytest.mark.parametrize("word", ["मत भेजो", "नहीं", "rehne do", "हाँ मत भेजो"])
async def test_a_refusal_ends_the_draft(plays: Plays, word: str) -> None:
    line, _ = await plays(sends("Ravi", 500), Says(["ठीक है।"]))
    await line.types("रवि को पाँच सौ रुपये भेजो")
    await line.read_back_heard()
    await line.types(word)
    await line.until(lambda: not line.teller.has_draft)
    await line.hang_up()
    assert await line.states() == [State.DECLINED] and await line.postings() == 0


async def test_a_refusal_is_answered_in_hindi(plays: Plays) -> None:
    line, _ = await plays(sends("Ravi", 500))
    await line.types("रवि को पाँच सौ रुपये भेजो")
    await line.read_back_heard()
    await line.types("रहने दो")
    await line.voice.says(containing="ठीक है, रद्द। Ravi को कुछ नहीं भेजा गया है।")


async def test_what_is_read_is_read_again_when_asked_for(plays: Plays) -> None:
    line, _ = await plays(sends("Ravi", 500))
    await line.types("रवि को पाँच सौ रुपये भेजो")
    await line.read_back_heard()
    await line.types("फिर से बोलिए")
    await line.read_back_heard(times=2)
    assert await line.states() == [State.DRAFTED]


async def test_a_code_is_asked_for_in_hindi(plays: Plays) -> None:
    line, _ = await plays(sends("Ravi", 15_000))
    await line.types("रवि को पंद्रह हज़ार रुपये भेजो")
    await line.read_back_heard()
    assert "इसके बाद एक कोड डालना होगा।" in " ".join(line.voice.said)
    await line.types("हाँ")
    await line.voice.says(containing="छह अंक टाइप कीजिए")
    await line.until(lambda: line.teller.asking_code)
    wrong = await line.teller.enter_code("000000" if line.pigeon.code != "000000" else "111111")
    assert wrong is not None and wrong.say == "वह कोड सही नहीं था। आपके पास दो मौके और हैं।"
    await line.teller.enter_code(line.pigeon.code)
    await line.voice.says(containing="Ravi को पंद्रह हज़ार रुपये भेज दिए गए हैं।")
    assert await line.postings() == 1


LIES = (
    "रवि को पाँच सौ रुपये भेज दिए गए हैं।",
    "हो गया, पैसे पहुँच गए।",
    "Ravi ko paise bhej diye hain.",
    "आपका payment successful है।",
)


@pytest.mark.parametrize("lie", LIES)
async def test_a_claim_without_a_row_is_not_heard(plays: Plays, lie: str) -> None:
    line, _ = await plays(Says(["जी। ", lie]))
    await line.types("रवि को पैसे भेजो")
    await line.voice.says(containing="इस कॉल में कोई पैसा नहीं भेजा गया है")
    assert lie.rstrip("।.") not in " ".join(line.voice.said)
    assert line.voice.said[0] == "जी।", "what is true is said, sentence by sentence"


async def test_what_was_done_may_be_said_in_hindi(plays: Plays) -> None:
    line, _ = await plays(
        sends("Ravi", 500),
        Says(["रवि को पाँच सौ रुपये भेज दिए गए हैं।"]),
        Says(["रवि को छह सौ रुपये भेज दिए गए हैं।"]),
        Says(["प्रिया को पाँच सौ रुपये भेज दिए गए हैं।"]),
    )
    await line.types("रवि को पाँच सौ रुपये भेजो")
    await line.read_back_heard()
    await line.types("हाँ")
    await line.voice.says(containing="नया बैलेंस")
    await line.types("रवि वाला क्या हुआ")
    await line.voice.says(containing="रवि को पाँच सौ रुपये भेज दिए गए हैं")
    await line.types("कितने गए")
    await line.voice.says(containing="इस कॉल में केवल यह भुगतान हुआ है: Ravi को पाँच सौ रुपये")
    await line.types("और प्रिया को")
    await line.voice.says(containing="इस कॉल में केवल यह भुगतान हुआ है", times=2)
    said = " ".join(line.voice.said)
    assert "छह सौ" not in said and "प्रिया" not in said
