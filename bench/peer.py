"""The peer: pipecat as its quickstart sets it up, with the same vendors, for comparison in the same run.

They are the instant ones, those of a recital where one is asked for (`bench/recital.py`), or pipecat's services for
Deepgram, Anthropic and Cartesia where the environment has keys.

Everything is the library's own: request handler, transport, Silero VAD and Smart Turn on the user aggregator, one
background task per call.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aioice.ice
from fastapi import BackgroundTasks, FastAPI
from pipecat.audio.vad.silero import SileroVADAnalyzer
from pipecat.frames.frames import LLMRunFrame
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.processors.aggregators.llm_response_universal import (
    LLMContextAggregatorPair,
    LLMUserAggregatorParams,
)
from pipecat.processors.frame_processor import FrameProcessor
from pipecat.transports.base_transport import TransportParams
from pipecat.transports.smallwebrtc.connection import SmallWebRTCConnection
from pipecat.transports.smallwebrtc.request_handler import SmallWebRTCRequest, SmallWebRTCRequestHandler
from pipecat.transports.smallwebrtc.transport import SmallWebRTCTransport
from pipecat.workers.runner import WorkerRunner

from bench import recital
from bench.fakes import InstantLLM, InstantSTT, InstantTTS
from bench.serving import serve


async def services() -> tuple[FrameProcessor, FrameProcessor, FrameProcessor]:
    """Who hears, thinks and speaks in one call."""
    if recital.wanted():
        return await recital.peers_stt(Path(os.environ[recital.FOLDER])), recital.Reciter(), recital.Player()
    if "CARTESIA_API_KEY" not in os.environ:
        return InstantSTT(), InstantLLM(), InstantTTS()
    from anthropic import AsyncAnthropic
    from pipecat.services.anthropic.llm import AnthropicLLMService
    from pipecat.services.cartesia.tts import CartesiaTTSService
    from pipecat.services.deepgram.stt import DeepgramSTTService

    key = os.environ["ANTHROPIC_API_KEY"]
    return (
        DeepgramSTTService(api_key=os.environ["DEEPGRAM_API_KEY"], base_url=os.environ["DEEPGRAM_BASE_URL"]),
        AnthropicLLMService(
            api_key=key,
            client=AsyncAnthropic(api_key=key, base_url=os.environ["ANTHROPIC_BASE_URL"]),
            settings=AnthropicLLMService.Settings(model="claude-haiku-5-5", system_instruction="You are a bank."),
        ),
        CartesiaTTSService(
            api_key=os.environ["CARTESIA_API_KEY"],
            url=f"{os.environ['CARTESIA_BASE_URL'].replace('http', 'ws', 1)}/tts/websocket",
            settings=CartesiaTTSService.Settings(voice="f786b574-daa5-4673-aa0c-cbe3e8534c02"),
        ),
    )


async def talk(connection: SmallWebRTCConnection) -> None:
    """One call, from connected to hung up."""
    transport = SmallWebRTCTransport(connection, TransportParams(audio_in_enabled=True, audio_out_enabled=True))
    user, assistant = LLMContextAggregatorPair(
        LLMContext([{"role": "user", "content": "Say hello."}]),
        user_params=LLMUserAggregatorParams(vad_analyzer=SileroVADAnalyzer()),
    )
    stt, llm, tts = await services()
    pipeline = Pipeline([transport.input(), stt, user, llm, tts, transport.output(), assistant])
    worker = PipelineWorker(pipeline, params=PipelineParams(enable_metrics=True, enable_usage_metrics=True))

    @transport.event_handler("on_client_connected")
    async def greet(transport: Any, client: Any) -> None:  # noqa: ARG001 - the library's signature
        await worker.queue_frames([LLMRunFrame()])

    @transport.event_handler("on_client_disconnected")
    async def stop(transport: Any, client: Any) -> None:  # noqa: ARG001 - the library's signature
        await worker.cancel()

    runner = WorkerRunner(handle_sigint=False)
    await runner.add_workers(worker)
    await runner.run()


def create_app() -> FastAPI:
    """The quickstart's signalling route."""
    handler = SmallWebRTCRequestHandler()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:  # noqa: ARG001 - FastAPI's signature
        await services()  # Whatever must be loaded is, before the first call.
        yield
        await handler.close()

    app = FastAPI(lifespan=lifespan)

    @app.post("/api/offer")
    async def offer(request: SmallWebRTCRequest, background: BackgroundTasks) -> dict[str, str] | None:
        async def start(connection: SmallWebRTCConnection) -> None:
            background.add_task(talk, connection)

        return await handler.handle_web_request(request=request, webrtc_connection_callback=start)

    return app


if __name__ == "__main__":
    # Media stays on loopback, also where the machine has no other interface.
    aioice.ice.get_host_addresses = lambda use_ipv4, use_ipv6: ["127.0.0.1"]  # noqa: ARG005 - the library's names
    serve("pipecat's quickstart pipeline with instant vendors", lambda _port: (create_app(), {}))
