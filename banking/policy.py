"""What the installation demands before money moves; from the settings."""

from __future__ import annotations

from dataclasses import dataclass

from core.settings import Settings
from identity.delivery import Delivery

PAISE = 100


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

    @classmethod
    def of_settings(cls, settings: Settings, *, secret: str, delivery: Delivery) -> Policy:
        """The rules of an installation."""
        return cls(secret, int(settings.mfa_required_amount * PAISE), delivery)
