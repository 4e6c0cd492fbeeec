"""Transfers and bill payments as drafts that wait for the caller's word."""

from __future__ import annotations

from collections.abc import Mapping

from banking import accounts, transfers
from banking.policy import Policy
from banking.transfers import State, Transfer
from core.spoken import hindi, say_number
from identity import mfa
from pipelines.base import Act, Draft, Json, Means, Outcome, ToolContext

_STATES = {
    State.POSTED: "done",
    State.DECLINED: "declined",
    State.EXPIRED: "expired",
    State.FAILED: "failed",
}


def policy(means: Means) -> Policy:
    """The bank's rules for a transfer, from the server's settings."""
    return Policy.of_settings(means.settings, secret=means.secret, delivery=means.delivery)


async def draft_of(ctx: ToolContext, transfer: Transfer) -> Draft:
    """A transfer as the caller hears and sees it before they agree."""
    account = await accounts.own(ctx.db, customer_id=ctx.customer_id, account_id=transfer.account_id)
    card: Mapping[str, Json] = {
        "id": transfer.id,
        "kind": "bill" if transfer.bill_id else "transfer",
        "amount_minor": transfer.amount_minor,
        "currency": transfer.currency,
        "payee": transfer.payee_name,
        "payee_detail": transfer.payee_detail,
        "payee_tail": transfer.payee_tail,
        "account": account.kind.value,
        "expires_at": transfer.expires_at.isoformat(),
    }
    return Draft(transfer.id, transfers.read_back(transfer, account, language=ctx.language), card)


class BankDrafts:
    """Settles a caller's transfers; see `pipelines.base.Drafts`."""

    async def confirm(self, ctx: ToolContext, draft_id: str) -> Outcome:
        """Carry it out, or ask for the second factor."""
        transfer = await transfers.confirm(
            ctx.db,
            policy=policy(ctx.means),
            actor=ctx.actor,
            customer_id=ctx.customer_id,
            transfer_id=draft_id,
            now=ctx.now,
        )
        return await self._outcome(ctx, transfer)

    async def decline(self, ctx: ToolContext, draft_id: str) -> Outcome:
        """Call it off."""
        transfer = await transfers.decline(
            ctx.db, actor=ctx.actor, customer_id=ctx.customer_id, transfer_id=draft_id, now=ctx.now
        )
        return await self._outcome(ctx, transfer)

    async def answer(self, ctx: ToolContext, draft_id: str, code: str) -> Outcome:
        """Check the second factor."""
        transfer, answer = await transfers.answer(
            ctx.db,
            policy=policy(ctx.means),
            actor=ctx.actor,
            customer_id=ctx.customer_id,
            transfer_id=draft_id,
            code=code,
            now=ctx.now,
        )
        return await self._outcome(ctx, transfer, answer)

    async def _outcome(self, ctx: ToolContext, transfer: Transfer, answer: mfa.Answer | None = None) -> Outcome:
        code = None
        if transfer.state is State.CHALLENGED and transfer.challenge_id is not None:
            code = await mfa.get(ctx.db, transfer.challenge_id)
        posted = transfer.state is State.POSTED
        return Outcome(
            state=_STATES.get(transfer.state, "open"),  # pyright: ignore[reportArgumentType] - the values are the states
            say=_say(transfer, code, answer, ctx.language),
            card=await _card(ctx, transfer) if posted else {},
            act=Act(transfer.amount, (transfer.payee_name, transfer.payee_detail)),
            code=code,
            right=answer.right if answer else None,
        )


def _say(transfer: Transfer, code: mfa.Asked | None, answer: mfa.Answer | None, language: str) -> str:
    if code is None:
        return transfers.said(transfer, language=language)
    wrong = answer is not None and not answer.right
    return _ask_in_hindi(code, wrong=wrong) if language == "hi" else _ask(code, wrong=wrong)


def _ask(code: mfa.Asked, *, wrong: bool) -> str:
    if wrong:
        tries = "one try" if code.tries_left == 1 else f"{'two' if code.tries_left == 2 else 'a few'} tries"
        return f"That code was not right. You have {tries} left."
    where = "from your authenticator app" if code.method == "totp" else "I have just sent you"
    return (
        f"For this I need a code. Please type the {say_number(code.length)} digits {where} on the keypad on your "
        "screen. Nobody hears them, not even me."
    )


def _ask_in_hindi(code: mfa.Asked, *, wrong: bool) -> str:
    if wrong:
        tries = "एक मौका" if code.tries_left == 1 else f"{'दो' if code.tries_left == 2 else 'कुछ'} मौके"
        return f"वह कोड सही नहीं था। आपके पास {tries} और {'है' if code.tries_left == 1 else 'हैं'}।"
    where = "जो आपके ऑथेंटिकेटर ऐप में हैं" if code.method == "totp" else "जो आपको अभी भेजे गए हैं"
    return (
        f"इसके लिए एक कोड चाहिए। अपनी स्क्रीन के कीपैड पर वे {hindi.say_number(code.length)} अंक टाइप कीजिए, {where}। "
        "उन्हें कोई नहीं सुनता, यह सहायक भी नहीं।"
    )


async def _card(ctx: ToolContext, transfer: Transfer) -> Mapping[str, Json]:
    account = await accounts.own(ctx.db, customer_id=ctx.customer_id, account_id=transfer.account_id)
    return {
        "id": transfer.id,
        "kind": "bill" if transfer.bill_id else "transfer",
        "amount_minor": transfer.amount_minor,
        "currency": transfer.currency,
        "payee": transfer.payee_name,
        "account": account.kind.value,
        "balance_after_minor": transfer.balance_after_minor,
        "posted_at": transfer.posted_at.isoformat() if transfer.posted_at else None,
    }
