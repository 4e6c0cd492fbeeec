"""Routes that may be asked only so often: `dependencies=[Depends(Limited("10/minute"))]`."""

from __future__ import annotations

import time

import limits
from fastapi import Depends, Request, Response

from api.deps import Address, App, Shared, token_of
from core.errors import Unauthorized
from identity.limits import TooManyRequests, network_of


class Limited:
    """Lets each subject, or where nobody is logged in each address, through so often; says so in the headers.

    The same handler at two paths has one budget. Attributes of the request: `state.rate_limit`, the headers.
    """

    def __init__(self, rate: str) -> None:
        """Take a rate such as `10/minute`."""
        self._rate = limits.parse(rate)

    async def __call__(self, request: Request, response: Response, app: App, address: Address) -> None:
        """Count one request.

        Raises: TooManyRequests, with the seconds to wait.
        """
        endpoint = request.scope["endpoint"]
        route = f"{endpoint.__module__}.{endpoint.__qualname__}"
        within, allowance = await app.rates.spend(self._rate, route, _subject(request, app) or network_of(address))
        request.state.rate_limit = allowance.headers
        response.headers.update(allowance.headers)
        if not within:
            wait_s = max(1, allowance.reset_at - int(time.time()))
            raise TooManyRequests("Too many requests. Please slow down.", retry_after_s=wait_s)


def _subject(request: Request, app: Shared) -> str | None:
    """Whose token comes with the request; whether it still stands is checked elsewhere."""
    token = token_of(request)
    try:
        return app.tokens.read(token).subject if token else None
    except Unauthorized:
        return None


OPERATOR = Depends(Limited("600/minute"))
"""What an operator's pages, or a program of theirs, may ask of any one route."""
