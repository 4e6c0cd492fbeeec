"""JSON bodies read exactly: no number is rounded, and what could be read in two ways is refused."""

from __future__ import annotations

import json
from collections.abc import Callable, Coroutine
from decimal import Decimal, DecimalException
from typing import Any, NoReturn

from fastapi import Request, Response
from fastapi.routing import APIRoute


def read_exactly(body: bytes) -> Any:
    """The value of a JSON text, with a `Decimal` for every number that has a point or an exponent.

    Raises: json.JSONDecodeError, also for NaN and infinity, for names that come twice in one object, and for numbers
        and nestings beyond all reason.
    """
    try:
        return json.loads(body.decode(), parse_float=_decimal, parse_constant=_refuse, object_pairs_hook=_object)
    except json.JSONDecodeError:
        raise
    except (ValueError, RecursionError) as error:
        raise json.JSONDecodeError(str(error), "", 0) from None


def _decimal(text: str) -> Decimal:
    try:
        return Decimal(text)
    except DecimalException:
        raise ValueError("A number is out of range") from None


def _refuse(_name: str) -> NoReturn:
    raise ValueError("NaN and Infinity are no JSON")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("A name comes twice in one object")
    return value


class _ExactRequest(Request):
    async def json(self) -> Any:
        if not hasattr(self, "_read"):
            self._read = read_exactly(await self.body())
        return self._read


class ExactRoute(APIRoute):
    """A route whose JSON body is read by `read_exactly`."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Hand the request on with another reader."""
        handle = super().get_route_handler()

        async def exactly(request: Request) -> Response:
            return await handle(_ExactRequest(request.scope, request.receive))

        return exactly
