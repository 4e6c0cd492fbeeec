"""Where requests may go: what is refused in all its spellings, and what is not."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from core import egress
from core.egress import Refused, Resolver, check

PUBLIC = ("93.184.216.34", "2606:2800:220:1:248:1893:25c8:1946")


def names(*addresses: str) -> Resolver:
    """A name server that knows one answer."""

    async def resolve(host: str, port: int) -> Sequence[str]:
        return addresses

    return resolve


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "127.255.255.254",
        "10.0.0.1",
        "172.16.0.1",
        "172.31.255.255",
        "192.168.1.1",
        "fc00::1",
        "fdff::1",
        "::1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "::ffff:7f00:1",
        "64:ff9b::7f00:1",
        "64:ff9b::192.168.1.1",
    ],
)
async def test_private_and_loopback_addresses_are_for_development(address: str) -> None:
    with pytest.raises(Refused):
        await check("https://hook.example/", resolver=names(address))
    target = await check("http://hook.example/", resolver=names(address), allow_private=True)
    assert [str(found) for found in target.addresses]


@pytest.mark.parametrize(
    "address",
    [
        "169.254.169.254",
        "169.254.170.2",
        "168.63.129.16",
        "100.100.100.200",
        "100.64.0.1",
        "192.0.0.192",
        "0.0.0.0",
        "224.0.0.1",
        "239.255.255.250",
        "255.255.255.255",
        "240.0.0.1",
        "::",
        "fe80::1",
        "fe80::1%lo",
        "fec0::1",
        "ff02::1",
        "fd00:ec2::254",
        "fd20:ce::254",
        "::ffff:169.254.169.254",
        "64:ff9b::169.254.169.254",
        "64:ff9b:1::a00:1",
        "2002:a9fe:a9fe::1",
        "2002:7f00:1::",
        "2001:0:4136:e378:8000:63bf:3fff:fdd2",
        "::169.254.169.254",
        "::7f00:1",
    ],
)
@pytest.mark.parametrize("allow_private", [False, True])
async def test_metadata_link_local_and_odd_addresses_are_never_reached(address: str, allow_private: bool) -> None:
    with pytest.raises(Refused):
        await check("https://hook.example/", resolver=names(address), allow_private=allow_private)


@pytest.mark.parametrize("address", [*PUBLIC, "8.8.8.8", "1.1.1.1", "64:ff9b::808:808", "::ffff:8.8.8.8"])
async def test_public_addresses_are_reached(address: str) -> None:
    target = await check("https://hook.example:8443/path?x=1", resolver=names(address))
    assert len(target.addresses) == 1


async def test_one_bad_address_among_good_ones_is_enough() -> None:
    for addresses in ((*PUBLIC, "127.0.0.1"), ("10.0.0.1", *PUBLIC), (*["8.8.8.8"] * 40, "169.254.169.254")):
        with pytest.raises(Refused):
            await check("https://hook.example/", resolver=names(*addresses))


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "127.1",
        "127.0.1",
        "2130706433",
        "0x7f000001",
        "0x7f.1",
        "0177.0.0.1",
        "017700000001",
        "0",
        "localhost",
        "LOCALHOST",
        "[::1]",
        "[0:0:0:0:0:0:0:1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[::]",
        "169.254.169.254",
        "2852039166",
        "0xa9fea9fe",
        "0251.0376.0251.0376",
        "169.254.43518",
        "[::ffff:a9fe:a9fe]",
        "[fe80::1]",
        "[fd00:ec2::254]",
        "10.1",
        "192.168.257",
        "１２７.0.0.1",
        "%31%32%37.0.0.1",
        "①②⑦.0.0.1",
        "127。0。0。1",
        "xn--",
    ],
)
async def test_every_spelling_of_an_inner_address_is_refused(host: str) -> None:
    """By the real resolver, which needs no network for these."""
    with pytest.raises(Refused):
        await check(f"https://{host}/")
    with pytest.raises(Refused):
        await check(f"https://{host}:8443/latest/meta-data/")


@pytest.mark.parametrize(
    "url",
    [
        "http://hook.example/",
        "file:///etc/passwd",
        "gopher://hook.example/",
        "ftp://hook.example/",
        "//hook.example/",
        "hook.example",
        "",
        "https://",
        "https:///path",
        "https://user:password@hook.example/",
        "https://hook.example@127.0.0.1/",
        "https://hook.example/#fragment",
        "https://hook.example:0/",
        "https://hook.example:99999/",
        "https://hook.example:port/",
        "https://[::1/",
        "https://hook.example/\x00",
        "https://hook.example/\r\nX-Injected: 1",
        "https://hook.example/\ud800",
        "https://hook.example/" + "x" * egress.MAX_URL,
        "https://hook.example/" + "é" * (egress.MAX_URL // 2),
        "javascript:alert(1)",
    ],
)
async def test_only_plain_https_addresses_are_taken(url: str) -> None:
    with pytest.raises(Refused):
        await check(url, resolver=names(*PUBLIC))


async def test_a_name_that_is_not_known_is_refused() -> None:
    async def unknown(host: str, port: int) -> Sequence[str]:
        raise OSError("no such host")

    with pytest.raises(Refused, match="cannot be found"):
        await check("https://hook.example/", resolver=unknown)
    with pytest.raises(Refused):
        await check("https://hook.example/", resolver=names())


async def test_the_refusal_does_not_repeat_what_was_found() -> None:
    with pytest.raises(Refused) as refused:
        await check("https://hook.example/", resolver=names("10.11.12.13"))
    assert "10.11.12.13" not in refused.value.message


async def test_an_international_name_is_taken_in_its_ascii_form() -> None:
    asked: list[str] = []

    async def resolve(host: str, port: int) -> Sequence[str]:
        asked.append(f"{host}:{port}")
        return PUBLIC

    target = await check("https://bücher.example/weg?x=ä", resolver=resolve)
    assert asked == ["xn--bcher-kva.example:443"]
    assert str(target.url).isascii()
