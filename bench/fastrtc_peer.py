"""The second peer: FastRTC as its user guide sets it up, over the wires of Deepgram, Anthropic and Cartesia.

A `Stream` around `ReplyOnPause`, mounted on FastAPI, with the options it comes with: Silero VAD over 0.6 s of sound at
a time, and interruptible. The function behind it is given the whole utterance after the pause and streams all it can:
the sound to Deepgram's live interface at once, the model's text sentence by sentence to Cartesia, the speech to the
caller as it comes.

Three things are not as they come. The graph of Silero VAD, which FastRTC fetches from a model hub, is the one that is
part of pipecat. More than one call is allowed. And the offer is taken where the benchmark's caller makes it.

It runs in an environment of its own (`bench/guest.py`), which has none of the project's packages.
"""

from __future__ import annotations

import asyncio
import os
import re
import uuid
from collections.abc import AsyncIterator
from typing import Any

import aioice.ice
import numpy as np
from anthropic import AsyncAnthropic
from cartesia import AsyncCartesia
from deepgram import AsyncDeepgramClient
from deepgram.environment import DeepgramClientEnvironment
from fastapi import FastAPI
from fastrtc import ReplyOnPause, Stream  # pyright: ignore[reportMissingImports] - not in the project's environment
from fastrtc.pause_detection import SileroVADModel  # pyright: ignore[reportMissingImports] - as above
from fastrtc.stream import Body  # pyright: ignore[reportMissingImports] - as above
from numpy.typing import NDArray

from bench.serving import serve

RATE = 24_000
SEATS = 100
GREETING = "Hello, how can I help you?"

Sound = tuple[int, NDArray[np.int16]]
"""Sample rate in Hz and samples, as FastRTC has it."""


class Silero(SileroVADModel):
    """FastRTC's VAD over a newer graph, which takes half as much at a time and remembers in another way."""

    @staticmethod
    def download_model() -> str:
        """Where the graph is."""
        return os.environ["SILERO_VAD"]

    def get_initial_state(self, batch_size: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """What it remembers, and the end of the sound before."""
        return np.zeros((2, batch_size, 128), np.float32), np.zeros((batch_size, 64), np.float32)

    def __call__(self, x: NDArray[np.float32], state: Any, sr: int) -> Any:
        """How probably there is speech in 1024 samples, and the state after them."""
        memory, before = state
        found: list[NDArray[np.float32]] = []
        for window in np.split(x[np.newaxis, :], 2, axis=1):
            sound = np.concatenate((before, window), axis=1)
            inputs = {"input": sound, "state": memory, "sr": np.array(sr, np.int64)}
            probability, memory = self.session.run(None, inputs)
            found.append(probability)
            before = sound[:, -64:]
        return np.mean(found), (memory, before)


class Assistant:
    """Hears, thinks and speaks."""

    def __init__(self) -> None:
        http = os.environ["DEEPGRAM_BASE_URL"]
        ws = http.replace("http", "ws", 1)
        self._deepgram = AsyncDeepgramClient(
            api_key=os.environ["DEEPGRAM_API_KEY"],
            environment=DeepgramClientEnvironment(base=http, production=ws, agent=ws, agent_rest=http),
        )
        self._anthropic = AsyncAnthropic(
            api_key=os.environ["ANTHROPIC_API_KEY"], base_url=os.environ["ANTHROPIC_BASE_URL"]
        )
        self._cartesia = AsyncCartesia(
            api_key=os.environ["CARTESIA_API_KEY"],
            websocket_base_url=os.environ["CARTESIA_BASE_URL"].replace("http", "ws", 1),
        )

    async def greet(self) -> AsyncIterator[Sound]:
        """What is said at the beginning."""

        async def greeting() -> AsyncIterator[str]:
            yield GREETING

        async for sound in self._speak(greeting()):
            yield sound

    async def reply(self, audio: Sound) -> AsyncIterator[Sound]:
        """What is said to an utterance."""
        said = await self._hear(audio)
        if said:
            async for sound in self._speak(self._think(said)):
                yield sound

    async def _hear(self, audio: Sound) -> str:
        rate, samples = audio
        words: list[str] = []
        # The pause has been found already, so Deepgram need not look for one.
        async with self._deepgram.listen.v1.connect(
            model="nova-3", encoding="linear16", sample_rate=rate, endpointing="false"
        ) as listening:
            await listening.send_media(samples.tobytes())
            await listening.send_finalize()
            async for message in listening:
                if getattr(message, "type", "") == "Results":
                    results: Any = message
                    words.append(results.channel.alternatives[0].transcript)
                    if results.from_finalize:
                        break
        return " ".join(filter(None, words))

    async def _think(self, said: str) -> AsyncIterator[str]:
        """The answer, sentence by sentence."""
        sentence = ""
        async with self._anthropic.messages.stream(
            model="claude-haiku-5-5",
            max_tokens=300,
            system="You are a bank.",
            messages=[{"role": "user", "content": said}],
        ) as stream:
            async for text in stream.text_stream:
                sentence += text
                if re.search(r"[.!?]\s*$", sentence):
                    yield sentence
                    sentence = ""
        if sentence:
            yield sentence

    async def _speak(self, sentences: AsyncIterator[str]) -> AsyncIterator[Sound]:
        async with self._cartesia.tts.websocket_connect() as websocket:
            context = websocket.context(
                model_id="sonic-3",
                voice="f786b574-daa5-4673-aa0c-cbe3e8534c02",
                output_format={"container": "raw", "encoding": "pcm_s16le", "sample_rate": RATE},
                language="en",
            )

            async def push() -> None:
                async for sentence in sentences:
                    await context.push(sentence)
                await context.no_more_inputs()

            pushing = asyncio.create_task(push())
            try:
                async for response in context.receive():
                    if response.type == "chunk" and response.audio:
                        yield RATE, np.frombuffer(response.audio, np.int16)[np.newaxis, :]
            finally:
                pushing.cancel()


def create_app() -> FastAPI:
    """The stream, and the route the caller knows."""
    vad, assistant = Silero(), Assistant()
    vad.warmup()
    stream = Stream(
        handler=ReplyOnPause(assistant.reply, startup_fn=assistant.greet, model=vad),
        modality="audio",
        mode="send-receive",
        concurrency_limit=SEATS,
        server_rtc_configuration={"iceServers": []},
        verbose=False,
    )
    app = FastAPI()
    stream.mount(app)

    @app.post("/api/offer")
    async def offer(offer: dict[str, str]) -> Any:
        return await stream.offer(Body(**offer, webrtc_id=uuid.uuid4().hex))

    return app


if __name__ == "__main__":
    # Media stays on loopback, also where the machine has no other interface.
    aioice.ice.get_host_addresses = lambda use_ipv4, use_ipv6: ["127.0.0.1"]  # noqa: ARG005 - the library's names
    serve("FastRTC with Deepgram, Anthropic and Cartesia", lambda _port: (create_app(), {}))
