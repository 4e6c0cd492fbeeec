"""One call without a network: the pipeline as it is built for every call, a voice that is written down, a real bank."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping
from datetime import timedelta
from typing import Any

from pipecat.frames.frames import (
    Frame,
    InterruptionFrame,
    LLMMessagesAppendFrame,
    OutputAudioRawFrame,
    StartFrame,
    TTSAudioRawFrame,
)
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
from pipecat.processors.frameworks.rtvi.processor import RTVIProcessor
from pipecat.services.llm_service import LLMService
from pipecat.services.settings import TTSSettings
from pipecat.services.tts_service import TTSService
from pipecat.transports.base_output import BaseOutputTransport
from pipecat.transports.base_transport import TransportParams
from pipecat.utils.tracing.service_decorators import traced_tts
from pipecat.workers.runner import WorkerRunner
from sqlalchemy import select

from agent.rtvi import GuardedRTVIProcessor, observer_params
from banking import accounts, customers, ledger
from banking.ledger import PostingKind
from banking.transfers import State, Transfer
from core.clock import utc_now
from core.db import Database
from core.settings import Settings
from identity import otp
from identity.actor import SYSTEM, Actor
from identity.delivery import Parcel, Recipient
from pipelines.banking import AGENT
from pipelines.base import Json, Means
from pipelines.build import Services, build
from pipelines.played import SpeechMark
from pipelines.smart_turn import SmartTurnModel
from pipelines.teller import Teller
from pipelines.tools import ToolDesk
from pipelines.turns import strategies

SECRET = "a secret for the tests alone, of enough bytes"
HZ = 24_000
S_PER_WORD = 0.3

_smart_turn = SmartTurnModel(own_process=False)


class Pigeon:
    """A delivery that keeps what it was given."""

    def __init__(self) -> None:
        self.parcels: list[Parcel] = []

    def send(self, parcel: Parcel) -> None:
        self.parcels.append(parcel)

    def where(self, to: Recipient) -> str:
        return "your page"

    @property
    def code(self) -> str:
        words = self.parcels[-1].text.replace(".", " ").replace(":", " ").split()
        return next(word for word in words if word.isdigit() and len(word) == 6)


class Voice(TTSService):
    """Speaks in silence, so long a word, and writes down what it was given to speak."""

    def __init__(self) -> None:
        super().__init__(
            push_start_frame=True,
            push_stop_frames=True,
            sample_rate=HZ,
            settings=TTSSettings(model=None, voice=None, language=None),
        )
        self.said: list[str] = []
        self.changed = asyncio.Condition()

    @traced_tts
    async def run_tts(self, text: str, context_id: str) -> AsyncGenerator[Frame | None, None]:
        async with self.changed:
            self.said.append(text)
            self.changed.notify_all()
        yield TTSAudioRawFrame(bytes(2 * int(HZ * S_PER_WORD * len(text.split()))), HZ, 1, context_id=context_id)

    async def says(self, *, containing: str, times: int = 1, timeout_s: float = 10.0) -> str:
        """Wait for a sentence."""
        async with asyncio.timeout(timeout_s), self.changed:
            while len(found := [text for text in self.said if containing.lower() in text.lower()]) < times:
                await self.changed.wait()
        return found[-1]


class Loudspeaker(BaseOutputTransport):
    """Plays at `speed` times real time; what was interrupted was not played."""

    def __init__(self, speed: float) -> None:
        super().__init__(TransportParams(audio_out_enabled=True, audio_out_end_silence_secs=0))
        self.played_s = 0.0
        self.changed = asyncio.Condition()
        self.marks: list[SpeechMark] = []
        self._speed = speed

    async def start(self, frame: StartFrame) -> None:
        await super().start(frame)
        await self.set_transport_ready(frame)

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        if isinstance(frame, SpeechMark):
            self.marks.append(frame)
        await super().process_frame(frame, direction)

    async def write_audio_frame(self, frame: OutputAudioRawFrame) -> bool:
        seconds = frame.num_frames / frame.sample_rate
        await asyncio.sleep(seconds / self._speed)
        async with self.changed:
            self.played_s += seconds
            self.changed.notify_all()
        return True

    async def until_played(self, seconds: float) -> None:
        """Wait until so much has been played in all."""
        async with asyncio.timeout(60), self.changed:
            while self.played_s < seconds:
                await self.changed.wait()


class Ears(FrameProcessor):
    """Where the caller's audio would come in and be understood; here turns are typed."""

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        await self.push_frame(frame, direction)


class Line:
    """One call of one guest with the bank.

    Args:
        llm: The language model.
        speed: How many times faster than real time the agent speaks.
        traced: Whether spans are made of it.
        language: Of the conversation.
    """

    def __init__(
        self,
        db: Database,
        guest: Guest,
        llm: LLMService,
        *,
        pigeon: Pigeon | None = None,
        call_id: str = "call_1",
        speed: float = 1000.0,
        traced: bool = False,
        language: str = "en",
    ) -> None:
        agent = AGENT.in_language(language)
        self.db, self.guest = db, guest
        self.pigeon = pigeon or Pigeon()
        self.told: list[Mapping[str, Json]] = []
        self.notes: list[str] = []
        self.ended: list[str] = []
        settings = Settings(_env_file=None)  # pyright: ignore[reportCallIssue]
        self.desk = ToolDesk(
            db,
            customer_id=guest.customer_id,
            call_id=call_id,
            actor=Actor(guest.otp_id, "otp", "voice", call_id=call_id),
            means=Means(settings, SECRET, self.pigeon),
            notify=self.told.append,
            language=language,
        )
        self.teller = Teller(self.desk, AGENT.drafts, notify=self.told.append, note=self.notes.append)
        self.voice, self.loudspeaker = Voice(), Loudspeaker(speed)
        self.rtvi: RTVIProcessor = GuardedRTVIProcessor(withhold=self.teller.typed)
        self.conversation = build(
            agent=agent,
            services=Services(stt=Ears(), llm=llm, tts=self.voice),
            transport_in=Ears(),
            transport_out=self.loudspeaker,
            turns=strategies(_smart_turn),
            desk=self.desk,
            teller=self.teller,
            idle_prompt_s=60,
            rtvi=self.rtvi,
            rtvi_params=observer_params(),
            call_id=call_id,
            ending=self.ended.append,
            traced=traced,
        )
        self._runner = WorkerRunner(handle_sigint=False)
        self._running: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Line:
        await self._runner.add_workers(self.conversation.worker)
        self._running = asyncio.create_task(self._runner.run())
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.hang_up()

    async def hang_up(self) -> None:
        """End it as `agent.call` does."""
        if self._running is not None:
            running, self._running = self._running, None
            await self._runner.cancel("hung up")
            await running
            await self.teller.close()

    async def types(self, text: str) -> None:
        """A turn of the caller, which interrupts the agent like speech does."""
        await self.conversation.worker.queue_frame(InterruptionFrame())
        self.conversation.caller_acted()
        message: Any = {"role": "user", "content": text}
        await self.conversation.worker.queue_frame(LLMMessagesAppendFrame(messages=[message], run_llm=True))

    async def read_back_heard(self, times: int = 1) -> None:
        """Wait until the read-back has been played."""
        asked = {"en": "Shall I go ahead?", "hi": "क्या मैं"}[self.desk.language]
        await self.voice.says(containing=asked, times=times)
        await self.until(lambda: self.teller.consent_may_follow)

    async def until(self, true: Callable[[], bool], *, timeout_s: float = 30.0) -> None:
        """Wait for what no event tells of."""
        async with asyncio.timeout(timeout_s):
            while not true():
                await asyncio.sleep(0.002)

    @property
    def done(self) -> list[Mapping[str, Json]]:
        """What the page was told was done."""
        return [message for message in self.told if message["type"] == "done"]

    async def transfers(self) -> list[Transfer]:
        async with self.db.reading() as db:
            return list(await db.scalars(select(Transfer).order_by(Transfer.created_at)))

    async def states(self) -> list[State]:
        return sorted(transfer.state for transfer in await self.transfers())

    async def postings(self) -> int:
        """How many transfers moved the guest's money in this test; the ledger is held against itself as well."""
        async with self.db.reading() as db:
            own = [account.id for account in await accounts.of_customer(db, customer_id=self.guest.customer_id)]
            lines, _ = await ledger.page(db, account_ids=own, per_page=100)
            assert await ledger.check(db) == []
        recent = utc_now() - timedelta(hours=1)
        kinds = (PostingKind.TRANSFER, PostingKind.BILL)
        return sum(1 for line in lines if line.kind in kinds and line.at > recent and line.amount.minor < 0)


class Guest:
    """A portal guest with the demo customer's accounts."""

    def __init__(self, otp_id: str, customer_id: str) -> None:
        self.otp_id, self.customer_id = otp_id, customer_id

    @classmethod
    async def arrives(cls, db: Database) -> Guest:
        async with db.transaction() as session:
            issued = await otp.issue(session, actor=SYSTEM, secret=SECRET, fmt="digits6", max_uses=5)
            return cls(issued[0].id, await customers.admit_guest(session, issued[0].id, utc_now()))
