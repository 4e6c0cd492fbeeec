"""How a browser's audio comes in: guarded signalling over pipecat's WebRTC connection."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from aiortc import InvalidAccessError, InvalidStateError
from aiortc.sdp import candidate_from_sdp

from agent import datachannel, datagrams, rtvi, sdp
from agent.datachannel import GuardedConnection
from agent.media import opus, receiver, sender, transport
from core.errors import Invalid
from core.settings import Settings
from pipelines import turns


class CallConnection(GuardedConnection):
    """A peer connection that can be waited for and given up."""

    def __init__(self, *, ice_servers: list[str], on_abuse: Callable[[], None]) -> None:
        self._state_changed = asyncio.Event()
        self._given_up = False
        super().__init__(ice_servers, on_abuse=on_abuse)
        self.signalling = asyncio.Lock()

    @property
    def last_ping_at(self) -> float | None:
        """When the page last gave a sign of life over the data channel, in wall-clock seconds; None if never."""
        return self._last_received_time

    def give_up(self) -> None:
        """Stop waiting for the peer."""
        self._given_up = True
        self._state_changed.set()

    async def wait_connected(self, *, timeout_s: float) -> bool:
        """Whether media is established within `timeout_s`."""
        try:
            async with asyncio.timeout(timeout_s):
                while self.pc.connectionState not in ("connected", "failed", "closed") and not self._given_up:
                    self._state_changed.clear()
                    await self._state_changed.wait()
        except TimeoutError:
            return False
        return self.pc.connectionState == "connected" and not self._given_up

    async def _handle_new_connection_state(self) -> None:
        self._state_changed.set()
        await super()._handle_new_connection_state()


def check_offer(settings: Settings, offer_sdp: str) -> str:
    """An offer that is safe to parse, without candidates we do not talk to.

    Raises: Invalid.
    """
    return sdp.check_offer(offer_sdp, private_ok=settings.private_candidates, loopback_ok=settings.loopback)


def announced(settings: Settings, answer_sdp: str) -> str:
    """Our answer with the address that callers can reach."""
    return sdp.announce(answer_sdp, address=settings.announced_ip) if settings.announced_ip else answer_sdp


@dataclass(frozen=True, slots=True)
class Candidate:
    """A trickled ICE candidate as the browser sends it; an empty text marks the end of a section's list."""

    text: str
    mline_index: int | None = None


async def renegotiate(connection: CallConnection, offer_sdp: str, *, restart: bool) -> None:
    """Take a later offer of a call.

    Raises: Invalid if it does not fit what was agreed.
    """
    try:
        await connection.renegotiate(sdp=offer_sdp, type="offer", restart_pc=restart)
    except (ValueError, InvalidAccessError, InvalidStateError) as error:
        raise Invalid("The offer does not fit the call as it stands; begin a new one", code="offer_mismatch") from error


def check_candidate(settings: Settings, candidate: Candidate) -> str | None:
    """A candidate that is safe to parse; None or an empty text for one that is to be ignored.

    Raises: Invalid.
    """
    return sdp.check_candidate(candidate.text, private_ok=settings.private_candidates, loopback_ok=settings.loopback)


async def guard(settings: Settings) -> None:
    """Put every guard of the media edge in place and check that it fits the installed libraries.

    Raises: RuntimeError if it does not; the server must not take calls then.
    """
    datagrams.install(settings.udp_ports, loopback=settings.loopback)
    await datagrams.verify()
    datachannel.verify()
    rtvi.verify()
    receiver.ask_for_fec()
    for part in (opus, receiver, sender, transport, turns):
        part.verify()


async def add_candidate(
    settings: Settings, connection: CallConnection, candidate: Candidate, budget: sdp.CandidateBudget
) -> None:
    """Add a trickled candidate; one we do not talk to, one too many, and the end mark are ignored.

    All media sections share the first one's transport (BUNDLE), and aiortc drops a candidate named for any other, so
    each is given to the first. Without an end mark ICE goes on until the call's connect timeout.

    Raises: Invalid.
    """
    checked = check_candidate(settings, candidate)
    if not checked or not budget.admit(checked, mline_index=candidate.mline_index):
        return
    parsed = candidate_from_sdp(checked.removeprefix("candidate:"))
    parsed.sdpMLineIndex = 0
    await connection.add_ice_candidate(parsed)
