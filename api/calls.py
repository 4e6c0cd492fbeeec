"""Starting a call: the wire of pipecat's runner, so that its unmodified browser client works here."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from pydantic import AliasChoices, BaseModel, ConfigDict, Field

from agent.webrtc import Candidate
from agent.worker.words import Entered
from api.deps import App, Caller, Shared
from api.fields import Code, PathId
from api.limited import Limited
from calls import log as call_log
from core.errors import AppError, Invalid

router = APIRouter(tags=["calls"])
record = APIRouter(prefix="/calls", tags=["calls"])
"""What stays of a call, for its caller; under `/api/v1`."""

DEFAULT_AGENT = "banking"

SdpText = Annotated[str, Field(max_length=32_768)]


class StartIn(BaseModel):
    """What the page wants: `{"body": {"agent_type": "banking"}}`."""

    model_config = ConfigDict(extra="ignore")
    body: dict[str, Any] | None = None


class IceServerOut(BaseModel):
    """A STUN or TURN server."""

    urls: list[str]


class IceConfigOut(BaseModel):
    """How the browser finds a way to the server."""

    iceServers: list[IceServerOut]  # noqa: N815 - the client's name


class StartOut(BaseModel):
    """A promised call."""

    sessionId: str  # noqa: N815 - the client's name
    iceConfig: IceConfigOut  # noqa: N815 - the client's name


class OfferIn(BaseModel):
    """An SDP offer."""

    model_config = ConfigDict(extra="ignore")
    sdp: SdpText
    type: str = "offer"
    pc_id: str | None = Field(None, max_length=200)
    restart_pc: bool | None = None
    request_data: dict[str, Any] | None = Field(
        None, validation_alias=AliasChoices("request_data", "requestData"), description="May name the agent_type"
    )


class AnswerOut(BaseModel):
    """The SDP answer."""

    sdp: str
    type: str
    pc_id: str


class CandidateIn(BaseModel):
    """One trickled ICE candidate; an empty one ends a section's list."""

    model_config = ConfigDict(extra="ignore")
    candidate: str = Field(max_length=1024)
    sdp_mid: str | None = Field(None, max_length=64)
    sdp_mline_index: int | None = Field(None, ge=0, le=16)


class CandidatesIn(BaseModel):
    """Trickled ICE candidates."""

    model_config = ConfigDict(extra="ignore")
    pc_id: str = Field(max_length=200)
    candidates: list[CandidateIn] = Field(max_length=50)


class KeypadIn(BaseModel):
    """The digits typed on the keypad."""

    code: Code


class KeypadOut(BaseModel):
    """What became of it."""

    right: bool | None = Field(description="Whether the code was right; null when it was cancelled")
    tries_left: int
    state: str = Field(description="open, done, declined, expired or failed")


class RatingIn(BaseModel):
    """What the caller thinks of the call."""

    rating: int = Field(ge=1, le=5, strict=True)
    comment: str | None = Field(None, max_length=500)


class StatusOut(BaseModel):
    """Done."""

    status: str = "success"


@router.post("/start", dependencies=[Depends(Limited("120/minute"))])
async def start(app: App, caller: Caller, body: StartIn | None = None) -> StartOut:
    """Promise a call; the offer goes to `/sessions/{sessionId}/api/offer`."""
    session = app.switchboard.promise(caller, _agent_type((body and body.body) or {}))
    return StartOut(sessionId=session.id, iceConfig=_ice(app))


@router.post("/sessions/{session_id}/api/offer")
async def offer(session_id: str, body: OfferIn, app: App, caller: Caller) -> AnswerOut:
    """Start the promised call, or renegotiate it."""
    return await _offer(app, caller, session_id, body)


@router.patch("/sessions/{session_id}/api/offer")
async def candidates(session_id: str, body: CandidatesIn, app: App, caller: Caller) -> StatusOut:
    """Add the browser's ICE candidates to the call."""
    return await _candidates(app, caller, session_id, body)


@router.delete("/sessions/{session_id}", status_code=204)
async def hang_up(session_id: str, app: App, caller: Caller) -> None:
    """End the call."""
    await app.switchboard.hang_up(session_id, caller)


@router.post("/sessions/{session_id}/code", dependencies=[Depends(Limited("20/minute"))])
async def enter_code(session_id: str, body: KeypadIn, app: App, caller: Caller) -> KeypadOut:
    """Enter the code the call asks for: beside the conversation, so that neither model nor record ever has it."""
    return _code_out(await app.switchboard.enter_code(session_id, caller, body.code))


@router.delete("/sessions/{session_id}/code")
async def cancel_code(session_id: str, app: App, caller: Caller) -> KeypadOut:
    """Do without what the code was asked for."""
    return _code_out(await app.switchboard.enter_code(session_id, caller, None))


@router.post("/api/offer")
async def direct_offer(body: OfferIn, app: App, caller: Caller) -> AnswerOut:
    """Start a call without `/start`; `request_data` may name the agent."""
    data = body.request_data or {}
    inner = data.get("body")
    return await _direct_offer(app, caller, body, inner if isinstance(inner, dict) else data)


@router.post("/api/voice-agents/stream")
async def stream_offer(
    body: OfferIn, app: App, caller: Caller, agent_type: Annotated[str, Query(max_length=64)] = DEFAULT_AGENT
) -> AnswerOut:
    """Start a call with the agent the address names."""
    return await _direct_offer(app, caller, body, {"agent_type": agent_type})


async def _direct_offer(app: Shared, caller: Caller, body: OfferIn, data: dict[str, Any]) -> AnswerOut:
    if body.pc_id:
        session_id = app.switchboard.session_of_peer(body.pc_id, caller)
    else:
        session_id = app.switchboard.promise(caller, _agent_type(data)).id
    try:
        return await _offer(app, caller, session_id, body)
    except AppError:
        # Nobody else knows the id, so nobody can try again with it.
        app.switchboard.forget(session_id)
        raise


@router.patch("/api/voice-agents/stream", operation_id="stream_candidates")
@router.patch("/api/offer")
async def direct_candidates(body: CandidatesIn, app: App, caller: Caller) -> StatusOut:
    """Add ICE candidates to a call started without `/start`."""
    session_id = app.switchboard.session_of_peer(body.pc_id, caller)
    return await _candidates(app, caller, session_id, body)


@record.post("/{call_id}/rating", status_code=204, dependencies=[Depends(Limited("20/minute"))])
async def rate(call_id: PathId, body: RatingIn, app: App, caller: Caller) -> None:
    """Rate one's own call; a later rating replaces it."""
    async with app.db.transaction() as db:
        await call_log.rate(
            db, call_id=call_id, subject=caller.subject, rating=body.rating, comment=body.comment or None
        )


async def _offer(app: Shared, caller: Caller, session_id: str, body: OfferIn) -> AnswerOut:
    if body.type != "offer":
        raise Invalid(f"type must be 'offer', not {body.type[:20]!r}", code="not_an_offer")
    answer = await app.switchboard.offer(
        session_id, caller, sdp=body.sdp, pc_id=body.pc_id, restart=bool(body.restart_pc)
    )
    return AnswerOut(sdp=answer.sdp, type=answer.type, pc_id=answer.pc_id)


async def _candidates(app: Shared, caller: Caller, session_id: str, body: CandidatesIn) -> StatusOut:
    found = [Candidate(each.candidate, each.sdp_mline_index) for each in body.candidates]
    await app.switchboard.candidates(session_id, caller, found)
    return StatusOut()


def _code_out(entered: Entered) -> KeypadOut:
    return KeypadOut(right=entered.right, tries_left=entered.tries_left, state=entered.state)


def _agent_type(data: dict[str, Any]) -> str:
    agent_type = data.get("agent_type", DEFAULT_AGENT)
    if not isinstance(agent_type, str) or len(agent_type) > 64:
        raise Invalid("agent_type must be a short text", code="bad_agent_type")
    return agent_type


def _ice(app: Shared) -> IceConfigOut:
    servers = app.settings.ice_servers
    return IceConfigOut(iceServers=[IceServerOut(urls=[url]) for url in servers])
