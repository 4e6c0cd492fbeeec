"""What the installation demands before money moves; made once from the settings and passed on."""

from __future__ import annotations

from dataclasses import dataclass

from identity.delivery import Delivery


@dataclass(frozen=True)
class Policy:
    """The rules and means of confirming a transfer.

    Attributes:
        secret: The server's secret, from which links and codes are keyed.
        mfa_above_minor: Above this amount, in minor units, a second factor is asked for.
        delivery: How a code reaches the customer.
    """

    secret: str
    mfa_above_minor: int
    delivery: Delivery
