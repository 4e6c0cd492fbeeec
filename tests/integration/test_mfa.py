"""Second factors: for one act, in three tries, once."""

from __future__ import annotations

import asyncio
import re
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from pyotp.totp import TOTP

from core.db import Database
from core.errors import Conflict, NotFound
from identity import mfa, users
from identity.delivery import Inbox, Post, Recipient, Unreachable
from identity.limits import TooManyAttempts
from identity.mfa import Answer, Asked, Challenge, Purpose
from identity.users import User, UserRole

SECRET = "a secret of at least thirty-two bytes"
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
ACT = "1500000 INR to ben_ravi from acc_1"


class Bank:
    """Somebody who asks guests and users for second factors, and reads what was sent to them."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.inbox = Inbox()

    async def ask(
        self,
        subject: str = "otp_guest",
        *,
        role: str = "otp",
        purpose: Purpose = "transfer",
        bound_to: str = ACT,
        now: datetime = NOW,
    ) -> Asked:
        async with self.database.transaction() as db:
            return await mfa.ask(
                db,
                secret=SECRET,
                subject=subject,
                role=role,
                purpose=purpose,
                bound_to=bound_to,
                text=lambda code: f"Code {code} to send ₹15,000 to Ravi Kumar …1234. Never tell it to anyone.",
                delivery=self.inbox,
                now=now,
            )

    async def answer(
        self, asked: Asked, code: str, *, subject: str = "otp_guest", bound_to: str = ACT, now: datetime = NOW
    ) -> Answer:
        async with self.database.transaction() as db:
            return await mfa.answer(
                db,
                secret=SECRET,
                challenge_id=asked.id,
                subject=subject,
                bound_to=bound_to,
                code=code,
                now=now,
            )

    def code(self, subject: str = "otp_guest", *, now: datetime = NOW) -> str:
        """The newest code that reached somebody."""
        found = re.search(r"Code (\d{6}) to send", self.inbox.of(subject, now=now)[0].text)
        assert found
        return found[1]

    def wrong(self, subject: str = "otp_guest") -> str:
        return f"{(int(self.code(subject)) + 1) % 10**6:06d}"

    async def tries_left(self, asked: Asked) -> int:
        async with self.database.reading() as db:
            return (await mfa.get(db, asked.id)).tries_left


@pytest.fixture
def bank(database: Database) -> Bank:
    return Bank(database)


@pytest.fixture
async def ada(database: Database) -> User:
    async with database.transaction() as db:
        return await users.create(
            db,
            username="ada",
            password="lovelace1815",
            name="Ada",
            role=UserRole.USER,
            email="ada@example.com",
            phone="+919800000001",
            now=NOW,
        )


async def with_app(database: Database, user: User, *, now: datetime = NOW) -> TOTP:
    """Set up an authenticator app, a while ago."""
    before = now - timedelta(minutes=10)
    async with database.transaction() as db:
        enrolment = await mfa.enrol(db, user=user, now=before)
        app = TOTP(enrolment.secret)
        assert await mfa.confirm_enrolment(
            db, user_id=user.id, enrolment_id=enrolment.id, code=app.at(before), now=before
        )
    return app


# --- Codes that are sent ----------------------------------------------------------------------------------------------


async def test_the_code_that_was_sent_is_right_once(bank: Bank) -> None:
    asked = await bank.ask()
    assert (asked.method, asked.length, asked.tries_left) == ("code", 6, 3)
    assert asked.expires_at == NOW + timedelta(minutes=3)
    assert await bank.answer(asked, bank.code()) == Answer(right=True, tries_left=2, dead=True)
    assert await bank.answer(asked, bank.code()) == Answer(right=False, tries_left=0, dead=True)


@pytest.mark.parametrize("typed", ["{0:.3} {0:.6}", " {0} ", "{0:.1}-{0:.6}"])
async def test_spaces_and_dashes_do_not_matter(bank: Bank, typed: str) -> None:
    asked = await bank.ask()
    code = bank.code()
    text = {"{0:.3} {0:.6}": f"{code[:3]} {code[3:]}", " {0} ": f" {code} "}.get(typed, f"{code[:1]}-{code[1:]}")
    assert (await bank.answer(asked, text)).right


async def test_the_third_wrong_code_kills_it(bank: Bank) -> None:
    asked = await bank.ask()
    wrong = bank.wrong()
    assert await bank.answer(asked, wrong) == Answer(right=False, tries_left=2, dead=False)
    assert await bank.answer(asked, wrong) == Answer(right=False, tries_left=1, dead=False)
    assert await bank.tries_left(asked) == 1
    assert await bank.answer(asked, wrong) == Answer(right=False, tries_left=0, dead=True)
    assert await bank.answer(asked, bank.code()) == Answer(right=False, tries_left=0, dead=True)


@pytest.mark.parametrize(
    "strange", ["", "12345", "1234567", "abcdef", "\x00", "\ud800", "９" * 6, "१२३४५६", "1" * 10**6, "12 34 5"]
)
async def test_what_is_no_code_is_a_wrong_one(bank: Bank, strange: str) -> None:
    asked = await bank.ask()
    assert await bank.answer(asked, strange) == Answer(right=False, tries_left=2, dead=False)


async def test_a_code_for_one_act_is_wrong_for_another(bank: Bank) -> None:
    asked = await bank.ask()
    more = ACT.replace("15", "16")
    assert await bank.answer(asked, bank.code(), bound_to=more) == Answer(right=False, tries_left=2, dead=False)
    assert (await bank.answer(asked, bank.code())).right


async def test_a_code_works_until_its_time_is_over(bank: Bank) -> None:
    asked, later = await bank.ask(), await bank.ask("otp_late")
    assert (await bank.answer(asked, bank.code(), now=NOW + timedelta(seconds=179))).right
    assert await bank.answer(
        later, bank.code("otp_late"), subject="otp_late", now=NOW + timedelta(seconds=180)
    ) == Answer(right=False, tries_left=0, dead=True)


async def test_somebody_elses_challenge_is_none(bank: Bank) -> None:
    asked = await bank.ask()
    assert (await bank.answer(asked, bank.code(), subject="otp_thief")).dead
    assert await bank.tries_left(asked) == 3, "a stranger costs the owner no try"
    assert (await bank.answer(asked, bank.code())).right


async def test_a_newer_challenge_ends_the_older_of_the_same_purpose(bank: Bank) -> None:
    older = await bank.ask()
    first = bank.code()
    other_purpose, other_person = await bank.ask(purpose="login"), await bank.ask("otp_other")
    newer = await bank.ask()
    assert (await bank.answer(older, first)).dead
    assert (await bank.answer(newer, bank.code())).right
    assert not (await bank.answer(other_purpose, first)).dead
    assert (await bank.answer(other_person, bank.code("otp_other"), subject="otp_other")).right


async def test_a_killed_challenge_is_over(bank: Bank) -> None:
    asked = await bank.ask()
    for _ in range(2):
        async with bank.database.transaction() as db:
            await mfa.kill(db, challenge_id=asked.id, now=NOW)
    assert (await bank.answer(asked, bank.code())).dead


async def test_forty_guesses_at_once_are_three(bank: Bank) -> None:
    asked = await bank.ask()
    answers = await asyncio.gather(*(bank.answer(asked, bank.wrong()) for _ in range(40)))
    assert sorted(answer.tries_left for answer in answers if not answer.right)[-3:] == [0, 1, 2]
    assert sum(answer.tries_left > 0 or not answer.dead for answer in answers) == 2
    async with bank.database.reading() as db:
        assert await db.scalar(sa.select(Challenge.tries)) == 3


async def test_the_right_code_many_times_at_once_is_right_once(bank: Bank) -> None:
    asked = await bank.ask()
    answers = await asyncio.gather(*(bank.answer(asked, bank.code()) for _ in range(20)))
    assert sum(answer.right for answer in answers) == 1


async def test_a_try_that_is_undone_was_none_and_a_code_that_is_undone_was_never_sent(bank: Bank) -> None:
    asked = await bank.ask()
    code = bank.code()
    with pytest.raises(RuntimeError):
        async with bank.database.transaction() as db:
            await mfa.answer(
                db, secret=SECRET, challenge_id=asked.id, subject="otp_guest", bound_to=ACT, code=code, now=NOW
            )
            raise RuntimeError("the posting failed")
    assert (await bank.answer(asked, code)).right

    with pytest.raises(RuntimeError):
        async with bank.database.transaction() as db:
            await mfa.ask(
                db,
                secret=SECRET,
                subject="otp_other",
                role="otp",
                purpose="transfer",
                bound_to=ACT,
                text=str,
                delivery=bank.inbox,
                now=NOW,
            )
            raise RuntimeError("the draft was not written")
    assert bank.inbox.of("otp_other", now=NOW) == []


async def test_the_database_holds_neither_code_nor_act(bank: Bank) -> None:
    await bank.ask()
    async with bank.database.reading() as db:
        row = " ".join(map(str, (await db.execute(sa.text("SELECT * FROM challenges"))).one()))
    assert bank.code() not in row
    assert ACT not in row


async def test_codes_are_evenly_made_of_six_digits(bank: Bank) -> None:
    codes = set()
    for n in range(30):
        await bank.ask(f"otp_{n}")
        codes.add(bank.code(f"otp_{n}"))
    assert len(codes) >= 29
    assert len({code[0] for code in codes}) >= 5, "leading zeros are digits like others"


async def test_a_telephone_cannot_be_flooded(bank: Bank) -> None:
    for _ in range(mfa.MAX_ASKED):
        await bank.ask()
    with pytest.raises(TooManyAttempts) as caught:
        await bank.ask()
    assert caught.value.retry_after_s
    await bank.ask("otp_other")
    await bank.ask(now=NOW + mfa.ASKED_WITHIN)


async def test_a_days_wrong_codes_are_bounded_and_right_ones_cost_nothing(bank: Bank) -> None:
    now = NOW
    for _ in range(mfa.MAX_WRONG_A_DAY // 3):
        now += timedelta(minutes=4)
        asked = await bank.ask(now=now)
        wrong = f"{(int(bank.code(now=now)) + 1) % 10**6:06d}"
        for _ in range(3):
            await bank.answer(asked, wrong, now=now)
    with pytest.raises(TooManyAttempts):
        await bank.ask(now=now)
    await bank.ask(now=NOW + timedelta(days=1, minutes=8))

    for n in range(mfa.MAX_WRONG_A_DAY + 5):
        now = NOW + timedelta(minutes=n)
        asked = await bank.ask("otp_careful", now=now)
        assert (await bank.answer(asked, bank.code("otp_careful", now=now), subject="otp_careful", now=now)).right


async def test_unknown_challenges(bank: Bank) -> None:
    ghost = Asked("mfa_ghost", "code", 6, "", NOW, 3)
    assert await bank.answer(ghost, "123456") == Answer(right=False, tries_left=0, dead=True)
    async with bank.database.reading() as db:
        for challenge_id in ("mfa_ghost", ""):
            with pytest.raises(NotFound):
                await mfa.get(db, challenge_id)


async def test_whom_a_challenge_asks_is_told_for_its_purpose_only(bank: Bank) -> None:
    asked = await bank.ask(purpose="login")
    async with bank.database.reading() as db:
        assert await mfa.subject_of(db, asked.id, purpose="login") == "otp_guest"
        with pytest.raises(NotFound):
            await mfa.subject_of(db, asked.id, purpose="transfer")


async def test_old_challenges_are_pruned_when_no_count_needs_them(bank: Bank) -> None:
    for n in range(3):
        await bank.ask(now=NOW + timedelta(days=n))
    async with bank.database.transaction() as db:
        later = NOW + timedelta(days=3, seconds=1)
        assert [await mfa.prune(db, now=later, limit=1) for _ in range(3)] == [1, 1, 0]
        assert await db.scalar(sa.select(sa.func.count()).select_from(Challenge)) == 1


# --- Where they go ----------------------------------------------------------------------------------------------------


async def test_a_user_is_sent_the_code_to_what_is_on_record(bank: Bank, ada: User) -> None:
    seen: list[Recipient] = []

    class Kept(Inbox):
        def where(self, to: Recipient) -> str:
            seen.append(to)
            return "•••• 0001"

    bank.inbox = Kept()
    asked = await bank.ask(ada.id, role="user")
    assert asked.sent_to == "•••• 0001"
    assert seen == [Recipient(email="ada@example.com", phone="+919800000001", subject=ada.id)]
    assert (await bank.answer(asked, bank.code(ada.id), subject=ada.id)).right


async def test_whom_no_code_can_reach_is_told_so_and_nothing_is_kept(bank: Bank) -> None:
    class Nowhere(Inbox):
        def where(self, to: Recipient) -> str:
            raise Unreachable

    bank.inbox = Nowhere()
    with pytest.raises(Unreachable):
        await bank.ask()
    async with bank.database.reading() as db:
        assert await db.scalar(sa.select(sa.func.count()).select_from(Challenge)) == 0


# --- Authenticator apps -----------------------------------------------------------------------------------------------


async def test_whoever_has_an_app_is_asked_for_its_code_and_sent_none(bank: Bank, ada: User) -> None:
    app = await with_app(bank.database, ada)
    asked = await bank.ask(ada.id, role="user")
    assert (asked.method, asked.sent_to) == ("totp", "your authenticator app")
    assert bank.inbox.of(ada.id, now=NOW) == []
    assert not (await bank.answer(asked, "000000", subject=ada.id)).right
    assert (await bank.answer(asked, app.at(NOW), subject=ada.id)).right


@pytest.mark.parametrize(("drift_s", "right"), [(-61, False), (-30, True), (0, True), (30, True), (60, False)])
async def test_clocks_may_differ_by_one_step(bank: Bank, ada: User, drift_s: int, right: bool) -> None:
    app = await with_app(bank.database, ada)
    asked = await bank.ask(ada.id, role="user")
    code = app.at(NOW + timedelta(seconds=drift_s))
    assert (await bank.answer(asked, code, subject=ada.id)).right == right


async def test_an_apps_code_is_accepted_once_and_none_before_it_later(bank: Bank, ada: User) -> None:
    app = await with_app(bank.database, ada)
    first = await bank.ask(ada.id, role="user")
    assert (await bank.answer(first, app.at(NOW), subject=ada.id)).right
    second = await bank.ask(ada.id, role="user")
    assert not (await bank.answer(second, app.at(NOW), subject=ada.id)).right
    assert not (await bank.answer(second, app.at(NOW - timedelta(seconds=30)), subject=ada.id)).right
    assert (await bank.answer(second, app.at(NOW + timedelta(seconds=30)), subject=ada.id)).right


async def test_an_apps_code_for_two_acts_at_once_serves_one(bank: Bank, ada: User) -> None:
    app = await with_app(bank.database, ada)
    transfer = await bank.ask(ada.id, role="user")
    login = await bank.ask(ada.id, role="user", purpose="login")
    answers = await asyncio.gather(
        *(bank.answer(asked, app.at(NOW), subject=ada.id) for asked in (transfer, login) for _ in range(3))
    )
    assert sum(answer.right for answer in answers) == 1


async def test_an_apps_code_for_another_act_is_wrong_and_stays_good(bank: Bank, ada: User) -> None:
    app = await with_app(bank.database, ada)
    asked = await bank.ask(ada.id, role="user")
    assert not (await bank.answer(asked, app.at(NOW), subject=ada.id, bound_to="more")).right
    assert (await bank.answer(asked, app.at(NOW), subject=ada.id)).right


async def test_an_app_counts_when_it_has_shown_a_right_code(bank: Bank, ada: User) -> None:
    async with bank.database.transaction() as db:
        forgotten = await mfa.enrol(db, user=ada, now=NOW)
        enrolment = await mfa.enrol(db, user=ada, now=NOW)
    assert "otpauth://totp/Parley:ada%40example.com?secret=" + enrolment.secret in enrolment.uri
    assert (await bank.ask(ada.id, role="user")).method == "code"

    app = TOTP(enrolment.secret)
    wrong = {"code": f"{(int(app.at(NOW)) + 1) % 10**6:06d}"}
    attempts = [wrong, {"user_id": "usr_x"}, {"enrolment_id": forgotten.id}, {"now": NOW + mfa.ENROLMENT_LIFE}]
    right = {"user_id": ada.id, "enrolment_id": enrolment.id, "code": app.at(NOW), "now": NOW}
    async with bank.database.transaction() as db:
        for attempt in attempts:
            assert not await mfa.shows_enrolled(db, **(right | attempt))  # type: ignore[arg-type]
            assert not await mfa.confirm_enrolment(db, **(right | attempt))  # type: ignore[arg-type]
        assert not await mfa.has_totp(db, ada.id)
        assert await mfa.shows_enrolled(db, **right)
        assert await mfa.confirm_enrolment(db, **right)
    async with bank.database.transaction() as db:
        assert not await mfa.confirm_enrolment(db, **right)
    asked = await bank.ask(ada.id, role="user")
    assert not (await bank.answer(asked, app.at(NOW), subject=ada.id)).right, "the code that confirmed it is used up"


async def test_an_app_is_replaced_by_removing_it_first(bank: Bank, ada: User) -> None:
    await with_app(bank.database, ada)
    with pytest.raises(Conflict) as caught:
        async with bank.database.transaction() as db:
            await mfa.enrol(db, user=ada, now=NOW)
    assert caught.value.code == "totp_active"
    async with bank.database.transaction() as db:
        assert await mfa.has_totp(db, ada.id)
        assert await mfa.remove_totp(db, user_id=ada.id)
        assert not await mfa.remove_totp(db, user_id=ada.id)
    assert (await bank.ask(ada.id, role="user")).method == "code"


async def test_an_app_that_was_removed_answers_nothing(bank: Bank, ada: User) -> None:
    app = await with_app(bank.database, ada)
    asked = await bank.ask(ada.id, role="user")
    async with bank.database.transaction() as db:
        await mfa.remove_totp(db, user_id=ada.id)
    assert not (await bank.answer(asked, app.at(NOW), subject=ada.id)).right


async def test_an_apps_secret_is_sealed(bank: Bank, ada: User) -> None:
    app = await with_app(bank.database, ada)
    async with bank.database.reading() as db:
        row = " ".join(map(str, (await db.execute(sa.text("SELECT * FROM totp"))).one()))
    assert app.secret not in row


def test_the_real_way_to_people_fits_the_interface() -> None:
    delivery: mfa.Delivery = Post(inbox=Inbox())
    assert delivery.where(Recipient(None, None, "otp_1", guest=True)) == "this page"
