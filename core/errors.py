"""Errors a person can act on: one code, one status, one sentence to show and one to say aloud."""

from __future__ import annotations


class AppError(Exception):
    """An expected failure, raised where it is known and translated at the edge only.

    The HTTP edge turns it into JSON (`error_code`, `detail`); a live call says `spoken`. The text never holds
    secrets or personal data, because both edges repeat it.

    Attributes:
        code: Stable machine-readable name, snake_case.
        message: What happened and what to do, for a screen.
        status: HTTP status that fits.
        spoken: The same for the ear; defaults to `message`.
        retryable: Whether the same request may succeed later.
        retry_after_s: Seconds to wait before a retry, where that is known.
    """

    code = "error"
    status = 400
    retryable = False

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        status: int | None = None,
        spoken: str | None = None,
        retryable: bool | None = None,
        retry_after_s: int | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or type(self).code
        self.status = status or type(self).status
        self.spoken = spoken or message
        self.retryable = type(self).retryable if retryable is None else retryable
        self.retry_after_s = retry_after_s


class NotFound(AppError):
    """The thing does not exist, or is not the asker's: the two look the same on purpose."""

    code = "not_found"
    status = 404


class Unauthorized(AppError):
    """Nobody is logged in, or what they showed is not accepted."""

    code = "unauthorized"
    status = 401


class Forbidden(AppError):
    """Somebody is logged in, but may not do this."""

    code = "forbidden"
    status = 403


class Invalid(AppError):
    """The request is well-formed but cannot be carried out as it stands."""

    code = "invalid"
    status = 422


class KeyReused(Invalid):
    """The key of a request has named another one before."""

    code = "key_reused"

    def __init__(self, message: str = "That key was used for something else before. Use a new one.") -> None:
        super().__init__(message)


class Conflict(AppError):
    """The request collides with what has already happened."""

    code = "conflict"
    status = 409


class Busy(AppError):
    """No room right now; try again shortly."""

    code = "busy"
    status = 503
    retryable = True
