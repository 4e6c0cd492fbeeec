"""Reminders, and the notices they become."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query

from api.bank.asking import CustomerId, noun
from api.bank.schemas import NoticeOut, ReminderIn, ReminderOut
from api.deps import Acting, App
from api.fields import PathId
from api.paging import Page, PageOut, Paging
from banking import notices, reminders
from banking.notices import Notice
from banking.reminders import Reminder, ReminderState
from core.clock import utc_now

router = noun()
told = noun()


class RemindersIn(Paging):
    """Which reminders."""

    state: ReminderState | None = None


@router.get("/reminders")
async def list_reminders(
    app: App, customer_id: CustomerId, wanted: Annotated[RemindersIn, Query()]
) -> PageOut[ReminderOut]:
    """My reminders, the next one first."""
    async with app.db.reading() as db:
        rows, total = await reminders.of_customer(
            db, customer_id=customer_id, state=wanted.state, page=wanted.page, per_page=wanted.per_page
        )
    return wanted.of([_out(row) for row in rows], total)


@router.post("/reminders", status_code=201)
async def add_reminder(body: ReminderIn, app: App, customer_id: CustomerId, actor: Acting) -> ReminderOut:
    """Be reminded of something; when it is due a notice appears."""
    async with app.db.transaction() as db:
        row = await reminders.add(
            db,
            actor=actor,
            customer_id=customer_id,
            text=body.text,
            due_at=body.due_at,
            repeats=body.repeats,
            now=utc_now(),
        )
    return _out(row)


@router.delete("/reminders/{reminder_id}", status_code=204)
async def cancel_reminder(reminder_id: PathId, app: App, customer_id: CustomerId, actor: Acting) -> None:
    """Not be reminded after all."""
    async with app.db.transaction() as db:
        await reminders.cancel(db, actor=actor, customer_id=customer_id, reminder_id=reminder_id, now=utc_now())


@told.get("/notices")
async def list_notices(app: App, customer_id: CustomerId, page: Page) -> PageOut[NoticeOut]:
    """What the bank has told me, newest first."""
    async with app.db.reading() as db:
        rows, total = await notices.of_customer(db, customer_id=customer_id, page=page.page, per_page=page.per_page)
    return page.of([_notice(row) for row in rows], total)


@told.post("/notices/{notice_id}/read")
async def read_notice(notice_id: PathId, app: App, customer_id: CustomerId) -> NoticeOut:
    """Mark a notice as read."""
    async with app.db.transaction() as db:
        return _notice(await notices.mark_read(db, customer_id=customer_id, notice_id=notice_id, now=utc_now()))


def _out(row: Reminder) -> ReminderOut:
    return ReminderOut(id=row.id, text=row.text, due_at=row.due_at, repeats=row.repeats, state=row.state)


def _notice(row: Notice) -> NoticeOut:
    return NoticeOut(id=row.id, text=row.text, at=row.at, read_at=row.read_at)
