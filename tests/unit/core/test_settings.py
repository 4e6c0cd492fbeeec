from pathlib import Path

import pytest
from pydantic import ValidationError

from core.settings import DEV_ADMIN_PASSWORD, Settings, example

ROOT = Path(__file__).resolve().parents[3]


def settings(**values: object) -> Settings:
    return Settings(_env_file=None, **values)  # pyright: ignore[reportCallIssue, reportArgumentType]


def test_the_example_documents_every_setting() -> None:
    assert (ROOT / ".env.example").read_text() == example(), "run: python -m core.settings > .env.example"


def test_the_example_loads_as_the_defaults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    uncommented = tmp_path / ".env"
    lines = (ROOT / ".env.example").read_text().splitlines()
    uncommented.write_text("\n".join(line.removeprefix("#") for line in lines if not line.startswith("# ")))
    assert Settings(_env_file=uncommented) == settings()  # pyright: ignore[reportCallIssue]


def test_settings_cannot_change_while_running() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        settings().port = 1  # pyright: ignore[reportAttributeAccessIssue]


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("secret_key", "short", "at least 32 bytes"),
        ("udp_port_range", "40000", "LOW-HIGH"),
        ("udp_port_range", "50000-40000", "LOW-HIGH"),
        ("announced_ip", "my.host", "not appear to be an IPv4 or IPv6"),
        ("trusted_proxies", "10.0.0.0/99", "IPv4Network|IPv4 or IPv6 network"),
        ("cors_origins", "*", "every site"),
        ("ice_servers", "foo", "stun:"),
        ("metrics_token", "short", "at least 16"),
        ("otel_exporter_otlp_endpoint", "collector:4318", "http://host"),
        ("otel_exporter_otlp_headers", "key", "name=value"),
        ("max_calls", 0, "greater than or equal to 1"),
        ("environment", "staging", "development"),
    ],
)
def test_a_bad_value_is_refused_with_its_reason(name: str, value: object, says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        settings(**{name: value})


def test_production_refuses_the_published_password() -> None:
    with pytest.raises(ValidationError, match="published"):
        settings(environment="production", admin_password=DEV_ADMIN_PASSWORD)


def test_production_wants_https() -> None:
    with pytest.raises(ValidationError, match="https"):
        settings(environment="production", public_url="http://portal.example")


@pytest.mark.parametrize(
    ("host", "loopback"),
    [("127.0.0.1", True), ("localhost", True), ("::1", True), ("0.0.0.0", False), ("10.1.2.3", False)],
)
def test_loopback_means_this_machine_alone(host: str, loopback: bool) -> None:
    assert settings(host=host).loopback is loopback


def test_lists_are_written_with_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CORS_ORIGINS", "https://a.example, https://b.example")
    assert settings().cors_origins == ("https://a.example", "https://b.example")
