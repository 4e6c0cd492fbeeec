"""What a real call leaves behind besides its transcript: answer times, what it used, what its tools did."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from calls.answers import STAGES, bucket_of
from tests.doubles.openai_chat import Fails, OpenAIChat, Says, Turn
from tests.e2e.conftest import AUDIO, Dial, end_reason, until
from tests.e2e.test_call import greeted
from tests.servers import Server

ANSWERS = f"SELECT greeting, total_ms, bucket, {', '.join(f'{stage}_ms' for stage in STAGES)} FROM answers"
USED = "SELECT kind, provider, model, audio_ms, characters, cost_micros FROM call_usage"
TOOLS = "SELECT kind, name, outcome, took_ms FROM call_events"
OF_CALL = " WHERE call_id = ?"
IN_ORDER = f"{OF_CALL} ORDER BY seq"


async def test_a_call_leaves_its_answer_times_its_usage_and_its_tools(server: Server, dial: Dial) -> None:
    caller = await dial(server)
    await greeted(caller)
    for name in ("balance", "transactions"):
        await caller.say(AUDIO / f"{name}.wav")
        await caller.message("bot-stopped-speaking", timeout_s=60)
    caller.type("What's my balance?")
    await caller.message("bot-started-speaking", timeout_s=20)
    await caller.message("bot-stopped-speaking", timeout_s=30)
    await caller.hang_up()
    await end_reason(server, caller)
    call_id = caller.session_id

    rows = server.rows(ANSWERS + IN_ORDER, call_id)
    assert [greeting for greeting, *_ in rows] == [1, 0, 0], "the typed turn has no answer time"
    for greeting, total_ms, bucket, *took in rows:
        stages = dict(zip(STAGES, took, strict=True))
        assert abs(sum(took) - total_ms) <= 2
        assert min(took) >= 0
        assert bucket == bucket_of(total_ms)
        if not greeting:
            assert 200 <= total_ms < 10_000
            assert stages["endpointing"] == 200, "the silence our voice activity detection waits for"
            assert stages["tool"] > 0 and stages["tts"] > 0
            assert stages["other"] < total_ms / 2, "the time is accounted for"

    used = {row[0]: row[1:] for row in server.rows(USED + OF_CALL, call_id)}
    (seconds,) = server.rows(
        "SELECT (julianday(ended_at) - julianday(connected_at)) * 86400 FROM calls WHERE id = ?", call_id
    )[0]
    spoken = " ".join(
        text for (text,) in server.rows("SELECT text FROM turns WHERE call_id = ? AND role = 'assistant'", call_id)
    )
    assert set(used) == {"stt", "llm", "tts"}
    assert all((provider, cost) == ("offline", 0) for provider, _, _, _, cost in used.values())
    assert used["stt"][2] == pytest.approx(seconds * 1000, abs=1500), "all of the call was listened to"
    assert used["llm"][1:] == ("phrases", 0, 0, 0)
    assert used["tts"][3] == pytest.approx(len(spoken), rel=0.15)

    tools = server.rows(TOOLS + IN_ORDER, call_id)
    assert [row[:3] for row in tools] == [
        ("tool", "get_balance", "ok"),
        ("tool", "get_transactions", "ok"),
        ("tool", "get_balance", "ok"),
    ]
    assert all(0 <= took_ms < 5_000 for *_, took_ms in tools)


async def test_what_was_so_two_seconds_before_a_crash_is_on_record(data_dir: Path, dial: Dial) -> None:
    server = Server(data_dir, database="record-crash.db")
    server.start()
    try:
        caller = await dial(server)
        await greeted(caller)
        await caller.say(AUDIO / "balance.wav")
        await caller.message("bot-started-speaking", timeout_s=30)

        def on_record() -> bool:
            greeted, heard, used, ran = (
                server.rows(f"SELECT count(*) FROM {table}{OF_CALL}", caller.session_id)[0][0]
                for table in ("answers", "turns", "call_usage", "call_events")
            )
            return (greeted, used, ran) == (2, 3, 1) and heard >= 2

        await until(on_record, timeout_s=2.5)
        server.kill()
        assert on_record()
        server.start()
        assert on_record()
        assert server.rows("SELECT state, end_reason FROM calls") == [("closed", "server_lost")]
        assert server.rows("SELECT returned_at FROM accesses") == [(None,)], "the agent had spoken"
    finally:
        server.kill()


async def test_a_crash_before_the_agents_first_word_costs_no_use(
    data_dir: Path, dial: Dial, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = Server(data_dir, database="mute-crash.db")
    server.start()
    try:
        caller = await dial(server, connect=False)
        tell = caller.send
        # A page that takes its time to say that it is ready; the agent waits three seconds for it.
        monkeypatch.setattr(caller, "send", unless("client-ready", tell))
        await caller.connect()
        await until(
            lambda: server.rows("SELECT 1 FROM calls WHERE connected_at IS NOT NULL"), timeout_s=2, every_s=0.02
        )
        server.kill()
        assert server.rows("SELECT count(*) FROM answers") == [(0,)]
        server.start()
        assert server.rows("SELECT state, end_reason FROM calls") == [("closed", "server_lost")]
        assert server.rows("SELECT count(*) FROM accesses WHERE returned_at IS NOT NULL") == [(1,)]
        assert server.rows("SELECT uses FROM otp_codes WHERE id = (SELECT otp_id FROM accesses)") == [(0,)]
    finally:
        server.kill()


async def test_when_a_model_gives_out_the_next_one_answers_and_both_are_on_record(data_dir: Path, dial: Dial) -> None:
    def answer(body: dict[str, Any]) -> Turn:
        fails = str(body["messages"][-1]["content"]).startswith("And now?")
        return Fails(400, "this model has been retired") if fails else Says(["All right. ", "What else?"])

    async with OpenAIChat(answer=answer) as model:
        settings = {"LLM_PROVIDER": "ollama", "OLLAMA_BASE_URL": model.url, "OLLAMA_MODEL": "test-model"}
        server = Server(data_dir, settings, database="record-model.db")
        try:
            await asyncio.to_thread(server.start)  # it asks the model whether it is there
            caller = await dial(server)
            await greeted(caller)
            caller.type("Hello")
            await caller.message("bot-started-speaking", timeout_s=20)
            await caller.message("bot-stopped-speaking", timeout_s=30)
            caller.type("And now? What is my balance?")
            await until(lambda: any("ten thousand" in line.text.lower() for line in caller.transcript), timeout_s=30)
            await caller.hang_up()
            assert await end_reason(server, caller, timeout_s=30) == "hung_up"
            tokens = "SELECT provider, model, input_tokens, output_tokens FROM call_usage WHERE kind = 'llm'"
            used = {(provider, model): tokens for provider, model, *tokens in server.rows(tokens)}
            assert used["ollama", "test-model"] == [20, 7]
            assert used["offline", "phrases"] == [0, 0]
            took_over = server.rows("SELECT name, outcome FROM call_events WHERE kind = 'vendor'")
            assert took_over[0] == ("llm: ollama → offline: unknown", "failed")
        finally:
            await asyncio.to_thread(server.kill)


def unless(kind: str, tell: Callable[..., None]) -> Callable[..., None]:
    def send(this: str, *data: object) -> None:
        if this != kind:
            tell(this, *data)

    return send
