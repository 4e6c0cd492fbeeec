"""The commands an operator types."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

from tests.servers import ROOT


def run(data_dir: Path, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    inherited = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG", "TMPDIR")}
    return subprocess.run(
        [sys.executable, str(ROOT / "run.py"), *arguments],
        env={**inherited, "DATA_DIR": str(data_dir), **settings},
        cwd=data_dir,
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )


def test_check_tests_every_part_and_shows_no_secret(data_dir: Path) -> None:
    secret = "a-secret-key-of-more-than-thirty-two-bytes"
    url = f"sqlite+aiosqlite:///{data_dir / 'check.db'}"
    result = run(data_dir, "check", SECRET_KEY=secret, ADMIN_PASSWORD="hunter2hunter2", DATABASE_URL=url)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "Everything works." in result.stdout
    for part in ("database", "pages", "network guards", "turn models", "tts says", "stt says", "llm says"):
        assert f"ok   {part}" in result.stdout
    assert secret not in result.stdout + result.stderr
    assert "hunter2" not in result.stdout + result.stderr


def test_a_bad_setting_is_named_with_what_to_do(data_dir: Path) -> None:
    result = run(data_dir, "serve", UDP_PORT_RANGE="many")
    assert result.returncode == 2
    assert "UDP_PORT_RANGE" in result.stderr
    assert ".env.example" in result.stderr


def test_a_taken_port_is_named(data_dir: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        result = run(
            data_dir, "serve", PORT=str(taken.getsockname()[1]), DATABASE_URL=f"sqlite:///{data_dir / 'taken.db'}"
        )
    assert result.returncode == 1
    assert "is taken" in result.stderr
    assert "PORT" in result.stderr
    assert not (data_dir / "taken.db").exists(), "nothing was prepared for it"


def test_production_wants_migrations_and_prints_a_password_once(data_dir: Path) -> None:
    production = {"ENVIRONMENT": "production", "DATABASE_URL": f"sqlite+aiosqlite:///{data_dir / 'production.db'}"}
    refused = run(data_dir, "serve", **production)
    assert refused.returncode == 1
    assert "migrate" in refused.stderr
    assert run(data_dir, "migrate", **production).returncode == 0
    first, second = run(data_dir, "seed", **production), run(data_dir, "seed", **production)
    assert "password" in first.stdout
    assert "password" not in second.stdout
    code = run(data_dir, "code", "--uses", "1", **production).stdout.strip()
    assert len(code) == 8


def test_the_published_openapi_document_is_the_servers(data_dir: Path) -> None:
    result = run(data_dir, "openapi")
    assert result.returncode == 0
    assert result.stdout == (ROOT / "web" / "openapi.json").read_text(), "run: python run.py openapi > web/openapi.json"
