"""ICE candidates: where a caller may have packets sent to, and how many of them it may name."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass

from agent.sdp.words import ADVICE, TOKEN_CHARS, only, uint
from core.errors import Invalid

MAX_CANDIDATES = 20
MAX_CANDIDATE_CHARS = 512


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


class InvalidCandidate(Invalid):
    """The ICE candidate is malformed."""

    code = "invalid_candidate"


@dataclass(frozen=True)
class Candidate:
    """An ICE candidate that may be passed on, reduced to what ICE needs."""

    foundation: str
    priority: int
    address: str
    port: int
    kind: str

    def __str__(self) -> str:
        return f"{self.foundation} 1 udp {self.priority} {self.address} {self.port} typ {self.kind}"


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
        raise InvalidCandidate(f"A candidate has more than {MAX_CANDIDATE_CHARS} characters. {ADVICE}")
    if not (candidate.isascii() and candidate.isprintable()):
        raise InvalidCandidate(f"A candidate holds characters that are not printable ASCII. {ADVICE}")
    parsed = leading_words(candidate.removeprefix("a=").removeprefix("candidate:"))
    if isinstance(parsed, str):
        raise InvalidCandidate(f"A candidate is malformed: {parsed}. {ADVICE}")
    kept = admissible(parsed, private_ok=private_ok, loopback_ok=loopback_ok)
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


def leading_words(text: str) -> list[str] | str:
    """The eight leading words of a candidate, or what is wrong with it (RFC 8839 section 5.1)."""
    words = text.split(" ")
    if len(words) < 8 or words[6] != "typ":
        return "it does not have the words a candidate has"
    foundation, component, _, priority, host, port, _, kind = words[:8]
    if not only(foundation, TOKEN_CHARS | {":"}, 1, 64):
        return "its foundation is malformed"
    if uint(component, 1, 256) is None:
        return "its component is not a number from 1 to 256"
    if uint(priority, 0, 2**32 - 1) is None:
        return "its priority is not a 32-bit number"
    if not 0 < len(host) <= 255:
        return "its address is malformed"
    # An active TCP candidate listens nowhere, and some clients say so with port 0.
    if uint(port, 0 if words[2].lower() == "tcp" else 1, 65_535) is None:
        return "its port is not a number from 1 to 65535"
    if not kind:
        return "it has no type"
    return words[:8]


def admissible(words: Sequence[str], *, private_ok: bool, loopback_ok: bool) -> Candidate | None:
    """The candidate those words make, or None if it is not to be passed on."""
    foundation, component, transport, priority, host, port, _, kind = words
    if component != "1" or transport.lower() != "udp" or kind not in ("host", "srflx", "relay"):
        return None
    address = _reachable(host, private_ok=private_ok, loopback_ok=loopback_ok)
    if address is None:
        return None
    return Candidate(foundation, int(priority), address, int(port), kind)


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
