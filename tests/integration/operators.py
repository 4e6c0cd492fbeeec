"""Operators' routes alone, for an administrator, on a test's database."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import httpx
from fastapi import APIRouter, FastAPI

from api import errors
from api.deps import who
from core.db import Database
from core.settings import Settings
from identity.limits import Rates
from identity.tokens import Claims

ADMIN = Claims(
    subject="usr_admin",
    role="admin",
    permissions=(),
    email=None,
    name=None,
    version=0,
    token_id="1",
    issued_at=datetime(2026, 3, 1, tzinfo=UTC),
    expires_at=datetime(2099, 3, 1, tzinfo=UTC),
)


@dataclass
class Shared:
    """What these routes need of the shared parts."""

    db: Database
    settings: Settings | None = None
    switchboard: Any = None
    rates: Rates = field(default_factory=lambda: Rates(1000))


def client(database: Database, *routers: APIRouter, **parts: Any) -> httpx.AsyncClient:
    """An administrator who can ask these routes."""
    app = FastAPI()
    app.state.shared = Shared(database, **parts)
    app.dependency_overrides[who] = lambda: ADMIN
    errors.install(app)
    for router in routers:
        app.include_router(router)
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://office")


async def get(http: httpx.AsyncClient, path: str, **query: Any) -> Any:
    """What a route answers; `from_` stands for `from`."""
    answer = await http.get(path, params={name.rstrip("_"): value for name, value in query.items()})
    assert answer.status_code == 200, answer.text
    return answer.json()
