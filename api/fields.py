"""What fields hold, whatever the noun: ids, texts, moments, codes; and dollars on their way out."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import Path
from pydantic import AfterValidator, AwareDatetime, BeforeValidator, Field

from core.db import safe_text
from core.errors import Invalid
from identity.mfa import CODE_LENGTH


def _storable(value: str) -> str:
    try:
        return safe_text(value, max_length=len(value))
    except Invalid as error:
        raise ValueError(error.message) from None


def _within_reach(value: datetime) -> datetime:
    if not 1970 <= value.year <= 2999:
        raise ValueError("must lie between the years 1970 and 2999")
    return value


def _bare(value: object) -> object:
    """A code without what people put between its digits."""
    return value.replace(" ", "").replace("-", "") if isinstance(value, str) and len(value) <= 32 else value


Id = Annotated[str, Field(min_length=3, max_length=40, pattern=r"^[a-z]+_[0-9a-z_]+$")]
"""An identifier of ours; whose it is is asked of the database."""

PathId = Annotated[Id, Path()]

Text = Annotated[str, AfterValidator(_storable)]
"""Text that both databases can hold."""

Moment = Annotated[AwareDatetime, AfterValidator(_within_reach)]
"""A moment that both databases can hold, with its zone."""

Code = Annotated[
    str,
    Field(pattern=rf"^[0-9]{{{CODE_LENGTH}}}$", min_length=CODE_LENGTH, max_length=CODE_LENGTH),
    BeforeValidator(_bare),
]
"""A second factor; spaces and dashes typed between its digits do not count."""


UNPRICED = "Something was used whose price is not known: the cost is a lower bound"

ESTIMATED = "The tokens of answers that were cut off are estimated: the cost is about so much"


def dollars(micros: int) -> float:
    """Millionths of a dollar in dollars, for the screen."""
    return micros / 1_000_000


def dollars_if_known(micros: int | None) -> float | None:
    """The same where they may not be known."""
    return None if micros is None else dollars(micros)
