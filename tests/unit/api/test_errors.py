"""Every error has one shape, whether it is raised or given as an outcome."""

from __future__ import annotations

import json
from datetime import datetime

from api.errors import ErrorOut, error_response
from core.errors import Busy, NotFound, Unauthorized


def test_an_error_given_as_an_outcome_looks_like_one_that_is_raised() -> None:
    error = NotFound("There is no such bill.", code="no_bill")
    given, raised = json.loads(ErrorOut.of(error).model_dump_json()), json.loads(bytes(error_response(error).body))
    for body in (given, raised):
        assert datetime.fromisoformat(body.pop("timestamp")).tzinfo is not None
        assert body == {"detail": "There is no such bill.", "error_code": "no_bill", "status_code": 404}


def test_what_is_wrong_with_each_field_is_told_where_it_is_known() -> None:
    errors = [{"field": "body.amount", "message": "must be more than zero", "type": "value_error"}]
    body = json.loads(bytes(error_response(NotFound("No"), errors=errors).body))
    assert body["errors"] == errors


def test_headers_say_how_to_go_on() -> None:
    assert error_response(Busy("Busy", retry_after_s=2)).headers["Retry-After"] == "2"
    assert error_response(Unauthorized("Log in")).headers["WWW-Authenticate"] == "Bearer"
    assert {"retry-after", "www-authenticate"}.isdisjoint(error_response(NotFound("No")).headers)
