"""Log-ins and second factors come to a database that has people in it, and go again."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import command

from core import db as core_db

MOMENT = "2026-03-01 12:00:00+00:00"


def _to(url: str, revision: str) -> None:
    def run(connection: sa.Connection) -> None:
        config = core_db.alembic_config()
        config.attributes["connection"] = connection
        down = revision < str(connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar())
        (command.downgrade if down else command.upgrade)(config, revision)

    core_db.on_connection(core_db.async_url(url), run)


def _execute(url: str, *statements: str) -> None:
    def run(connection: sa.Connection) -> None:
        for statement in statements:
            connection.execute(sa.text(statement))

    core_db.on_connection(core_db.async_url(url), run)


def _row(url: str, query: str) -> tuple[object, ...]:
    return core_db.on_connection(
        core_db.async_url(url), lambda connection: tuple(connection.execute(sa.text(query)).one())
    )


def test_people_stay_who_they_are(empty_database_url: str) -> None:
    url = empty_database_url
    core_db.migrate(url, "0004")
    _execute(
        url,
        "INSERT INTO users (id, username, email, name, role, password_hash, must_change_password, token_version, "
        f"created_at) VALUES ('usr_1', 'ada', 'ada@example.com', 'Ada', 'user', '$x', false, 3, '{MOMENT}')",
        "INSERT INTO customers (id, user_id, name, kyc_status, created_at) "
        f"VALUES ('cus_1', 'usr_1', 'Ada', 'verified', '{MOMENT}')",
    )
    people = "SELECT u.username, u.token_version, c.id FROM users u JOIN customers c ON c.user_id = u.id"
    _to(url, "0005")
    assert _row(url, people) == ("ada", 3, "cus_1")
    assert _row(url, "SELECT login_factor FROM users") == (None,)
    _execute(
        url,
        "UPDATE users SET login_factor = 'code'",
        "INSERT INTO sessions (id, subject, role, version, opened_at, renewed_at, expires_at) "
        f"VALUES ('ses_1', 'usr_1', 'user', 3, '{MOMENT}', '{MOMENT}', '{MOMENT}')",
        f"INSERT INTO refresh_tokens (token_hash, session_id, issued_at) VALUES ('x', 'ses_1', '{MOMENT}')",
        "INSERT INTO challenges (id, subject, purpose, method, bound_hash, code_hash, sent_to, tries, created_at, "
        f"expires_at) VALUES ('mfa_1', 'usr_1', 'login', 'code', 'x', 'y', 'z', 0, '{MOMENT}', '{MOMENT}')",
        "INSERT INTO totp (id, user_id, secret_sealed, created_at, last_step) "
        f"VALUES ('totp_1', 'usr_1', 'x', '{MOMENT}', 0)",
    )
    _to(url, "0004")
    assert _row(url, people) == ("ada", 3, "cus_1")
    _to(url, "0005")
    assert _row(url, people) == ("ada", 3, "cus_1")
    assert _row(url, "SELECT count(*) FROM sessions") == (0,)
    _execute(
        url,
        "INSERT INTO totp (id, user_id, secret_sealed, created_at, last_step) "
        f"VALUES ('totp_2', 'usr_1', 'x', '{MOMENT}', 0)",
    )
