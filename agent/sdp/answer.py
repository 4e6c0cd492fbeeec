"""Answers: where a caller is told to find us."""

from __future__ import annotations

import ipaddress

_HIDDEN = {0: "::", 4: "0.0.0.0", 6: "::"}  # noqa: S104  written instead of an address (RFC 8839 section 5.1)


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
