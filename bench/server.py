"""The product as it is, in a process of its own, with seats enough to find its limit.

The vendors are the instant ones, or those of the recital (`bench/recital.py`), unless the environment has keys of
others. Whatever setting the environment has counts as in the product, MEDIA_WORKERS too.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
from pathlib import Path
from typing import Any

from api.app import create_app
from api.welcome import issue_codes, prepare
from bench.serving import serve
from bench.worker import COMMAND, bring_vendors
from core.db import migrate
from core.settings import Settings

SEATS = 100
OURS = {
    "max_calls": SEATS,
    "max_calls_per_user": SEATS,
    "max_loop_lag_ms": 10_000,
    "max_loop_busy": 1,
    "media_workers": 0,
    "log_level": "WARNING",
}
"""What counts unless the environment says otherwise."""

USES = 100_000


def build(data_dir: Path, port: int) -> tuple[Any, dict[str, Any]]:
    """The application on a fresh database in `data_dir`, and a portal code for the callers."""
    chosen = {name: value for name, value in (OURS | bring_vendors()).items() if name.upper() not in os.environ}
    settings = Settings(
        _env_file=None,  # pyright: ignore[reportCallIssue] - pydantic-settings' own argument
        port=port,
        data_dir=data_dir,
        **chosen,  # pyright: ignore[reportArgumentType]
    )
    migrate(settings.sqlalchemy_url)
    app = create_app(settings, worker_command=COMMAND)
    return app, {"code": asyncio.run(_prepare(settings)), "database": str(data_dir / "parley.db")}


async def _prepare(settings: Settings) -> str:
    await prepare(settings, with_code=False)
    return (await issue_codes(settings, count=1, uses=USES, label="bench"))[0]


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="parley-bench-") as folder:
        serve(str(__doc__), lambda port: build(Path(folder), port))
