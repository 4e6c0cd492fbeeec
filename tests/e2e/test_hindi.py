"""Money sent in a call in Hindi, over the wires of Deepgram, Anthropic and Cartesia."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from tests.doubles.anthropic_messages import AnthropicMessages, Says, Turn, Uses
from tests.doubles.cloud import KEYS, Cloud
from tests.e2e.conftest import AUDIO, dialling, end_reason
from tests.e2e.test_profiles import choose
from tests.e2e.test_spoken_transfer import STATE, hears, said
from tests.servers import Server

pytestmark = pytest.mark.asyncio(loop_scope="module")


class Mouth:
    """What the recogniser is to have heard."""

    def __init__(self) -> None:
        self.words = ""

    async def __call__(self, _sound: bytes) -> str:
        return self.words


def clerk(body: Mapping[str, Any]) -> Turn:
    """A model that sends what it is told to, more when asked for more, and likes to say that all is done."""
    content = json.dumps(body["messages"][-1]["content"], ensure_ascii=False)
    if "amount_not_heard" in content:
        return Says(["कितने ", "रुपये ", "भेजने ", "हैं?"])
    if "पाँच सौ रुपये भेजो" in content:
        return Uses([("send_money", {"payee": "Ravi", "amount": 500})])
    if "बहुत सारे" in content:
        return Uses([("send_money", {"payee": "Ravi", "amount": 5000})])
    return Says(["जी। ", "रवि ", "को ", "छह ", "सौ ", "रुपये ", "भेज ", "दिए ", "गए ", "हैं।"])


@pytest.fixture(scope="module")
def mouth() -> Mouth:
    return Mouth()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def served(mouth: Mouth, data_dir: Path) -> AsyncIterator[Server]:
    cloud = Cloud(hear=mouth)
    cloud.head = AnthropicMessages(answer=clerk, key=KEYS["ANTHROPIC"], model="claude-haiku-5-5")
    async with cloud:
        server = Server(data_dir, cloud.settings, database="hindi.db")
        await asyncio.to_thread(server.start)
        saved = await choose(server, language="hi-IN")
        assert saved.status_code == 200, saved.text
        yield server
        await asyncio.to_thread(server.stop)


async def test_a_transfer_in_hindi(mouth: Mouth, served: Server) -> None:
    async with dialling() as dial:
        caller = await dial(served)
        await hears(caller, "मैं आपकी क्या मदद करूँ")

        mouth.words = "रवि को बहुत सारे रुपये भेजो"
        await caller.say(AUDIO / "send.wav")
        await hears(caller, "कितने रुपये भेजने हैं")
        assert served.rows(STATE, caller.session_id) == []

        mouth.words = "कितना भेजा"
        await caller.say(AUDIO / "balance.wav")
        await hears(caller, "इस कॉल में कोई पैसा नहीं भेजा गया है")
        assert "छह सौ" not in said(caller)

        mouth.words = "रवि को पाँच सौ रुपये भेजो"
        await caller.say(AUDIO / "send.wav")
        await hears(caller, "क्या मैं भेज दूँ")
        assert "ravi को आपके बचत खाते से पाँच सौ रुपये भेजने हैं" in said(caller)

        mouth.words = "हाँ"
        await caller.say(AUDIO / "yes.wav")
        await hears(caller, "आपका नया बैलेंस नौ हज़ार पाँच सौ रुपये है")
        assert "ravi को पाँच सौ रुपये भेज दिए गए हैं" in said(caller)
        await caller.hang_up()
        await end_reason(served, caller)
    [(state, amount, posting)] = served.rows(STATE, caller.session_id)
    assert (state, amount) == ("posted", 50_000)
    entries = served.rows("SELECT amount_minor FROM entries WHERE posting_id = ? ORDER BY 1", posting)
    assert entries == [(-50_000,), (50_000,)]
