"""The product as it is, in a process of its own, with seats enough to find its limit.

The vendors are the instant ones, unless the environment has keys of others or asks for a recital (`bench/recital.py`).
Whatever else is set in the environment holds here as well.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
from pathlib import Path
from typing import Any

from api.app import create_app
from api.welcome import issue_codes, prepare
from bench import fakes, recital
from bench.serving import serve
from core.db import migrate
from core.settings import Settings
from providers import catalog

SEATS = 100
USES = 100_000


def build(data_dir: Path, port: int) -> tuple[Any, dict[str, Any]]:
    """The application on a fresh database in `data_dir`, and a portal code for the callers."""
    limits = {"max_calls": SEATS, "max_calls_per_user": SEATS, "max_loop_lag_ms": 10_000, "log_level": "WARNING"}
    chosen = {name: value for name, value in (limits | _vendors()).items() if name.upper() not in os.environ}
    settings = Settings(
        _env_file=None,  # pyright: ignore[reportCallIssue] - pydantic-settings' own argument
        port=port,
        data_dir=data_dir,
        **chosen,  # pyright: ignore[reportArgumentType]
    )
    migrate(settings.sqlalchemy_url)
    app = create_app(settings)
    return app, {"code": asyncio.run(_prepare(settings)), "database": str(data_dir / "parley.db")}


def _vendors() -> dict[str, str]:
    catalog.add("fakes", fakes)
    if recital.wanted():
        catalog.add("recital", recital)
        return {"stt_provider": "offline", "llm_provider": "recital", "tts_provider": "recital"}
    if "CARTESIA_API_KEY" in os.environ:
        return {}
    return {"stt_provider": "fakes", "llm_provider": "fakes", "tts_provider": "fakes"}


async def _prepare(settings: Settings) -> str:
    await prepare(settings, with_code=False)
    return (await issue_codes(settings, count=1, uses=USES, label="bench"))[0]


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="parley-bench-") as folder:
        serve(str(__doc__), lambda port: build(Path(folder), port))
