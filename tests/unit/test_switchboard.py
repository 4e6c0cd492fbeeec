"""Where calls are placed, how they are found again, and what their owners are told when they are not."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from agent import switchboard
from agent.switchboard import CallLost, Switchboard
from agent.webrtc import Candidate
from agent.worker import words
from agent.worker.words import Answer, OpenCall, Resting, ServerBusy, StartFailed, TooManyCalls, WorkerState
from calls.usage import AccessRequired
from core.errors import AppError, Conflict, Invalid, NotFound
from core.settings import Settings
from identity.tokens import Claims

OFFER = (Path(__file__).parents[1] / "offers" / "chromium_microphone.sdp").read_text()
SEATS = 3
IDLE = WorkerState(pid=1, revision=0, seats=SEATS, seats_taken=0, lag_ms=1.0, busy=0.01, draining=False)


class Scripted:
    """A worker that does what the test says: takes every call, unless `refuses` holds what is wrong."""

    restarts = 0

    def __init__(self, number: int) -> None:
        self.number = number
        self.life = 0
        self.state: WorkerState | None = IDLE
        self.refuses: list[AppError] = []
        self.opened: list[str] = []
        self.heard: list[Any] = []
        self.may_open = asyncio.Event()
        self.may_open.set()

    def tell(self, **what: Any) -> None:
        self.state = replace(self.state or IDLE, **what)

    def carry(self, *call_ids: str, revision: int, **what: Any) -> None:
        calls = tuple(OpenCall(each, "banking") for each in call_ids)
        self.tell(calls=calls, seats_taken=len(calls), revision=revision, **what)

    async def open(self, opening: words.Opening) -> Answer:
        await self.may_open.wait()
        if self.refuses:
            raise self.refuses.pop(0)
        self.opened.append(opening.call_id)
        return Answer("v=0", "answer", f"pc_{opening.call_id}", revision=len(self.opened))

    async def renegotiate(self, offer: words.Renegotiation) -> Answer:
        self.heard.append(offer)
        return Answer("v=0", "answer", f"pc_{offer.call_id}", revision=len(self.opened))

    async def trickle(self, trickled: words.Trickled) -> None:
        self.heard.append(trickled)

    async def enter(self, digits: words.Digits) -> words.Entered:
        self.heard.append(digits)
        return words.Entered(True, 3, "done")

    async def hang_up(self, ending: words.HangUp) -> None:
        self.heard.append(ending)

    async def drain(self, drain: words.Drain) -> None:
        self.heard.append(drain)

    async def reload(self, reload: words.Reload) -> None:
        self.heard.append(reload)

    async def texts(self, reader: words.Reader) -> tuple[words.Text, ...]:
        if self.refuses:
            raise self.refuses.pop(0)
        return (words.Text(f"{reader.subject} {self.number}", datetime(2026, 3, 1, tzinfo=UTC)),)

    async def figures(self) -> bytes:
        if self.refuses:
            raise self.refuses.pop(0)
        return b"x 1\n"


class Two:
    """Two of them."""

    def __init__(self) -> None:
        self.workers: Sequence[Scripted] = (Scripted(1), Scripted(2))
        self.retired = False

    def retire(self) -> None:
        self.retired = True

    async def open(self) -> None: ...

    async def close(self) -> None: ...

    async def free(self) -> None: ...

    def look(self) -> None: ...


class Exchange:
    """A switchboard with two scripted workers and a clock of its own."""

    def __init__(self, **settings: Any) -> None:
        self.crew = Two()
        self.first, self.second = self.crew.workers
        self.now_s = 1000.0
        given = {"max_calls_per_user": 50, "host": "127.0.0.1", **settings}
        self.board = Switchboard(
            Settings(_env_file=None, **given),  # pyright: ignore[reportCallIssue]
            self.crew,
            node="here",
            clock=lambda: self.now_s,
        )

    async def call(self, who: str = "ada") -> str:
        session = self.board.promise(caller(who), "banking")
        await self.board.offer(session.id, caller(who), sdp=OFFER)
        return session.id

    async def settle(self) -> None:
        """Let the gauges catch up."""
        self.now_s += switchboard.SETTLING_S


def caller(subject: str) -> Claims:
    then = datetime(2026, 3, 1, tzinfo=UTC)
    return Claims(subject, "otp", (), None, None, 0, "1", then, then)


ADA = caller("ada")


async def test_calls_go_to_whoever_has_least_to_do() -> None:
    exchange = Exchange()
    for _ in range(4):
        await exchange.call()
    assert (len(exchange.first.opened), len(exchange.second.opened)) == (2, 2)
    await exchange.settle()
    exchange.first.tell(busy=0.8)
    await exchange.call()
    assert (len(exchange.first.opened), len(exchange.second.opened)) == (2, 3)


async def test_a_burst_gets_no_more_seats_than_there_are_although_nobody_has_told_of_any_call_yet() -> None:
    exchange = Exchange()
    for worker in exchange.crew.workers:
        worker.may_open.clear()
    sessions = [exchange.board.promise(caller(f"guest {n}"), "banking") for n in range(9)]
    offers = [asyncio.ensure_future(exchange.board.offer(session.id, session.owner, sdp=OFFER)) for session in sessions]
    await asyncio.sleep(0)
    assert exchange.board.seats_taken == 6
    for worker in exchange.crew.workers:
        worker.may_open.set()
    answers = await asyncio.gather(*offers, return_exceptions=True)
    refused = [answer for answer in answers if isinstance(answer, ServerBusy)]
    assert len(refused) == 3
    assert all(5 <= (each.retry_after_s or 0) < 10 for each in refused)
    assert (len(exchange.first.opened), len(exchange.second.opened)) == (3, 3)


async def test_a_busy_core_takes_no_more_and_calls_that_have_just_begun_count_before_they_show() -> None:
    exchange = Exchange(max_loop_busy=0.5)
    exchange.second.state = None
    exchange.first.tell(busy=0.43)
    await exchange.call()
    await exchange.call()
    with pytest.raises(ServerBusy, match="busy"):
        await exchange.call()
    await exchange.settle()  # the gauge is still the same: the calls it did not know of cost little
    await exchange.call()
    exchange.first.tell(busy=0.51)
    await exchange.settle()
    with pytest.raises(ServerBusy):
        exchange.board.promise(ADA, "banking")


async def test_a_share_of_one_never_refuses() -> None:
    exchange = Exchange(max_loop_busy=1.0)
    exchange.first.tell(busy=1.0)
    exchange.second.tell(busy=1.0)
    for _ in range(2 * SEATS):
        await exchange.call()


@pytest.mark.parametrize("what", [{"lag_ms": 151.0}, {"busy": 0.9}, {"draining": True}, {"seats_taken": SEATS}])
async def test_whoever_cannot_take_a_call_well_is_passed_over(what: dict[str, Any]) -> None:
    exchange = Exchange()
    exchange.first.tell(**what)
    await exchange.call()
    assert (exchange.first.opened, len(exchange.second.opened)) == ([], 1)
    exchange.second.tell(**what)
    with pytest.raises(ServerBusy):
        exchange.board.promise(ADA, "banking")
    exchange.first.state = exchange.second.state = None
    with pytest.raises(ServerBusy):
        exchange.board.promise(ADA, "banking")
    assert exchange.board.seats == 0
    assert exchange.board.refusals.waiting


@pytest.mark.parametrize("refusal", [words.NeverAsked(), ServerBusy("full")])
async def test_where_one_worker_is_gone_or_has_filled_up_meanwhile_the_next_is_asked(refusal: AppError) -> None:
    exchange = Exchange()
    exchange.first.refuses.append(refusal)
    await exchange.call()
    assert (exchange.first.opened, len(exchange.second.opened)) == ([], 1)
    exchange.first.refuses.append(refusal)
    exchange.second.tell(draining=True)
    with pytest.raises(ServerBusy):
        await exchange.call()
    assert exchange.board.seats_taken == 1


async def test_a_call_whose_worker_dies_while_it_is_opened_is_not_opened_twice() -> None:
    exchange = Exchange()
    session = exchange.board.promise(ADA, "banking")
    exchange.first.refuses.append(words.Unreachable())
    with pytest.raises(words.Unreachable) as refused:
        await exchange.board.offer(session.id, ADA, sdp=OFFER)
    assert (refused.value.status, refused.value.retryable) == (503, True)
    assert exchange.second.opened == [], "it may be on record already"
    with pytest.raises(CallLost):
        await exchange.board.offer(session.id, ADA, sdp=OFFER)
    assert exchange.board.seats_taken == 0


async def test_a_session_stays_good_until_its_call_is_on_record() -> None:
    exchange = Exchange()
    session = exchange.board.promise(ADA, "banking")
    with pytest.raises(Invalid):
        await exchange.board.offer(session.id, ADA, sdp="garbage")
    for refusal in (AccessRequired("count a use first"), AppError("no", code="day_over_budget", status=503)):
        exchange.first.refuses.append(refusal)
        with pytest.raises(type(refusal)):
            await exchange.board.offer(session.id, ADA, sdp=OFFER)
    exchange.first.refuses.append(StartFailed("something"))
    with pytest.raises(StartFailed):
        await exchange.board.offer(session.id, ADA, sdp=OFFER)
    with pytest.raises(NotFound):
        await exchange.board.offer(session.id, ADA, sdp=OFFER)


async def test_a_call_ends_when_its_worker_says_so_and_not_before() -> None:
    exchange = Exchange()
    exchange.second.state = None
    call = await exchange.call()
    exchange.first.carry(revision=0)  # told before the call was opened, heard after its answer
    assert exchange.board.seats_taken == 1
    await exchange.board.candidates(call, ADA, [])
    exchange.first.carry(call, revision=1)
    await exchange.board.candidates(call, ADA, [])
    exchange.first.state = None  # nothing is told for a while
    await exchange.board.candidates(call, ADA, [])
    exchange.first.carry(revision=2)
    with pytest.raises(NotFound):
        await exchange.board.candidates(call, ADA, [])
    assert exchange.board.seats_taken == 0


async def test_an_end_that_overtakes_the_answer_is_an_end() -> None:
    exchange = Exchange()
    exchange.second.state = None
    exchange.first.may_open.clear()
    session = exchange.board.promise(ADA, "banking")
    offer = asyncio.ensure_future(exchange.board.offer(session.id, ADA, sdp=OFFER))
    await asyncio.sleep(0)
    exchange.first.carry(revision=2)  # opened as of 1, over as of 2
    assert exchange.board.seats_taken == 1
    exchange.first.may_open.set()
    await offer
    assert exchange.board.seats_taken == 0
    with pytest.raises(NotFound):
        await exchange.board.hang_up(session.id, ADA)


async def test_calls_that_went_down_with_their_worker_are_told_as_that_for_a_while() -> None:
    exchange = Exchange()
    lost, other = await exchange.call(), await exchange.call()
    exchange.first.life += 1
    exchange.first.state = None
    for ask in (
        lambda who: exchange.board.candidates(lost, who, []),
        lambda who: exchange.board.offer(lost, who, sdp=OFFER, pc_id=f"pc_{lost}", restart=True),
        lambda who: exchange.board.enter_code(lost, who, "123456"),
        lambda who: exchange.board.hang_up(lost, who),
    ):
        with pytest.raises(CallLost) as told:
            await ask(ADA)
        assert (told.value.code, told.value.status) == ("call_lost", 410)
        with pytest.raises(NotFound):
            await ask(caller("eve"))
    with pytest.raises(CallLost):
        exchange.board.session_of_peer(f"pc_{lost}", ADA)
    await exchange.board.hang_up_all_of("ada", "withdrawn")
    assert exchange.second.heard == [words.HangUp(other, "withdrawn")]
    assert exchange.board.seats_taken == 1
    exchange.now_s += switchboard.LOST_TTL_S + 1
    with pytest.raises(NotFound):
        await exchange.board.hang_up(lost, ADA)


async def test_everything_about_a_call_goes_to_whoever_carries_it() -> None:
    exchange = Exchange()
    calls = [await exchange.call(), await exchange.call()]
    for call, worker in zip(calls, exchange.crew.workers, strict=True):
        candidate = Candidate("", 0)
        await exchange.board.candidates(exchange.board.session_of_peer(f"pc_{call}", ADA), ADA, [candidate])
        await exchange.board.offer(call, ADA, sdp=OFFER, pc_id=f"pc_{call}", restart=True)
        entered = await exchange.board.enter_code(call, ADA, None)
        assert (entered.right, entered.state) == (True, "done")
        await exchange.board.hang_up(call, ADA)
        trickled, offer, digits, ending = worker.heard
        assert (trickled, digits) == (words.Trickled(call, (candidate,)), words.Digits(call, None))
        assert (offer.call_id, offer.restart, ending) == (call, True, words.HangUp(call, "hung_up"))
        with pytest.raises(switchboard.AlreadyUsed):
            await exchange.board.offer(call, ADA, sdp=OFFER, pc_id="another")


async def test_what_overtakes_the_answer_waits_for_it() -> None:
    exchange = Exchange()
    exchange.first.may_open.clear()
    session = exchange.board.promise(ADA, "banking")
    candidate = Candidate("candidate:1 1 udp 1 127.0.0.1 5000 typ host", 0)
    await exchange.board.candidates(session.id, ADA, [candidate])
    offer = asyncio.ensure_future(exchange.board.offer(session.id, ADA, sdp=OFFER))
    await asyncio.sleep(0)
    await exchange.board.candidates(session.id, ADA, [candidate])
    with pytest.raises(Invalid):
        await exchange.board.candidates(session.id, ADA, [Candidate("x", 0)])
    with pytest.raises(Conflict):
        await exchange.board.enter_code(session.id, ADA, "1")
    exchange.first.may_open.set()
    await offer
    assert exchange.first.heard == [words.Trickled(session.id, (candidate, candidate))]


async def test_a_call_that_is_given_up_while_it_starts_is_ended_when_it_has() -> None:
    exchange = Exchange()
    exchange.first.may_open.clear()
    session = exchange.board.promise(ADA, "banking")
    offer = asyncio.ensure_future(exchange.board.offer(session.id, ADA, sdp=OFFER))
    await asyncio.sleep(0)
    await exchange.board.hang_up(session.id, ADA)
    exchange.first.may_open.set()
    with pytest.raises(NotFound):
        await offer
    assert exchange.first.heard == [words.HangUp(session.id, "hung_up")]


async def test_an_offer_is_brought_to_its_end_when_whoever_made_it_is_gone() -> None:
    exchange = Exchange()
    exchange.first.may_open.clear()
    session = exchange.board.promise(ADA, "banking")
    offer = asyncio.ensure_future(exchange.board.offer(session.id, ADA, sdp=OFFER))
    await asyncio.sleep(0)
    offer.cancel()
    await asyncio.gather(offer, return_exceptions=True)
    exchange.first.may_open.set()
    async with asyncio.timeout(1):
        while not exchange.first.opened:
            await asyncio.sleep(0)
    await asyncio.sleep(0)
    await exchange.board.hang_up(session.id, ADA)
    assert exchange.first.heard == [words.HangUp(session.id, "hung_up")]


async def test_sessions_and_calls_of_one_person_are_bounded() -> None:
    exchange = Exchange(max_calls_per_user=2)
    await exchange.call()
    await exchange.call()
    with pytest.raises(TooManyCalls):
        await exchange.call()
    for _ in range(switchboard.MAX_SESSIONS_PER_OWNER):
        exchange.board.promise(caller("eve"), "banking")
    with pytest.raises(TooManyCalls):
        exchange.board.promise(caller("eve"), "banking")
    exchange.now_s += switchboard.SESSION_TTL_S + 1
    stale = exchange.board.promise(caller("eve"), "banking")
    exchange.board.forget(stale.id)
    with pytest.raises(NotFound):
        await exchange.board.offer(stale.id, caller("eve"), sdp=OFFER)


async def test_who_does_not_answer_is_left_out_of_what_all_are_asked() -> None:
    exchange = Exchange()
    exchange.first.tell(resting=(Resting("stt", "acme", "server"),))
    exchange.second.tell(resting=(Resting("stt", "acme", "server"), Resting("tts", "acme", "quota")))
    assert exchange.board.resting() == {("stt", "acme"): 2, ("tts", "acme"): 1}
    exchange.first.refuses += [words.Unreachable(), words.Unreachable()]
    assert [text.text for text in await exchange.board.texts("ada")] == ["ada 2"]
    assert await exchange.board.figures() == {2: b"x 1\n"}
    await exchange.board.drain(timeout_s=3)
    assert exchange.crew.retired, "nobody is started anew any more"
    assert exchange.first.heard == exchange.second.heard == [words.Drain(3)]
    with pytest.raises(ServerBusy, match="restarting"):
        exchange.board.promise(ADA, "banking")
