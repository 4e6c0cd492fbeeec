"""The product as it is, in a process of its own, with the instant vendors and seats enough to find its limit."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path
from typing import Any

from api.app import create_app
from api.welcome import issue_codes, prepare
from bench import fakes
from bench.serving import serve
from core.db import migrate
from core.settings import Settings
from providers import catalog

SEATS = 100
USES = 100_000


def build(data_dir: Path, port: int) -> tuple[Any, dict[str, Any]]:
    """The application on a fresh database in `data_dir`, and a portal code for the callers."""
    catalog.add("fakes", fakes)
    settings = Settings(
        _env_file=None,  # pyright: ignore[reportCallIssue] - pydantic-settings' own argument
        port=port,
        data_dir=data_dir,
        stt_provider="fakes",
        llm_provider="fakes",
        tts_provider="fakes",
        max_calls=SEATS,
        max_calls_per_user=SEATS,
        max_loop_lag_ms=10_000,
        log_level="WARNING",
    )
    migrate(settings.sqlalchemy_url)
    return create_app(settings), {"code": asyncio.run(_prepare(settings))}


async def _prepare(settings: Settings) -> str:
    await prepare(settings, with_code=False)
    return (await issue_codes(settings, count=1, uses=USES, label="bench"))[0]


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="parley-bench-") as folder:
        serve(str(__doc__), lambda port: build(Path(folder), port))
