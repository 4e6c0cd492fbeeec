"""Webhooks: told once the act is committed, signed, again and again until taken, and never led into our own network."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import ipaddress
import json
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from core import egress, tasks, webhooks
from core.db import Database
from core.egress import Refused, Unreachable
from core.errors import Conflict, NotFound
from core.webhooks import Courier, Delivery, DeliveryState, Event, Webhook
from tests.doubles.listener import Answers, HangsUp, Listener, SaysGarbage, StaysSilent, TalksForEver, Turn

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
SECRET = "a secret between the two"
DONE = Event.TRANSACTION_COMPLETED


@pytest.fixture
async def listener() -> AsyncIterator[Listener]:
    async with Listener().listening() as listener:
        yield listener


@dataclass
class Clock:
    """What time it is, as the test says."""

    now: datetime = NOW

    def __call__(self) -> datetime:
        return self.now


@asynccontextmanager
async def courier(database: Database, clock: Clock | None = None, **more: Any) -> AsyncIterator[Courier]:
    """A courier that may go to this machine."""
    courier = Courier(database, **{"allow_private": True, "clock": clock or Clock()} | more)
    yield courier
    await courier.close()


async def deliver(database: Database, clock: Clock | None = None, **more: Any) -> None:
    """Tell everybody what is due."""
    async with courier(database, clock, **more) as going, asyncio.timeout(20):
        await going.tick()
        await going.idle()


async def register(database: Database, url: str, *events: Event, secret: str = SECRET) -> str:
    async with database.transaction() as db:
        return (await webhooks.add(db, url=url, events=events or tuple(Event), secret=secret, now=NOW)).id


async def put(database: Database, *, event: Event = DONE, at: datetime = NOW, **payload: Any) -> None:
    async with database.transaction() as db:
        webhooks.put(db, event=event, payload=payload, at=at)


async def deliveries(database: Database) -> list[Delivery]:
    async with database.reading() as db:
        return list(await db.scalars(sa.select(Delivery).order_by(Delivery.id)))


async def only_webhook(database: Database) -> Webhook:
    async with database.reading() as db:
        (listener,) = await webhooks.listeners(db)
        return listener.webhook


# --- What is sent -----------------------------------------------------------------------------------------------------


async def test_a_committed_event_is_told_once_and_signed(database: Database, listener: Listener) -> None:
    await register(database, listener.url)
    await put(database, transfer_id="trf_1", amount_minor=50_000)
    await deliver(database)
    await deliver(database)
    (heard,) = listener.heard
    assert (heard.method, heard.path) == ("POST", "/hook?from=parley")
    body = json.loads(heard.body)
    assert body["data"] == {"transfer_id": "trf_1", "amount_minor": 50_000}
    assert (body["event"], body["created_at"]) == ("transaction.completed", "2026-03-01T12:00:00+00:00")
    assert heard.headers["x-parley-event"] == "transaction.completed"
    assert heard.headers["x-parley-delivery"] == body["id"]
    assert heard.headers["content-type"] == "application/json"
    moment, _, code = heard.headers["x-parley-signature"].partition(",v1=")
    assert moment == f"t={int(NOW.timestamp())}"
    expected = hmac.new(SECRET.encode(), moment[2:].encode() + b"." + heard.body, hashlib.sha256).hexdigest()
    assert hmac.compare_digest(code, expected)
    (delivery,) = await deliveries(database)
    assert (delivery.state, delivery.tries, delivery.last_status) == (DeliveryState.DELIVERED, 1, 200)
    assert (await only_webhook(database)).last_success_at == NOW


async def test_an_act_that_is_undone_is_not_told(database: Database, listener: Listener) -> None:
    await register(database, listener.url)
    with pytest.raises(KeyError):
        async with database.transaction() as db:
            webhooks.put(db, event=DONE, payload={}, at=NOW)
            raise KeyError
    await deliver(database)
    assert listener.heard == []


async def test_each_is_told_what_it_listens_to_with_its_own_secret(database: Database, listener: Listener) -> None:
    async with Listener().listening() as other:
        await register(database, listener.url, DONE, Event.BALANCE_UPDATED)
        await register(database, other.url, Event.BALANCE_UPDATED, secret="another secret altogether")
        for event in Event:
            await put(database, event=event)
        await deliver(database)
        assert sorted(heard.headers["x-parley-event"] for heard in listener.heard) == [
            "balance.updated",
            "transaction.completed",
        ]
        assert [heard.headers["x-parley-event"] for heard in other.heard] == ["balance.updated"]
        same = next(heard for heard in listener.heard if heard.body == other.heard[0].body)
        assert same.headers["x-parley-delivery"] == other.heard[0].headers["x-parley-delivery"]
        assert same.headers["x-parley-signature"] != other.heard[0].headers["x-parley-signature"]


async def test_where_nobody_listens_nothing_is_kept(database: Database) -> None:
    await put(database)
    assert await deliveries(database) == []


async def test_the_secret_is_sealed_in_the_database(database: Database, listener: Listener) -> None:
    await register(database, listener.url)
    async with database.reading() as db:
        stored = await db.scalar(sa.text("SELECT secret_sealed FROM webhooks"))
    assert SECRET not in stored
    assert (await only_webhook(database)).secret == SECRET


# --- What is tried again ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("turn", "error", "status"),
    [
        (Answers(500), "status 500", 500),
        (Answers(404), "status 404", 404),
        (Answers(429), "status 429", 429),
        (Answers(304), "status 304", 304),
        (SaysGarbage(), "protocol", None),
        (HangsUp(), "protocol", None),
        (StaysSilent(), "timeout", None),
        (TalksForEver(b"HTTP/1.1 103 Early Hints\r\n\r\n", b"HTTP/1.1 103 Early Hints\r\n\r\n"), "timeout", None),
        (TalksForEver(b"HTTP/1.1 200 OK\r\n", b"X-Endless: " + b"x" * 8000 + b"\r\n"), "protocol", None),
    ],
    ids=["500", "404", "429", "304", "garbage", "hangs up", "silent", "hints for ever", "headers for ever"],
)
async def test_what_is_not_taken_is_tried_again(
    database: Database, listener: Listener, turn: Turn, error: str, status: int | None
) -> None:
    await register(database, listener.url)
    await put(database)
    listener.turns.append(turn)
    clock = Clock()
    await deliver(database, clock, timeout_s=0.5 if error == "timeout" else 10)
    (delivery,) = await deliveries(database)
    assert (delivery.state, delivery.tries, delivery.last_status) == (DeliveryState.PENDING, 1, status)
    assert (await only_webhook(database)).last_error == error
    assert timedelta(seconds=8) <= delivery.next_try_at - NOW <= timedelta(seconds=12)

    clock.now = NOW + timedelta(seconds=7)
    await deliver(database, clock)
    assert len(listener.heard) == 1, "not before it is due"
    clock.now = NOW + timedelta(seconds=13)
    await deliver(database, clock)
    first, second = listener.heard
    assert first.body == second.body
    assert first.headers["x-parley-delivery"] == second.headers["x-parley-delivery"]
    assert first.headers["x-parley-signature"] != second.headers["x-parley-signature"], "the time is signed too"
    assert (await deliveries(database))[0].state is DeliveryState.DELIVERED
    assert (await only_webhook(database)).last_error is None


async def test_a_secret_that_does_not_open_ends_no_other_delivery(database: Database, listener: Listener) -> None:
    broken, well = await register(database, listener.url), await register(database, listener.url)
    await put(database)
    async with database.transaction() as db:
        await db.execute(sa.update(Webhook).where(Webhook.id == broken).values(secret_sealed="changed"))
    await deliver(database)
    async with database.reading() as db:
        errors = {row.id: row.last_error for row in await db.scalars(sa.select(Webhook))}
    assert errors == {broken: "secret unreadable", well: None}
    assert len(listener.heard) == 1


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_not_followed(database: Database, listener: Listener, status: int) -> None:
    async with Listener().listening() as elsewhere:
        listener.turns.append(Answers(status, (f"Location: {elsewhere.url}",)))
        await register(database, listener.url)
        await put(database)
        await deliver(database)
        assert elsewhere.heard == []
        assert (await deliveries(database))[0].last_status == status


async def test_an_endless_answer_is_not_read(database: Database, listener: Listener) -> None:
    listener.turns.append(
        TalksForEver(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"400\r\n" + b"x" * 1024 + b"\r\n")
    )
    await register(database, listener.url)
    await put(database)
    await deliver(database)
    await listener.until(lambda: listener.left)
    assert (await deliveries(database))[0].state is DeliveryState.DELIVERED


async def test_a_delivery_is_given_up_after_eight_tries_in_about_a_day(database: Database, listener: Listener) -> None:
    listener.always = Answers(503)
    await register(database, listener.url)
    await put(database)
    clock = Clock()
    for tries in range(1, 9):
        await deliver(database, clock)
        (delivery,) = await deliveries(database)
        assert delivery.tries == tries
        clock.now = max(clock.now, delivery.next_try_at)
    assert (await deliveries(database))[0].state is DeliveryState.GIVEN_UP
    assert timedelta(hours=18) < clock.now - NOW < timedelta(hours=30)
    assert (await only_webhook(database)).disabled_at is not None, "nothing was taken for all that time"
    await put(database, at=clock.now)
    assert len(await deliveries(database)) == 1, "and nothing more is kept for it"


async def test_one_event_that_is_never_taken_does_not_end_a_webhook(database: Database, listener: Listener) -> None:
    listener.always = lambda heard: Answers(500 if b'"n":0' in heard.body else 200)
    await register(database, listener.url)
    await put(database, n=0)
    clock = Clock()
    for n in range(1, 9):
        await put(database, n=n, at=clock.now)
        await deliver(database, clock)
        clock.now = max(clock.now, (await deliveries(database))[0].next_try_at)
    states = [delivery.state for delivery in await deliveries(database)]
    assert states == [DeliveryState.GIVEN_UP, *[DeliveryState.DELIVERED] * 8]
    assert (await only_webhook(database)).disabled_at is None


async def test_a_webhook_that_is_gone_is_told_nothing_more(database: Database, listener: Listener) -> None:
    await register(database, listener.url)
    await put(database)
    await deliver(database)
    listener.always = Answers(410)
    await put(database)
    await put(database)
    await deliver(database)
    assert (await only_webhook(database)).disabled_at == NOW
    heard = len(listener.heard)
    await put(database)
    await deliver(database)
    assert len(listener.heard) == heard


# --- Many at once -----------------------------------------------------------------------------------------------------


async def test_many_couriers_tell_each_event_once(database: Database, listener: Listener) -> None:
    await register(database, listener.url)
    for n in range(30):
        await put(database, n=n)
    async with asyncio.timeout(30):
        await asyncio.gather(*(deliver(database) for _ in range(5)))
    assert sorted(json.loads(heard.body)["data"]["n"] for heard in listener.heard) == list(range(30))
    assert {delivery.state for delivery in await deliveries(database)} == {DeliveryState.DELIVERED}


async def test_a_silent_webhook_holds_up_nobody_else(database: Database, listener: Listener) -> None:
    async with Listener(always=StaysSilent()).listening() as silent:
        await register(database, silent.url)
        await register(database, listener.url)
        for n in range(12):
            await put(database, n=n)
        async with courier(database) as going:
            await going.tick()
            await listener.until(lambda: len(listener.heard) == 12)
            await silent.until(lambda: len(silent.heard) == webhooks.AT_ONCE)
            await put(database, n=12)
            await going.tick()
            await listener.until(lambda: len(listener.heard) == 13)
            assert len(silent.heard) == webhooks.AT_ONCE


async def test_what_a_dying_process_was_telling_is_told_by_another_after_its_lease(
    database: Database, listener: Listener
) -> None:
    listener.always = StaysSilent()
    await register(database, listener.url)
    await put(database, n=1)
    async with courier(database) as dying:
        await dying.tick()
        await listener.until(lambda: listener.heard)
    assert tasks.running() == 0
    listener.always = Answers()
    await deliver(database, Clock(NOW + timedelta(seconds=59)))
    assert len(listener.heard) == 1
    await deliver(database, Clock(NOW + timedelta(seconds=61)))
    assert len(listener.heard) == 2
    (delivery,) = await deliveries(database)
    assert (delivery.state, delivery.tries) == (DeliveryState.DELIVERED, 2)


async def test_a_removed_webhook_is_told_nothing_of_what_it_missed(database: Database, listener: Listener) -> None:
    webhook_id = await register(database, listener.url)
    await put(database)
    async with database.transaction() as db:
        await webhooks.remove(db, webhook_id)
    assert await deliveries(database) == []
    await deliver(database)
    assert listener.heard == []
    with pytest.raises(NotFound):
        async with database.transaction() as db:
            await webhooks.remove(db, webhook_id)


async def test_there_are_only_so_many_webhooks(database: Database) -> None:
    for n in range(webhooks.MAX_WEBHOOKS):
        await register(database, f"https://hook{n}.example/")
    with pytest.raises(Conflict):
        await register(database, "https://hook.example/")


async def test_old_and_overflowing_deliveries_are_pruned(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhooks, "MAX_PENDING", 3)
    await register(database, "https://hook.example/")
    for n in range(10):
        await put(database, n=n, at=NOW + timedelta(minutes=n))
    async with database.transaction() as db:
        assert await webhooks.prune(db, now=NOW + timedelta(days=7, minutes=2)) == 2 + 5
    assert [json.loads(delivery.body)["data"]["n"] for delivery in await deliveries(database)] == [7, 8, 9]


# --- Where it may go --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "localhost", "[::1]", "2130706433", "0x7f000001", "127.1", "[::ffff:127.0.0.1]", "169.254.169.254"],
)
async def test_without_leave_nothing_goes_into_our_own_network(
    database: Database, listener: Listener, host: str
) -> None:
    await register(database, f"https://{host}:{listener.port}/")
    await put(database)
    await deliver(database, allow_private=False)
    (delivery,) = await deliveries(database)
    assert (delivery.state, delivery.tries) == (DeliveryState.PENDING, 1)
    assert (await only_webhook(database)).last_error == "address refused"
    assert listener.heard == []
    assert listener.left == 0, "not even a connection"


async def test_a_name_that_leads_inside_at_delivery_is_refused_then(database: Database, listener: Listener) -> None:
    """It led outside when it was registered."""

    async def inside(host: str, port: int) -> Sequence[str]:
        return ["127.0.0.1"]

    await register(database, f"https://hook.example:{listener.port}/")
    await put(database)
    await deliver(database, allow_private=False, resolver=inside)
    assert (await only_webhook(database)).last_error == "address refused"
    assert listener.left == 0


async def test_the_connection_goes_to_the_address_that_was_checked(listener: Listener) -> None:
    """The name is asked for once; what it would answer a moment later does not count."""
    answers = [["127.0.0.1"], ["169.254.169.254"]]

    async def rebinding(host: str, port: int) -> Sequence[str]:
        assert host == "hook.example"
        return answers.pop(0)

    url = f"http://hook.example:{listener.port}/path"
    status = await egress.post(url, content=b"{}", headers={}, allow_private=True, resolver=rebinding)
    assert status == 200
    assert listener.heard[0].headers["host"] == f"hook.example:{listener.port}"
    assert len(answers) == 1


async def test_the_next_address_is_tried_when_one_does_not_answer(listener: Listener) -> None:
    async def two(host: str, port: int) -> Sequence[str]:
        return ["::1", "127.0.0.1"]  # the listener has only the second

    url = f"http://hook.example:{listener.port}/"
    assert await egress.post(url, content=b"", headers={}, allow_private=True, resolver=two) == 200


async def test_the_environment_s_proxy_is_not_used(listener: Listener, monkeypatch: pytest.MonkeyPatch) -> None:
    async with Listener().listening() as proxy:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        assert await egress.post(listener.url, content=b"", headers={}, allow_private=True) == 200
        assert proxy.heard == []


async def test_a_resolver_that_hangs_ends_in_time() -> None:
    async def hangs(host: str, port: int) -> Sequence[str]:
        await asyncio.Event().wait()
        raise AssertionError

    with pytest.raises(Unreachable, match="timeout"):
        await egress.post("https://hook.example/", content=b"", headers={}, timeout_s=0.05, resolver=hangs)


async def test_a_closed_port_is_unreachable(listener: Listener) -> None:
    async with Listener().listening() as gone:
        url = gone.url
    with pytest.raises(Unreachable, match="connection"):
        await egress.post(url, content=b"", headers={}, allow_private=True)


# --- TLS --------------------------------------------------------------------------------------------------------------


@pytest.fixture
def certified(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ssl.SSLContext:
    """A server's certificate for hook.example, from an authority that is trusted here."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Test Authority")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(datetime.now(UTC) - timedelta(days=1))
        .not_valid_after(datetime.now(UTC) + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName(
                [x509.DNSName("hook.example"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
            ),
            critical=False,
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = tmp_path / "certificate.pem"
    pem.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    private = tmp_path / "key.pem"
    private.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem, private)
    monkeypatch.setenv("SSL_CERT_FILE", str(pem))
    egress._tls.cache_clear()
    return context


@pytest.fixture(autouse=True)
def _own_authorities() -> Any:
    yield
    egress._tls.cache_clear()


async def here(host: str, port: int) -> Sequence[str]:
    return ["127.0.0.1"]


async def test_over_tls_the_name_is_asked_for_and_its_certificate_checked(certified: ssl.SSLContext) -> None:
    async with Listener().listening(tls=certified) as secure:
        url = f"https://hook.example:{secure.port}/hook"
        assert await egress.post(url, content=b"{}", headers={}, allow_private=True, resolver=here) == 200
        assert secure.names == ["hook.example"]
        assert secure.heard[0].headers["host"] == f"hook.example:{secure.port}"
        url = f"https://127.0.0.1:{secure.port}/hook"
        assert await egress.post(url, content=b"{}", headers={}, allow_private=True) == 200


async def test_a_certificate_for_another_name_is_not_taken(certified: ssl.SSLContext) -> None:
    """Also not where the certificate is good for the address that is connected to."""
    async with Listener().listening(tls=certified) as secure:
        url = f"https://other.example:{secure.port}/hook"
        with pytest.raises(Unreachable, match="connection"):
            await egress.post(url, content=b"{}", headers={}, allow_private=True, resolver=here)
        assert secure.heard == []


async def test_plain_http_is_not_spoken_without_leave(listener: Listener) -> None:
    with pytest.raises(Refused):
        await egress.post(listener.url, content=b"", headers={})
    assert listener.left == 0
