"""Offers and candidates nobody would write: refused or safe to parse, at a cost that grows with their length."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.sdp import SessionDescription, candidate_from_sdp
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from agent.sdp import InvalidCandidate, InvalidOffer, check_candidate, check_offer

OFFERS = [path.read_text() for path in sorted((Path(__file__).parents[1] / "offers").glob("*.sdp"))]
GIVEN = settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])

numbers = st.one_of(
    st.integers(-(2**70), 2**70).map(str),
    st.sampled_from(["0", "1", "9", "96", "111", "255", "65535", "65536", "٣", "1_0", "0x10", "1e3", " 1", "+1", ""]),
)
words = st.one_of(
    numbers,
    st.sampled_from(["udp", "tcp", "typ", "host", "srflx", "audio", "video", "opus/48000/2", "BUNDLE", "*", ":", "/"]),
    st.sampled_from(["8.8.8.8", "127.0.0.1", "::1", "fe80::1%1", "a.local", "169.254.169.254", "IN", "IP4", "rport"]),
    st.text(max_size=8),
)
ATTRIBUTES = """
    candidate end-of-candidates extmap fingerprint fmtp group ice-lite ice-options ice-pwd ice-ufrag inactive
    max-message-size mid msid msid-semantic recvonly rtcp rtcp-fb rtcp-mux rtpmap sctp-port sctpmap sendonly sendrecv
    setup ssrc ssrc-group x
"""
attributes = st.sampled_from(ATTRIBUTES.split())
values = st.lists(words, max_size=9).map(" ".join)
lines = st.one_of(
    st.builds("a={}:{}".format, attributes, values),
    st.builds("a={}".format, attributes),
    st.builds("m={}".format, values),
    st.builds("{}={}".format, st.sampled_from("vosctbkzr"), values),
    st.text(max_size=30),
)


@st.composite
def edited_offers(draw: st.DrawFn) -> str:
    """A browser's offer with lines removed, doubled, swapped, put in, and characters changed."""
    offer = draw(st.sampled_from(OFFERS)).splitlines()
    for _ in range(draw(st.integers(0, 6))):
        at = draw(st.integers(0, max(0, len(offer) - 1)))
        match draw(st.sampled_from(["remove", "double", "put", "replace", "cut", "move"])):
            case "remove":
                del offer[at : at + draw(st.integers(1, 40))]
            case "double":
                offer[at:at] = offer[at : at + draw(st.integers(1, 40))]
            case "put":
                offer.insert(at, draw(lines))
            case "replace" if offer:
                old = draw(st.sampled_from(offer[at].split(" ")))
                offer[at] = offer[at].replace(old, draw(words), 1)
            case "cut" if offer:
                offer[at] = offer[at][: draw(st.integers(0, 40))]
            case "move" if offer:
                offer.insert(draw(st.integers(0, len(offer))), offer.pop(at))
    return draw(st.sampled_from(["\n", "\r\n", "\r"])).join(offer)


@st.composite
def damaged_offers(draw: st.DrawFn) -> str:
    """A browser's offer with bytes changed, as they would come out of a JSON body."""
    offer = bytearray(draw(st.sampled_from(OFFERS)).encode())
    for _ in range(draw(st.integers(1, 12))):
        at = draw(st.integers(0, len(offer) - 1))
        offer[at : at + draw(st.integers(0, 2))] = draw(st.binary(max_size=3))
    return offer.decode(errors=draw(st.sampled_from(["replace", "surrogateescape", "ignore"])))


offers = st.one_of(edited_offers(), damaged_offers(), st.lists(lines, max_size=40).map("\r\n".join), st.text())


@GIVEN
@given(sdp=offers, private_ok=st.booleans(), loopback_ok=st.booleans())
@example(sdp="v=0\nm=", private_ok=True, loopback_ok=True)
@example(sdp="v=0\nm=audio", private_ok=True, loopback_ok=True)
def test_an_offer_is_refused_or_safe_to_parse(sdp: str, private_ok: bool, loopback_ok: bool) -> None:
    try:
        checked = check_offer(sdp, private_ok=private_ok, loopback_ok=loopback_ok)
    except InvalidOffer:
        return
    parsed = SessionDescription.parse(checked)
    assert parsed.media[0].kind == "audio"
    assert all(media.ice and media.ice.password for media in parsed.media)
    assert all(media.dtls and media.dtls.fingerprints for media in parsed.media)
    assert check_offer(checked, private_ok=private_ok, loopback_ok=loopback_ok) == checked


@settings(GIVEN, max_examples=60)
@given(sdp=edited_offers())
def test_an_offer_that_passes_is_taken_by_a_real_peer_connection(sdp: str) -> None:
    try:
        checked = check_offer(sdp, private_ok=True, loopback_ok=False)
    except InvalidOffer:
        return

    async def take() -> None:
        peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        try:
            await peer.setRemoteDescription(RTCSessionDescription(checked, "offer"))
            await peer.createAnswer()
        finally:
            await peer.close()
            await asyncio.sleep(0)

    asyncio.run(take())


@GIVEN
@given(
    candidate=st.one_of(
        st.text(),
        values,
        st.builds("candidate:{} 1 udp {} {} {} typ host".format, words, numbers, words, numbers),
        st.builds("candidate:1 1 udp 1 {} 5000 typ host {}".format, st.ip_addresses().map(str), values),
    ),
    private_ok=st.booleans(),
    loopback_ok=st.booleans(),
)
def test_a_candidate_is_refused_ignored_or_safe_to_parse(candidate: str, private_ok: bool, loopback_ok: bool) -> None:
    try:
        checked = check_candidate(candidate, private_ok=private_ok, loopback_ok=loopback_ok)
    except InvalidCandidate:
        return
    if checked:
        parsed = candidate_from_sdp(checked)
        assert 1 <= parsed.port <= 65_535
        assert parsed.protocol == "udp"
        assert check_candidate(checked, private_ok=private_ok, loopback_ok=loopback_ok) == checked


def calls_made(work: Callable[[], object]) -> int:
    """How many Python and built-in functions `work` calls: a measure of effort that is the same on every machine."""
    count = 0

    def note(_frame: object, event: str, _arg: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(note)
    try:
        work()
    except InvalidOffer:
        pass
    finally:
        sys.setprofile(None)
    return count


@pytest.mark.parametrize(
    "filler",
    [
        "a=rtpmap:96 VP8/90000",
        "a=fmtp:96 x=1",
        "a=ssrc:1 cname:x",
        "a=extmap:1 x",
        "a=x",
        "a=ice-ufrag:x",
        "m=x 1 x 1",
        "a=candidate:1 1 udp 1 8.8.8.8 1 typ host",
        "a=group:BUNDLE " + "1 " * 400,
        "a=fingerprint:sha-256 " + "A:" * 400,
    ],
)
def test_effort_grows_no_faster_than_the_offer(filler: str) -> None:
    """aiortc needs quadratic time for some of these: 62 kB cost 80 ms and 919 kB cost 12 s."""

    def effort(times: int) -> int:
        sdp = OFFERS[0] + f"{filler}\n" * times
        return calls_made(lambda: check_offer(sdp, private_ok=True, loopback_ok=True))

    base, some, more, bomb = effort(0), effort(15), effort(30), effort(100_000)
    assert more <= base + 2 * max(0, some - base) + 200
    assert bomb <= 20 * base
