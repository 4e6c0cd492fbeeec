"""The three vendors of the cloud path at once: a recogniser that listens, a model that works at a bank, a voice."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from types import TracebackType
from typing import Any

from core.spoken import hear_number
from tests.doubles.anthropic_messages import AnthropicMessages, Says, Turn, Uses
from tests.doubles.cartesia import Cartesia
from tests.doubles.deepgram import Deepgram, Hear
from tests.doubles.script import Script
from tests.doubles.speech import Speak, speaks

KEYS = {"DEEPGRAM": "dg-key-8f2a61c0", "ANTHROPIC": "sk-ant-key-51b7d3e9", "CARTESIA": "sk_car_key_c94e7710"}


def clerk(body: Mapping[str, Any]) -> Turn:
    """Looks up what it is asked for, and tells what came of it; a small part of what a model would do."""
    content = body["messages"][-1]["content"]
    blocks: list[dict[str, Any]] = [{"type": "text", "text": content}] if isinstance(content, str) else content
    for block in blocks:
        if block["type"] == "tool_result":
            told = block["content"] if isinstance(block["content"], str) else block["content"][0]["text"]
            return _pieces(json.loads(told).get("say", "All right."))
    said = " ".join(block["text"] for block in blocks if block["type"] == "text").lower()
    if "balance" in said:
        return Uses([("get_balance", {})])
    if "transactions" in said:
        return Uses([("get_transactions", {"count": 3})])
    wanted = re.search(r"send (.+?)(?: rupees)? to ravi", said)
    if wanted and (rupees := hear_number(wanted[1])):
        return Uses([("send_money", {"payee": "Ravi", "amount": rupees})])
    return _pieces("I can tell you your balance. What else would you like to know?")


def _pieces(text: str) -> Says:
    return Says(re.findall(r"\S+\s*", text))


class Cloud:
    """The servers; an asynchronous context manager.

    Attributes:
        ears: Deepgram.
        head: Anthropic.
        mouth: Cartesia.
    """

    def __init__(self, *, hear: Hear | None = None, speak: Speak = speaks, cache_dir: Path | None = None) -> None:
        self.ears = Deepgram(hear, key=KEYS["DEEPGRAM"], cache_dir=cache_dir)
        self.head = AnthropicMessages(answer=clerk, key=KEYS["ANTHROPIC"], model="claude-haiku-5-5")
        self.mouth = Cartesia(speak=speak, key=KEYS["CARTESIA"])
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Cloud:
        for server in (self.ears, self.head, self.mouth):
            await self._stack.enter_async_context(server)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    @property
    def settings(self) -> dict[str, str]:
        """What a server needs in its environment to use them."""
        urls = {"DEEPGRAM": self.ears.url, "ANTHROPIC": self.head.url, "CARTESIA": self.mouth.url}
        return {
            **{f"{name}_API_KEY": key for name, key in KEYS.items()},
            **{f"{name}_BASE_URL": url for name, url in urls.items()},
        }

    def behave(self, **scripts: Script) -> None:
        """From the next connections and requests on, be as told (`stt`, `llm`, `tts`), and well where nothing is."""
        for kind, server in (("stt", self.ears), ("llm", self.head), ("tts", self.mouth)):
            server.scripts.always = scripts.get(kind, Script())
