import json

import pytest
from loguru import logger

from core.log import redact, setup


@pytest.mark.parametrize(
    ("line", "secret"),
    [
        ("Authorization: Bearer abc.def.ghi", "abc.def.ghi"),
        ("token eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ4In0.c2ln seen", "eyJzdWIi"),
        ('{"otp_code": "482913"}', "482913"),
        ("GET /ws?auth_token=SECRET123&x=1", "SECRET123"),
        ("password=hunter2", "hunter2"),
        ("a=ice-pwd:9E2DdMtVb2f0tLzSvKk", "9E2DdMtVb2f0tLzSvKk"),
        ("card 4111 1111 1111 1111 given", "1111"),
        ("account 123456789012", "123456789012"),
        ("DEEPGRAM_API_KEY='dg-secret'", "dg-secret"),
    ],
)
def test_secrets_are_taken_out(line: str, secret: str) -> None:
    assert secret not in redact(line)


@pytest.mark.parametrize("as_json", [False, True])
def test_an_exceptions_text_is_redacted_too(capsys: pytest.CaptureFixture[str], as_json: bool) -> None:
    setup("INFO", as_json=as_json)
    try:
        raise ValueError("token=eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ4In0.c2ln password=hunter2")
    except ValueError as error:
        logger.opt(exception=error).error("It failed")
    written = capsys.readouterr().err
    if as_json:
        assert json.loads(written)["record"]["message"] == "It failed"
    assert "ValueError" in written
    assert "hunter2" not in written
    assert "eyJzdWIi" not in written


@pytest.mark.parametrize(
    "line", ["Call call_7k2m opened: banking", "GET /api/agents/list 200 12 ms req_1", "2026-11-22 15:27:44"]
)
def test_ordinary_lines_stay(line: str) -> None:
    assert redact(line) == line
