"""Second factors: a code sent to the person, or one from their authenticator app, good for one act and no other."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from pyotp import random_base32
from pyotp.totp import TOTP
from sqlalchemy import BigInteger, ForeignKey, Index, Integer, String, Text, delete, exists, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, aliased, mapped_column

from core.crypto import keyed_hash
from core.db import Base, SafeStr, UtcDateTime, after_commit, insert_if_absent
from core.errors import Conflict, NotFound
from core.ids import new_id
from core.vault import Sealed
from identity import users
from identity.delivery import Delivery, Parcel, Recipient
from identity.limits import TooManyAttempts

Method = Literal["totp", "code"]
Purpose = Literal["transfer", "login", "enrol"]

CHALLENGE_LIFE = timedelta(seconds=180)
ENROLMENT_LIFE = timedelta(minutes=15)
CODE_LENGTH = 6
MAX_TRIES = 3
STEP_S = 30
DRIFT_STEPS = 1
ISSUER = "Parley"
APP = "your authenticator app"

# Three tries of a million are little; the same person's tries of a day must be little too. (NIST SP 800-63B-4 allows a
# hundred failures in a row.) The other bound keeps somebody from flooding a telephone.
MAX_WRONG_A_DAY = 30
MAX_ASKED = 20
ASKED_WITHIN = timedelta(minutes=15)
DAY = timedelta(days=1)
KEPT = 2 * DAY


class Challenge(Base):
    """One second factor that was asked for: never the code itself, only hashes bound to the act.

    Attributes:
        seq: Order of asking; of one person's challenges for one purpose only the newest can be answered.
        bound_hash: Keyed hash of what it is for; an answer for anything else is wrong.
        code_hash: Keyed hash over challenge, act and code; None for an authenticator app.
    """

    __tablename__ = "challenges"
    __table_args__ = (Index("ix_challenges_subject_purpose_seq", "subject", "purpose", "seq"),)

    seq: Mapped[int] = mapped_column(BigInteger().with_variant(Integer, "sqlite"), primary_key=True)
    id: Mapped[str] = mapped_column(String(40), unique=True)
    subject: Mapped[str] = mapped_column(String(40))
    purpose: Mapped[str] = mapped_column(String(20))
    method: Mapped[str] = mapped_column(String(20))
    bound_hash: Mapped[str] = mapped_column(String(64))
    code_hash: Mapped[str | None] = mapped_column(String(64))
    sent_to: Mapped[str] = mapped_column(SafeStr(120))
    tries: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)
    answered_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    killed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class Totp(Base):
    """A person's authenticator app (RFC 6238: SHA-1, six digits, thirty seconds).

    Attributes:
        secret: Base32, sealed.
        confirmed_at: Since when it counts.
        last_step: The time step of the newest code accepted; it and all before are used up.
    """

    __tablename__ = "totp"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id"), unique=True)
    secret_sealed: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    confirmed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    last_step: Mapped[int] = mapped_column(BigInteger, default=0)

    secret = Sealed()


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of a code.

    Attributes:
        right: It was the right one; said once for each challenge.
        tries_left: Wrong answers the challenge still bears.
        dead: The challenge takes no further answer.
    """

    right: bool
    tries_left: int
    dead: bool


@dataclass(frozen=True, slots=True)
class Asked:
    """A second factor that was asked for, as a page shows it.

    Attributes:
        id: The challenge.
        method: `totp` (their authenticator app shows it) or `code` (one was sent).
        length: Digits.
        sent_to: Where the code went, masked.
        expires_at: From then on no answer counts.
        tries_left: Wrong answers it still bears.
    """

    id: str
    method: Method
    length: int
    sent_to: str
    expires_at: datetime
    tries_left: int


@dataclass(frozen=True, slots=True)
class Enrolment:
    """An authenticator app to set up.

    Attributes:
        id: Of the enrolment.
        secret: Base32, for typing.
        uri: `otpauth://…`, for a QR code.
    """

    id: str
    secret: str
    uri: str


# --- Challenges -------------------------------------------------------------------------------------------------------


async def ask(
    db: AsyncSession,
    *,
    secret: str,
    subject: str,
    role: str,
    purpose: Purpose,
    bound_to: str,
    text: Callable[[str], str],
    delivery: Delivery,
    now: datetime,
) -> Asked:
    """Ask a person for a second factor; their older challenges for the same purpose can then not be answered.

    Whoever has set up an authenticator app is asked for its code, everybody else is sent one when this transaction is
    committed.

    Args:
        secret: The server's.
        subject: Id of the user or of the portal code.
        role: `otp` for a portal guest.
        bound_to: What the answer will be good for, in every detail that matters; another text needs another answer.
        text: The message around the code; it says what the code is for.

    Raises: TooManyAttempts; Unreachable if nothing is known to send a code to.
    """
    await _check_budget(db, subject, purpose, now)
    app = None if role == "otp" else await _totp(db, subject)
    challenge_id = new_id("mfa")
    code = None
    sent_to = APP
    if app is None:
        to = await _recipient(db, subject, role)
        sent_to = delivery.where(to)
        code = f"{secrets.randbelow(10**CODE_LENGTH):0{CODE_LENGTH}d}"
        parcel = Parcel(to, text(code), now)
        after_commit(db, lambda: delivery.send(parcel))
    challenge = Challenge(
        id=challenge_id,
        subject=subject,
        purpose=purpose,
        method="totp" if code is None else "code",
        bound_hash=_bound_hash(secret, challenge_id, bound_to),
        code_hash=None if code is None else _code_hash(secret, challenge_id, bound_to, code),
        sent_to=sent_to,
        tries=0,
        created_at=now,
        expires_at=now + CHALLENGE_LIFE,
    )
    db.add(challenge)
    await db.flush()
    return _asked(challenge)


async def answer(
    db: AsyncSession, *, secret: str, challenge_id: str, subject: str, bound_to: str, code: str, now: datetime
) -> Answer:
    """Check a code and count the try.

    What is wrong is returned, not raised, whatever it is: the caller must commit, or the try was not counted. A right
    answer is right once. Any number of answers at once get no more tries than one by one.
    """
    newer = aliased(Challenge)
    row = (
        await db.execute(
            update(Challenge)
            .where(
                Challenge.id == challenge_id,
                Challenge.subject == subject,
                Challenge.tries < MAX_TRIES,
                Challenge.answered_at.is_(None),
                Challenge.killed_at.is_(None),
                Challenge.expires_at > now,
                ~exists().where(
                    newer.subject == Challenge.subject,
                    newer.purpose == Challenge.purpose,
                    newer.seq > Challenge.seq,
                ),
            )
            .values(tries=Challenge.tries + 1)
            .returning(Challenge.tries, Challenge.bound_hash, Challenge.code_hash)
            .execution_options(synchronize_session=False)
        )
    ).one_or_none()
    if row is None:
        return Answer(right=False, tries_left=0, dead=True)
    typed = _digits(code)
    bound = hmac.compare_digest(row.bound_hash, _bound_hash(secret, challenge_id, bound_to))
    if row.code_hash is None:
        right = bound and await _spend_totp(db, subject, typed, now)
    else:
        right = hmac.compare_digest(row.code_hash, _code_hash(secret, challenge_id, bound_to, typed)) and bound
    if right:
        await db.execute(
            update(Challenge)
            .where(Challenge.id == challenge_id)
            .values(answered_at=now)
            .execution_options(synchronize_session=False)
        )
    left = MAX_TRIES - row.tries
    return Answer(right=right, tries_left=left, dead=right or left == 0)


async def get(db: AsyncSession, challenge_id: str) -> Asked:
    """A challenge as a page shows it, over or not.

    Raises: NotFound.
    """
    return _asked(await _challenge(db, challenge_id))


async def subject_of(db: AsyncSession, challenge_id: str, *, purpose: Purpose) -> str:
    """Who was asked.

    Raises: NotFound, also if it was asked for another purpose.
    """
    challenge = await _challenge(db, challenge_id)
    if challenge.purpose != purpose:
        raise _no_challenge()
    return challenge.subject


async def kill(db: AsyncSession, *, challenge_id: str, now: datetime) -> None:
    """Let a challenge take no further answer; one that is over stays as it is."""
    await db.execute(
        update(Challenge)
        .where(Challenge.id == challenge_id, Challenge.answered_at.is_(None), Challenge.killed_at.is_(None))
        .values(killed_at=now)
        .execution_options(synchronize_session=False)
    )


async def prune(db: AsyncSession, *, now: datetime, limit: int = 500) -> int:
    """Delete challenges that no count needs any more; how many."""
    old = select(Challenge.seq).where(Challenge.created_at < now - KEPT).limit(limit)
    gone = await db.execute(
        delete(Challenge).where(Challenge.seq.in_(old)).execution_options(synchronize_session=False)
    )
    return gone.rowcount  # pyright: ignore[reportAttributeAccessIssue] - a DELETE has one


# --- Authenticator apps -----------------------------------------------------------------------------------------------


async def has_totp(db: AsyncSession, user_id: str) -> bool:
    """Whether somebody has set up an authenticator app."""
    return user_id in await with_totp(db, [user_id])


async def with_totp(db: AsyncSession, user_ids: Collection[str]) -> set[str]:
    """Which of these users have set up an authenticator app."""
    found = await db.scalars(select(Totp.user_id).where(Totp.user_id.in_(user_ids), Totp.confirmed_at.is_not(None)))
    return set(found)


async def enrol(db: AsyncSession, *, user: users.User, now: datetime) -> Enrolment:
    """Begin to set up an authenticator app; an older beginning is forgotten.

    It counts from `confirm_enrolment` on. Whoever calls this has made sure that it is the user, not just their token:
    from then on the app's codes approve what they do.

    Raises: Conflict (code `totp_active`) if there is one.
    """
    await db.execute(delete(Totp).where(Totp.user_id == user.id, Totp.confirmed_at.is_(None)))
    app = Totp(id=new_id("totp"), secret=random_base32())
    values = {"user_id": user.id, "secret_sealed": app.secret_sealed, "created_at": now, "last_step": 0}
    if await insert_if_absent(db, Totp, id=app.id, **values) is None:
        raise Conflict("You already have an authenticator app. Remove it first.", code="totp_active")
    uri = TOTP(app.secret).provisioning_uri(name=user.email or user.username, issuer_name=ISSUER)
    return Enrolment(app.id, app.secret, uri)


async def shows_enrolled(db: AsyncSession, *, user_id: str, enrolment_id: str, code: str, now: datetime) -> bool:
    """Whether the app that is being set up shows this code."""
    return await _enrolled_step(db, user_id, enrolment_id, code, now) is not None


async def confirm_enrolment(db: AsyncSession, *, user_id: str, enrolment_id: str, code: str, now: datetime) -> bool:
    """Let an authenticator app count if it shows this code, which is then used up; whether it did."""
    step = await _enrolled_step(db, user_id, enrolment_id, code, now)
    if step is None:
        return False
    confirmed = await db.execute(
        update(Totp)
        .where(Totp.id == enrolment_id, Totp.confirmed_at.is_(None))
        .values(confirmed_at=now, last_step=step)
        .execution_options(synchronize_session=False)
    )
    return confirmed.rowcount == 1  # pyright: ignore[reportAttributeAccessIssue] - an UPDATE has one


async def remove_totp(db: AsyncSession, *, user_id: str) -> bool:
    """Forget somebody's authenticator app; whether there was one. The caller has checked their password."""
    gone = await db.execute(delete(Totp).where(Totp.user_id == user_id).execution_options(synchronize_session=False))
    return gone.rowcount > 0  # pyright: ignore[reportAttributeAccessIssue] - a DELETE has one


# --- Work -------------------------------------------------------------------------------------------------------------


async def _check_budget(db: AsyncSession, subject: str, purpose: Purpose, now: datetime) -> None:
    asked, tries, right = (
        await db.execute(
            select(
                func.count().filter(Challenge.created_at > now - ASKED_WITHIN),
                func.coalesce(func.sum(Challenge.tries), 0),
                func.count(Challenge.answered_at),
            ).where(Challenge.subject == subject, Challenge.purpose == purpose, Challenge.created_at > now - DAY)
        )
    ).one()
    if tries - right >= MAX_WRONG_A_DAY:
        raise TooManyAttempts(
            "Too many wrong codes today. Please try again tomorrow, or ask the bank.",
            retry_after_s=3600,
        )
    if asked >= MAX_ASKED:
        raise TooManyAttempts(
            "Too many codes were asked for. Please try again in a few minutes.",
            retry_after_s=int(ASKED_WITHIN.total_seconds()),
        )


async def _recipient(db: AsyncSession, subject: str, role: str) -> Recipient:
    if role == "otp":
        return Recipient(email=None, phone=None, subject=subject, guest=True)
    user = await users.get(db, subject)
    return Recipient(email=user.email, phone=user.phone, subject=subject)


async def _totp(db: AsyncSession, user_id: str) -> Totp | None:
    return await db.scalar(select(Totp).where(Totp.user_id == user_id, Totp.confirmed_at.is_not(None)))


async def _enrolled_step(db: AsyncSession, user_id: str, enrolment_id: str, code: str, now: datetime) -> int | None:
    app = await db.get(Totp, enrolment_id)
    if app is None or app.user_id != user_id or app.confirmed_at is not None or app.created_at <= now - ENROLMENT_LIFE:
        return None
    return _step_of(app.secret, _digits(code), now)


async def _spend_totp(db: AsyncSession, user_id: str, code: str, now: datetime) -> bool:
    app = await _totp(db, user_id)
    step = None if app is None else _step_of(app.secret, code, now)
    if app is None or step is None:
        return False
    # One statement decides between answers that come at once: a step is accepted once, and none before it later.
    spent = await db.execute(
        update(Totp)
        .where(Totp.id == app.id, Totp.last_step < step)
        .values(last_step=step)
        .execution_options(synchronize_session=False)
    )
    return spent.rowcount == 1  # pyright: ignore[reportAttributeAccessIssue] - an UPDATE has one


def _step_of(secret: str, code: str, now: datetime) -> int | None:
    """The time step whose code this is, within the drift allowed; every step is compared, for equal time."""
    current = int(now.timestamp()) // STEP_S
    totp = TOTP(secret, digits=CODE_LENGTH, interval=STEP_S)
    found = None
    for step in range(current - DRIFT_STEPS, current + DRIFT_STEPS + 1):
        if hmac.compare_digest(totp.generate_otp(step), code):
            found = step
    return found


async def _challenge(db: AsyncSession, challenge_id: str) -> Challenge:
    found = await db.scalar(
        select(Challenge).where(Challenge.id == challenge_id).execution_options(populate_existing=True)
    )
    if found is None:
        raise _no_challenge()
    return found


def _no_challenge() -> NotFound:
    return NotFound("No code is waited for here.", code="no_challenge")


def _asked(challenge: Challenge) -> Asked:
    return Asked(
        id=challenge.id,
        method="code" if challenge.method == "code" else "totp",
        length=CODE_LENGTH,
        sent_to=challenge.sent_to,
        expires_at=challenge.expires_at,
        tries_left=MAX_TRIES - challenge.tries,
    )


def _digits(code: str) -> str:
    """The digits somebody typed, without the spaces and dashes they may have put between; else nothing."""
    bare = code[:32].replace(" ", "").replace("-", "")
    return bare if len(bare) == CODE_LENGTH and bare.isascii() and bare.isdigit() else ""


def _bound_hash(secret: str, challenge_id: str, bound_to: str) -> str:
    return keyed_hash(secret, "mfa act", f"{challenge_id}\0{bound_to}")


def _code_hash(secret: str, challenge_id: str, bound_to: str, code: str) -> str:
    return keyed_hash(secret, "mfa code", f"{challenge_id}\0{bound_to}\0{code}")
