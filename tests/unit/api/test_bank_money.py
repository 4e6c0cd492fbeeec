"""An amount arrives to the paisa, as it was written, or not at all."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from decimal import Decimal

import httpx
import pytest
import pytest_asyncio
from fastapi import APIRouter, FastAPI
from hypothesis import given
from hypothesis import strategies as st

from api import errors
from api.bank.exact import ExactRoute, read_exactly
from api.bank.schemas import MAX_RUPEES, AmountIn

MAX_MINOR = MAX_RUPEES * 100


@pytest_asyncio.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    router = APIRouter(route_class=ExactRoute)

    @router.post("/amount")
    async def amount(body: AmountIn) -> dict[str, int]:
        return {"minor": body.minor}

    app = FastAPI()
    errors.install(app)
    app.include_router(router, prefix="/api")
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://bank") as client:
        yield client


async def sent(http: httpx.AsyncClient, body: str | bytes) -> httpx.Response:
    return await http.post("/api/amount", content=body, headers={"Content-Type": "application/json"})


@pytest.mark.parametrize(
    ("written", "minor"),
    [
        ("500", 500_00),
        ("500.5", 500_50),
        ("499.99", 499_99),
        ("0.01", 1),
        ("1.10", 1_10),
        ("5e2", 500_00),
        ("4.35", 4_35),  # times 100 in binary floating point: 434.99999999999994
        ("1.15", 1_15),
        ("8.29", 8_29),
        ("9007199254740.93", 900719925474093),  # 53 bits end here
        ('"500"', 500_00),
        ('"499.50"', 499_50),
        ('"0.01"', 1),
        ('"0500"', 500_00),
        (f"{MAX_RUPEES}", MAX_MINOR),
        (f'"{MAX_RUPEES}.00"', MAX_MINOR),
    ],
)
async def test_rupees_are_taken_as_written(http: httpx.AsyncClient, written: str, minor: int) -> None:
    response = await sent(http, f'{{"amount": {written}}}')
    assert (response.status_code, response.json()) == (200, {"minor": minor})


@pytest.mark.parametrize(
    "written",
    [
        *("NaN", "Infinity", "-Infinity", "1e999", "-1e999", "1e99999999999999999999", "1e-999", "9" * 5000),
        *("true", "false", "null", "[]", "{}", "[500]", '{"value": 500}'),
        *("0", "0.0", "-0", "-1", "-0.01", "0.001", "0.005", "500.001", "500.000", "1e-3"),
        *(f"{MAX_RUPEES + 1}", f"{MAX_RUPEES}.01", "1e13000", "1e14"),
        *('""', '" "', '"NaN"', '"inf"', '"1e2"', '"1_000"', '"1,000"', '"1.000"', '"500."', '".5"', '"+5"', '"-5"'),
        *(
            '"0"',
            '"0.00"',
            '" 5"',
            '"5 "',
            '"5\\n"',
            '"٥٠٠"',
            '"５００"',
            '"²"',
            '"0x10"',
            '"₹500"',
            '"' + "9" * 30 + '"',
        ),
    ],
)
async def test_what_is_no_exact_amount_is_refused(http: httpx.AsyncClient, written: str) -> None:
    response = await sent(http, f'{{"amount": {written}}}')
    assert response.status_code == 422, response.text
    assert response.json()["error_code"] == "validation"
    assert response.json()["errors"]


@pytest.mark.parametrize(("written", "minor"), [("1", 1), ("50000", 50000), (str(MAX_MINOR), MAX_MINOR)])
async def test_paise_are_whole_numbers(http: httpx.AsyncClient, written: str, minor: int) -> None:
    response = await sent(http, f'{{"amount_minor": {written}}}')
    assert (response.status_code, response.json()) == (200, {"minor": minor})


@pytest.mark.parametrize(
    "written", ["0", "-1", "1.0", "1.5", "1e2", '"100"', "true", "[]", "NaN", str(MAX_MINOR + 1), "1e999", "9" * 5000]
)
async def test_paise_that_are_no_whole_number_are_refused(http: httpx.AsyncClient, written: str) -> None:
    response = await sent(http, f'{{"amount_minor": {written}}}')
    assert (response.status_code, response.json()["error_code"]) == (422, "validation")


@pytest.mark.parametrize(
    "body",
    [
        "{}",
        '{"amount": null, "amount_minor": null}',
        '{"amount": 5, "amount_minor": 500}',
        '{"amount": 5, "amount": 5000}',  # the first says one thing, the second another
        '{"amount": 5, "\\u0061mount": 5000}',
        '{"amount": 5',
        "5",
        "[]",
        "null",
        "",
        "[" * 30_000,
        b'{"amount": \xff}',
        b'{"amount": 5, "note": "\xed\xa0\x80"}',
    ],
)
async def test_a_body_that_says_no_one_amount_is_refused(http: httpx.AsyncClient, body: str | bytes) -> None:
    response = await sent(http, body)
    assert response.status_code == 422, response.text
    assert response.json()["error_code"] == "validation"


async def test_what_was_sent_is_not_repeated(http: httpx.AsyncClient) -> None:
    response = await sent(http, '{"amount": "4929-1234-5678-9012"}')
    assert response.status_code == 422
    assert "4929" not in response.text


@given(st.integers(1, MAX_MINOR), st.sampled_from(["{}.{:02d}", '"{}.{:02d}"']))
def test_every_amount_there_is_arrives_as_itself(minor: int, form: str) -> None:
    body = '{"amount": ' + form.format(minor // 100, minor % 100) + "}"
    assert AmountIn.model_validate(read_exactly(body.encode())).minor == minor


@given(st.decimals(allow_nan=False, allow_infinity=False))
def test_a_number_is_taken_exactly_or_refused(number: Decimal) -> None:
    value = read_exactly(f'{{"amount": {number}}}'.encode())
    assert value["amount"] == number
    if 0 < number <= MAX_RUPEES and int(number.as_tuple().exponent) >= -2:
        assert AmountIn.model_validate(value).minor == number * 100
    else:
        with pytest.raises(ValueError, match="amount"):
            AmountIn.model_validate(value)


plain = st.none() | st.booleans() | st.integers() | st.text()


@given(st.recursive(plain, lambda values: st.lists(values) | st.dictionaries(st.text(), values)))
def test_other_json_is_read_as_ever(value: object) -> None:
    assert read_exactly(json.dumps(value).encode()) == value
