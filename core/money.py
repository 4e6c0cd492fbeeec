"""Money as whole minor units (paise, cents); never a float."""

from __future__ import annotations

from dataclasses import dataclass

MINOR_PER_MAJOR = {"INR": 100, "USD": 100, "EUR": 100, "GBP": 100}
SYMBOLS = {"INR": "₹", "USD": "$", "EUR": "€", "GBP": "£"}


@dataclass(frozen=True, slots=True)
class Money:
    """An amount in one currency.

    Attributes:
        minor: Whole minor units; negative for what is owed.
        currency: ISO 4217 code.
    """

    minor: int
    currency: str = "INR"

    @property
    def major(self) -> int:
        """Whole major units, towards zero."""
        whole = abs(self.minor) // MINOR_PER_MAJOR[self.currency]
        return -whole if self.minor < 0 else whole

    @property
    def minor_part(self) -> int:
        """What is left after the whole major units, always positive."""
        return abs(self.minor) % MINOR_PER_MAJOR[self.currency]

    def __str__(self) -> str:
        sign = "-" if self.minor < 0 else ""
        major = abs(self.minor) // MINOR_PER_MAJOR[self.currency]
        return f"{sign}{SYMBOLS[self.currency]}{major:,}.{self.minor_part:02d}"
