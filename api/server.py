"""The server process: uvicorn, with a drain before it stops."""

from __future__ import annotations

import asyncio
import errno
import socket
from types import FrameType

import uvicorn

from api.app import create_app
from api.deps import Shared
from api.live import Ticker
from core.settings import Settings
from core.tasks import spawn

MAX_CONNECTIONS = 1000


class DrainingServer(uvicorn.Server):
    """Lets running calls end before it stops; a second signal does not wait.

    On the first SIGTERM or SIGINT new calls get 503 and readiness turns red at once.
    """

    def __init__(self, config: uvicorn.Config, shared: Shared, *, ticker: Ticker, greeting: str = "") -> None:
        super().__init__(config)
        self._shared = shared
        self._ticker = ticker
        self._greeting = greeting
        self._loop: asyncio.AbstractEventLoop | None = None
        self._draining = False

    async def serve(self, sockets=None) -> None:
        """Serve until told to stop."""
        self._loop = asyncio.get_running_loop()
        await super().serve(sockets)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, and only then say where: whoever reads the address opens it."""
        await super().startup(sockets)
        if self.started and self._greeting:
            print(self._greeting, flush=True)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop; the streams that have no end of their own are ended first, or they would be waited for and cut off."""
        await self._ticker.close()
        await super().shutdown(sockets)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002 - uvicorn's signature
        """Begin to drain, or stop at once when already draining.

        uvicorn would raise the signal again when it is done; a server that was asked to stop and did has not failed.
        """
        if self._draining or self._loop is None or not self.started:
            self.force_exit = self.should_exit
            self.should_exit = True
            return
        self._draining = True
        self._shared.switchboard.draining = True
        self._loop.call_soon_threadsafe(self._begin_drain)

    def _begin_drain(self) -> None:
        spawn(self._drain_then_exit(), owner="drain")

    async def _drain_then_exit(self) -> None:
        try:
            await self._shared.switchboard.drain(timeout_s=self._shared.settings.drain_s)
        finally:
            self.should_exit = True


def take_port(settings: Settings) -> socket.socket:
    """Take the server's port, not listening yet, before anything is prepared for it.

    Raises: ValueError if it is taken, or not ours to take.
    """
    port = socket.socket(socket.AF_INET6 if ":" in settings.host else socket.AF_INET)
    port.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        port.bind((settings.host, settings.port))
    except OSError as error:
        port.close()
        taken = error.errno == errno.EADDRINUSE
        why = "is taken; another server may be running" if taken else f"cannot be used: {error.strerror}"
        raise ValueError(f"Port {settings.port} of {settings.host} {why}. Set HOST or PORT.") from None
    return port


def serve(settings: Settings, port: socket.socket, *, greeting: str = "") -> None:
    """Run until stopped.

    Args:
        port: From `take_port`.
        greeting: Printed when people may come.
    """
    app = create_app(settings)
    config = uvicorn.Config(
        app,
        loop="auto",  # uvloop where it is installed
        access_log=False,
        log_config=None,
        server_header=False,
        ws_max_size=65_536,
        limit_concurrency=MAX_CONNECTIONS,
        timeout_keep_alive=15,
        timeout_graceful_shutdown=5,
        proxy_headers=False,
    )
    DrainingServer(config, app.state.shared, ticker=app.state.ticker, greeting=greeting).run([port])
