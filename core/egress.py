"""Requests to addresses that people gave us, without being led into our own network.

The name is resolved once, every address is checked, and the connection goes to a checked address: an answer that
changes between check and connection (DNS rebinding) changes nothing. Redirects are not followed, no proxy of the
environment is used, the answer's body is not read, and everything ends in time.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address

import httpx

from core.errors import Invalid

MAX_URL = 2000
MAX_ADDRESSES = 16
RESOLVE_TIMEOUT_S = 5.0
CONNECT_TIMEOUT_S = 4.0
TIMEOUT_S = 10.0

Address = IPv4Address | IPv6Address
Resolver = Callable[[str, int], Awaitable[Sequence[str]]]
"""From host and port to addresses; raises OSError if there are none."""

_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_NEVER = (
    ipaddress.ip_network("168.63.129.16/32"),  # metadata of Azure, in public address space
    ipaddress.ip_network("fd00:ec2::254/128"),  # of AWS
    ipaddress.ip_network("fd20:ce::254/128"),  # of Google
    ipaddress.ip_network("192.0.0.0/24"),  # protocol assignments, among them metadata of Oracle
    ipaddress.ip_network("64:ff9b:1::/48"),  # NAT64 towards local networks
    ipaddress.ip_network("2002::/16"),  # 6to4 and Teredo carry an IPv4 address to anywhere
    ipaddress.ip_network("2001::/32"),
    ipaddress.ip_network("::/96"),
)


class Refused(Invalid):
    """An address that requests must not go to."""

    code = "bad_url"


class Unreachable(Exception):
    """The other side did not answer as HTTP in time; the text is one of a few short words."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where a request may go: a URL and the addresses that were checked for it."""

    url: httpx.URL
    addresses: tuple[Address, ...]


async def resolve(host: str, port: int) -> Sequence[str]:
    """What the system's resolver says, numbers in all their spellings included (`2130706433`, `0x7f.1`)."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(address[0]) for *_, address in found]


async def check(url: str, *, allow_private: bool = False, resolver: Resolver = resolve) -> Target:
    """Find out where a URL leads and whether requests may go there.

    Args:
        url: https; with `allow_private` also http.
        allow_private: Also private and loopback addresses; for tests and development.

    Raises: Refused.
    """
    parsed = _parsed(url, plain=allow_private)
    host, port = parsed.raw_host.decode("ascii"), parsed.port or (443 if parsed.scheme == "https" else 80)
    try:
        async with asyncio.timeout(RESOLVE_TIMEOUT_S):
            found = await resolver(host, port)
    except (OSError, UnicodeError):  # TimeoutError is an OSError
        raise Refused("That host name cannot be found.") from None
    addresses = tuple(dict.fromkeys(ipaddress.ip_address(address) for address in found))[:MAX_ADDRESSES]
    if not addresses or not all(_permitted(address, allow_private) for address in addresses):
        raise Refused("That address is not on the public internet.")
    return Target(parsed, addresses)


async def post(
    url: str,
    *,
    content: bytes,
    headers: Mapping[str, str],
    allow_private: bool = False,
    timeout_s: float = TIMEOUT_S,
    resolver: Resolver = resolve,
) -> int:
    """Send a body to a URL that somebody gave us; the status of the answer, whose body is not read.

    Args:
        timeout_s: For all of it together.

    Raises: Refused; Unreachable.
    """
    try:
        async with asyncio.timeout(timeout_s):
            target = await check(url, allow_private=allow_private, resolver=resolver)
            tls = await asyncio.to_thread(_tls)
            for address in target.addresses[:-1]:
                try:
                    return await _send(target.url, address, content, headers, tls)
                except (httpx.ConnectError, httpx.ConnectTimeout):
                    continue
            return await _send(target.url, target.addresses[-1], content, headers, tls)
    except (TimeoutError, httpx.TimeoutException):
        raise Unreachable("timeout") from None
    except httpx.ConnectError:
        raise Unreachable("connection") from None
    except httpx.HTTPError:
        raise Unreachable("protocol") from None


async def _send(
    url: httpx.URL, address: Address, content: bytes, headers: Mapping[str, str], tls: ssl.SSLContext
) -> int:
    """One request to one address, which says whom it is meant for."""
    request = httpx.Request(
        "POST",
        url.copy_with(host=str(address)),
        headers={**headers, "Host": url.netloc.decode("ascii"), "Connection": "close"},
        content=content,
        extensions={"sni_hostname": url.raw_host.decode("ascii"), "timeout": {"connect": CONNECT_TIMEOUT_S}},
    )
    async with httpx.AsyncHTTPTransport(verify=tls, trust_env=False) as transport:
        response = await transport.handle_async_request(request)
        await response.aclose()
        return response.status_code


@lru_cache(maxsize=1)
def _tls() -> ssl.SSLContext:
    return httpx.create_ssl_context()


def _parsed(url: str, *, plain: bool) -> httpx.URL:
    try:
        parsed = httpx.URL(url)
    except (httpx.InvalidURL, UnicodeError):
        parsed = None
    schemes = ("https", "http") if plain else ("https",)
    good = (
        parsed is not None
        and parsed.scheme in schemes
        and parsed.raw_host  # not `host`, which fails on a bad international name
        and not parsed.userinfo
        and not parsed.fragment
        and (parsed.port is None or 0 < parsed.port < 65536)
        and len(str(parsed)) <= MAX_URL
    )
    if parsed is None or not good:
        raise Refused("Give an https address without user name and fragment.")
    return parsed


def _permitted(address: Address, allow_private: bool) -> bool:
    """Whether requests may go to an address; one that stands for an IPv4 address is judged as that."""
    if isinstance(address, IPv6Address):
        inner = address.ipv4_mapped
        if inner is None and address in _NAT64:
            inner = IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is not None:
            return _permitted(inner, allow_private)
    if address.is_loopback or (address.is_private and not _special(address)):
        return allow_private
    return address.is_global and not _special(address)


def _special(address: Address) -> bool:
    """Addresses that no server has, or that lead to a machine's own keeper."""
    return (
        address.is_link_local
        or address.is_multicast
        or address.is_reserved
        or address.is_unspecified
        or (isinstance(address, IPv6Address) and address.is_site_local)
        or any(address in network for network in _NEVER if network.version == address.version)
    )
