"""What may come near the WebRTC stack: offers, candidates and answers, checked as text in linear time.

aiortc's SDP parser trusts its input: crafted offers cost it quadratic time, raise exceptions of many kinds, or make
ICE send packets to any address they name. So an offer is read here first, and what goes on is not the offer but a new
text with only the lines a voice call needs, written from values that were checked one by one (RFC 8866, RFC 8839,
RFC 8829). Nothing of aiortc is imported here and nothing here does I/O.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from core.errors import Invalid

# A Chromium offer with two video sections has 310 lines, 11 kB, 23 rtpmap lines in one section and 4 candidate lines
# per network interface; the bounds leave three times that.
MAX_CHARS = 32_768
MAX_LINES = 1_000
MAX_LINE_CHARS = 1_024
MAX_SECTIONS = 4
MAX_PER_SECTION = {"candidate": 40, "fingerprint": 8, "fmtp": 64, "group": 8, "rtpmap": 64, "ssrc": 32}
MAX_CANDIDATES = 20
MAX_CANDIDATE_CHARS = 512
MIN_MESSAGE_BYTES = 16_384

_ADVICE = "Reload the page and call again; if it happens again, this browser or client is not supported."
_ICE_CHARS = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
_TOKEN_CHARS = _ICE_CHARS | frozenset("-_.")
_HEX = frozenset("0123456789ABCDEFabcdef")
_FINGERPRINT_BYTES = {"sha-256": 32, "sha-384": 48, "sha-512": 64}
_PROTOCOLS = {"audio": "UDP/TLS/RTP/SAVPF", "video": "UDP/TLS/RTP/SAVPF", "application": "UDP/DTLS/SCTP"}
_AUDIO_CODECS = frozenset({"opus/48000/2", "g722/8000", "g722/8000/1", "pcmu/8000", "pcmu/8000/1"}) | frozenset(
    {"pcma/8000", "pcma/8000/1"}
)
_AUDIO_EXTENSIONS = frozenset({"urn:ietf:params:rtp-hdrext:sdes:mid", "urn:ietf:params:rtp-hdrext:ssrc-audio-level"})
_DIRECTIONS = ("sendrecv", "sendonly", "recvonly", "inactive")
_HIDDEN = {0: "::", 4: "0.0.0.0", 6: "::"}  # noqa: S104  written instead of an address (RFC 8839 section 5.1)
_RTCP_TYPES = range(72, 77)  # payload types that collide with RTCP under rtcp-mux (RFC 5761)


def _networks(*texts: str) -> tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]:
    return tuple(ipaddress.ip_network(text) for text in texts)


# Never a caller: this network, link-local (with the metadata service of most clouds), IETF protocol assignments,
# multicast, reserved, broadcast, and Azure's metadata address, which is public space.
_NEVER_IPV4 = _networks(
    "0.0.0.0/8", "168.63.129.16/32", "169.254.0.0/16", "192.0.0.0/24", "192.88.99.0/24", "224.0.0.0/4", "240.0.0.0/4"
)
# Not routed on the internet: RFC 1918, carrier-grade NAT, benchmarking and documentation (laboratories use them).
_PRIVATE_IPV4 = _networks(
    "10.0.0.0/8",
    "100.64.0.0/10",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "192.0.2.0/24",
    "198.18.0.0/15",
    "198.51.100.0/24",
    "203.0.113.0/24",
)
# Alibaba's and Amazon's metadata services live in otherwise acceptable private space.
_METADATA = _networks("100.100.100.200/32", "fd00:ec2::254/128", "fd20:ce::254/128")
_PRIVATE_IPV6 = _networks("fc00::/7", "2001:db8::/32", "3fff::/20")
# Global unicast is the only routed IPv6 space; Teredo, ORCHID and 6to4 in it can carry any IPv4 address inside.
_GLOBAL_IPV6 = _networks("2000::/3")
_NEVER_IPV6 = _networks("2001::/23", "2002::/16")


class InvalidOffer(Invalid):
    """The SDP offer is malformed, too large, or not for a voice call."""

    code = "invalid_offer"


class InvalidCandidate(Invalid):
    """The ICE candidate is malformed."""

    code = "invalid_candidate"


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


@dataclass(frozen=True)
class _Candidate:
    """An ICE candidate that may be passed on, reduced to what ICE needs."""

    foundation: str
    priority: int
    address: str
    port: int
    kind: str

    def __str__(self) -> str:
        return f"{self.foundation} 1 udp {self.priority} {self.address} {self.port} typ {self.kind}"


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


def check_candidate(candidate: str, *, private_ok: bool, loopback_ok: bool) -> str | None:
    """Check a trickled ICE candidate and return it in the form `candidate_from_sdp` reads.

    Args:
        candidate: The text of the browser's `RTCIceCandidate.candidate`, with or without `candidate:`.
        private_ok: As in `check_offer`.
        loopback_ok: As in `check_offer`.

    Returns:
        The candidate; None if it is to be ignored (forbidden address, host name, TCP, RTCP component, unknown type);
        "" for the end-of-candidates mark.

    Raises:
        InvalidCandidate: It is not a candidate.
    """
    if candidate == "":
        return ""
    if len(candidate) > MAX_CANDIDATE_CHARS:
        raise InvalidCandidate(f"A candidate has more than {MAX_CANDIDATE_CHARS} characters. {_ADVICE}")
    if not (candidate.isascii() and candidate.isprintable()):
        raise InvalidCandidate(f"A candidate holds characters that are not printable ASCII. {_ADVICE}")
    parsed = _candidate(candidate.removeprefix("a=").removeprefix("candidate:"))
    if isinstance(parsed, str):
        raise InvalidCandidate(f"A candidate is malformed: {parsed}. {_ADVICE}")
    kept = _admissible(parsed, private_ok=private_ok, loopback_ok=loopback_ok)
    return None if kept is None else str(kept)


class CandidateBudget:
    """How many different candidates one call may still name; every one costs seven packets to its address."""

    def __init__(self, *, offer: str = "", limit: int = MAX_CANDIDATES) -> None:
        """Start a budget.

        Args:
            offer: The checked offer, whose candidates count.
            limit: Candidates in all.
        """
        self._limit = limit
        self._seen = {
            _transport_address(line.removeprefix("a=candidate:"))
            for line in offer.splitlines()
            if line.startswith("a=candidate:")
        }

    @property
    def left(self) -> int:
        """Candidates that may still be added."""
        return max(0, self._limit - len(self._seen))

    def admit(self, candidate: str, *, mline_index: int | None = None) -> bool:
        """Whether to pass on a candidate that `check_candidate` returned; counts it if so.

        Repetitions are refused at no cost, and so are candidates of later media sections, whose sockets a browser
        closes as soon as it learns that all sections share the first one's transport.
        """
        address = _transport_address(candidate)
        if mline_index not in (None, 0) or address in self._seen or self.left == 0:
            return False
        self._seen.add(address)
        return True


def announce(answer_sdp: str, *, address: str) -> str:
    """Put the announced address into our own answer, for a server behind NAT or in a container.

    Host candidates of the address's family get it, with their own port (so the NAT must forward ports unchanged);
    those of the other family are left out, unless that would leave none, because they name addresses nobody outside
    can reach. Loopback, server-reflexive and relayed candidates stay, the latter without the address behind them.

    Args:
        answer_sdp: The answer aiortc made.
        address: An IPv4 or IPv6 address.

    Raises:
        ValueError: `address` is not an IP address.
    """
    public = ipaddress.ip_address(address)
    lines = answer_sdp.splitlines()
    hosts = {line.split(" ")[4] for line in lines if line.startswith("a=candidate:") and " typ host" in line}
    hidden = {host for host in hosts if not _is_loopback(host)}
    reachable = {host for host in hidden if _family(host) == public.version}
    out: list[str] = []
    for line in lines:
        if line.startswith("a=candidate:"):
            line = _announced_candidate(line, reachable, str(public))
        elif reachable and line.startswith(("c=IN ", "a=rtcp:")) and line.split(" ")[-1] in hidden:
            line = f"{line[: line.index('IN ')]}IN IP{public.version} {public}"
        if line:
            out.append(line)
    return "\r\n".join(out) + "\r\n"


def _announced_candidate(line: str, reachable: set[str], public: str) -> str:
    words = line.split(" ")
    kind, host = words[7], words[4]
    if kind != "host":
        if "raddr" in words:
            words[words.index("raddr") + 1] = _HIDDEN[_family(host)]
        if "rport" in words:
            words[words.index("rport") + 1] = "9"
        return " ".join(words)
    if not reachable or _is_loopback(host):
        return line
    if host not in reachable:
        return ""
    words[4] = public
    return " ".join(words)


def _family(host: str) -> int:
    try:
        return ipaddress.ip_address(host).version
    except ValueError:
        return 0


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


# Reading lines


def _refuse(what: str, line: _Line | int | None = None) -> InvalidOffer:
    number = line.number if isinstance(line, _Line) else line
    where = "" if number is None else f" (line {number})"
    return InvalidOffer(f"The call offer (SDP) was refused: {what}{where}. {_ADVICE}")


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


def _uint(text: str, low: int, high: int) -> int | None:
    """The number `text` spells in plain decimal digits, or None if it does not or is out of range."""
    if not (0 < len(text) <= 20 and text.isascii() and text.isdigit()):
        return None
    number = int(text)
    return number if low <= number <= high else None


def _only(text: str, allowed: frozenset[str], low: int, high: int) -> bool:
    return low <= len(text) <= high and allowed.issuperset(text)


# Media sections


def _check_kinds(sections: Sequence[_Section]) -> None:
    kinds = []
    for section in sections:
        words = _head(section)
        if len(words) < 4 or words[0] not in _PROTOCOLS:
            raise _refuse("a media line is not audio, video or application", section.head)
        if _uint(words[1], 0, 65_535) is None:
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
        if line is None or not _only(line.value, _TOKEN_CHARS, 1, 32) or line.value in mids:
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
        if line is None or not _only(line.value, _ICE_CHARS, shortest, 256):
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
    codecs = [(pt, name) for pt, name in _codecs(section) if name.lower() in _AUDIO_CODECS]
    if not codecs:
        raise _refuse("it offers no audio codec we have; offer Opus", section.head)
    out = [
        f"m=audio 9 {_PROTOCOLS['audio']} {' '.join(str(pt) for pt, _ in codecs)}",
        "c=IN IP4 0.0.0.0",
        f"a={directions[0]}",
        "a=rtcp-mux",
    ]
    out += [f"a=rtpmap:{pt} {name}" for pt, name in codecs]
    out += [f"a=extmap:{number} {uri}" for number, uri in _extensions(section).items()]
    if (ssrc := section.first("a=ssrc")) is not None:
        number = _uint(ssrc.value.partition(" ")[0], 1, 2**32 - 1)
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
        number = default if line is None else _uint(line.value, low, high)
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
        if _uint(payload_type, 0, 127) is None or not name:
            raise _refuse("a codec is malformed (a=rtpmap)", line)
        named.setdefault(payload_type, name)
    codecs: dict[int, str] = {}
    for word in _head(section)[3:]:
        number = _uint(word, 0, 127)
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
        number = _uint(words[0].partition("/")[0], 1, 14)
        if number is not None and len(words) > 1 and words[1] in _AUDIO_EXTENSIONS and words[1] not in out.values():
            out.setdefault(number, words[1])
    return out


# Candidates


def _offered_candidates(sections: Sequence[_Section], *, private_ok: bool, loopback_ok: bool) -> list[_Candidate]:
    """The usable candidates of the first section that has any: under BUNDLE that is the transport that stays."""
    for section in sections:
        kept: dict[tuple[str, int], _Candidate] = {}
        for line in section.all("a=candidate"):
            parsed = _candidate(line.value)
            if isinstance(parsed, str):
                raise _refuse(f"a candidate is malformed: {parsed}", line)
            candidate = _admissible(parsed, private_ok=private_ok, loopback_ok=loopback_ok)
            if candidate is not None:
                kept.setdefault((candidate.address, candidate.port), candidate)
        if kept:
            return list(kept.values())[:MAX_CANDIDATES]
    return []


def _candidate(text: str) -> list[str] | str:
    """The eight leading words of a candidate, or what is wrong with it (RFC 8839 section 5.1)."""
    words = text.split(" ")
    if len(words) < 8 or words[6] != "typ":
        return "it does not have the words a candidate has"
    foundation, component, _, priority, host, port, _, kind = words[:8]
    if not _only(foundation, _TOKEN_CHARS | {":"}, 1, 64):
        return "its foundation is malformed"
    if _uint(component, 1, 256) is None:
        return "its component is not a number from 1 to 256"
    if _uint(priority, 0, 2**32 - 1) is None:
        return "its priority is not a 32-bit number"
    if not 0 < len(host) <= 255:
        return "its address is malformed"
    # An active TCP candidate listens nowhere, and some clients say so with port 0.
    if _uint(port, 0 if words[2].lower() == "tcp" else 1, 65_535) is None:
        return "its port is not a number from 1 to 65535"
    if not kind:
        return "it has no type"
    return words[:8]


def _admissible(words: Sequence[str], *, private_ok: bool, loopback_ok: bool) -> _Candidate | None:
    foundation, component, transport, priority, host, port, _, kind = words
    if component != "1" or transport.lower() != "udp" or kind not in ("host", "srflx", "relay"):
        return None
    address = _reachable(host, private_ok=private_ok, loopback_ok=loopback_ok)
    if address is None:
        return None
    return _Candidate(foundation, int(priority), address, int(port), kind)


def _reachable(host: str, *, private_ok: bool, loopback_ok: bool) -> str | None:
    """The address in canonical form, or None if no packet may be sent there because a caller says so.

    Host names are never resolved: for an mDNS name (`….local`) the server would ask the whole local network.
    """
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return None
    if address.is_loopback:
        return str(address) if loopback_ok else None
    if any(address in network for network in _METADATA):
        return None
    if isinstance(address, ipaddress.IPv4Address):
        if any(address in network for network in _NEVER_IPV4):
            return None
        private = any(address in network for network in _PRIVATE_IPV4)
    else:
        if address.scope_id is not None or any(address in network for network in _NEVER_IPV6):
            return None
        private = any(address in network for network in _PRIVATE_IPV6)
        if not private and not any(address in network for network in _GLOBAL_IPV6):
            return None
    return str(address) if private_ok or not private else None


def _transport_address(candidate: str) -> tuple[str, str]:
    words = candidate.split(" ")
    return (words[4], words[5]) if len(words) > 5 else (candidate, "")
