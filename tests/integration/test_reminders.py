"""Reminders that fire once, over crashes and processes, and the notices they leave."""

from __future__ import annotations

import asyncio
import sys
from asyncio.subprocess import PIPE, Process
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from banking import notices, reminders
from banking.customers import Customer, KycStatus
from banking.notices import Notice
from banking.reminders import MAX_PER_CUSTOMER, MAX_TEXT, Fired, Reminder, ReminderState, Repeats
from core.db import Database
from core.errors import Conflict, Invalid, NotFound
from core.ids import new_id
from identity.actor import Actor

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
ADA = Actor("usr_ada", "user", "voice", call_id="call_1")


async def new_customer(database: Database) -> str:
    async with database.transaction() as db:
        customer = Customer(id=new_id("cus"), name="Ada", kyc_status=KycStatus.VERIFIED, created_at=NOW)
        db.add(customer)
    return customer.id


async def add(
    database: Database,
    customer_id: str,
    text: str = "Pay the rent",
    due_at: datetime = NOW + HOUR,
    repeats: Repeats = Repeats.NONE,
    *,
    now: datetime = NOW,
) -> str:
    async with database.transaction() as db:
        made = await reminders.add(
            db, actor=ADA, customer_id=customer_id, text=text, due_at=due_at, repeats=repeats, now=now
        )
    return made.id


async def fire(database: Database, now: datetime, limit: int = 100) -> list[Fired]:
    async with database.transaction() as db:
        return await reminders.fire_due(db, now=now, limit=limit)


async def listed(database: Database, customer_id: str, state: ReminderState | None = None) -> list[Reminder]:
    async with database.reading() as db:
        return list((await reminders.of_customer(db, customer_id=customer_id, state=state, per_page=100))[0])


async def told(database: Database, customer_id: str) -> list[Notice]:
    async with database.reading() as db:
        return list((await notices.of_customer(db, customer_id=customer_id, per_page=100))[0])


async def cancel(database: Database, customer_id: str, reminder_id: str) -> Reminder:
    async with database.transaction() as db:
        return await reminders.cancel(db, actor=ADA, customer_id=customer_id, reminder_id=reminder_id, now=NOW)


async def audited(database: Database) -> list[tuple[str, ...]]:
    async with database.reading() as db:
        rows = await db.execute(sa.text("SELECT act, subject, customer_id, call_id FROM audit_log ORDER BY seq"))
        return [tuple(row) for row in rows]


# --- Adding -----------------------------------------------------------------------------------------------------------


async def test_a_reminder_is_scheduled(database: Database) -> None:
    ada = await new_customer(database)
    await add(database, ada, "  Pay \n the rent ", NOW + HOUR, Repeats.MONTHLY)
    (reminder,) = await listed(database, ada)
    assert (reminder.text, reminder.due_at, reminder.repeats, reminder.state) == (
        "Pay the rent",
        NOW + HOUR,
        Repeats.MONTHLY,
        ReminderState.SCHEDULED,
    )
    assert await audited(database) == [("reminder.added", reminder.id, ada, "call_1")]


@pytest.mark.parametrize("due_at", [NOW, NOW - HOUR, NOW + timedelta(days=6 * 366), datetime.max.replace(tzinfo=UTC)])
async def test_a_time_that_cannot_be_is_refused(database: Database, due_at: datetime) -> None:
    ada = await new_customer(database)
    with pytest.raises(Invalid) as caught:
        await add(database, ada, due_at=due_at)
    assert caught.value.code == "bad_time"


@pytest.mark.parametrize(
    "text", ["", "  \n ", "x" * (MAX_TEXT + 1), "pay\x00", "pay \u202e tner", "bell \x07", "\ud800"]
)
async def test_a_text_that_cannot_be_shown_and_said_is_refused(database: Database, text: str) -> None:
    ada = await new_customer(database)
    with pytest.raises(Invalid) as caught:
        await add(database, ada, text)
    assert caught.value.code == "bad_text"


@pytest.mark.parametrize("text", ["बिजली का बिल भरें", "क्\u200dष", "Zoë's café: ₹500!", "x" * MAX_TEXT])
async def test_every_language_may_be_written(database: Database, text: str) -> None:
    ada = await new_customer(database)
    await add(database, ada, text)
    (reminder,) = await listed(database, ada)
    assert reminder.text == text


async def test_asking_twice_for_the_same_is_asking_once(database: Database) -> None:
    ada = await new_customer(database)
    ids = await asyncio.gather(*(add(database, ada) for _ in range(6)))
    assert len(set(ids)) == len(await audited(database)) == 1
    others = [
        await add(database, ada, "Pay the gas"),
        await add(database, ada, due_at=NOW + DAY),
        await add(database, ada, repeats=Repeats.DAILY),
    ]
    assert len({*ids, *others}) == len(await audited(database)) == 4


async def test_many_at_once_do_not_pass_the_bound(database: Database) -> None:
    ada, bob = await new_customer(database), await new_customer(database)
    for n in range(MAX_PER_CUSTOMER - 2):
        await add(database, ada, f"Number {n}")
    results = await asyncio.gather(*(add(database, ada, f"More {n}") for n in range(6)), return_exceptions=True)
    refused = [result for result in results if isinstance(result, Conflict)]
    assert (len(refused), {error.code for error in refused}) == (4, {"too_many_reminders"})
    assert len(await listed(database, ada)) == MAX_PER_CUSTOMER
    await add(database, bob)

    (first, *_) = await listed(database, ada)
    await cancel(database, ada, first.id)
    await add(database, ada, "There is room again")


async def test_nobody_has_no_reminders(database: Database) -> None:
    with pytest.raises(NotFound):
        await add(database, "cus_nobody")


# --- Listing and cancelling -------------------------------------------------------------------------------------------


async def test_the_next_come_first_then_the_past(database: Database) -> None:
    ada, eve = await new_customer(database), await new_customer(database)
    await add(database, eve, "Not Ada's")
    for text, due_at in (("c", NOW + 5 * DAY), ("a", NOW + HOUR), ("d", NOW + 9 * DAY), ("b", NOW + 2 * HOUR)):
        await add(database, ada, text, due_at)
    await fire(database, NOW + DAY)
    await cancel(database, ada, (await listed(database, ada, ReminderState.SCHEDULED))[-1].id)
    assert [(each.text, each.state.value) for each in await listed(database, ada)] == [
        ("c", "scheduled"),
        ("d", "cancelled"),
        ("b", "fired"),
        ("a", "fired"),
    ]
    async with database.reading() as db:
        page, total = await reminders.of_customer(db, customer_id=ada, page=2, per_page=3)
    assert ([each.text for each in page], total) == (["a"], 4)


async def test_a_cancelled_reminder_does_not_come(database: Database) -> None:
    ada = await new_customer(database)
    reminder = await add(database, ada)
    for _ in range(2):
        assert (await cancel(database, ada, reminder)).state is ReminderState.CANCELLED
    assert [act for act, *_ in await audited(database)] == ["reminder.added", "reminder.cancelled"]
    assert await fire(database, NOW + DAY) == []
    assert await told(database, ada) == []


async def test_what_has_come_cannot_be_cancelled(database: Database) -> None:
    ada = await new_customer(database)
    reminder = await add(database, ada)
    await fire(database, NOW + DAY)
    with pytest.raises(Conflict) as caught:
        await cancel(database, ada, reminder)
    assert caught.value.code == "reminder_over"


async def test_nobody_cancels_anothers_reminder(database: Database) -> None:
    ada, eve = await new_customer(database), await new_customer(database)
    reminder = await add(database, ada)
    for customer_id, asked in ((eve, reminder), (ada, "rem_nothing")):
        with pytest.raises(NotFound) as caught:
            await cancel(database, customer_id, asked)
        assert caught.value.code == "no_reminder"
    assert len(await fire(database, NOW + DAY)) == 1


# --- Firing -----------------------------------------------------------------------------------------------------------


async def test_a_reminder_fires_when_it_is_due_and_not_again(database: Database) -> None:
    ada = await new_customer(database)
    reminder = await add(database, ada, "Pay the rent", NOW + HOUR)
    assert await fire(database, NOW + HOUR - timedelta(seconds=1)) == []
    (fired,) = await fire(database, NOW + HOUR)
    assert (fired.reminder_id, fired.customer_id, fired.text, fired.due_at) == (
        reminder,
        ada,
        "Pay the rent",
        NOW + HOUR,
    )
    assert await fire(database, NOW + 2 * HOUR) == []
    (notice,) = await told(database, ada)
    assert (notice.id, notice.text, notice.at, notice.read_at) == (fired.notice_id, "Pay the rent", NOW + HOUR, None)
    (after,) = await listed(database, ada)
    assert after.state is ReminderState.FIRED


async def test_the_longest_due_go_first_so_many_at_a_time(database: Database) -> None:
    ada = await new_customer(database)
    for n in range(5):
        await add(database, ada, f"{n}", NOW + (5 - n) * HOUR)
    batches = [[fired.text for fired in await fire(database, NOW + DAY, limit=2)] for _ in range(4)]
    assert batches == [["4", "3"], ["2", "1"], ["0"], []]


INDIA = timedelta(hours=5, minutes=30)


@pytest.mark.parametrize(
    ("repeats", "first", "asked", "then"),
    [
        (Repeats.DAILY, NOW + HOUR, NOW + HOUR, NOW + HOUR + DAY),
        (Repeats.DAILY, NOW + HOUR, NOW + 10 * HOUR, NOW + HOUR + DAY),
        (Repeats.DAILY, NOW + HOUR, NOW + 9 * DAY, NOW + HOUR + 9 * DAY),
        (Repeats.DAILY, NOW + HOUR, NOW + HOUR + 9 * DAY, NOW + HOUR + 10 * DAY),
        (Repeats.WEEKLY, NOW + HOUR, NOW + HOUR, NOW + HOUR + 7 * DAY),
        (Repeats.WEEKLY, NOW + HOUR, NOW + 30 * DAY, NOW + HOUR + 35 * DAY),
        # The last day of March, then of the shorter April.
        (
            Repeats.MONTHLY,
            datetime(2026, 3, 31, 4, 30, tzinfo=UTC),
            datetime(2026, 3, 31, 4, 30, tzinfo=UTC),
            datetime(2026, 4, 30, 4, 30, tzinfo=UTC),
        ),
        # Missed from March to July; the day is the first one's, not the shorter month's.
        (
            Repeats.MONTHLY,
            datetime(2026, 3, 31, 4, 30, tzinfo=UTC),
            datetime(2026, 7, 1, 0, 0, tzinfo=UTC),
            datetime(2026, 7, 31, 4, 30, tzinfo=UTC),
        ),
        # One in the night of the first in India, which is the last of the month before by UTC.
        (
            Repeats.MONTHLY,
            datetime(2026, 5, 1, 1, 0, tzinfo=UTC) - INDIA,
            datetime(2026, 5, 1, 2, 0, tzinfo=UTC) - INDIA,
            datetime(2026, 6, 1, 1, 0, tzinfo=UTC) - INDIA,
        ),
        (
            Repeats.MONTHLY,
            datetime(2026, 12, 15, 4, 30, tzinfo=UTC),
            datetime(2026, 12, 15, 4, 31, tzinfo=UTC),
            datetime(2027, 1, 15, 4, 30, tzinfo=UTC),
        ),
    ],
)
async def test_a_repeating_one_moves_on_from_its_first_time(
    database: Database, repeats: Repeats, first: datetime, asked: datetime, then: datetime
) -> None:
    ada = await new_customer(database)
    await add(database, ada, due_at=first, repeats=repeats)
    assert [fired.due_at for fired in await fire(database, asked)] == [first]
    assert await fire(database, asked) == [], "although it was missed more than once"
    (reminder,) = await listed(database, ada)
    assert (reminder.due_at, reminder.state) == (then, ReminderState.SCHEDULED)
    assert len(await told(database, ada)) == 1


async def test_a_monthly_one_keeps_its_day_after_a_shorter_month(database: Database) -> None:
    ada = await new_customer(database)
    await add(database, ada, due_at=datetime(2026, 3, 31, 4, 30, tzinfo=UTC), repeats=Repeats.MONTHLY)
    days: list[tuple[int, int]] = []
    for _ in range(12):
        (reminder,) = await listed(database, ada)
        (fired,) = await fire(database, reminder.due_at)
        days.append((fired.due_at.month, fired.due_at.day))
    assert days == [
        (3, 31), (4, 30), (5, 31), (6, 30), (7, 31), (8, 31),
        (9, 30), (10, 31), (11, 30), (12, 31), (1, 31), (2, 28),
    ]  # fmt: skip


async def test_many_at_once_fire_each_once(database: Database) -> None:
    people = [await new_customer(database) for _ in range(3)]
    for n in range(30):
        await add(database, people[n % 3], f"Number {n}", NOW + HOUR + timedelta(minutes=n))
    batches = await asyncio.gather(*(fire(database, NOW + DAY, limit=7) for _ in range(9)))
    batches.append(await fire(database, NOW + DAY))
    fired = [each.reminder_id for batch in batches for each in batch]
    assert len(fired) == len(set(fired)) == 30
    assert [len(await told(database, each)) for each in people] == [10, 10, 10]


async def test_what_was_undone_fires_again(database: Database) -> None:
    ada = await new_customer(database)
    await add(database, ada)
    with pytest.raises(RuntimeError):
        async with database.transaction() as db:
            assert len(await reminders.fire_due(db, now=NOW + DAY)) == 1
            raise RuntimeError("the line to the database was cut")
    assert await told(database, ada) == []
    assert len(await fire(database, NOW + DAY)) == 1
    assert len(await told(database, ada)) == 1


FIRE = f"""
import asyncio, sys
from datetime import datetime
from banking import customers, reminders
from core.db import Database

async def main():
    database = Database(sys.argv[1])
    async with database.reading():
        print("ready", flush=True)
    sys.stdin.readline()
    fired = True
    while fired:
        async with database.transaction() as db:
            fired = await reminders.fire_due(db, now=datetime.fromisoformat("{NOW + DAY}"), limit=4)
            if sys.argv[2] == "hang":
                print("hanging", flush=True)
                await asyncio.Event().wait()
        for each in fired:
            print(each.reminder_id, flush=True)
    await database.close()

asyncio.run(main())
"""


async def another_process(database: Database, how: str) -> Process:
    """A process that fires when it is told to by a line."""
    url = database.url.render_as_string(hide_password=False)
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", FIRE, url, how, stdin=PIPE, stdout=PIPE)
    assert process.stdout is not None
    assert await process.stdout.readline() == b"ready\n"
    return process


async def test_several_processes_fire_each_once(database: Database) -> None:
    ada = await new_customer(database)
    ids = {await add(database, ada, f"Number {n}", NOW + HOUR) for n in range(40)}
    processes = await asyncio.gather(*(another_process(database, "all") for _ in range(3)))
    outputs = await asyncio.gather(*(process.communicate(b"go\n") for process in processes))
    assert [process.returncode for process in processes] == [0, 0, 0]
    fired = [each for output, _ in outputs for each in output.decode().split()]
    assert (len(fired), set(fired)) == (40, ids)
    assert len(await told(database, ada)) == 40


async def test_a_process_that_is_killed_while_firing_loses_none_and_doubles_none(database: Database) -> None:
    ada = await new_customer(database)
    ids = {await add(database, ada, f"Number {n}", NOW + HOUR) for n in range(6)}
    process = await another_process(database, "hang")
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(b"go\n")
    async with asyncio.timeout(30):
        assert await process.stdout.readline() == b"hanging\n"
        process.kill()
        await process.communicate()
        fired: list[str] = []
        while len(fired) < 6:  # the server may still be letting go of what the dead process held
            fired += [each.reminder_id for each in await fire(database, NOW + DAY)]
    assert set(fired) == ids
    assert await fire(database, NOW + DAY) == []
    assert len(await told(database, ada)) == 6


# --- Notices ----------------------------------------------------------------------------------------------------------


async def test_notices_are_listed_the_newest_first_and_marked_as_read(database: Database) -> None:
    ada, eve = await new_customer(database), await new_customer(database)
    async with database.transaction() as db:
        for n in range(3):
            notices.put(db, customer_id=ada, text=f"Number {n}", at=NOW + n * HOUR)
    newest, *_ = await told(database, ada)
    for later in (HOUR, 2 * HOUR):
        async with database.transaction() as db:
            read = await notices.mark_read(db, customer_id=ada, notice_id=newest.id, now=NOW + later)
        assert read.read_at == NOW + HOUR, "the first time is kept"
    async with database.reading() as db:
        page, total = await notices.of_customer(db, customer_id=ada, page=2, per_page=2)
    assert ([each.text for each in page], total) == (["Number 0"], 3)
    assert [each.read_at for each in await told(database, ada)] == [NOW + HOUR, None, None]
    assert await told(database, eve) == []


async def test_nobody_reads_anothers_notices(database: Database) -> None:
    ada, eve = await new_customer(database), await new_customer(database)
    async with database.transaction() as db:
        notice = notices.put(db, customer_id=ada, text="For Ada", at=NOW)
    for customer_id, asked in ((eve, notice.id), (ada, "ntc_nothing")):
        with pytest.raises(NotFound) as caught:
            async with database.transaction() as db:
                await notices.mark_read(db, customer_id=customer_id, notice_id=asked, now=NOW)
        assert caught.value.code == "no_notice"
    assert [each.read_at for each in await told(database, ada)] == [None]
