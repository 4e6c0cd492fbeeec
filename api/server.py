"""The server process: uvicorn, with a drain before it stops."""

from __future__ import annotations

import asyncio
from types import FrameType

import uvicorn

from api.app import create_app
from api.deps import Shared
from core.settings import Settings
from core.tasks import spawn

MAX_CONNECTIONS = 1000


class DrainingServer(uvicorn.Server):
    """Lets running calls end before it stops; a second signal does not wait.

    On the first SIGTERM or SIGINT new calls get 503 and readiness turns red at once.
    """

    def __init__(self, config: uvicorn.Config, shared: Shared) -> None:
        super().__init__(config)
        self._shared = shared
        self._loop: asyncio.AbstractEventLoop | None = None
        self._draining = False

    async def serve(self, sockets=None) -> None:
        """Serve until told to stop."""
        self._loop = asyncio.get_running_loop()
        await super().serve(sockets)

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


def serve(settings: Settings) -> None:
    """Run until stopped."""
    app = create_app(settings)
    config = uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
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
    DrainingServer(config, app.state.shared).run()
