"""A second factor has six digits at every door, however it was typed."""

from __future__ import annotations

import pytest
from pydantic import BaseModel, ValidationError

from api.auth import SecondFactorIn
from api.bank.schemas import TransferConfirmIn, VerifyIn
from api.calls import KeypadIn
from api.portal import EnrolmentIn

DOORS: tuple[tuple[type[BaseModel], dict[str, str], str], ...] = (
    (VerifyIn, {}, "code"),
    (TransferConfirmIn, {"transfer_id": "trf_1"}, "otp"),
    (KeypadIn, {}, "code"),
    (SecondFactorIn, {"challenge_id": "mfa_1"}, "otp"),
    (EnrolmentIn, {"enrolment_id": "enr_1", "challenge_id": "mfa_1", "otp": "000000"}, "code"),
    (EnrolmentIn, {"enrolment_id": "enr_1", "challenge_id": "mfa_1", "code": "000000"}, "otp"),
)


@pytest.mark.parametrize(("door", "rest", "name"), DOORS)
@pytest.mark.parametrize("typed", ["012345", "012 345", "012-345", " 0 1 2 3 4 5 "])
def test_a_code_may_be_typed_in_groups(door: type[BaseModel], rest: dict[str, str], name: str, typed: str) -> None:
    assert getattr(door.model_validate(rest | {name: typed}), name) == "012345"


@pytest.mark.parametrize(("door", "rest", "name"), DOORS)
@pytest.mark.parametrize("typed", ["", "12345", "1234567", "12345a", "١٢٣٤٥٦", "123456\n", 123456, "1" + " " * 40])
def test_anything_else_is_refused(door: type[BaseModel], rest: dict[str, str], name: str, typed: object) -> None:
    with pytest.raises(ValidationError):
        door.model_validate(rest | {name: typed})
