"""`python run.py check`: the configuration as it takes effect, and a test of every part."""

from __future__ import annotations

import platform
from importlib.metadata import version

from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from agent import serving
from agent.selftest import loop
from agent.webrtc import guard
from api.pages import DIST
from api.system import PACKAGES, configuration
from core.clock import monotonic_s
from core.db import Database, migrate, needs_migration
from core.errors import AppError
from core.rotation import unopened
from core.settings import Settings
from pipelines import voice
from pipelines.smart_turn import SmartTurnModel
from providers import catalog
from providers.base import Brief


async def check(settings: Settings) -> int:
    """Print the report; 0 if every part works."""
    print("Configuration")
    for setting in configuration(settings):
        print(f"  {setting.name:<28} {setting.value or '(not set)'}")
    print("\nVersions")
    print(f"  {'python':<28} {platform.python_version()}")
    for package in PACKAGES:
        print(f"  {package:<28} {version(package)}")

    print("\nParts")
    results = [
        await _database(settings),
        await _field_keys(settings),
        _pages(),
        await _network_guard(settings),
        await _turns(settings),
    ]
    for kind in catalog.KINDS:
        choice = catalog.choose(settings, kind)
        state = catalog.readiness(settings, choice.name, kind)
        results.append(_line(f"{kind} ({choice.name})", state.ok, choice.told))
    served = await _served(settings)
    results += [_line(f"agent {each.agent.id}", not each.trouble, each.trouble or each.told) for each in served]
    known = serving.briefs(served)
    await catalog.check(settings, known)
    for vendor in catalog.vendors(settings, known):
        told = f"it {vendor.words}" if vendor.open else "answers"
        results += [_line(f"{vendor.kind} {vendor.vendor}", not vendor.open, told)]
    results += await _conversation(settings, known)
    print(f"\n{'Everything works.' if all(results) else 'Some parts do not work; see above.'}")
    return 0 if all(results) else 1


def _line(part: str, ok: bool, found: str) -> bool:
    print(f"  {'ok  ' if ok else 'FAIL'} {part:<23} {found}")
    return ok


async def _database(settings: Settings) -> bool:
    url = settings.sqlalchemy_url
    try:
        settings.data_dir.mkdir(parents=True, exist_ok=True)
        if needs_migration(url):
            if settings.production:
                return _line("database", False, "the schema is not current: python run.py migrate")
            migrate(url)
        db = Database(url)
        try:
            async with db.transaction() as session:
                await session.execute(text("SELECT 1"))
        finally:
            await db.close()
    except (AppError, SQLAlchemyError, OSError, ValueError) as error:
        return _line("database", False, f"{type(error).__name__}: it could not be opened or written")
    return _line("database", True, f"{db.dialect}, schema current, writable")


async def _field_keys(settings: Settings) -> bool:
    db = Database(settings.sqlalchemy_url)
    try:
        closed = await unopened(db)
    except (AppError, SQLAlchemyError, OSError) as error:
        return _line("personal fields", False, f"not read: {type(error).__name__}")
    finally:
        await db.close()
    found = (
        f"FIELD_KEYS or SECRET_KEY lacks the key of {', '.join(closed)}" if closed else "open with the keys there are"
    )
    return _line("personal fields", not closed, found)


def _pages() -> bool:
    built = (DIST / "index.html").is_file()
    return _line("pages", built, "built" if built else "not built: make web")


async def _network_guard(settings: Settings) -> bool:
    try:
        await guard(settings)
    except (AppError, RuntimeError) as error:
        return _line("network guards", False, str(error))
    return _line("network guards", True, "in place")


async def _turns(settings: Settings) -> bool:
    started = monotonic_s()
    model = SmartTurnModel(own_process=settings.smart_turn_process)
    try:
        voice.warm()
        await model.warm()
    except Exception as error:  # noqa: BLE001 - reported to the person who asked
        return _line("turn models", False, f"{type(error).__name__}: {error}")
    finally:
        model.close()
    return _line("turn models", True, f"loaded in {monotonic_s() - started:.1f} s")


async def _served(settings: Settings) -> list[serving.Served]:
    db = Database(settings.sqlalchemy_url)
    try:
        return await serving.look(db, settings)
    finally:
        await db.close()


async def _conversation(settings: Settings, known: list[Brief]) -> list[bool]:
    english = next((brief for brief in known if brief.language.startswith("en")), None)
    if english is None:
        return []
    try:
        await catalog.warm(settings, known)
        steps = await loop(settings, english)
    except Exception as error:  # noqa: BLE001 - reported to the person who asked
        return [_line("conversation", False, f"{type(error).__name__}: {error}")]
    finally:
        await catalog.close()
    return [_line(f"{step.kind} says", step.ok, f"{step.found} in {step.took_s:.2f} s") for step in steps]
