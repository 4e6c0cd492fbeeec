"""A window into a server under test: an ASGI layer that answers `GET /bench/state` and passes everything else on."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import time
from functools import cache
from pathlib import Path
from typing import Any

STEP_S = 0.01

_SCHEDULED = Path("/proc/self/schedstat")


class Probe:
    """Counts tasks and measures how late the event loop is, in the process of the app it wraps.

    `GET /bench/state` answers `{pid, tasks, loop, lag_p50_ms, lag_p95_ms, lag_max_ms, stop_max_ms}`; the lag is that
    since the last look, the stop what is left of it without waits for a core that others had. `?collect=1` runs the
    garbage collector first, so that what is left is held by someone.
    """

    def __init__(self, app: Any) -> None:
        self._app = app
        self._lags_ms: list[float] = []
        self._stop_max_ms = 0.0
        self._meter: asyncio.Task[None] | None = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve one ASGI scope."""
        if scope["type"] != "http" or scope["path"] != "/bench/state":
            await self._app(scope, receive, send)
            return
        self._meter = self._meter or asyncio.create_task(self._measure(), name="bench.lag")
        if b"collect=1" in scope["query_string"]:
            gc.collect()
        body = json.dumps(self._state()).encode()
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    def _state(self) -> dict[str, object]:
        lags = sorted(self._lags_ms) or [0.0]
        stop_max_ms, self._lags_ms, self._stop_max_ms = self._stop_max_ms, [], 0.0
        return {
            "pid": os.getpid(),
            "tasks": len(asyncio.all_tasks()),
            "loop": type(asyncio.get_running_loop()).__module__,
            "lag_p50_ms": round(lags[len(lags) // 2], 2),
            "lag_p95_ms": round(lags[len(lags) * 95 // 100], 2),
            "lag_max_ms": round(lags[-1], 2),
            "stop_max_ms": round(stop_max_ms, 2),
        }

    async def _measure(self) -> None:
        while True:
            before, waited_s = time.monotonic(), _waited_for_a_core_s()
            await asyncio.sleep(STEP_S)
            lag_s = time.monotonic() - before - STEP_S
            self._stop_max_ms = max(self._stop_max_ms, (lag_s + waited_s - _waited_for_a_core_s()) * 1000)
            if len(self._lags_ms) < 100_000:
                self._lags_ms.append(lag_s * 1000)


@cache
def _schedule() -> int | None:
    """The main thread's scheduling figures, open for reading; None where the system has none."""
    try:
        return os.open(_SCHEDULED, os.O_RDONLY)
    except OSError:
        return None


def _waited_for_a_core_s() -> float:
    """How long the main thread has been ready to run and was not let; 0 where the system does not say."""
    file = _schedule()
    return 0.0 if file is None else int(os.pread(file, 100, 0).split()[1]) / 1e9
