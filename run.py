"""Parley's one entry point: `python run.py [serve|check|migrate|seed|code|audit|rotate-keys|openapi|speech]`."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from core.settings import Settings


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one subcommand and return the exit code."""
    options = _parser().parse_args(arguments)
    from pydantic import ValidationError

    from core.settings import Settings

    try:
        settings = Settings()  # pyright: ignore[reportCallIssue] - every field has a default
    except ValidationError as error:
        for problem in error.errors():
            name = ".".join(str(part) for part in problem["loc"]).upper() or "settings"
            print(f"Configuration: {name}: {problem['msg']}", file=sys.stderr)
        print("See .env.example for what each setting means.", file=sys.stderr)
        return 2

    from core import log, vault

    log.setup(settings.log_level, as_json=settings.production)
    from core.errors import AppError

    try:
        vault.unlock(vault.of_settings(settings))
        return options.run(settings, options)
    except (AppError, ValueError) as error:
        print(error.message if isinstance(error, AppError) else error, file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="run.py", description="Parley: real-time voice agents that can be trusted.")
    parser.set_defaults(run=_serve)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    for name, run, text in (
        ("serve", _serve, "migrate, seed and serve (the default)"),
        ("check", _check, "print the effective configuration and test every part"),
        ("migrate", _migrate, "bring the database to the newest schema"),
        ("seed", _seed, "create the administrator and, in development, the demo customers"),
        ("audit", _audit, "check the chain of the audit log and its signed heads"),
        ("rotate-keys", _rotate_keys, "seal every personal field with the newest of FIELD_KEYS"),
        ("openapi", _openapi, "print the OpenAPI document"),
    ):
        commands.add_parser(name, help=text, description=text).set_defaults(run=run)
    code = commands.add_parser("code", help="issue portal codes")
    code.add_argument("--count", type=int, default=1, help="how many (default 1)")
    code.add_argument("--uses", type=int, default=5, help="calls each is good for (default 5)")
    code.add_argument("--label", help="a note for yourself")
    code.set_defaults(run=_code)
    speech = commands.add_parser("speech", help="better speech on this machine (needs internet once)")
    speech.add_argument("action", choices=("list", "install"))
    speech.add_argument("engines", nargs="*", help="which engines to install; none: the recommended ones")
    speech.set_defaults(run=_speech)
    return parser


def _serve(settings: Settings, _options: argparse.Namespace) -> int:
    from api.server import serve, take_port
    from core.db import migrate, needs_migration

    if settings.production and needs_migration(settings.sqlalchemy_url):
        print("The database schema is not current. Run: python run.py migrate", file=sys.stderr)
        return 1
    with take_port(settings) as port:
        settings.data_dir.mkdir(parents=True, exist_ok=True)
        if not settings.production:
            migrate(settings.sqlalchemy_url)
        serve(settings, port, greeting=asyncio.run(_prepared(settings)))
    return 0


async def _prepared(settings: Settings) -> str:
    from api.welcome import prepare, welcome

    return welcome(settings, await prepare(settings))


def _check(settings: Settings, _options: argparse.Namespace) -> int:
    from api.selftest import check

    return asyncio.run(check(settings))


def _migrate(settings: Settings, _options: argparse.Namespace) -> int:
    from core.db import migrate

    settings.data_dir.mkdir(parents=True, exist_ok=True)
    migrate(settings.sqlalchemy_url)
    print("The database schema is current.")
    return 0


def _seed(settings: Settings, _options: argparse.Namespace) -> int:
    from api.welcome import prepare

    admin = asyncio.run(prepare(settings, with_code=False)).admin
    shown = f", password {admin.password_to_show}" if admin.password_to_show else ""
    print(f"Administrator: {admin.username}{shown}")
    return 0


def _code(settings: Settings, options: argparse.Namespace) -> int:
    from api.welcome import issue_codes

    codes = asyncio.run(issue_codes(settings, count=options.count, uses=options.uses, label=options.label))
    print("\n".join(codes))
    return 0


def _audit(settings: Settings, _options: argparse.Namespace) -> int:
    from api.audit import verify_installation

    verdict = asyncio.run(verify_installation(settings))
    if verdict.ok:
        print(f"The audit log is whole: {verdict.checked} records, {verdict.heads} signed heads.")
        if verdict.checked and not verdict.heads:
            print("Without a signed head, a chain made anew is not noticed: see AUDIT_HEADS_FILE.", file=sys.stderr)
        return 0
    print(f"The audit log is broken at record {verdict.first_broken or 'unknown'}: {verdict.why}", file=sys.stderr)
    return 1


def _rotate_keys(settings: Settings, _options: argparse.Namespace) -> int:
    from core.db import Database
    from core.rotation import Rotation, rotate

    async def run() -> Rotation:
        db = Database(settings.sqlalchemy_url)
        try:
            return await rotate(db)
        finally:
            await db.close()

    rotation = asyncio.run(run())
    print(rotation.told())
    return 1 if rotation.left else 0


def _openapi(settings: Settings, _options: argparse.Namespace) -> int:
    from api.app import create_app

    print(json.dumps(create_app(settings).openapi(), indent=2, sort_keys=True))
    return 0


def _speech(settings: Settings, options: argparse.Namespace) -> int:
    from providers import local

    return local.install(settings, options.engines) if options.action == "install" else local.show(settings)


if __name__ == "__main__":
    sys.exit(main())
