"""Texts to people, over a real SMTP server, the SMS service's wire, the page and the console."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from loguru import logger
from pydantic import SecretStr

from core import tasks
from core.settings import Settings
from identity import delivery
from identity.delivery import Inbox, Parcel, Post, Recipient, Sms, Smtp, Unreachable
from tests.doubles.messages import Messages

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
ADA = Recipient(email="ada@example.com", phone="+919800000001", subject="usr_ada")
GUEST = Recipient(email=None, phone=None, subject="otp_guest", guest=True)
TEXT = "Code 123456 to send ₹15,000 to Ravi Kumar …1234. Never tell it to anyone."
SENDER = "bank@parley.example"


def parcel(to: Recipient = ADA, text: str = TEXT, at: datetime = NOW) -> Parcel:
    return Parcel(to, text, at)


@pytest.fixture
def log() -> Iterator[list[str]]:
    """What identity says; the servers of the tests speak in this process too."""
    lines: list[str] = []
    sink = logger.add(lines.append, format="{message}", level="TRACE", filter="identity")
    yield lines
    logger.remove(sink)


async def delivered() -> None:
    """Everything that was taken has been carried or given up."""
    await tasks.drain(timeout_s=20)


# --- E-mail -----------------------------------------------------------------------------------------------------------


class Mailbox:
    """Handles the mail of a real SMTP server: keeps it, and refuses as often as it is told."""

    def __init__(self) -> None:
        self.envelopes: list[Envelope] = []
        self.refusals: list[str] = []
        self.encrypted = False

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        if self.refusals:
            return self.refusals.pop(0)
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        self.envelopes.append(envelope)
        self.encrypted = server.transport is not None and server.transport.get_extra_info("sslcontext") is not None
        return "250 OK"

    @property
    def texts(self) -> list[str]:
        mails = [
            message_from_bytes(envelope.original_content or b"", policy=policy.default) for envelope in self.envelopes
        ]
        return [mail.get_content().strip() for mail in mails]


@asynccontextmanager
async def mail_server(
    mailbox: Mailbox, *, implicit: ssl.SSLContext | None = None, **options: Any
) -> AsyncIterator[int]:
    """A mail server on this machine; its port."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: SMTP(mailbox, hostname="test", loop=loop, **options), "127.0.0.1", 0, ssl=implicit
    )
    async with server:
        yield server.sockets[0].getsockname()[1]


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A key and a certificate for 127.0.0.1 that nobody signed."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "server.pem"
    path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + signed.public_bytes(serialization.Encoding.PEM)
    )
    return path


@pytest.fixture
def server_tls(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


@pytest.fixture
def client_tls(certificate: Path) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(certificate))


async def test_a_text_arrives_by_mail(log: list[str]) -> None:
    mailbox = Mailbox()
    async with mail_server(mailbox) as port:
        post = Post(mail=Smtp(f"smtp://127.0.0.1:{port}", sender=SENDER))
        assert post.where(ADA) == "a•••@example.com"
        post.send(parcel())
        assert mailbox.envelopes == [], "nobody waited"
        await delivered()
        await post.close()
    assert mailbox.texts == [TEXT]
    (envelope,) = mailbox.envelopes
    assert (envelope.mail_from, envelope.rcpt_tos) == (SENDER, ["ada@example.com"])
    assert log == []


@pytest.mark.parametrize("scheme", ["smtp", "smtps"])
async def test_mail_is_encrypted_and_logs_in(
    scheme: str, server_tls: ssl.SSLContext, client_tls: ssl.SSLContext
) -> None:
    mailbox = Mailbox()
    log_ins: list[object] = []

    def authenticate(_server: SMTP, _session: Session, _envelope: Envelope, _how: str, data: object) -> AuthResult:
        log_ins.append(data)
        return AuthResult(success=True)

    if scheme == "smtp":
        options = {"tls_context": server_tls, "require_starttls": True, "auth_required": True}
    else:
        options = {"implicit": server_tls, "auth_require_tls": False}
    async with mail_server(mailbox, authenticator=authenticate, **options) as port:
        url = f"{scheme}://bank%40parley.example:p%40ss%20word@127.0.0.1:{port}"
        post = Post(mail=Smtp(url, sender=SENDER, tls=client_tls))
        post.send(parcel())
        await delivered()
        await post.close()
    assert mailbox.texts == [TEXT]
    assert mailbox.encrypted
    assert log_ins == [LoginPassword(b"bank@parley.example", b"p@ss word")]


async def test_a_certificate_nobody_vouches_for_gets_no_mail(server_tls: ssl.SSLContext, log: list[str]) -> None:
    mailbox = Mailbox()
    async with mail_server(mailbox, tls_context=server_tls) as port:
        post = Post(mail=Smtp(f"smtp://127.0.0.1:{port}", sender=SENDER), pauses_s=(0, 0))
        post.send(parcel())
        await delivered()
        await post.close()
    assert mailbox.envelopes == []
    assert log == ["A text could not be delivered by e-mail: SSLCertVerificationError\n"]


async def test_a_passing_refusal_is_tried_again_and_a_final_one_is_not(log: list[str]) -> None:
    mailbox = Mailbox()
    async with mail_server(mailbox) as port:
        post = Post(mail=Smtp(f"smtp://127.0.0.1:{port}", sender=SENDER), pauses_s=(0, 0))
        mailbox.refusals = ["451 later", "451 later"]
        post.send(parcel())
        await delivered()
        assert mailbox.texts == [TEXT]
        assert log == []

        mailbox.refusals = ["550 nobody here", "451 never asked"]
        post.send(parcel())
        await delivered()
        assert mailbox.refusals == ["451 never asked"]
        assert log == ["A text could not be delivered by e-mail: SMTPRecipientsRefused\n"]
        await post.close()


async def test_a_mail_server_that_is_not_there_is_given_up(log: list[str], unused_tcp_port: int) -> None:
    post = Post(mail=Smtp(f"smtp://127.0.0.1:{unused_tcp_port}", sender=SENDER), pauses_s=(0, 0))
    post.send(parcel())
    await delivered()
    await post.close()
    assert log == ["A text could not be delivered by e-mail: ConnectionRefusedError\n"]


async def test_an_address_cannot_carry_headers(log: list[str]) -> None:
    mailbox = Mailbox()
    async with mail_server(mailbox) as port:
        post = Post(mail=Smtp(f"smtp://127.0.0.1:{port}", sender=SENDER), pauses_s=(0, 0))
        post.send(parcel(Recipient("ada@example.com\nBcc: thief@example.com", None, "usr_ada")))
        await delivered()
        await post.close()
    assert mailbox.envelopes == []
    assert len(log) == 1


# --- Text messages ----------------------------------------------------------------------------------------------------


async def test_a_text_arrives_by_telephone_which_comes_before_mail() -> None:
    async with Messages() as service:
        post = Post(sms=Sms(service.url, sender="+15550100"), mail=Smtp("smtp://127.0.0.1:1", sender=SENDER))
        assert post.where(ADA) == "•••• 0001"
        post.send(parcel())
        await delivered()
        await post.close()
    (asked,) = service.asked
    assert asked.path == "/2010-04-01/Accounts/AC1/Messages.json"
    assert asked.account == "AC1:tok/en"
    assert asked.form == {"To": "+919800000001", "From": "+15550100", "Body": TEXT}


async def test_whoever_has_no_telephone_gets_mail() -> None:
    mailbox = Mailbox()
    async with Messages() as service, mail_server(mailbox) as port:
        mail = Smtp(f"smtp://127.0.0.1:{port}", sender=SENDER)
        post = Post(sms=Sms(service.url, sender="+15550100"), mail=mail)
        post.send(parcel(Recipient("ada@example.com", None, "usr_ada")))
        await delivered()
        await post.close()
    assert mailbox.texts == [TEXT]
    assert service.asked == []


@pytest.mark.parametrize(
    ("statuses", "requests", "lines"),
    [
        ([503, 429], 3, []),
        ([0, 0], 3, []),
        ([500, 500, 500], 3, ["A text could not be delivered by text message: status 500\n"]),
        ([400], 1, ["A text could not be delivered by text message: status 400\n"]),
        ([401], 1, ["A text could not be delivered by text message: status 401\n"]),
    ],
)
async def test_the_service_is_asked_again_where_that_may_help(
    statuses: list[int], requests: int, lines: list[str], log: list[str]
) -> None:
    async with Messages(statuses=statuses) as service:
        post = Post(sms=Sms(service.url, sender="+15550100"), pauses_s=(0, 0))
        post.send(parcel())
        await delivered()
        await post.close()
    assert len(service.asked) == requests
    assert log == lines


async def test_texts_under_way_are_bounded(log: list[str]) -> None:
    async with Messages() as service:
        post = Post(sms=Sms(service.url, sender="+15550100"))
        for _ in range(delivery.MAX_UNDER_WAY + 5):
            post.send(parcel())
        await delivered()
        post.send(parcel())  # there is room again
        await delivered()
        await post.close()
    assert len(service.asked) == delivery.MAX_UNDER_WAY + 1
    assert len(log) == 5


# --- The page and the console -----------------------------------------------------------------------------------------


async def test_a_guests_texts_are_shown_on_the_page_only(capsys: pytest.CaptureFixture[str], log: list[str]) -> None:
    async with Messages() as service:
        inbox = Inbox()
        post = Post(inbox=inbox, sms=Sms(service.url, sender="+15550100"))
        assert post.where(GUEST) == "this page"
        post.send(parcel(GUEST))
        await delivered()
        await post.close()
    assert [text.text for text in inbox.of("otp_guest", now=NOW)] == [TEXT]
    assert (service.asked, capsys.readouterr().out, log) == ([], "", [])


def test_the_page_shows_the_five_newest_of_ones_own_for_ten_minutes() -> None:
    inbox = Inbox()
    for n in range(8):
        inbox.send(parcel(GUEST, text=f"text {n}", at=NOW + timedelta(minutes=n)))
    later = NOW + timedelta(minutes=7)
    assert [text.text for text in inbox.of("otp_guest", now=later)] == [f"text {n}" for n in (7, 6, 5, 4, 3)]
    assert [text.text for text in inbox.of("otp_guest", now=NOW + timedelta(minutes=16))] == ["text 7"]
    assert inbox.of("otp_guest", now=NOW + timedelta(minutes=17)) == []
    assert inbox.of("otp_other", now=later) == []


def test_the_page_forgets_whoever_was_silent_longest() -> None:
    inbox = Inbox()
    for n in range(delivery.INBOX_PEOPLE):
        inbox.send(parcel(Recipient(None, None, f"otp_{n}", guest=True)))
    inbox.send(parcel(Recipient(None, None, "otp_0", guest=True)))
    inbox.send(parcel(Recipient(None, None, "otp_new", guest=True)))
    assert inbox.of("otp_1", now=NOW) == []
    assert len(inbox.of("otp_0", now=NOW)) == 2


def test_with_nothing_set_up_texts_are_printed_and_not_logged(
    capsys: pytest.CaptureFixture[str], log: list[str]
) -> None:
    post = Post()
    assert post.where(ADA) == post.where(GUEST) == "the server's console"
    post.send(parcel())
    assert f"To usr_ada: {TEXT}" in capsys.readouterr().out
    assert log == []


async def test_whom_nothing_reaches_is_unreachable(log: list[str]) -> None:
    async with Messages() as service:
        post = Post(sms=Sms(service.url, sender="+15550100"))
        nobody = Recipient(None, None, "usr_nobody")
        with pytest.raises(Unreachable):
            post.where(nobody)
        post.send(parcel(nobody))
        await delivered()
        await post.close()
    assert service.asked == []
    assert log == ["A text for usr_nobody has nowhere to go\n"]


# --- Settings ---------------------------------------------------------------------------------------------------------


def settings(tmp_path: Path, **values: object) -> Settings:
    return Settings(_env_file=None, data_dir=tmp_path, **values)  # type: ignore[arg-type, call-arg]


async def test_the_settings_choose_the_ways(tmp_path: Path) -> None:
    both = delivery.of_settings(
        settings(
            tmp_path,
            smtp_url=SecretStr("smtps://user:password@mail.example"),
            mail_from=SENDER,
            sms_url=SecretStr("https://AC1:token@sms.example/Messages.json"),
            sms_from="+15550100",
        )
    )
    assert (both.where(GUEST), both.where(ADA)) == ("this page", "•••• 0001")
    await both.close()
    none = delivery.of_settings(settings(tmp_path, demo_inbox=False))
    assert none.where(GUEST) == "the server's console"
    await none.close()


@pytest.mark.parametrize(
    "values",
    [
        {"smtp_url": SecretStr("smtp://mail.example")},
        {"smtp_url": SecretStr("http://mail.example"), "mail_from": SENDER},
        {"smtp_url": SecretStr("smtp://"), "mail_from": SENDER},
        {"sms_url": SecretStr("https://AC1:token@sms.example/Messages.json")},
        {"sms_url": SecretStr("http://AC1:token@sms.example/Messages.json"), "sms_from": "+15550100"},
        {"sms_url": SecretStr("nonsense"), "sms_from": "+15550100"},
    ],
)
def test_a_way_set_up_wrongly_is_named_at_the_start(tmp_path: Path, values: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"SMTP_URL|MAIL_FROM|SMS_URL"):
        delivery.of_settings(settings(tmp_path, **values))


@pytest.mark.parametrize(
    ("phone", "shown"), [("+919800000001", "•••• 0001"), ("12 34 567", "•••• 4567"), ("12345", "••••"), ("", "••••")]
)
def test_a_number_is_shown_by_its_end(phone: str, shown: str) -> None:
    assert delivery.masked_phone(phone) == shown


@pytest.mark.parametrize(("address", "shown"), [("ada@example.com", "a•••@example.com"), ("a@b", "a•••@b")])
def test_an_address_is_shown_by_its_first_letter(address: str, shown: str) -> None:
    assert delivery.masked_email(address) == shown
