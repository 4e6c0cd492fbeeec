"""What is on record of an answer that was cut off is what the caller has heard of it, to the word."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bench.caller import Caller
from bench.sound import pilot
from providers.offline.espeak import Chunk, Word
from tests.doubles.cloud import Cloud
from tests.doubles.hearing import says
from tests.e2e.conftest import AUDIO, Dial, end_reason
from tests.e2e.test_call import greeted
from tests.servers import Server

# Slow enough that the answer of thirteen words lasts well beyond the latest interruption.
WORD_S = 0.35


async def steadily(text: str, language: str, sample_rate: int) -> AsyncIterator[Chunk]:
    """Every word takes the same time, so that what was heard can be counted."""
    del language
    words = text.split()
    sound = pilot(WORD_S * len(words), sample_rate)
    spoken = tuple(Word(word, n * WORD_S, (n + 1) * WORD_S) for n, word in enumerate(words))
    piece = sample_rate // 5 * 2
    for at in range(0, len(sound), piece):
        yield Chunk(sound[at : at + piece], spoken if at == 0 else ())


async def heard_of_one_answer(caller: Caller, *, after_s: float) -> float:
    """Ask, talk over the answer `after_s` into it; for how long it was heard."""
    question = await caller.say(AUDIO / "balance.wav")
    began = await caller.hears(10, since_s=question.last_voiced_s)
    await asyncio.sleep(after_s)
    caller.begin(AUDIO / "stop.wav")
    await caller.message("bot-stopped-speaking", timeout_s=10)
    return await caller.silence(0.4, timeout_s=10) - began


@pytest.mark.parametrize("after_s", [0.4, 1.3, 2.2])
async def test_a_cut_answer_is_kept_as_far_as_it_was_heard(data_dir: Path, dial: Dial, after_s: float) -> None:
    async with Cloud(hear=says("What can you do?"), speak=steadily) as cloud:
        server = Server(data_dir, cloud.settings, database=f"words{after_s}.db")
        await asyncio.to_thread(server.start)
        try:
            caller = await dial(server)
            await greeted(caller)
            heard_s = await heard_of_one_answer(caller, after_s=after_s)
            await caller.hang_up()
            await end_reason(server, caller)
            [(text,)] = server.rows(
                "SELECT text FROM turns WHERE call_id = ? AND role = 'assistant' AND interrupted ORDER BY seq LIMIT 1",
                caller.session_id,
            )
        finally:
            await asyncio.to_thread(server.stop)
    # A word that has just begun counts as heard, and so may the one that was cut.
    assert -1.2 <= len(text.split()) - heard_s / WORD_S <= 1.2, (text, heard_s)
