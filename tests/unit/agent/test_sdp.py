"""The pure guard in front of the WebRTC stack: what passes, what is left out, what is refused and why."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from aiortc import RTCConfiguration, RTCPeerConnection
from aiortc.sdp import SessionDescription, candidate_from_sdp

from agent.datachannel import GuardedConnection
from agent.sdp import (
    MAX_CANDIDATES,
    MAX_CHARS,
    MAX_LINE_CHARS,
    MAX_LINES,
    CandidateBudget,
    InvalidCandidate,
    InvalidOffer,
    announce,
    check_candidate,
    check_offer,
)

OFFERS = Path(__file__).parents[2] / "offers"
BROWSERS = sorted(path.stem for path in OFFERS.glob("*.sdp"))


def browser_offer(name: str) -> str:
    return "\r\n".join((OFFERS / f"{name}.sdp").read_text().splitlines()) + "\r\n"


def checked(sdp: str, *, private_ok: bool = True, loopback_ok: bool = False) -> str:
    return check_offer(sdp, private_ok=private_ok, loopback_ok=loopback_ok)


def section(sdp: str, kind: str) -> str:
    return next(part for part in sdp.split("\r\nm=")[1:] if part.startswith(kind))


def lines(sdp: str, start: str) -> list[str]:
    return [line for line in sdp.split("\r\n") if line.startswith(start)]


def fresh_peer() -> RTCPeerConnection:
    return RTCPeerConnection(RTCConfiguration(iceServers=[]))


async def answer_of(offer: str) -> str:
    """What the call's connection answers to an offer."""
    connection = GuardedConnection()
    try:
        await connection.initialize(offer, "offer")
        answer = connection.get_answer()
        assert answer is not None
        return answer["sdp"]
    finally:
        await connection.disconnect()
        await asyncio.sleep(0)  # aiortc starts a task to connect, which finds the connection closed


async def aiortc_offer(*, video: int = 0, channel: bool = True) -> str:
    peer = fresh_peer()
    try:
        peer.addTransceiver("audio", direction="sendrecv")
        for _ in range(video):
            peer.addTransceiver("video", direction="sendrecv")
        if channel:
            peer.createDataChannel("chat")
        await peer.setLocalDescription(await peer.createOffer())
        return peer.localDescription.sdp
    finally:
        await peer.close()


# What passes


def test_the_offers_include_each_kind_of_browser() -> None:
    assert {"chromium_mdns", "chromium_microphone", "chromium_one_video", "firefox"} <= set(BROWSERS)


@pytest.mark.parametrize("browser", BROWSERS)
async def test_a_browsers_offer_is_accepted_and_answered(browser: str) -> None:
    offer = browser_offer(browser)
    answer = await answer_of(checked(offer))

    offered, answered = SessionDescription.parse(offer), SessionDescription.parse(answer)
    assert [(m.kind, m.rtp.muxId) for m in answered.media] == [(m.kind, m.rtp.muxId) for m in offered.media]
    assert section(answer, "audio").count("a=sendrecv") == 1
    assert "opus/48000/2" in section(answer, "audio")


@pytest.mark.parametrize(("video", "channel"), [(0, True), (0, False), (1, True), (2, True)])
async def test_an_aiortc_offer_is_accepted_and_answered(video: int, channel: bool) -> None:
    answer = await answer_of(checked(await aiortc_offer(video=video, channel=channel)))

    assert answer.count("m=audio") == 1
    assert answer.count("m=video") == video
    assert answer.count("m=application") == int(channel)


@pytest.mark.parametrize("browser", BROWSERS)
async def test_video_is_declined_so_that_no_decoder_can_be_reached(browser: str) -> None:
    answer = await answer_of(checked(browser_offer(browser)))
    assert "a=inactive" in section(answer, "video")
    assert "a=sendrecv" not in section(answer, "video")


async def test_an_offer_with_h264_as_its_only_video_codec_is_answered() -> None:
    offer = browser_offer("firefox").replace("VP8/90000", "VP0/90000")
    answer = await answer_of(checked(offer))
    assert "H264/90000" in section(answer, "video")


def test_what_passes_is_small_whatever_came_in() -> None:
    offer = browser_offer("chromium_microphone")
    assert len(checked(offer)) < len(offer) / 3


def test_bare_newlines_are_fine() -> None:
    offer = browser_offer("firefox")
    assert checked(offer.replace("\r\n", "\n")) == checked(offer)


def test_credentials_may_stand_in_the_session_part() -> None:
    offer = browser_offer("chromium_one_video")
    ufrag, password = lines(offer, "a=ice-ufrag")[0], lines(offer, "a=ice-pwd")[0]
    moved = offer.replace(f"{ufrag}\r\n", "").replace(f"{password}\r\n", "")
    moved = moved.replace("t=0 0\r\n", f"t=0 0\r\n{ufrag}\r\n{password}\r\n")
    assert checked(moved) == checked(offer)


def test_checking_twice_changes_nothing() -> None:
    once = checked(browser_offer("chromium_microphone"))
    assert checked(once) == once


# Candidates in the offer


def with_candidates(*candidates: str) -> str:
    offer = browser_offer("chromium_one_video")
    kept = [line for line in offer.split("\r\n") if not line.startswith("a=candidate")]
    at = next(index for index, line in enumerate(kept) if line.startswith("a=ice-ufrag"))
    return "\r\n".join([*kept[:at], *(f"a=candidate:{c}" for c in candidates), *kept[at:]])


def host(address: str, port: int = 50_000, *, number: int = 1) -> str:
    return f"{number} 1 udp 2122260223 {address} {port} typ host generation 0 ufrag abcd network-id 1"


PUBLIC = "8.8.4.4"
ALWAYS_DROPPED = [
    "0.0.0.0",
    "0.1.2.3",
    "168.63.129.16",
    "169.254.169.254",
    "169.254.7.7",
    "192.0.0.192",
    "192.88.99.1",
    "224.0.0.251",
    "239.1.2.3",
    "240.0.0.1",
    "255.255.255.255",
    "100.100.100.200",
    "::",
    "::8.8.8.8",
    "::ffff:8.8.8.8",
    "::ffff:127.0.0.1",
    "64:ff9b::808:808",
    "2001::1",
    "2002:808:808::1",
    "fe80::1",
    "fe80::1%eth0",
    "2606:4700::1%eth0",
    "fec0::1",
    "ff02::fb",
    "fd00:ec2::254",
    "4000::1",
    "0x08080808",
    "134744072",
    "8.8.8",
    "08.8.8.8",
    "metadata.google.internal",
    "5b1f2bd4-4f0b-4e3f-9a4d-2b7d0a7e0c11.local",
]
PRIVATE = ["10.0.0.1", "172.16.0.1", "172.31.255.254", "192.168.1.20", "100.64.0.1", "192.0.2.2", "fd12:3456::1"]
LOOPBACK = ["127.0.0.1", "127.8.8.8", "::1"]
GLOBAL = [PUBLIC, "172.32.0.1", "192.169.0.1", "2606:4700::1111", "100.128.0.1"]


@pytest.mark.parametrize("address", ALWAYS_DROPPED)
def test_a_forbidden_address_is_left_out_of_the_offer_and_of_the_trickle(address: str) -> None:
    offer = check_offer(with_candidates(host(address), host(PUBLIC)), private_ok=True, loopback_ok=True)
    assert [line.split(" ")[4] for line in lines(offer, "a=candidate")] == [PUBLIC] * offer.count("m=")
    assert check_candidate(f"candidate:{host(address)}", private_ok=True, loopback_ok=True) is None


@pytest.mark.parametrize("address", PRIVATE)
def test_private_addresses_pass_only_where_allowed(address: str) -> None:
    assert check_candidate(host(address), private_ok=False, loopback_ok=True) is None
    assert check_candidate(host(address), private_ok=True, loopback_ok=False) is not None


@pytest.mark.parametrize("address", LOOPBACK)
def test_loopback_addresses_pass_only_where_allowed(address: str) -> None:
    assert check_candidate(host(address), private_ok=True, loopback_ok=False) is None
    assert check_candidate(host(address), private_ok=False, loopback_ok=True) is not None


@pytest.mark.parametrize("address", GLOBAL)
def test_global_addresses_always_pass(address: str) -> None:
    kept = check_candidate(f"candidate:{host(address)}", private_ok=False, loopback_ok=False)
    assert kept is not None
    assert candidate_from_sdp(kept).ip == address


def test_an_address_is_written_in_one_form() -> None:
    assert check_candidate(host("2606:4700:0:0::1"), private_ok=False, loopback_ok=False) == (
        "1 1 udp 2122260223 2606:4700::1 50000 typ host"
    )


@pytest.mark.parametrize("browser", BROWSERS)
def test_no_end_of_candidates_is_passed_on(browser: str) -> None:
    assert "end-of-candidates" not in checked(browser_offer(browser))


def test_an_offer_whose_candidates_are_all_dropped_is_still_an_offer() -> None:
    offer = checked(browser_offer("chromium_mdns"))
    assert ".local" not in offer
    assert lines(offer, "a=candidate") == []


def test_every_section_names_the_first_ones_candidates() -> None:
    """Under BUNDLE aiortc takes the candidates of the last section, and the browser keeps the first one's sockets."""
    offer = checked(browser_offer("chromium_microphone"))
    first = lines(section(browser_offer("chromium_microphone"), "audio"), "a=candidate")
    ports = {line.split(" ")[5] for line in first if " udp " in line}
    for kind in ("audio", "video", "application"):
        assert {line.split(" ")[5] for line in lines(section(offer, kind), "a=candidate")} == ports


def test_candidates_beyond_the_limit_are_ignored() -> None:
    many = checked(with_candidates(*(host(f"8.8.{n}.1") for n in range(MAX_CANDIDATES + 10))))
    assert len(lines(section(many, "audio"), "a=candidate")) == MAX_CANDIDATES


def test_a_candidate_said_twice_counts_once() -> None:
    twice = checked(with_candidates(host(PUBLIC, number=1), host(PUBLIC, number=2)))
    assert len(lines(section(twice, "audio"), "a=candidate")) == 1


# What is refused


def change(old: str, new: str, *, browser: str = "chromium_one_video") -> str:
    offer = browser_offer(browser)
    assert old in offer
    return offer.replace(old, new)


def without(start: str) -> Callable[[], str]:
    def make() -> str:
        offer = browser_offer("chromium_one_video")
        assert lines(offer, start)
        return "\r\n".join(line for line in offer.split("\r\n") if not line.startswith(start))

    return make


def repeated(line: str, times: int) -> Callable[[], str]:
    return lambda: browser_offer("chromium_one_video") + f"{line}\r\n" * times


def audio_last() -> str:
    session, audio, *others = browser_offer("chromium_one_video").removesuffix("\r\n").split("\r\nm=")
    return "\r\nm=".join([session, *others, audio]) + "\r\n"


def audio_twice() -> str:
    session, audio, video, channel = browser_offer("chromium_one_video").removesuffix("\r\n").split("\r\nm=")
    return "\r\nm=".join([session, audio, audio.replace("a=mid:0", "a=mid:9"), video, channel]) + "\r\n"


FINGERPRINT = "a=fingerprint:sha-256 "
REFUSED: dict[str, tuple[Callable[[], str], str]] = {
    "empty": (lambda: "", "v=0"),
    "garbage": (lambda: "hello", "x=value"),
    "not from the start": (lambda: "s=-\r\n" + browser_offer("firefox"), "v=0"),
    "version 1": (lambda: change("v=0", "v=1"), "v=0"),
    "no media": (lambda: "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n", "audio"),
    "too large": (lambda: browser_offer("firefox") + "a=" + "x" * MAX_CHARS, f"{MAX_CHARS}"),
    "too many lines": (repeated("a=x", MAX_LINES), f"{MAX_LINES} lines"),
    "too long a line": (repeated("a=" + "x" * MAX_LINE_CHARS, 1), f"{MAX_LINE_CHARS}"),
    "a NUL": (lambda: change("s=-", "s=\0"), "control"),
    "a bell": (lambda: change("s=-", "s=\a"), "control"),
    "a lone CR": (lambda: change("s=-", "s=a\rb"), "control"),
    "a form feed": (lambda: change("s=-", "s=a\fb"), "control"),
    "not ASCII": (lambda: change("s=-", "s=é"), "ASCII"),
    "a line separator": (lambda: change("s=-", "s=\u2028"), "ASCII"),
    "a surrogate": (lambda: change("s=-", "s=\ud800"), "ASCII"),
    "bare media line": (lambda: change("UDP/TLS/RTP/SAVPF", ""), "media line"),
    "no port": (lambda: change("m=application 9", "m=application -9").replace(" -", " x"), "port"),
    "port too high": (lambda: browser_offer("firefox").replace("m=audio 53219", "m=audio 65536"), "port"),
    "unencrypted": (lambda: change("UDP/TLS/RTP/SAVPF", "RTP/AVP"), "protocol"),
    "another kind": (lambda: change("m=application", "m=text"), "audio, video or application"),
    "no audio": (lambda: change("m=audio", "m=video"), "audio"),
    "audio not first": (audio_last, "first"),
    "two audio sections": (audio_twice, "exactly one audio"),
    "five sections": (repeated("m=video 9 UDP/TLS/RTP/SAVPF 96", 2), "media sections"),
    "no ufrag": (without("a=ice-ufrag"), "a=ice-ufrag"),
    "no password": (without("a=ice-pwd"), "a=ice-pwd"),
    "short password": (lambda: change("a=ice-pwd:", "a=ice-pwd:x\r\na=x:"), "a=ice-pwd"),
    "strange ufrag": (lambda: change("a=ice-ufrag:", "a=ice-ufrag:%s%n"), "a=ice-ufrag"),
    "no fingerprint": (without("a=fingerprint"), "fingerprint"),
    "only SHA-1": (lambda: change(FINGERPRINT, "a=fingerprint:sha-1 "), "SHA-256"),
    "short fingerprint": (lambda: change(FINGERPRINT, "a=fingerprint:sha-512 "), "fingerprint is malformed"),
    "fingerprint not hex": (lambda: change(FINGERPRINT, f"{FINGERPRINT}GG:"), "fingerprint is malformed"),
    "no setup": (without("a=setup"), "a=setup"),
    "holdconn": (lambda: change("a=setup:actpass", "a=setup:holdconn"), "a=setup"),
    "no mid": (without("a=mid"), "a=mid"),
    "mid twice": (lambda: change("a=mid:1", "a=mid:0"), "a=mid"),
    "no bundle": (without("a=group"), "BUNDLE"),
    "bundle of some": (lambda: change("BUNDLE 0 1 2", "BUNDLE 0 1"), "BUNDLE"),
    "no rtcp-mux": (without("a=rtcp-mux"), "a=rtcp-mux"),
    "no codec": (lambda: change("opus/48000/2", "speex/8000").replace("/8000", "/8001"), "Opus"),
    "codec number": (lambda: change("a=rtpmap:111 opus", "a=rtpmap:1e2 opus"), "a=rtpmap"),
    "payload type": (lambda: change("SAVPF 111", "SAVPF 300"), "payload type"),
    "no video codec": (lambda: change("VP8/90000", "VP0/90000").replace("H264", "H269"), "VP8"),
    "no direction": (lambda: change("a=sendrecv", "a=inactive"), "direction"),
    "no stream number": (lambda: change("a=ssrc:", "a=ssrc:x"), "a=ssrc"),
    "sctp port": (lambda: change("a=sctp-port:5000", "a=sctp-port:x"), "sctp-port"),
    "tiny messages": (lambda: change("max-message-size:262144", "max-message-size:1"), "max-message-size"),
    "channel format": (lambda: change("webrtc-datachannel", "webrtc-channel"), "data channel"),
    "codec bomb": (repeated("a=rtpmap:96 VP8/90000", 65), "rtpmap"),
    "format bomb": (repeated("a=fmtp:96 x=1", 65), "fmtp"),
    "stream bomb": (repeated("a=ssrc:1 cname:x", 33), "ssrc"),
    "candidate bomb": (repeated("a=candidate:1 1 udp 1 8.8.8.8 1 typ host", 101), "candidate"),
    "candidate without port": (lambda: with_candidates("1 1 udp 1 8.8.8.8 0 typ host"), "port"),
    "candidate word": (lambda: with_candidates("x"), "candidate"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_bad_offer_is_refused_with_a_reason(name: str) -> None:
    make, reason = REFUSED[name]
    with pytest.raises(InvalidOffer, match=reason) as refusal:
        checked(make())
    assert refusal.value.status == 422
    assert "Reload the page" in refusal.value.message


def test_a_refusal_names_the_line_but_never_repeats_it() -> None:
    with pytest.raises(InvalidOffer) as refusal:
        checked(browser_offer("firefox") + "a=secret\x07token\r\n")
    number = len(browser_offer("firefox").splitlines()) + 1
    assert f"line {number}" in refusal.value.message
    assert "secret" not in refusal.value.message


def test_a_bomb_is_refused_before_it_is_taken_apart() -> None:
    pair = "a=rtpmap:96 VP8/90000\r\na=fmtp:96 x=1\r\n"
    with pytest.raises(InvalidOffer, match="characters"):
        checked(browser_offer("firefox") + pair * 100_000)


# Trickled candidates


def test_the_end_of_candidates_passes() -> None:
    assert check_candidate("", private_ok=False, loopback_ok=False) == ""


@pytest.mark.parametrize(
    "ignored",
    [
        "1 1 tcp 1518280447 8.8.8.8 9 typ host tcptype active",
        "1 1 TCP 1518280447 8.8.8.8 0 typ host tcptype active",
        "1 2 udp 2122260222 8.8.8.8 50001 typ host",
        "1 1 udp 2122260222 8.8.8.8 50001 typ prflx",
        "1 1 udp 2122260222 8.8.8.8 50001 typ newkind",
    ],
)
def test_what_ice_here_does_not_do_is_ignored(ignored: str) -> None:
    assert check_candidate(f"candidate:{ignored}", private_ok=True, loopback_ok=True) is None


@pytest.mark.parametrize(
    "malformed",
    [
        "x",
        " ",
        "candidate:",
        "candidate:1 1 udp 1 8.8.8.8 50000",
        "candidate:1 1 udp 1 8.8.8.8 50000 is host",
        "candidate:1 one udp 1 8.8.8.8 50000 typ host",
        "candidate:1 0 udp 1 8.8.8.8 50000 typ host",
        "candidate:1 1 udp -1 8.8.8.8 50000 typ host",
        "candidate:1 1 udp 4294967296 8.8.8.8 50000 typ host",
        "candidate:1 1 udp 1 8.8.8.8 -5 typ host",
        "candidate:1 1 udp 1 8.8.8.8 0 typ host",
        "candidate:1 1 udp 1 8.8.8.8 70000 typ host",
        "candidate:1 1 udp 1 8.8.8.8 ５0 typ host",
        "candidate:1 1 udp 1  50000 typ host",
        "candidate:1 1 udp 1 8.8.8.8 50000 typ ",
        "candidate:<> 1 udp 1 8.8.8.8 50000 typ host",
        "candidate:1 1 udp 1 8.8.8.8 50000 typ host\r\na=x",
        "candidate:1 1 udp 1 8.8.8.8 50000 typ host \0",
        "candidate:1 1 udp 1 8.8.8.8 50000 typ host \ud800",
        "candidate:1 1 udp 1 8.8.8.8 50000 typ host " + "x" * 512,
    ],
)
def test_a_malformed_candidate_is_refused(malformed: str) -> None:
    with pytest.raises(InvalidCandidate):
        check_candidate(malformed, private_ok=True, loopback_ok=True)


def test_only_the_eight_words_of_a_candidate_are_passed_on() -> None:
    kept = check_candidate(
        "candidate:7 1 UDP 1686052607 8.8.8.8 3478 typ srflx raddr 10.1.2.3 rport 9 generation 0 ufrag x",
        private_ok=False,
        loopback_ok=False,
    )
    assert kept == "7 1 udp 1686052607 8.8.8.8 3478 typ srflx"


def test_a_call_names_only_so_many_candidates() -> None:
    budget = CandidateBudget(limit=3)
    admitted = [budget.admit(host(f"8.8.8.{n}")) for n in range(5)]
    assert admitted == [True, True, True, False, False]


def test_candidates_of_the_offer_count_and_repetitions_are_free() -> None:
    offer = checked(with_candidates(host("8.8.8.1"), host("8.8.8.2")))
    budget = CandidateBudget(offer=offer, limit=3)
    assert budget.left == 1
    assert not budget.admit(host("8.8.8.1"))
    assert not budget.admit(host("8.8.8.9"), mline_index=1)
    assert budget.left == 1
    assert budget.admit(host("8.8.8.3"), mline_index=0)
    assert budget.left == 0


# Announcing another address


ANSWER = "\r\n".join(
    [
        "v=0",
        "o=- 1 1 IN IP4 0.0.0.0",
        "s=-",
        "t=0 0",
        "m=audio 40001 UDP/TLS/RTP/SAVPF 111",
        "c=IN IP4 10.0.0.5",
        "a=rtcp:9 IN IP4 0.0.0.0",
        "a=candidate:a 1 udp 2130706431 10.0.0.5 40001 typ host",
        "a=candidate:b 1 udp 2130706431 fd00::5 40002 typ host",
        "a=candidate:c 1 udp 2130706431 127.0.0.1 40003 typ host",
        "a=candidate:d 1 udp 1694498815 9.9.9.9 40001 typ srflx raddr 10.0.0.5 rport 40001",
        "a=end-of-candidates",
        "",
    ]
)


def test_the_announced_address_replaces_our_own() -> None:
    answer = announce(ANSWER, address="8.8.4.4")
    assert "10.0.0.5" not in answer
    assert "fd00::5" not in answer
    assert lines(answer, "a=candidate") == [
        "a=candidate:a 1 udp 2130706431 8.8.4.4 40001 typ host",
        "a=candidate:c 1 udp 2130706431 127.0.0.1 40003 typ host",
        "a=candidate:d 1 udp 1694498815 9.9.9.9 40001 typ srflx raddr 0.0.0.0 rport 9",
    ]
    assert "c=IN IP4 8.8.4.4" in answer
    assert "a=rtcp:9 IN IP4 0.0.0.0" in answer
    SessionDescription.parse(answer)


def test_an_ipv6_address_is_announced_for_the_ipv6_candidate() -> None:
    answer = announce(ANSWER, address="2606:4700::1")
    assert "a=candidate:b 1 udp 2130706431 2606:4700::1 40002 typ host" in answer
    assert "c=IN IP6 2606:4700::1" in answer
    assert "10.0.0.5 40001 typ host" not in answer


def test_nothing_is_announced_in_a_family_we_do_not_listen_on() -> None:
    only_ipv4 = "\r\n".join(line for line in ANSWER.split("\r\n") if "fd00" not in line and "srflx" not in line)
    assert announce(only_ipv4, address="2606:4700::1") == only_ipv4


async def test_a_real_answer_can_be_announced() -> None:
    answer = announce(await answer_of(checked(await aiortc_offer())), address="8.8.4.4")
    hosts = {line.split(" ")[4] for line in lines(answer, "a=candidate")}
    assert hosts - {"127.0.0.1"} == {"8.8.4.4"}
    SessionDescription.parse(answer)


def test_a_name_cannot_be_announced() -> None:
    with pytest.raises(ValueError, match="does not appear to be"):
        announce(ANSWER, address="example.org")
