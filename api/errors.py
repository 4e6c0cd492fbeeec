"""One shape for every error: `{"detail", "error_code", "status_code", "timestamp"}`."""

from __future__ import annotations

from typing import Any, Self

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from core.clock import utc_now
from core.errors import AppError, Invalid


class ErrorOut(BaseModel):
    """What went wrong and what to do."""

    detail: str
    error_code: str
    status_code: int
    timestamp: str
    errors: list[dict[str, Any]] | None = Field(None, exclude_if=lambda errors: errors is None)

    @classmethod
    def of(cls, error: AppError, *, errors: list[dict[str, Any]] | None = None) -> Self:
        """An error as every client gets it, now."""
        return cls(
            detail=error.message,
            error_code=error.code,
            status_code=error.status,
            timestamp=utc_now().isoformat(),
            errors=errors,
        )


def error_response(error: AppError, *, errors: list[dict[str, Any]] | None = None) -> JSONResponse:
    """The answer that tells of an error."""
    headers = {"Retry-After": str(error.retry_after_s)} if error.retry_after_s is not None else {}
    if error.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    body = ErrorOut.of(error, errors=errors).model_dump(mode="json")
    return JSONResponse(body, status_code=error.status, headers=headers)


def install(app: FastAPI) -> None:
    """Translate every exception at the edge of HTTP."""

    @app.exception_handler(AppError)
    async def on_app_error(request: Request, error: AppError) -> JSONResponse:
        return _limited(request, error_response(error))

    @app.exception_handler(RequestValidationError)
    async def on_invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        # What was sent is not repeated: it may be a password or a code.
        errors = [
            {
                "field": ".".join(str(part) for part in problem["loc"]),
                "message": problem["msg"],
                "type": problem["type"],
            }
            for problem in error.errors()
        ]
        detail = "; ".join(f"{problem['field']}: {problem['message']}" for problem in errors[:5])
        invalid = Invalid(detail or "The request is not valid", code="validation")
        return _limited(request, error_response(invalid, errors=errors))

    @app.exception_handler(HTTPException)
    async def on_http(_request: Request, error: HTTPException) -> JSONResponse:
        codes = {401: "unauthorized", 403: "forbidden", 404: "not_found", 405: "method_not_allowed"}
        code = codes.get(error.status_code, "http_error")
        response = error_response(AppError(str(error.detail), code=code, status=error.status_code))
        response.headers.update(error.headers or {})
        return response


def _limited(request: Request, response: JSONResponse) -> JSONResponse:
    """An answer that also tells what is left of the route's rate, where it has one (`api.limited`)."""
    response.headers.update(getattr(request.state, "rate_limit", {}))
    return response
