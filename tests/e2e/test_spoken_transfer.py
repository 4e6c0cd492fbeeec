"""Money sent by voice, offline: spoken, read back, agreed to, heard, and found in the ledger."""

from __future__ import annotations

import asyncio
import re
import sqlite3

import httpx

from bench.caller import Caller
from tests.e2e.conftest import AUDIO, Dial, end_reason, until
from tests.servers import Server

STATE = "SELECT state, amount_minor, posting_id FROM transfers WHERE call_id = ?"


def said(caller: Caller, who: str = "bot") -> str:
    return " | ".join(line.text.lower() for line in caller.transcript if line.who == who)


async def hears(caller: Caller, words: str, *, timeout_s: float = 40) -> None:
    """Wait until the agent has finished saying something that holds `words`."""
    async with asyncio.timeout(timeout_s):
        while words not in said(caller):
            await caller.message("bot-output", timeout_s=timeout_s)
        while not all(line.complete for line in caller.transcript if line.who == "bot"):
            await caller.message("bot-output", timeout_s=timeout_s)
    await caller.silence(0.5)


async def get(server: Server, caller: Caller, path: str) -> httpx.Response:
    async with httpx.AsyncClient(trust_env=False) as http:
        return await http.get(f"{server.url}{path}", headers={"Authorization": f"Bearer {caller.token}"})


async def code_sent_to(server: Server, caller: Caller) -> str:
    texts = (await get(server, caller, "/api/v1/inbox")).json()["data"]
    found = re.search(r"\b\d{6}\b", texts[0]["text"])
    assert found, "no code was sent"
    return found[0]


async def test_five_hundred_are_sent_to_ravi(server: Server, dial: Dial) -> None:
    caller = await dial(server)
    await hears(caller, "how can i help")
    await caller.say(AUDIO / "send.wav")
    await hears(caller, "shall i go ahead")
    assert "five hundred rupees to ravi" in said(caller)
    assert server.rows(STATE, caller.session_id)[0][:2] == ("drafted", 50_000)
    await caller.say(AUDIO / "yes.wav")
    await hears(caller, "new balance")
    assert "nine thousand five hundred" in said(caller)
    ((state, amount, posting),) = server.rows(STATE, caller.session_id)
    assert (state, amount) == ("posted", 50_000)
    entries = server.rows("SELECT amount_minor FROM entries WHERE posting_id = ? ORDER BY 1", posting)
    assert entries == [(-50_000,), (50_000,)]
    lines = (await get(server, caller, "/api/v1/ledger?limit=1")).json()["data"]
    assert lines[0]["amount_minor"] == -50_000 and "Ravi" in lines[0]["description"]
    await caller.hang_up()
    await end_reason(server, caller)
    acts = server.rows("SELECT text FROM turns WHERE call_id = ? AND role = 'tool'", caller.session_id)
    assert any("done" in text for (text,) in acts)


async def test_no_sends_nothing(server: Server, dial: Dial) -> None:
    caller = await dial(server)
    await hears(caller, "how can i help")
    await caller.say(AUDIO / "send.wav")
    await hears(caller, "shall i go ahead")
    await caller.say(AUDIO / "no.wav")
    await until(lambda: server.rows(STATE, caller.session_id)[0][0] == "declined", timeout_s=30)
    assert server.rows(STATE, caller.session_id)[0][2] is None


async def test_more_than_the_limit_takes_a_code_that_is_nowhere_else(server: Server, dial: Dial) -> None:
    caller = await dial(server)
    await hears(caller, "how can i help")
    await caller.say(AUDIO / "send_more.wav")
    await hears(caller, "shall i go ahead")
    assert "fifteen thousand" in said(caller) and "one five zero zero zero" in said(caller)
    await caller.say(AUDIO / "yes.wav")
    asked = await caller.message(
        "server-message", timeout_s=40, where=lambda message: message["data"].get("type") == "code-requested"
    )
    assert asked["data"]["length"] == 6 and asked["data"]["amount_minor"] == 1_500_000
    assert server.rows(STATE, caller.session_id)[0][0] == "challenged"
    code = await code_sent_to(server, caller)
    await caller.say(AUDIO / "balance.wav")  # said while the keypad is open: nobody hears it

    path = f"{server.url}/sessions/{caller.session_id}/code"
    headers = {"Authorization": f"Bearer {caller.token}"}
    async with httpx.AsyncClient(trust_env=False, headers=headers) as http:
        wrong = await http.post(path, json={"code": "000000" if code != "000000" else "111111"})
        assert wrong.json() == {"right": False, "tries_left": 2, "state": "open"}
        right = await http.post(path, json={"code": code})
        assert right.json() == {"right": True, "tries_left": 0, "state": "done"}
        assert (await http.post(path, json={"code": code})).status_code == 409
        stranger = await http.post(path, json={"code": code}, headers={"Authorization": "Bearer x"})
        assert stranger.status_code == 401
    await hears(caller, "new balance")
    assert server.rows(STATE, caller.session_id)[0][0] == "posted"
    assert "my balance" not in said(caller, "user")
    await caller.hang_up()
    await end_reason(server, caller)

    assert code not in server.log
    assert code not in str(caller.messages) and " ".join(code) not in str(caller.messages)
    connection = sqlite3.connect(f"file:{server.data_dir / server.database}?mode=ro", uri=True)
    dump = "\n".join(connection.iterdump())
    connection.close()
    assert f"'{code}'" not in dump and f" {code}" not in dump
    files = [
        path for path in server.data_dir.rglob("*") if path.is_file() and not path.name.startswith(server.database)
    ]
    assert not [
        path for path in files if path.suffix in (".wav", ".jsonl", ".log") and code.encode() in path.read_bytes()
    ]


async def test_a_code_typed_as_a_message_stays_out_of_the_conversation(server: Server, dial: Dial) -> None:
    caller = await dial(server)
    await hears(caller, "how can i help")
    caller.type("send fifteen thousand to ravi")
    await hears(caller, "shall i go ahead")
    caller.type("yes")
    await caller.message(
        "server-message", timeout_s=40, where=lambda message: message["data"].get("type") == "code-requested"
    )
    code = await code_sent_to(server, caller)
    caller.type(f"{code[:3]} {code[3:]}")
    await hears(caller, "new balance")
    await caller.hang_up()
    await end_reason(server, caller)
    turns = server.rows("SELECT text FROM turns WHERE call_id = ?", caller.session_id)
    assert code not in str(turns) and f"{code[:3]} {code[3:]}" not in str(turns)
