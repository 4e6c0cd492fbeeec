"""The record of calls, for operators: the list, one call in all detail, and a file of them."""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from dataclasses import asdict, replace
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, Field
from sqlalchemy.ext.asyncio import AsyncSession

from api.deps import App, admin
from api.fields import ESTIMATED, UNPRICED, Id, Moment, PathId, Text, dollars, dollars_if_known
from api.limited import OPERATOR
from api.paging import PageOut, Paging
from calls import answers, costs, events, summary, transcript
from calls import log as call_log
from calls.answers import CallerSide
from calls.log import CallRecord, CallState, Outcome, Wanted
from calls.summary import Summary
from core.clock import utc_now
from identity import otp, users
from pipelines import catalog as agent_types

MAX_EXPORTED = 10_000
EXPORT_BATCH = 500
FORMULAS = tuple("=+-@\t\r\n＝＋－＠")

router = APIRouter(prefix="/call-logs", tags=["calls"], dependencies=[Depends(admin), OPERATOR])


class Filter(BaseModel):
    """Which calls."""

    since: Moment | None = Field(None, alias="from", description="They began then or later")
    until: Moment | None = Field(None, alias="to", description="They began before")
    agent_type: Text | None = Field(None, max_length=64)
    otp_id: Id | None = Field(None, description="The portal code they were made with")
    outcome: Outcome | None = None
    q: Text | None = Field(None, min_length=2, max_length=120, description="The call's id, or part of what was said")

    @property
    def wanted(self) -> Wanted:
        """The same for the call log."""
        return Wanted(
            since=self.since,
            until=self.until,
            agent_type=self.agent_type,
            otp_id=self.otp_id,
            outcome=self.outcome,
            search=self.q,
        )


class CallsIn(Paging, Filter):
    """Which calls, and which page of them."""


class CallOut(BaseModel):
    """A call in a line."""

    id: str
    agent_type: str
    agent_name: str
    state: CallState
    outcome: Outcome
    role: str
    otp_id: str | None
    otp_label: str | None
    user_id: str | None
    user_name: str | None
    customer_id: str | None
    channel: str
    node: str = Field(description="The process that carried it")
    started_at: datetime
    connected_at: datetime | None
    ended_at: datetime | None
    seconds: float | None = Field(description="From connection to end")
    end_reason: str | None
    turns: int
    answer_p50_ms: int | None = Field(description="Median time from the caller's silence to the answer")
    cost_usd: float
    unpriced: bool = Field(description=UNPRICED)
    estimated: bool = Field(description=ESTIMATED)
    rating: int | None
    providers: dict[str, str | None] = Field(description="Which vendor served stt, llm and tts")


class TurnOut(BaseModel):
    """What somebody said, or what a tool did."""

    seq: int
    role: str
    text: str
    started_at: datetime
    ended_at: datetime | None
    interrupted: bool


class CallerSideOut(BaseModel):
    """What the caller's page measured of an answer, in milliseconds; null is what it could not tell."""

    rtt_ms: int | None = Field(description="There and back through the network")
    jitter_buffer_ms: int | None = Field(description="In the browser's jitter buffer, on average; part of playout_ms")
    playout_ms: int | None = Field(description="From the server's message that the agent speaks to audible sound")
    extra_ms: int | None = Field(
        description="To the caller's ear, on top of total_ms: half the round trip and the playout"
    )


class AnswerTimeOut(BaseModel):
    """How long one answer took, and where the time went."""

    seq: int
    at: datetime = Field(description="When the caller fell silent")
    greeting: bool
    total_ms: int
    stages: dict[str, int] = Field(description="Milliseconds; they sum to total_ms")
    caller_side: CallerSideOut | None = Field(description="Null where the page has not told")
    cost_usd: float | None = Field(
        description="What was used from when its turn was understood until the next one was; null if that is not known"
    )


class EventOut(BaseModel):
    """A tool that ran, or a vendor that took over from another one."""

    seq: int
    at: datetime
    kind: str
    name: str
    took_ms: int
    outcome: str


class VendorUsageOut(BaseModel):
    """What the call used of one vendor."""

    kind: str
    provider: str
    model: str | None
    audio_seconds: float
    input_tokens: int
    cached_tokens: int
    cache_write_tokens: int
    output_tokens: int
    estimated_answers: int = Field(description="Answers that were cut off before their tokens were counted: estimated")
    characters: int
    cost_usd: float | None = Field(description="Null: no price is known")


class CallDetailOut(CallOut):
    """A call in all detail."""

    rating_comment: str | None
    turns_said: list[TurnOut]
    answers: list[AnswerTimeOut]
    events: list[EventOut]
    usage: list[VendorUsageOut]


@router.get("")
async def list_calls(app: App, wanted: Annotated[CallsIn, Query()]) -> PageOut[CallOut]:
    """Calls, the newest first."""
    async with app.db.reading() as db:
        rows, total = await call_log.page(db, wanted.wanted, page=wanted.page, per_page=wanted.per_page)
        return wanted.of(await shown(db, rows), total)


@router.get("/export", response_class=StreamingResponse, responses={200: {"content": {"text/csv": {}}}})
async def export_calls(app: App, wanted: Annotated[Filter, Query()]) -> StreamingResponse:
    """The calls that have begun by now as a CSV file (RFC 4180), the newest first, at most 10,000."""
    now = utc_now()
    # Later ones would push others onto the next page, a second time.
    begun = replace(wanted.wanted, until=min(wanted.until or now, now))

    async def lines() -> AsyncIterator[str]:
        yield _csv([tuple(CallOut.model_fields)])
        for told in range(0, MAX_EXPORTED, EXPORT_BATCH):
            async with app.db.reading() as db:
                rows = await call_log.newest(db, begun, limit=EXPORT_BATCH, skipping=told)
                calls = await shown(db, rows)
            yield _csv([tuple(call.model_dump(mode="json").values()) for call in calls])
            if len(rows) < EXPORT_BATCH:
                return

    name = f"calls-{now:%Y-%m-%d-%H%M}.csv"
    return StreamingResponse(
        lines(), media_type="text/csv", headers={"Content-Disposition": f'attachment; filename="{name}"'}
    )


@router.get("/{call_id}")
async def get_call(call_id: PathId, app: App) -> CallDetailOut:
    """One call: what was said, how long each answer took and why, which tools ran, what it cost."""
    async with app.db.reading() as db:
        row = await call_log.get(db, call_id)
        (call,) = await shown(db, [row])
        turns = await transcript.of_call(db, call_id)
        timed = await answers.of_call(db, call_id)
        happened = await events.of_call(db, call_id)
        used = await costs.of_call(db, call_id)
    return CallDetailOut(
        **call.model_dump(),
        rating_comment=row.rating_comment,
        turns_said=[
            TurnOut(
                seq=seq,
                role=turn.role,
                text=turn.text,
                started_at=turn.started_at,
                ended_at=turn.ended_at,
                interrupted=turn.interrupted,
            )
            for seq, turn in enumerate(turns)
        ],
        answers=[
            AnswerTimeOut(
                seq=each.seq,
                at=each.at,
                greeting=each.greeting,
                total_ms=each.total_ms,
                stages=each.stages,
                caller_side=_of_caller(each.caller_side),
                cost_usd=dollars_if_known(each.cost_micros),
            )
            for each in timed
        ],
        events=[
            EventOut(
                seq=event.seq,
                at=event.at,
                kind=event.kind,
                name=event.name,
                took_ms=event.took_ms,
                outcome=event.outcome,
            )
            for event in happened
        ],
        usage=[
            VendorUsageOut(
                kind=each.kind,
                provider=each.provider,
                model=each.model,
                audio_seconds=each.audio_ms / 1000,
                input_tokens=each.input_tokens,
                cached_tokens=each.cached_tokens,
                cache_write_tokens=each.cache_write_tokens,
                output_tokens=each.output_tokens,
                estimated_answers=each.estimated_answers,
                characters=each.characters,
                cost_usd=dollars_if_known(each.cost_micros),
            )
            for each in used
        ],
    )


async def shown(
    db: AsyncSession, rows: Sequence[CallRecord], known: defaultdict[str, Summary] | None = None
) -> list[CallOut]:
    """Calls as operators see them in lists.

    Args:
        known: Their summaries, where they have been asked for already.
    """
    labels = await otp.labels(db, (row.otp_id for row in rows if row.otp_id))
    names = await users.names(db, (row.subject for row in rows if row.otp_id is None))
    if known is None:
        known = await summary.of_calls(db, [row.id for row in rows])
    return [_line(row, known[row.id], labels, names) for row in rows]


def _line(row: CallRecord, known: Summary, labels: dict[str, str | None], names: dict[str, str]) -> CallOut:
    agent = agent_types.all_types().get(row.agent_type)
    return CallOut(
        id=row.id,
        agent_type=row.agent_type,
        agent_name=agent.name if agent else row.agent_type,
        state=row.state,
        outcome=row.outcome,
        role=row.role,
        otp_id=row.otp_id,
        otp_label=labels.get(row.otp_id or ""),
        user_id=row.subject if row.otp_id is None else None,
        user_name=names.get(row.subject),
        customer_id=row.customer_id,
        channel=row.channel,
        node=row.node,
        started_at=row.started_at,
        connected_at=row.connected_at,
        ended_at=row.ended_at,
        seconds=row.seconds,
        end_reason=row.end_reason,
        turns=known.turns,
        answer_p50_ms=known.answer_p50_ms,
        cost_usd=dollars(known.cost.micros),
        unpriced=known.cost.unpriced > 0,
        estimated=known.cost.estimated > 0,
        rating=row.rating,
        providers={"stt": row.stt, "llm": row.llm, "tts": row.tts},
    )


def _of_caller(side: CallerSide | None) -> CallerSideOut | None:
    if side is None:
        return None
    return CallerSideOut(**asdict(side), extra_ms=side.extra_ms)


def _csv(rows: Sequence[tuple[Any, ...]]) -> str:
    out = io.StringIO()
    csv.writer(out).writerows([_safe(value) for value in row] for row in rows)
    return out.getvalue()


def _safe(value: Any) -> Any:
    """A value no spreadsheet takes for a formula (ASVS 1.2.10)."""
    if isinstance(value, dict):
        value = " ".join(f"{key}={part}" for key, part in value.items())
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULAS) else value
