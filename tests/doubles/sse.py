"""Server-sent events, sent as a script has it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from aiohttp import web

from tests.doubles.script import Script


async def send(
    request: web.Request, script: Script, events: Iterable[bytes], *, garbage: bytes, gone: asyncio.Event
) -> web.StreamResponse:
    """Answer with events; each of them is a piece in the sense of the script.

    Args:
        garbage: What comes in the place of each event, if the script wants that.
        gone: Set when the client hangs up before the end.
    """
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream; charset=utf-8"})
    assert request.transport is not None
    try:
        await asyncio.sleep(script.first_byte_s)
        for number, event in enumerate(events):
            if number == script.cut_after:
                request.transport.close()
                return response
            if number == script.stall_after:
                await asyncio.Event().wait()
            if number:
                await asyncio.sleep(script.pace_s)
            else:
                await response.prepare(request)
            await response.write(garbage if script.garbage else event)
    except (asyncio.CancelledError, ConnectionError):
        gone.set()
        raise
    return response


def retry_after(script: Script) -> dict[str, str]:
    """The header of a refusal."""
    return {} if script.retry_after_s is None else {"retry-after": str(script.retry_after_s)}
