"""One live call: open, run, close. Many things end a call, one door closes it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from loguru import logger
from pipecat.frames.frames import ErrorFrame
from pipecat.processors.aggregators.llm_response_universal import AssistantTurnStoppedMessage, UserTurnStoppedMessage
from pipecat.processors.frameworks.rtvi import RTVIUICommandFrame
from pipecat.processors.frameworks.rtvi.models import ClientMessage
from pipecat.processors.frameworks.rtvi.processor import RTVIProcessor
from pipecat.workers.runner import WorkerRunner
from sqlalchemy.ext.asyncio import AsyncSession

from agent import serving
from agent.media.transport import CallTransport, MediaTransport, StockTransport
from agent.observer import CallObserver
from agent.profiles import Profile
from agent.rtvi import HEARD, PRESENT, GuardedRTVIProcessor, HeardData, observer_params
from agent.scribe import Scribe
from agent.webrtc import CallConnection
from calls import budgets, usage
from calls import log as call_log
from calls.answers import CallerSide, Timing
from calls.events import Event, ToolOutcome
from core import metrics
from core.clock import monotonic_s, utc_now
from core.db import Database
from core.errors import AppError, Conflict
from core.settings import Settings
from core.tasks import finish, spawn
from identity import standing
from identity.actor import Actor
from identity.tokens import Claims
from pipelines.base import AgentType, Json, Means, Outcome
from pipelines.build import Conversation, Services, build
from pipelines.lines import lines
from pipelines.smart_turn import SmartTurnModel
from pipelines.teller import Teller
from pipelines.tools import ToolDesk
from pipelines.turns import strategies
from providers import catalog
from providers.base import Kind
from providers.failover import Listener, Switch

if TYPE_CHECKING:
    from core.tracing import Tracing  # an extra

CONNECT_TIMEOUT_S = 20.0
"""From answer to established media; a browser that has not managed by then will not."""

GREET_ANYWAY_S = 3.0
"""A client that never says it is ready is greeted this long after connecting."""

WATCH_INTERVAL_S = 0.5

LAST_WORDS_S = 20.0
"""From the decision to end a call with a sentence to ending it without."""

FINISH_ACTS_S = 30.0
"""What was begun when the call ended gets this long to become known before the record is closed without it."""

DISCONNECT_S = 10.0
"""Whatever keeps a connection from closing, its seat must not wait for it."""

CLOSE_RETRIES_S = (1, 2, 4, 8, 16, 32)
"""Pauses between attempts to close a call's row while the database is away; the seat is free meanwhile."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What every call of a process shares."""

    means: Means
    db: Database
    smart_turn: SmartTurnModel
    node: str
    tracing: Tracing | None = None

    @property
    def settings(self) -> Settings:
        """The configuration."""
        return self.means.settings


class _Vendors(Listener):
    """Tells a call what becomes of its vendors."""

    def __init__(self, call: Call) -> None:
        self._call = call

    def switched(self, switch: Switch) -> None:
        self._call.note_switch(switch)

    def exhausted(self, kind: Kind) -> None:
        self._call.give_up(kind)


class Call:
    """One live conversation of one customer with one agent."""

    def __init__(
        self,
        parts: Parts,
        *,
        call_id: str,
        agent: AgentType,
        owner: Claims,
        customer_id: str,
        profile: Profile,
        providers: Mapping[Kind, str],
        allowance_micros: int | None = None,
    ) -> None:
        self.id = call_id
        self.agent = agent
        self.owner = owner
        self.customer_id = customer_id
        self.opened_at = monotonic_s()
        self.connection: CallConnection
        self._parts = parts
        self._profile = profile
        self._lines = lines(agent.language)
        self._providers = providers
        self.allowance_micros = allowance_micros
        self._observer: CallObserver
        self._conversation: Conversation
        self._transport: CallTransport
        self._scribe: Scribe | None = None
        self._teller: Teller | None = None
        self._runner: WorkerRunner | None = None
        self._reason: str | None = None
        self._reason_at: float | None = None
        self._ended = asyncio.Event()
        self._greeted = False
        self._connected_at: float | None = None

    @classmethod
    async def register(cls, parts: Parts, *, call_id: str, agent: AgentType, owner: Claims) -> Call:
        """Write the call's row and count the use, in one transaction.

        The agent type's profile counts as it is now.

        Raises: AppError; then nothing is left behind.
        """
        served = await serving.ready(parts.db, parts.settings, agent)
        # A profile may name who has never served here.
        await catalog.warm(parts.settings, serving.briefs([served]), again=False)
        agent = served.agent
        providers: dict[Kind, str] = {kind: choice.name for kind, choice in served.choices.items()}
        async with parts.db.transaction() as db:
            # Once more, here: the code may have been withdrawn since the request was let in.
            await standing.check(db, owner, now=utc_now())
            otp_id = owner.subject if owner.role == "otp" else None
            allowance = await budgets.allowance(db, parts.settings, otp_id=otp_id, now=utc_now())
            customer_id = await agent.admit(db, owner, utc_now())
            await call_log.open_call(
                db,
                call_id=call_id,
                agent_type=agent.id,
                subject=owner.subject,
                role=owner.role,
                customer_id=customer_id,
                otp_id=otp_id,
                channel="webrtc",
                node=parts.node,
                at=utc_now(),
                stt=providers["stt"],
                llm=providers["llm"],
                tts=providers["tts"],
            )
            by = {"otp_id": owner.subject} if owner.role == "otp" else {"user_id": owner.subject}
            await usage.claim_access(db, agent_type=agent.id, call_id=call_id, now=utc_now(), **by)
        return cls(
            parts,
            call_id=call_id,
            agent=agent,
            owner=owner,
            customer_id=customer_id,
            profile=served.profile,
            providers=providers,
            allowance_micros=allowance,
        )

    async def prepare(self, offer_sdp: str) -> None:
        """Build the pipeline and answer the offer; nothing runs yet.

        Raises: AppError; then the call is closed and the use given back.
        """
        try:
            await self._prepare(offer_sdp)
        except BaseException:
            self._note_reason("failed_to_start")
            await finish(self._settle(), owner=f"settle {self.id}")
            raise

    async def _prepare(self, offer_sdp: str) -> None:
        settings = self._parts.settings
        names: tuple[str, ...] = ()
        if self.agent.names is not None:
            async with self._parts.db.reading() as db:
                names = await self.agent.names(db, self.customer_id)
        self.connection = CallConnection(ice_servers=list(settings.ice_servers), on_abuse=self._on_abuse)
        transport = MediaTransport if settings.media_plane else StockTransport
        self._transport = transport(self.connection)
        await self.connection.initialize(sdp=offer_sdp, type="offer")
        self._scribe = Scribe(self._parts.db, call_id=self.id)
        brief = replace(self._profile.brief(self.agent, names=names), words=self._lines.words)
        actor = Actor(self.owner.subject, self.owner.role, "voice", call_id=self.id)
        desk = ToolDesk(
            self._parts.db,
            customer_id=self.customer_id,
            call_id=self.id,
            actor=actor,
            means=self._parts.means,
            notify=self._notify,
            admitted=self._check_log_in,
            language=self.agent.language,
        )
        desk.on_view = self._show
        desk.on_tool = self._note_tool
        self._teller = Teller(desk, self.agent.drafts, notify=self._notify, note=self._note_act)
        rtvi = GuardedRTVIProcessor(
            client_messages={PRESENT: None, HEARD: HeardData},
            withhold=self._teller.typed,
            on_abuse=self._on_abuse,
        )
        vendors = _Vendors(self)
        services = Services(
            stt=catalog.make(settings, "stt", brief, vendors),
            llm=catalog.make(settings, "llm", brief, vendors),
            tts=catalog.make(settings, "tts", brief, vendors),
        )
        self._observer = CallObserver(
            providers=self._providers,
            services={"stt": services.stt, "llm": services.llm, "tts": services.tts},
            answered=self._on_answer,
            used=self._scribe.used,
            charged=self._scribe.charged,
            typed=self._on_typed,
            heard=self._on_heard,
        )
        self._conversation = build(
            agent=self.agent,
            services=services,
            transport_in=self._transport.input(),
            transport_out=self._transport.output(),
            turns=strategies(self._parts.smart_turn),
            desk=desk,
            teller=self._teller,
            idle_prompt_s=settings.idle_prompt_s,
            rtvi=rtvi,
            rtvi_params=observer_params(),
            call_id=self.id,
            ending=self._note_reason,
            observers=[self._observer],
            traced=self._parts.tracing is not None,
        )
        self._transport.heard_by(self._conversation.hear)
        self._listen(rtvi)

    def _on_answer(self, timing: Timing) -> None:
        assert self._scribe is not None
        self._scribe.answered(timing)
        metrics.answered(self.agent.id, timing.stages, greeting=timing.greeting)
        traces = self._conversation.traces
        if self._parts.tracing is not None and traces is not None:
            turn = traces.get_turn_context() or traces.get_conversation_context()
            self._parts.tracing.answered(turn, timing.at, timing.stages, greeting=timing.greeting)

    def _on_heard(self, at: datetime, side: CallerSide) -> None:
        assert self._scribe is not None
        self._scribe.heard(at, side)
        metrics.heard(self.agent.id, asdict(side))

    def _on_typed(self, text: str) -> None:
        assert self._scribe is not None
        self._scribe.note("user", text, at=utc_now())
        self._conversation.caller_acted()

    def _listen(self, rtvi: RTVIProcessor) -> None:
        scribe = self._scribe
        assert scribe is not None

        @rtvi.event_handler("on_client_ready")
        async def on_client_ready(_rtvi: RTVIProcessor) -> None:
            await self._greet()

        @rtvi.event_handler("on_client_message")
        async def on_client_message(_rtvi: RTVIProcessor, message: ClientMessage) -> None:
            if message.type == HEARD:
                told = HeardData.model_validate(message.data)
                self._observer.hear_of(CallerSide(**told.model_dump()))
            else:
                self._conversation.caller_present()

        @self._transport.event_handler("on_client_disconnected")
        async def on_client_disconnected(_transport: CallTransport, _client: object) -> None:
            await self.hang_up("hung_up")

        @self._conversation.worker.event_handler("on_pipeline_error")
        async def on_pipeline_error(_worker: object, frame: ErrorFrame) -> None:
            if frame.processor is not None and not frame.processor.is_usable:
                self._note_reason("failed")  # pipecat ends the pipeline, and says no more than that it ended

        @self._conversation.user.event_handler("on_user_turn_stopped")
        async def on_user_turn_stopped(_aggregator: object, _strategy: object, message: UserTurnStoppedMessage) -> None:
            scribe.note("user", message.content or "", at=datetime.fromisoformat(message.timestamp))

        @self._conversation.assistant.event_handler("on_assistant_turn_stopped")
        async def on_assistant_turn_stopped(_aggregator: object, message: AssistantTurnStoppedMessage) -> None:
            started_at = datetime.fromisoformat(message.timestamp)
            scribe.note("assistant", message.content, at=started_at, interrupted=message.interrupted)

    # Running

    async def run(self) -> None:
        """Carry the call until it ends, then close it; never raises."""
        logger.info("Call {} opened: {}", self.id, self.agent.id)
        try:
            if await self.connection.wait_connected(timeout_s=CONNECT_TIMEOUT_S):
                await self._converse()
            else:
                self._note_reason("never_connected")
        except Exception as error:  # noqa: BLE001 - the root of a call's task
            logger.opt(exception=error).error("Call {} failed: {}", self.id, type(error).__name__)
            self._note_reason("failed")
        finally:
            self._note_reason("hung_up")
            await finish(self._settle(), owner=f"settle {self.id}")

    async def _converse(self) -> None:
        if self._reason is not None:
            return  # Ended while connecting.
        self._connected_at = monotonic_s()
        watch = spawn(self._watch(), owner=f"watch {self.id}")
        record = spawn(self._record_connected(utc_now()), owner=f"connected {self.id}")
        runner = self._runner = WorkerRunner(handle_sigint=False)
        try:
            await runner.add_workers(self._conversation.worker)
            await runner.run()
        finally:
            watch.cancel()
            await asyncio.gather(watch, record, return_exceptions=True)

    async def _record_connected(self, at: datetime) -> None:
        async with self._parts.db.transaction() as db:
            await call_log.connected(db, call_id=self.id, at=at)

    async def _watch(self) -> None:
        """End what nobody else ends: a vanished caller, a call without end or beyond its budget."""
        assert self._connected_at is not None
        settings = self._parts.settings
        while True:
            await asyncio.sleep(WATCH_INTERVAL_S)
            now = monotonic_s()
            heard_at = max(self._connected_at, self._transport.last_audio_at or 0.0, self._last_message_at(now))
            if now - heard_at > settings.vanished_s:
                await self.hang_up("vanished")
                return
            if not self._greeted and now - self._connected_at > GREET_ANYWAY_S:
                await self._greet()
            if self._reason is None and now - self._connected_at > settings.max_call_s:
                self._note_reason("too_long")
                await self._conversation.end(self._lines.long_enough)
            if self._reason is None and self._over_budget:
                self._note_reason("over_budget")
                await self._conversation.end(self._lines.used_up)
            if self._reason_at is not None and now - self._reason_at > LAST_WORDS_S:
                await self.hang_up("stuck")
                return

    @property
    def _over_budget(self) -> bool:
        return self.allowance_micros is not None and self._observer.spent_micros > self.allowance_micros

    def _last_message_at(self, now: float) -> float:
        # pipecat notes pings by the wall clock.
        received_at = self.connection.last_ping_at
        return 0.0 if received_at is None else now - max(0.0, time.time() - received_at)

    async def _greet(self) -> None:
        if not self._greeted:
            self._greeted = True
            await self._conversation.say(self.agent.greeting)

    def _notify(self, message: Mapping[str, Json]) -> None:
        """Tell the page something; it may be gone."""
        spawn(self._conversation.worker.rtvi.send_server_message(dict(message)), owner=f"notify {self.id}")

    async def _check_log_in(self, db: AsyncSession) -> None:
        await standing.check(db, self.owner, now=utc_now())

    def _show(self, view: str) -> None:
        """Have the page show one of the agent type's views."""
        if view in self.agent.views:
            frame = RTVIUICommandFrame(command="navigate", payload={"view": view})
            spawn(self._conversation.worker.queue_frame(frame), owner=f"show {self.id}")

    def _note_act(self, text: str) -> None:
        assert self._scribe is not None
        self._scribe.note("tool", text, at=utc_now())

    def _note_tool(self, name: str, took_ms: int, outcome: ToolOutcome) -> None:
        assert self._scribe is not None
        began_at = utc_now() - timedelta(milliseconds=took_ms)
        metrics.tool_seconds.labels(name, outcome).observe(took_ms / 1000)
        self._scribe.happened(Event(began_at, "tool", name, took_ms, outcome))

    def note_switch(self, switch: Switch) -> None:
        """Take down that another vendor serves."""
        assert self._scribe is not None
        who = f"{switch.kind}: {switch.left} → {switch.took}"
        if switch.why is None:
            self._scribe.happened(Event(utc_now(), "vendor", who, 0, "ok"))
            metrics.vendor_returns.labels(switch.kind, switch.took).inc()
            return
        self._scribe.happened(Event(utc_now(), "vendor", f"{who}: {switch.why.value}", 0, "failed"))
        metrics.vendor_takeovers.labels(switch.kind, switch.took).inc()
        if switch.asked:
            metrics.vendor_failures.labels(switch.kind, switch.left, switch.why.value).inc()

    def give_up(self, kind: Kind) -> None:
        """End the call because nobody is left to hear, to think or to speak."""
        metrics.vendors_exhausted.labels(kind).inc()
        if kind == "tts":
            spawn(self.hang_up("failed"), owner=f"give up {self.id}")
        else:
            # A model that gives out has taken leave itself; one that hears nobody takes leave here.
            spawn(
                self.wind_up("failed", "" if kind == "llm" else self._lines.words.apology), owner=f"give up {self.id}"
            )

    async def enter_code(self, code: str | None) -> Outcome:
        """Take the digits of the page's keypad; None cancels.

        Raises: Conflict (code `no_code_asked`) if none is asked for.
        """
        outcome = None
        if self._teller is not None:
            outcome = await (self._teller.cancel_code() if code is None else self._teller.enter_code(code))
        if outcome is None:
            raise Conflict("No code is asked for just now.", code="no_code_asked")
        return outcome

    def _on_abuse(self) -> None:
        spawn(self.hang_up("abuse"), owner=f"abuse {self.id}")

    # Ending

    def _note_reason(self, reason: str) -> None:
        """The first reason given is the one recorded, and the page is told while it still listens."""
        if self._reason is None:
            self._reason = reason
            self._reason_at = monotonic_s()
            if self._runner is not None:
                self._notify({"type": "call-ended", "reason": reason})

    @property
    def ending(self) -> bool:
        """Whether the call is over or about to be."""
        return self._reason is not None

    async def hang_up(self, reason: str) -> None:
        """End the call at once; `run` does the closing."""
        self._note_reason(reason)
        self.connection.give_up()
        if self._runner is not None:
            await self._runner.cancel(reason)

    async def close_down(self) -> None:
        """End the call because the server stops."""
        await self.wind_up("drained", self._lines.closing_down)

    async def wind_up(self, reason: str, last_words: str) -> None:
        """End the call with a sentence."""
        self._note_reason(reason)
        if self._runner is None:
            self.connection.give_up()
        else:
            await self._conversation.end(last_words)

    async def ended(self) -> None:
        """Wait until the call is closed and its seat is free."""
        await self._ended.wait()

    async def _settle(self) -> None:
        """Close everything that was opened, each part even when another fails."""
        for step in (self._finish_acts, self._flush, self._disconnect, self._close_row):
            try:
                await step()
            except Exception as error:  # noqa: BLE001 - the last door: what fails here must not keep the seat
                logger.opt(exception=error).error("Closing call {}: {}", self.id, type(error).__name__)
        self._ended.set()
        metrics.calls_ended.labels(self.agent.id, self._reason or "failed").inc()
        logger.info("Call {} closed: {} after {:.1f} s", self.id, self._reason, monotonic_s() - self.opened_at)

    async def _finish_acts(self) -> None:
        if self._teller is not None:
            async with asyncio.timeout(FINISH_ACTS_S):
                await self._teller.close()

    async def _flush(self) -> None:
        if self._scribe is not None:
            await self._scribe.close()

    async def _disconnect(self) -> None:
        if hasattr(self, "connection"):
            async with asyncio.timeout(DISCONNECT_S), self.connection.signalling:
                await self.connection.disconnect()

    async def _close_row(self) -> None:
        try:
            await self._write_end(utc_now())
        except AppError as error:
            logger.warning("Could not close the row of call {} yet: {}", self.id, error.code)
            spawn(self._close_row_later(utc_now()), owner=f"close {self.id}")

    async def _write_end(self, at: datetime) -> None:
        async with self._parts.db.transaction() as db:
            await call_log.close_call(db, call_id=self.id, reason=self._reason or "failed", at=at)
            await usage.return_unserved(db, call_ids=[self.id], now=at)

    async def _close_row_later(self, at: datetime) -> None:
        for pause_s in CLOSE_RETRIES_S:
            await asyncio.sleep(pause_s)
            try:
                await self._write_end(at)
            except AppError:
                continue
            return
        # The start-up sweep closes it.
        logger.error("Gave up closing the row of call {}: the database stays away", self.id)
