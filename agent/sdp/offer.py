"""Offers: what a browser asks for, reduced to a voice call.

aiortc's SDP parser trusts its input: crafted offers cost it quadratic time, raise exceptions of many kinds, or make
ICE send packets to any address they name. So an offer is read here first, and what goes on is not the offer but a new
text with only the lines a voice call needs, written from values that were checked one by one (RFC 8866, RFC 8839,
RFC 8829).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from agent.sdp.candidate import MAX_CANDIDATES, Candidate, admissible, leading_words
from agent.sdp.words import ADVICE, ICE_CHARS, TOKEN_CHARS, only, uint
from core.errors import Invalid

# A Chromium offer with two video sections has 310 lines, 11 kB, 23 rtpmap lines in one section and 4 candidate lines
# per network interface and section; the bounds leave three times that, and 25 interfaces.
MAX_CHARS = 32_768
MAX_LINES = 1_000
MAX_LINE_CHARS = 1_024
MAX_SECTIONS = 4
MAX_PER_SECTION = {"candidate": 100, "fingerprint": 8, "fmtp": 64, "group": 8, "rtpmap": 64, "ssrc": 32}
MIN_MESSAGE_BYTES = 16_384

_HEX = frozenset("0123456789ABCDEFabcdef")
_FINGERPRINT_BYTES = {"sha-256": 32, "sha-384": 48, "sha-512": 64}
_PROTOCOLS = {"audio": "UDP/TLS/RTP/SAVPF", "video": "UDP/TLS/RTP/SAVPF", "application": "UDP/DTLS/SCTP"}
_OPUS = "opus/48000/2"  # which every WebRTC endpoint has (RFC 7874, section 3)
_AUDIO_EXTENSIONS = frozenset({"urn:ietf:params:rtp-hdrext:sdes:mid", "urn:ietf:params:rtp-hdrext:ssrc-audio-level"})
_DIRECTIONS = ("sendrecv", "sendonly", "recvonly", "inactive")
_RTCP_TYPES = range(72, 77)  # payload types that collide with RTCP under rtcp-mux (RFC 5761)


class InvalidOffer(Invalid):
    """The SDP offer is malformed, too large, or not for a voice call."""

    code = "invalid_offer"


@dataclass(frozen=True)
class _Line:
    """One line of an SDP: its number from 1, the name (`v`, `m` or an attribute's), and what follows."""

    number: int
    name: str
    value: str


@dataclass
class _Section:
    """The session part of an SDP, or one of its media sections, with the lines we may need by name."""

    head: _Line | None = None
    lines: dict[str, list[_Line]] = field(default_factory=dict)

    def all(self, name: str) -> list[_Line]:
        return self.lines.get(name, [])

    def first(self, name: str) -> _Line | None:
        return next(iter(self.all(name)), None)


def check_offer(sdp: str, *, private_ok: bool, loopback_ok: bool) -> str:
    """Check a browser's SDP offer and return the offer to give to aiortc.

    The result asks for the same media sections in the same order, but holds only what a voice call uses: audio in the
    codecs aiortc has, the data channel, and video declined (`inactive`), so that no video decoder is ever reachable.
    Candidates to forbidden addresses, over TCP and with mDNS names are left out, and so is the end-of-candidates
    mark: a browser whose candidates are all left out is still found by the checks it sends itself (peer-reflexive
    candidates, RFC 8445 section 7.3.1.3), unless ICE has been told that there is nothing to wait for.

    Args:
        sdp: The offer's text.
        private_ok: Whether candidates in private networks are kept (RFC 1918, CGNAT, unique local, test networks).
        loopback_ok: Whether loopback candidates are kept.

    Raises:
        InvalidOffer: With what is wrong, in which line, and what to do.
    """
    session, sections = _sections(_lines(sdp))
    _check_kinds(sections)
    audio = sections[0]
    mids = _mids(session, sections)
    candidates = _offered_candidates(sections, private_ok=private_ok, loopback_ok=loopback_ok)
    transport = [
        *_credentials(session, audio),
        *_fingerprints(session, audio),
        _setup(session, audio),
        *(f"a=candidate:{candidate}" for candidate in candidates),
    ]

    out = ["v=0", "o=- 0 0 IN IP4 0.0.0.0", "s=-", "t=0 0"]
    out.append(f"a=group:BUNDLE {' '.join(mids)}")
    for section, mid in zip(sections, mids, strict=True):
        # Every section repeats the transport: the stack, bundling them all, takes candidates from the last one.
        out += [*_media(section), f"a=mid:{mid}", *transport]
    return "\r\n".join(out) + "\r\n"


# Reading lines


def _refuse(what: str, line: _Line | int | None = None) -> InvalidOffer:
    number = line.number if isinstance(line, _Line) else line
    where = "" if number is None else f" (line {number})"
    return InvalidOffer(f"The call offer (SDP) was refused: {what}{where}. {ADVICE}")


def _lines(sdp: str) -> list[_Line]:
    if len(sdp) > MAX_CHARS:
        raise _refuse(f"it has more than {MAX_CHARS} characters")
    if not sdp.isascii():
        raise _refuse("it holds characters that are not ASCII")
    texts = sdp.split("\n")
    if len(texts) > MAX_LINES:
        raise _refuse(f"it has more than {MAX_LINES} lines")
    while texts and not texts[-1].strip():
        texts.pop()
    return [_line(number, text.removesuffix("\r")) for number, text in enumerate(texts, start=1)]


def _line(number: int, text: str) -> _Line:
    if len(text) > MAX_LINE_CHARS:
        raise _refuse(f"a line has more than {MAX_LINE_CHARS} characters", number)
    if not text.isprintable():
        raise _refuse("a line holds control characters", number)
    if len(text) < 3 or text[1] != "=" or not "a" <= text[0] <= "z":
        raise _refuse("a line is not of the form x=value", number)
    if text[0] != "a":
        return _Line(number, text[0], text[2:])
    name, _, value = text[2:].partition(":")
    return _Line(number, f"a={name}", value)


def _sections(lines: Sequence[_Line]) -> tuple[_Section, list[_Section]]:
    if not lines or (lines[0].name, lines[0].value) != ("v", "0"):
        raise _refuse("it does not start with v=0", 1)
    session, sections = _Section(), []
    current = session
    for line in lines:
        if line.name == "m":
            if len(sections) == MAX_SECTIONS:
                raise _refuse(f"it has more than {MAX_SECTIONS} media sections", line)
            current = _Section(head=line)
            sections.append(current)
            continue
        same = current.lines.setdefault(line.name, [])
        name = line.name.removeprefix("a=")
        if name in MAX_PER_SECTION and len(same) == MAX_PER_SECTION[name]:
            raise _refuse(f"a section has more than {MAX_PER_SECTION[name]} {name} lines", line)
        same.append(line)
    return session, sections


# Media sections


def _check_kinds(sections: Sequence[_Section]) -> None:
    kinds = []
    for section in sections:
        words = _head(section)
        if len(words) < 4 or words[0] not in _PROTOCOLS:
            raise _refuse("a media line is not audio, video or application", section.head)
        if uint(words[1], 0, 65_535) is None:
            raise _refuse("a media line has no valid port", section.head)
        if words[2] != _PROTOCOLS[words[0]]:
            raise _refuse(f"a media line asks for another protocol than {_PROTOCOLS[words[0]]}", section.head)
        kinds.append(words[0])
    if not kinds or kinds[0] != "audio" or kinds.count("audio") != 1:
        raise _refuse("it must offer exactly one audio section, as the first one", sections[0].head if kinds else None)
    if kinds.count("application") > 1:
        raise _refuse("it offers more than one data channel section")


def _head(section: _Section) -> list[str]:
    assert section.head is not None
    return section.head.value.split(" ")


def _mids(session: _Section, sections: Sequence[_Section]) -> list[str]:
    mids: list[str] = []
    for section in sections:
        line = section.first("a=mid")
        if line is None or not only(line.value, TOKEN_CHARS, 1, 32) or line.value in mids:
            raise _refuse("a media section has no name of its own (a=mid)", line or section.head)
        mids.append(line.value)
    groups = [line.value.split(" ") for line in session.all("a=group")]
    bundle = next((set(words[1:]) for words in groups if words[0] == "BUNDLE"), set())
    if len(mids) > 1 and not bundle.issuperset(mids):
        raise _refuse("its media sections are not bundled on one transport (a=group:BUNDLE)")
    return mids


def _credentials(session: _Section, audio: _Section) -> list[str]:
    out = []
    for name, shortest in (("ice-ufrag", 4), ("ice-pwd", 22)):
        line = audio.first(f"a={name}") or session.first(f"a={name}")
        if line is None or not only(line.value, ICE_CHARS, shortest, 256):
            raise _refuse(f"the ICE credentials are missing or malformed (a={name})", line or audio.head)
        out.append(f"a={name}:{line.value}")
    return out


def _fingerprints(session: _Section, audio: _Section) -> list[str]:
    out: dict[str, None] = {}
    for line in audio.all("a=fingerprint") or session.all("a=fingerprint"):
        algorithm, _, digest = line.value.partition(" ")
        size = _FINGERPRINT_BYTES.get(algorithm.lower())
        if size is None:
            continue
        octets = digest.split(":")
        if len(octets) != size or not all(len(octet) == 2 and _HEX.issuperset(octet) for octet in octets):
            raise _refuse("a certificate fingerprint is malformed", line)
        out[f"a=fingerprint:{algorithm.lower()} {digest.upper()}"] = None
    if not out:
        raise _refuse("it has no certificate fingerprint of at least SHA-256 (a=fingerprint)", audio.head)
    return list(out)


def _setup(session: _Section, audio: _Section) -> str:
    line = audio.first("a=setup") or session.first("a=setup")
    if line is None or line.value not in ("actpass", "active", "passive"):
        raise _refuse("it does not say who starts the DTLS handshake (a=setup)", line or audio.head)
    return f"a=setup:{line.value}"


def _media(section: _Section) -> list[str]:
    match _head(section)[0]:
        case "audio":
            return _audio(section)
        case "video":
            return _video(section)
        case _:
            return _application(section)


def _audio(section: _Section) -> list[str]:
    directions = [name for name in _DIRECTIONS if section.first(f"a={name}")] or ["sendrecv"]
    if directions == ["inactive"] or len(directions) > 1:
        raise _refuse("its audio section has no usable direction; offer sendrecv", section.head)
    codecs = [(pt, name) for pt, name in _codecs(section) if name.lower() == _OPUS]
    if not codecs:
        raise _refuse("it does not offer Opus", section.head)
    out = [
        f"m=audio 9 {_PROTOCOLS['audio']} {' '.join(str(pt) for pt, _ in codecs)}",
        "c=IN IP4 0.0.0.0",
        f"a={directions[0]}",
        "a=rtcp-mux",
    ]
    out += [f"a=rtpmap:{pt} {name}" for pt, name in codecs]
    out += [f"a=extmap:{number} {uri}" for number, uri in _extensions(section).items()]
    if (ssrc := section.first("a=ssrc")) is not None:
        number = uint(ssrc.value.partition(" ")[0], 1, 2**32 - 1)
        if number is None:
            raise _refuse("a stream number is malformed (a=ssrc)", ssrc)
        out.append(f"a=ssrc:{number} cname:caller")
    return out


def _video(section: _Section) -> list[str]:
    """A declined video section, in a codec aiortc can answer with.

    `inactive` and not port 0: a client may hold a transceiver for it, and pipecat counts transceivers by position.
    """
    codecs = _codecs(section)
    chosen = next((pt for pt, name in codecs if name.lower() == "vp8/90000"), None)
    if chosen is not None:
        codec = [f"a=rtpmap:{chosen} VP8/90000"]
    else:
        chosen = _h264(section, codecs)
        if chosen is None:
            raise _refuse("a video section offers neither VP8 nor H.264; offer no video", section.head)
        codec = [
            f"a=rtpmap:{chosen} H264/90000",
            f"a=fmtp:{chosen} level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f",
        ]
    head = f"m=video 9 {_PROTOCOLS['video']} {chosen}"
    return [head, "c=IN IP4 0.0.0.0", "a=inactive", "a=rtcp-mux", *codec]


def _h264(section: _Section, codecs: Iterable[tuple[int, str]]) -> int | None:
    """The payload type of constrained baseline H.264, which every browser has (RFC 7742)."""
    offered = {str(pt): pt for pt, name in codecs if name.lower() == "h264/90000"}
    for line in section.all("a=fmtp"):
        payload_type, _, parameters = line.value.partition(" ")
        words = parameters.lower().replace(" ", "").split(";")
        if payload_type in offered and "packetization-mode=1" in words and "profile-level-id=42e01f" in words:
            return offered[payload_type]
    return None


def _application(section: _Section) -> list[str]:
    if _head(section)[3:] != ["webrtc-datachannel"]:
        raise _refuse("its data channel section is malformed", section.head)
    out = [f"m=application 9 {_PROTOCOLS['application']} webrtc-datachannel", "c=IN IP4 0.0.0.0"]
    for name, default, low, high in (
        ("sctp-port", 5_000, 1, 65_535),
        ("max-message-size", 65_536, MIN_MESSAGE_BYTES, 2**53),
    ):
        line = section.first(f"a={name}")
        number = default if line is None else uint(line.value, low, high)
        if number is None:
            raise _refuse(f"its data channel section asks for an unusable {name}", line)
        out.append(f"a={name}:{number}")
    return out


def _codecs(section: _Section) -> list[tuple[int, str]]:
    """The codecs of the section as payload type and `name/rate[/channels]`, in the order preferred."""
    if section.first("a=rtcp-mux") is None:
        raise _refuse("a media section does not multiplex RTCP (a=rtcp-mux)", section.head)
    named: dict[str, str] = {}
    for line in section.all("a=rtpmap"):
        payload_type, _, name = line.value.partition(" ")
        if uint(payload_type, 0, 127) is None or not name:
            raise _refuse("a codec is malformed (a=rtpmap)", line)
        named.setdefault(payload_type, name)
    codecs: dict[int, str] = {}
    for word in _head(section)[3:]:
        number = uint(word, 0, 127)
        if number is None:
            raise _refuse("a media line holds a malformed payload type", section.head)
        if word in named and number not in _RTCP_TYPES:
            codecs.setdefault(number, named[word])
    return list(codecs.items())


def _extensions(section: _Section) -> dict[int, str]:
    """Header extensions we answer, by identifier."""
    out: dict[int, str] = {}
    for line in section.all("a=extmap"):
        words = line.value.split(" ")
        number = uint(words[0].partition("/")[0], 1, 14)
        if number is not None and len(words) > 1 and words[1] in _AUDIO_EXTENSIONS and words[1] not in out.values():
            out.setdefault(number, words[1])
    return out


# Candidates


def _offered_candidates(sections: Sequence[_Section], *, private_ok: bool, loopback_ok: bool) -> list[Candidate]:
    """The usable candidates of the first section that has any: under BUNDLE that is the transport that stays."""
    for section in sections:
        kept: dict[tuple[str, int], Candidate] = {}
        for line in section.all("a=candidate"):
            parsed = leading_words(line.value)
            if isinstance(parsed, str):
                raise _refuse(f"a candidate is malformed: {parsed}", line)
            candidate = admissible(parsed, private_ok=private_ok, loopback_ok=loopback_ok)
            if candidate is not None:
                kept.setdefault((candidate.address, candidate.port), candidate)
        if kept:
            return list(kept.values())[:MAX_CANDIDATES]
    return []
