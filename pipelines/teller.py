"""The teller: what needs the caller's own word is read out, agreed to and done here, without the language model.

A draft is read back by the server from its row. Only a turn that began after the whole read-back had been played can
agree to it, and only in the words of a closed grammar; the model never sees that turn. Whatever was begun is finished,
whatever happens to the line, and the caller hears what became of it from the committed row.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from loguru import logger
from pipecat.frames.frames import (
    EagerEndOfTurnCancelFrame,
    Frame,
    InterruptionFrame,
    LLMContextFrame,
    LLMContextUserTurnFrame,
    TTSSpeakFrame,
)
from pipecat.processors.aggregators.llm_context import LLMContext, LLMSpecificMessage, standard_message_text
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor

from core.clock import monotonic_s, utc_now
from core.errors import AppError, Busy
from core.spoken.consent import hear_consent, is_plain_refusal
from core.tasks import spawn
from identity.mfa import Asked
from pipelines.base import Draft, Drafts, Json, Outcome, ToolContext
from pipelines.keypad import Hush
from pipelines.lines import lines
from pipelines.played import Played, SpeechMark
from pipelines.tools import ToolDesk

PLAYED_S_PER_WORD = 0.1
"""Nobody speaks faster; a read-back whose sound was shorter was not heard, however its voice failed."""

RETRY_PAUSES_S = (0.3, 0.7, 1.5, 3.0, 6.0, 12.0)
"""Between attempts to learn what became of a draft while the database is away; the caller is told to wait."""

PATIENCE_S = 1.5
"""An act that takes longer is covered by a word."""

MAX_REMINDED = 3
"""An outcome that is cut off is told again, this often at most."""

STILL_BUSY_S = 8.0
"""How long a turn waits for an act under way before it is answered with a word of patience."""

REMEMBERED = 16

_CODE = re.compile(r"\s*(?:\d[\s-]*){4,10}")


@dataclass
class _Open:
    """The draft that waits for a word.

    Attributes:
        token: Of its last read-back; 0 where that no longer counts.
        heard_at: When that had been played whole, on the monotonic clock; None until then, and again after a turn
            that was neither yes nor no.
    """

    draft: Draft
    token: int = 0
    heard_at: float | None = None


@dataclass
class _Owed:
    """An outcome the caller has not heard to its end."""

    text: str
    cut_off: bool = False
    times: int = 0


class Teller(FrameProcessor):
    """One call's teller; stands before the language model.

    Args:
        desk: The call's tools and what the caller has said.
        drafts: How drafts are settled; None for an agent type without any.
        notify: Tells the page; must not block.
        note: Puts a line about an act into the call's record.
    """

    def __init__(
        self,
        desk: ToolDesk,
        drafts: Drafts | None,
        *,
        notify: Callable[[Mapping[str, Json]], None],
        note: Callable[[str], None],
    ) -> None:
        super().__init__()
        self.hush = Hush()
        self.played = Played(self._on_played)
        self._desk = desk
        self._lines = lines(desk.language)
        self._drafts = drafts
        self._notify = notify
        self._note = note
        self._open: _Open | None = None
        self._code: Asked | None = None
        self._code_timer: asyncio.Task[None] | None = None
        self._acting = asyncio.Lock()  # one act at a time, and it is told before the next begins
        self._over: dict[str, Outcome] = {}  # drafts that are over and have been told
        self._entered: tuple[str, Outcome] | None = None  # the last code typed, and what came of it
        self._spoken: tuple[str, float] | None = None  # a turn about to come, and when it began
        self._turns_seen = 0
        self._guessed = False  # the model is answering what the caller has probably said
        self._tokens = 0
        self._words: dict[int, int] = {}
        self._owed: dict[int, _Owed] = {}
        self._typing = asyncio.Lock()
        self._closed = False
        desk.on_draft = self.propose

    @property
    def asking_code(self) -> bool:
        """Whether the caller is to type a code now."""
        return self._code is not None

    @property
    def has_draft(self) -> bool:
        """Whether something waits for the caller's word or code."""
        return self._open is not None

    @property
    def owes(self) -> bool:
        """Whether the caller has yet to hear what became of something."""
        return self._acting.locked() or bool(self._owed)

    @property
    def consent_may_follow(self) -> bool:
        """Whether a yes that begins now would count."""
        return self._open is not None and self._open.heard_at is not None

    # What happens in the call

    async def propose(self, draft: Draft) -> None:
        """Read a new draft to the caller; it takes the place of the one before."""
        before, self._open = self._open, _Open(draft)
        if before is not None and before.draft.id != draft.id:
            await self._take_back(before.draft.id)
        self._notify({"type": "draft", "draft": dict(draft.card)})
        await self._read_back()

    def typed(self, text: str) -> bool:
        """Take a typed turn while a code is asked for, so that no digit gets any further; whether it was taken."""
        if self._code is None:
            return False
        if _CODE.fullmatch(text):
            spawn(self.enter_code(re.sub(r"\D", "", text)), owner="typed code")
        elif hear_consent(text) == "no":
            spawn(self.cancel_code(), owner="cancel code")
        else:
            spawn(self._say(self._lines.type_it), owner="code hint")
        return True

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        """Settle what is the teller's; pass on what is the model's."""
        await super().process_frame(frame, direction)
        if isinstance(frame, InterruptionFrame):
            for owed in self._owed.values():
                owed.cut_off = True
            if self._open is not None and self._open.heard_at is None:
                self._tell_reading("due")
            self._guess("")
        elif isinstance(frame, EagerEndOfTurnCancelFrame):
            self._guess("")
        elif direction is FrameDirection.DOWNSTREAM:
            if isinstance(frame, LLMContextUserTurnFrame):
                self._take_turn(frame)
            elif isinstance(frame, LLMContextFrame) and await self._takes(frame):
                return
        await self.push_frame(frame, direction)

    def _take_turn(self, frame: LLMContextUserTurnFrame) -> None:
        """The caller's turn is over; the question to the model follows, unless that was put ahead of time."""
        if self._guessed:
            self._guessed = False
            self._turns_seen += 1
            self._desk.hear(frame.text)
        else:
            self._spoken = frame.text, _began_at(frame.timestamp)

    async def _takes(self, frame: LLMContextFrame) -> bool:
        """Whether a question to the model goes no further."""
        if not frame.speculation:
            self._guess("")
            return await self._heard(frame.context)
        if self._open is not None or self.asking_code or self.owes:
            # The turn may be for the teller, who waits for its end; it then comes again.
            await self.broadcast_frame(EagerEndOfTurnCancelFrame)
            return True
        self._guess((_turns(frame.context) or [""])[-1])
        return False

    def _guess(self, text: str) -> None:
        self._guessed = bool(text)
        self._desk.guess(text)

    async def _heard(self, context: LLMContext) -> bool:
        """Whether the caller's new words were for the teller alone."""
        said = self._new_turns(context)
        if not said:
            return False
        for text in said:
            self._desk.hear(text)
        spoken, self._spoken = self._spoken, None
        began_at = spoken[1] if spoken is not None and spoken[0] in said else monotonic_s()  # else it was typed
        try:
            # The line is free to talk, but what was begun is told first.
            async with asyncio.timeout(STILL_BUSY_S), self._acting:
                pass
        except TimeoutError:
            await self._say(self._lines.one_moment)
            return True
        await self._remind()
        if self._code is not None:
            await self._say(self._lines.type_it)
            return True
        if self._open is None:
            return False
        return await self._word_on(self._open, " ".join(said), began_at)

    async def _word_on(self, open_: _Open, text: str, began_at: float) -> bool:
        """What the caller's words mean for the draft that waits."""
        match hear_consent(text):
            case "no" if is_plain_refusal(text):
                spawn(self._decline(), owner="decline")
            case "no":
                # "No, make it six hundred": this draft is over, and the rest is for the model.
                self._open = None
                self._notify({"type": "draft", "draft": None})
                spawn(self._take_back(open_.draft.id), owner="decline")
                return False
            case "yes" if open_.heard_at is not None and began_at >= open_.heard_at:
                spawn(self._confirm(open_.draft.id), owner="confirm")
            case "yes":
                await self._say(self._lines.let_me_read)
                await self._read_back()
            case "repeat":
                await self._read_back()
            case _:
                # Neither yes nor no: the model answers, and a later yes needs the read-back again, also where the end
                # of this one is still on its way here.
                open_.heard_at, open_.token = None, 0
                self._tell_reading("due")
                return False
        return True

    def _new_turns(self, context: LLMContext) -> list[str]:
        turns = _turns(context)
        new = turns[self._turns_seen :]
        self._turns_seen = len(turns)
        return new

    # Acts

    async def _confirm(self, draft_id: str) -> None:
        await self._settle(draft_id, "confirmed", lambda ctx: self._must.confirm(ctx, draft_id))

    async def _decline(self) -> Outcome | None:
        if self._open is None:
            return None
        draft_id = self._open.draft.id
        return await self._settle(draft_id, "declined", lambda ctx: self._must.decline(ctx, draft_id))

    async def _take_back(self, draft_id: str) -> None:
        """Decline what the caller need not hear about."""
        await self._settle(draft_id, "taken back", lambda ctx: self._must.decline(ctx, draft_id), quiet=True)

    async def enter_code(self, code: str) -> Outcome | None:
        """Take the digits typed on the keypad; None if no code is asked for. The same digits again are one try.

        Raises: Busy if they cannot be checked now.
        """
        if self._code is None or self._open is None:
            return None
        draft_id = self._open.draft.id
        async with self._typing:
            if self._entered is not None and self._entered[0] == code:
                return self._entered[1]
            outcome = await self._settle(draft_id, "code entered", lambda ctx: self._must.answer(ctx, draft_id, code))
            if outcome is None:
                raise Busy("The code could not be checked just now. Please try again.", retry_after_s=2)
            self._entered = code, outcome
            return outcome

    async def cancel_code(self) -> Outcome | None:
        """The caller does not want to type it; None if no code is asked for."""
        return await self._decline() if self._code is not None else None

    async def close(self) -> None:
        """Finish what was begun and take back what still waits; the call is over."""
        self._closed = True
        if self._code_timer is not None:
            self._code_timer.cancel()
        async with self._acting:
            pass
        if self._open is not None:
            await self._take_back(self._open.draft.id)

    async def _settle(
        self, draft_id: str, what: str, act: Callable[[ToolContext], Awaitable[Outcome]], *, quiet: bool = False
    ) -> Outcome | None:
        """Do one act to its end, one at a time, and tell what became of it; None if that is not known.

        The act runs on its own: neither the caller's voice nor the end of the call stops it.
        """
        async with self._acting:
            if draft_id in self._over:
                return self._over[draft_id]
            turn = self._desk.turn
            task = spawn(self._until_known(act), owner=f"teller {what}")
            await asyncio.wait([task], timeout=PATIENCE_S)
            if not task.done() and not quiet:
                await self._say(self._lines.one_moment)
            try:
                outcome = await asyncio.shield(task)
            except Exception as error:  # noqa: BLE001 - a tool's edge: the call goes on, the cause goes to the log
                logger.error("A draft could not be settled: {}", type(error).__name__)
                if not quiet:
                    await self._say(self._why_not(error), owed=True)
                return None
            if not quiet or outcome.state == "declined":
                self._note(f"{what}: {outcome.state}")
            await self._tell(draft_id, outcome, quiet=quiet)
            if outcome.state != "open" and not quiet:
                self._desk.forget_heard(until=turn)
            return outcome

    def _why_not(self, error: Exception) -> str:
        """What the caller is told of an act that raised; errors know their sentence in English only."""
        if isinstance(error, AppError) and not isinstance(error, Busy) and self._desk.language == "en":
            return error.spoken
        return self._lines.not_known

    async def _until_known(self, act: Callable[[ToolContext], Awaitable[Outcome]]) -> Outcome:
        """Repeat an act until its outcome is known: each is done once, however often it is asked for."""
        for pause_s in RETRY_PAUSES_S:
            try:
                return await self._desk.in_transaction(act)
            except Busy:
                await asyncio.sleep(pause_s)
        return await self._desk.in_transaction(act)

    async def _tell(self, draft_id: str, outcome: Outcome, *, quiet: bool) -> None:
        """Let the caller and the page know."""
        mine = self._open is not None and self._open.draft.id == draft_id
        over = outcome.state != "open"
        if over:
            self._over = {**dict(list(self._over.items())[1 - REMEMBERED :]), draft_id: outcome}
        if outcome.state == "done":
            self._desk.truth.committed(outcome.act.amount, *outcome.act.names)
        elif over:
            self._desk.truth.failed(outcome.act.amount, *outcome.act.names)
        if outcome.right is not None:
            tries = outcome.code.tries_left if outcome.code else 0
            result = "right" if outcome.right else ("wrong" if outcome.code else "dead")
            self._notify({"type": "code-closed", "outcome": result, "tries_left": tries})
        if mine and outcome.code is not None and not self._closed:
            self._ask_code(outcome.code)
        elif mine and self._code is not None:
            self._stop_asking()
            if outcome.right is None:
                result = "expired" if outcome.state == "expired" else "cancelled"
                self._notify({"type": "code-closed", "outcome": result, "tries_left": 0})
        if mine and over:
            self._open = None
            self._notify({"type": "draft", "draft": None})
        if outcome.state == "done":
            self._notify({"type": "done", "transfer": dict(outcome.card)})
        if not quiet and (over or mine):
            await self._say(outcome.say, owed=outcome.state != "declined")

    # The second factor

    def _ask_code(self, code: Asked) -> None:
        """Have the page open its keypad; until the code is there, nothing the caller says is heard."""
        assert self._open is not None
        first = self._code is None
        self._code = code
        self.hush.on = True
        self._notify(
            {
                "type": "code-requested",
                "transfer_id": self._open.draft.id,
                "length": code.length,
                "method": code.method,
                "sent_to": code.sent_to,
                "expires_at": code.expires_at.isoformat(),
                "tries_left": code.tries_left,
                **{name: self._open.draft.card.get(name) for name in ("amount_minor", "currency", "payee")},
            }
        )
        if first:
            self._code_timer = spawn(self._give_up_at(code), owner="code timer")

    def _stop_asking(self) -> None:
        """Listen to the caller again."""
        self._code = None
        self._entered = None
        self.hush.on = False
        if self._code_timer is not None and self._code_timer is not asyncio.current_task():
            self._code_timer.cancel()
        self._code_timer = None

    async def _give_up_at(self, code: Asked) -> None:
        """Wait for the code no longer than it counts, whether or not the database is there then."""
        await asyncio.sleep(max(0.0, (code.expires_at - utc_now()).total_seconds()))
        if self._code is None or self._open is None:
            return
        draft_id, self._open = self._open.draft.id, None
        self._stop_asking()
        self._desk.forget_heard()
        self._notify({"type": "code-closed", "outcome": "expired", "tries_left": 0})
        self._notify({"type": "draft", "draft": None})
        await self._say(self._lines.nothing_done, owed=True)
        await self._take_back(draft_id)

    # Speech

    async def _read_back(self) -> None:
        open_ = self._open
        if open_ is not None:
            open_.heard_at = None
            self._tell_reading("reading")
            open_.token = await self._say(open_.draft.read_back)

    def _tell_reading(self, state: Literal["reading", "heard", "due"]) -> None:
        """Let the page say when a yes counts: once the draft has been read out (`heard`), until it is due again."""
        self._notify({"type": "read-back", "state": state})

    async def _say(self, text: str, *, owed: bool = False) -> int:
        """Speak a sentence of the server's; the number under which its end is told."""
        self._tokens += 1
        token = self._tokens
        if self._closed:
            return token
        self._words = {token: len(text.split())} | {t: self._words[t] for t in list(self._words)[:7]}
        if owed:
            self._owed[token] = _Owed(text)
        self._desk.truth.told(text)
        await self._speak(token, text)
        return token

    async def _speak(self, token: int, text: str) -> None:
        await self.push_frame(SpeechMark(token=token, begins=True))
        await self.push_frame(TTSSpeakFrame(text))
        await self.push_frame(SpeechMark(token=token))

    async def _remind(self) -> None:
        """Tell again what the caller talked over: an outcome is heard to its end."""
        for token, owed in list(self._owed.items()):
            if not owed.cut_off:
                continue  # it is being said
            owed.cut_off = False
            owed.times += 1
            if owed.times >= MAX_REMINDED:
                del self._owed[token]
            await self._speak(token, owed.text)

    def _on_played(self, token: int, seconds: float) -> None:
        self._owed.pop(token, None)
        open_ = self._open
        if open_ is not None and open_.token == token and seconds >= PLAYED_S_PER_WORD * self._words.get(token, 0):
            open_.heard_at = monotonic_s()
            self._tell_reading("heard")

    @property
    def _must(self) -> Drafts:
        assert self._drafts is not None, "an agent type that drafts says how drafts are settled"
        return self._drafts


def _began_at(timestamp: str) -> float:
    """When a turn began, on the monotonic clock; long ago where that is not known."""
    try:
        began = datetime.fromisoformat(timestamp)
    except ValueError:
        return 0.0
    return monotonic_s() - max(0.0, (utc_now() - began).total_seconds())


def _turns(context: LLMContext) -> list[str]:
    """What the caller has said, turn by turn."""
    return [
        standard_message_text(message)
        for message in context.messages
        if not isinstance(message, LLMSpecificMessage) and message.get("role") == "user"
    ]
