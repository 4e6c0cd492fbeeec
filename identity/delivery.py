"""Texts to people: by text message or e-mail, for portal guests on the page, and else on the server's console."""

from __future__ import annotations

import asyncio
import smtplib
import ssl
from collections import OrderedDict, deque
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email.message import EmailMessage
from ipaddress import ip_address
from typing import Protocol
from urllib.parse import unquote, urlsplit, urlunsplit

import httpx
from loguru import logger

from core.errors import AppError
from core.settings import Settings
from core.tasks import spawn

MAX_UNDER_WAY = 100
PAUSES_S = (1.0, 5.0)
TIMEOUT_S = 10.0
INBOX_TEXTS = 5
INBOX_PEOPLE = 1000
INBOX_LIFE = timedelta(minutes=10)
SUBJECT_LINE = "Your code"


@dataclass(frozen=True, slots=True)
class Recipient:
    """Whom a text is for.

    Attributes:
        email: Address on record.
        phone: Number on record.
        subject: Id of the user or of the portal code.
        guest: Whether it is a portal guest, of whom nothing is on record.
    """

    email: str | None = field(repr=False)
    phone: str | None = field(repr=False)
    subject: str
    guest: bool = False


@dataclass(frozen=True, slots=True)
class Parcel:
    """A text to deliver now or never.

    Attributes:
        to: Whom it is for.
        text: A sentence or two; it may hold a code, so nobody logs it.
        at: When it was written.
    """

    to: Recipient
    text: str = field(repr=False)
    at: datetime


class Delivery(Protocol):
    """The way to people."""

    def send(self, parcel: Parcel) -> None:
        """Have a text delivered; neither waits nor raises, so that it may follow a commit."""
        ...

    def where(self, to: Recipient) -> str:
        """Where a text to them would go, masked, for the screen: `j•••@example.com`.

        Raises: Unreachable.
        """
        ...


class Unreachable(AppError):
    """Nothing is known that a text could be sent to."""

    code = "unreachable"
    status = 409

    def __init__(self) -> None:
        super().__init__(
            "There is no phone number or e-mail address on record to send you a code. Please ask the bank."
        )


class Inbox:
    """The newest texts of each person in this process's memory, for a page to show."""

    def __init__(self) -> None:
        self._texts: OrderedDict[str, deque[Parcel]] = OrderedDict()

    def send(self, parcel: Parcel) -> None:
        """Keep a text; the oldest text of a person, and whoever got none for longest, make room."""
        self._texts.setdefault(parcel.to.subject, deque(maxlen=INBOX_TEXTS)).append(parcel)
        self._texts.move_to_end(parcel.to.subject)
        while len(self._texts) > INBOX_PEOPLE:
            self._texts.popitem(last=False)

    def where(self, to: Recipient) -> str:  # noqa: ARG002 - the same place for everybody
        """The page."""
        return "this page"

    def of(self, subject: str, *, now: datetime) -> list[Parcel]:
        """One person's texts of the last minutes, the newest first."""
        return [parcel for parcel in reversed(self._texts.get(subject, ())) if parcel.at > now - INBOX_LIFE]


class Console:
    """Prints texts on the server's standard output, which is not its log."""

    def send(self, parcel: Parcel) -> None:
        """Print a text."""
        with suppress(OSError, ValueError):  # nobody reads it any more
            print(f"\n  To {parcel.to.subject}: {parcel.text}\n", flush=True)

    def where(self, to: Recipient) -> str:  # noqa: ARG002 - the same place for everybody
        """The console."""
        return "the server's console"


class Undelivered(Exception):
    """A carrier could not hand a text over.

    Attributes:
        again: Whether it may work in a moment.
    """

    def __init__(self, why: str, *, again: bool) -> None:
        super().__init__(why)
        self.again = again


class Smtp:
    """E-mail over SMTP, encrypted except on this machine.

    Args:
        url: `smtp://user:password@host:587` (STARTTLS) or `smtps://user:password@host:465`.
        sender: The From address.
        tls: Whom to trust; the system's authorities by default.
    """

    name = "e-mail"

    def __init__(self, url: str, *, sender: str, tls: ssl.SSLContext | None = None) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("smtp", "smtps") or not parts.hostname:
            raise ValueError("SMTP_URL is smtp://user:password@host:587 or smtps://…")
        if "@" not in sender:
            raise ValueError("MAIL_FROM must be an e-mail address")
        self._host = parts.hostname
        self._implicit = parts.scheme == "smtps"
        self._port = parts.port or (465 if self._implicit else 587)
        self._user = unquote(parts.username or "")
        self._password = unquote(parts.password or "")
        self._sender = sender
        self._tls = tls or ssl.create_default_context()
        self._threads = ThreadPoolExecutor(2, thread_name_prefix="smtp")

    async def carry(self, parcel: Parcel) -> None:
        """Hand a text to the mail server.

        Raises: Undelivered.
        """
        await asyncio.get_running_loop().run_in_executor(self._threads, self._send, parcel)

    async def close(self) -> None:
        """Take no further texts."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _send(self, parcel: Parcel) -> None:
        mail = EmailMessage()
        try:
            mail["From"], mail["To"], mail["Subject"] = self._sender, parcel.to.email, SUBJECT_LINE
            mail.set_content(parcel.text)
            with self._connection() as server:
                server.send_message(mail)
        except (smtplib.SMTPRecipientsRefused, smtplib.SMTPSenderRefused, smtplib.SMTPDataError) as error:
            raise Undelivered(type(error).__name__, again=_may_pass(error)) from None
        except (smtplib.SMTPAuthenticationError, smtplib.SMTPNotSupportedError, ssl.SSLCertVerificationError) as error:
            raise Undelivered(type(error).__name__, again=False) from None
        except (OSError, smtplib.SMTPException) as error:
            raise Undelivered(type(error).__name__, again=True) from None
        except ValueError:
            raise Undelivered("not an address", again=False) from None

    def _connection(self) -> smtplib.SMTP:
        here = self._sender.partition("@")[2]  # without it the machine's own name is looked up first
        if self._implicit:
            server = smtplib.SMTP_SSL(self._host, self._port, local_hostname=here, timeout=TIMEOUT_S, context=self._tls)
        else:
            server = smtplib.SMTP(self._host, self._port, local_hostname=here, timeout=TIMEOUT_S)
        try:
            server.ehlo()
            # A server elsewhere must encrypt: its offer may have been taken out by somebody in between.
            if not self._implicit and (server.has_extn("starttls") or not _on_this_machine(self._host)):
                server.starttls(context=self._tls)
                server.ehlo()
            if self._user:
                server.login(self._user, self._password)
        except BaseException:
            server.close()
            raise
        return server


class Sms:
    """Text messages over the HTTP interface of Twilio's Messages resource, which others speak too.

    Args:
        url: `https://account:token@host/2010-04-01/Accounts/…/Messages.json`.
        sender: The number or name it comes from.
    """

    name = "text message"

    def __init__(self, url: str, *, sender: str) -> None:
        parts = urlsplit(url)
        if not parts.hostname or not (
            parts.scheme == "https" or (parts.scheme == "http" and _on_this_machine(parts.hostname))
        ):
            raise ValueError("SMS_URL is https://account:token@host/…/Messages.json")
        if not sender:
            raise ValueError("SMS_URL needs SMS_FROM")
        # The account and token are kept out of the URL, which libraries log.
        self._url = urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, parts.query, ""))
        self._sender = sender
        self._client = httpx.AsyncClient(
            auth=(unquote(parts.username or ""), unquote(parts.password or "")), timeout=TIMEOUT_S
        )

    async def carry(self, parcel: Parcel) -> None:
        """Hand a text to the service.

        Raises: Undelivered.
        """
        form = {"To": parcel.to.phone, "From": self._sender, "Body": parcel.text}
        try:
            response = await self._client.post(self._url, data=form)
        except httpx.HTTPError as error:
            raise Undelivered(type(error).__name__, again=True) from None
        if not response.is_success:
            status = response.status_code
            raise Undelivered(f"status {status}", again=status == 429 or status >= 500)

    async def close(self) -> None:
        """Close its connections."""
        await self._client.aclose()


class Post:
    """Brings each text on the way that fits: what `send` takes is carried by a task of its own.

    Args:
        inbox: For portal guests; None to treat them like everybody.
        sms: For people with a phone number.
        mail: For people with an e-mail address.
        pauses_s: How long to wait before trying again, and so how often.
    """

    def __init__(
        self,
        *,
        inbox: Inbox | None = None,
        sms: Sms | None = None,
        mail: Smtp | None = None,
        pauses_s: Sequence[float] = PAUSES_S,
    ) -> None:
        self.inbox = inbox
        self._sms = sms
        self._mail = mail
        self._console = Console()
        self._pauses_s = tuple(pauses_s)
        self._under_way = 0

    def send(self, parcel: Parcel) -> None:
        """Have a text delivered; with too many under way it is dropped and said so in the log."""
        if (place := self._place(parcel.to)) is not None:
            place.send(parcel)
        elif (carrier := self._carrier(parcel.to)) is None:
            logger.warning("A text for {} has nowhere to go", parcel.to.subject)
        elif self._under_way >= MAX_UNDER_WAY:
            logger.error("A text was dropped: {} by {} are under way", self._under_way, carrier.name)
        else:
            self._under_way += 1
            spawn(self._carry(carrier, parcel), owner="delivery")

    def where(self, to: Recipient) -> str:
        """Where a text to them would go, masked.

        Raises: Unreachable.
        """
        if (place := self._place(to)) is not None:
            return place.where(to)
        carrier = self._carrier(to)
        if carrier is None:
            raise Unreachable
        return masked_phone(to.phone or "") if carrier is self._sms else masked_email(to.email or "")

    @property
    def ways(self) -> tuple[str, ...]:
        """How texts reach people who are no guests; none: they are printed on the server's console."""
        return tuple(carrier.name for carrier in (self._sms, self._mail) if carrier is not None)

    async def close(self) -> None:
        """Close what is open; the texts under way have been waited for or given up."""
        for carrier in (self._sms, self._mail):
            if carrier is not None:
                await carrier.close()

    def _place(self, to: Recipient) -> Inbox | Console | None:
        if to.guest and self.inbox is not None:
            return self.inbox
        if self._sms is None and self._mail is None:
            return self._console
        return None

    def _carrier(self, to: Recipient) -> Sms | Smtp | None:
        if self._sms is not None and to.phone:
            return self._sms
        return self._mail if to.email else None

    async def _carry(self, carrier: Sms | Smtp, parcel: Parcel) -> None:
        try:
            for pause_s in (*self._pauses_s, None):
                try:
                    await carrier.carry(parcel)
                    return
                except Undelivered as error:
                    if pause_s is None or not error.again:
                        logger.error("A text could not be delivered by {}: {}", carrier.name, error)
                        return
                await asyncio.sleep(pause_s)
        finally:
            self._under_way -= 1


def of_settings(settings: Settings) -> Post:
    """The ways to people that this installation has.

    Raises: ValueError if one is set up wrongly.
    """
    sms_url, smtp_url = settings.sms_url.get_secret_value(), settings.smtp_url.get_secret_value()
    return Post(
        inbox=Inbox() if settings.demo_inbox else None,
        sms=Sms(sms_url, sender=settings.sms_from) if sms_url else None,
        mail=Smtp(smtp_url, sender=settings.mail_from) if smtp_url else None,
    )


def masked_phone(phone: str) -> str:
    """`•••• 4321`: enough to know which number is meant."""
    digits = "".join(char for char in phone if char.isdigit())
    return f"•••• {digits[-4:]}" if len(digits) > 6 else "••••"


def masked_email(email: str) -> str:
    """`j•••@example.com`: enough to know which address is meant."""
    name, _, host = email.rpartition("@")
    return f"{name[:1]}•••@{host}"


def _may_pass(error: smtplib.SMTPRecipientsRefused | smtplib.SMTPResponseException) -> bool:
    """Whether the mail server's refusal is a passing one: a code of 4xx."""
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return all(400 <= code < 500 for code, _ in error.recipients.values())
    return 400 <= error.smtp_code < 500


def _on_this_machine(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
