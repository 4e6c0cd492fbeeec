"""The only reader of the environment: one frozen class with defaults that are safe and need no network."""

from __future__ import annotations

import ipaddress
import json
import textwrap
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AliasChoices, Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict

from core.cores import usable

MIN_METRICS_TOKEN = 16
MAX_WORKERS = 256
DEV_ADMIN_PASSWORD = "adminc@w"  # noqa: S105 - published; refused in production


class Settings(BaseSettings):
    """Everything that can be configured, read once from the environment and `.env`.

    Field descriptions are the documentation: `.env.example` repeats them and a test holds the two equal.
    """

    model_config = SettingsConfigDict(
        env_file=".env",
        env_file_encoding="utf-8",
        frozen=True,
        populate_by_name=True,
        extra="ignore",
        env_ignore_empty=True,
        hide_input_in_errors=True,  # it may be a key
    )

    # Server
    environment: Literal["development", "production"] = Field(
        "development",
        description="development seeds demo customers, migrates by itself, has a published password on loopback",
    )
    host: str = Field("127.0.0.1", description="Address the server listens on")
    port: int = Field(8000, ge=0, le=65535, description="TCP port the server listens on; 0 takes a free one")
    public_url: str = Field("", description="URL people open, if a proxy stands in front; empty: http://HOST:PORT")
    data_dir: Path = Field(Path("data"), description="Folder for the database, caches and generated secrets")
    database_url: str = Field(
        "", description="SQLAlchemy URL; empty: SQLite in DATA_DIR. Postgres: postgresql+asyncpg://user:pw@host/db"
    )
    secret_key: SecretStr = Field(
        SecretStr(""),
        description="At least 32 bytes; signs tokens and hashes codes. Empty: generated once into DATA_DIR",
    )
    cors_origins: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="Comma-separated origins that may call the API from a browser; empty: same origin only"
    )
    trusted_proxies: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="Comma-separated addresses or networks whose X-Forwarded-For is believed"
    )
    rate_factor: float = Field(
        1.0, ge=0.01, le=100_000, description="Multiplies how often routes may be asked; raise it for load tests only"
    )
    log_level: Literal["TRACE", "DEBUG", "INFO", "WARNING", "ERROR"] = Field("INFO", description="Least level logged")

    node_name: str = Field(
        "",
        description="Name of this process in the record of calls, the same over restarts, so that a crash's calls are "
        "closed; empty: host name and port",
    )

    # People
    admin_username: str = Field("cawadmin", description="Name of the first administrator")
    admin_password: SecretStr = Field(
        SecretStr(""),
        description="First administrator's password. Empty: a known one in development (loopback only), "
        "a random one printed once in production",
    )
    otp_format: Literal["", "digits6", "crockford8"] = Field(
        "", description="Form of portal codes; empty: digits6 in development, crockford8 in production"
    )
    otp_reveal: bool = Field(
        False, description="Keep a sealed copy of each portal code, so that administrators can see it again"
    )
    token_keys: Annotated[tuple[SecretStr, ...], NoDecode] = Field(
        (),
        description="Comma-separated id:secret pairs for access tokens, the first of which signs; each secret at least "
        "32 bytes, without a comma. Empty: derived from SECRET_KEY. To change it: put the new one first, keep the old "
        "one behind it for as long as log-ins last",
    )
    session_ttl_minutes: int = Field(
        120, ge=5, le=1440, description="Lifetime of a portal guest's or administrator's log-in"
    )
    access_token_ttl_minutes: int = Field(10, ge=1, le=1440, description="Lifetime of a customer's access token")
    refresh_token_ttl_minutes: int = Field(
        60, ge=5, le=43_200, description="Lifetime of a customer's refresh token; each is good for one renewal"
    )
    field_keys: Annotated[tuple[SecretStr, ...], NoDecode] = Field(
        (),
        description="Comma-separated id:secret pairs that encrypt personal fields, the first of which seals; each "
        "secret at least 32 bytes, without a comma. Empty: derived from SECRET_KEY. To change it: put "
        "the new one first, keep the old one behind it, restart every server, then python run.py rotate-keys",
    )

    # The bank
    mfa_required_amount: Decimal = Field(
        Decimal(10_000), ge=0, le=10**9, description="Above this amount, in rupees, moving money takes a second factor"
    )
    demo_inbox: bool = Field(
        True, description="Show a portal guest the codes sent to them on the page: a guest has no phone on record"
    )
    smtp_url: SecretStr = Field(
        SecretStr(""),
        description="smtp://user:password@host:587 (STARTTLS) or smtps://…:465, to deliver codes by e-mail; "
        "empty: codes are printed on the server's console",
    )
    mail_from: str = Field("", description="Sender of e-mails; needed with SMTP_URL")
    sms_url: SecretStr = Field(
        SecretStr(""),
        description="https://account:token@host/…/Messages.json of a service with Twilio's API, for text messages",
    )
    sms_from: str = Field("", description="Sender of text messages; needed with SMS_URL")
    audit_heads_file: str = Field(
        "", description="Where signed heads of the audit chain are appended, best on another disk; empty: in DATA_DIR"
    )
    webhook_allow_private: bool = Field(
        False,
        description="Let webhooks go to private and loopback addresses over plain http; for tests and development",
    )

    # Speech and language
    stt_provider: str = Field(
        "",
        description="Speech to text: a name, or fallback:a,b for who serves first and who steps in; empty: best "
        "available. Behind every other one stands offline, should all of them fail",
    )
    llm_provider: str = Field("", description="Language model, written like STT_PROVIDER; empty: best available")
    tts_provider: str = Field("", description="Text to speech, written like STT_PROVIDER; empty: best available")

    vendor_rest_s: float = Field(
        10.0, ge=0.1, le=300, description="How long a vendor that failed twice is left alone before it is asked again"
    )

    deepgram_api_key: SecretStr = Field(SecretStr(""), description="Deepgram hears, if this is set")
    deepgram_base_url: str = Field("", description="Another address of Deepgram's interface, e.g. of an own deployment")
    deepgram_model: str = Field(
        "nova-3", description="Deepgram's model; one whose name begins with flux also decides when a turn is over"
    )

    anthropic_api_key: SecretStr = Field(
        SecretStr(""),
        validation_alias=AliasChoices("anthropic_api_key", "claude_api_key"),
        description="Claude answers, if this is set; CLAUDE_API_KEY is read as well",
    )
    anthropic_base_url: str = Field("", description="Another address of Anthropic's interface")
    anthropic_model: str = Field("claude-haiku-5-5", description="Claude model")

    cartesia_api_key: SecretStr = Field(SecretStr(""), description="Cartesia speaks, if this is set")
    cartesia_base_url: str = Field("", description="Another address of Cartesia's interface")
    cartesia_model: str = Field("sonic-3.6", description="Cartesia's model")
    cartesia_voice_id: str = Field(
        "", description="Cartesia's voice; empty: one that we chose for the language of the call"
    )

    openai_api_key: SecretStr = Field(
        SecretStr(""), description="OpenAI answers and (Whisper) hears, if this is set and no vendor above does"
    )
    openai_base_url: str = Field("", description="Another address of OpenAI's interface")
    openai_model: str = Field("gpt-4.1-mini", description="OpenAI's language model")
    openai_stt_model: str = Field("whisper-1", description="OpenAI's model that hears")

    groq_api_key: SecretStr = Field(SecretStr(""), description="Groq answers, if this is set and no vendor above does")
    groq_base_url: str = Field("", description="Another address of Groq's interface")
    groq_model: str = Field("openai/gpt-oss-120b", description="Language model that Groq runs")

    deepseek_api_key: SecretStr = Field(
        SecretStr(""), description="DeepSeek answers, if this is set and no vendor above does"
    )
    deepseek_base_url: str = Field("", description="Another address of DeepSeek's interface")
    deepseek_model: str = Field("deepseek-flash", description="DeepSeek's language model")

    elevenlabs_api_key: SecretStr = Field(
        SecretStr(""), description="ElevenLabs speaks, if this is set and no vendor above does"
    )
    elevenlabs_base_url: str = Field("", description="Another address of ElevenLabs' interface")
    elevenlabs_model: str = Field("eleven_flash_v2_5", description="ElevenLabs' model")
    elevenlabs_voice_id: str = Field(
        "", description="ElevenLabs' voice; empty: one that we chose for the language of the call"
    )

    ollama_base_url: str = Field(
        "http://127.0.0.1:11434", description="Where Ollama listens; used with LLM_PROVIDER=ollama"
    )
    ollama_model: str = Field("", description="Model that Ollama runs; needed with LLM_PROVIDER=ollama")

    # Calls
    smart_turn_process: bool | None = Field(
        None, description="Run the end-of-turn model in a process of its own; empty: once many callers speak"
    )
    media_plane: bool = Field(
        True,
        description="Carry calls' audio beside the pipeline; false: pipecat's own way, to compare or to go back",
    )
    max_calls: int = Field(
        8,
        ge=1,
        le=10_000,
        description="Seats: calls that each process takes at once. Eight suits the offline engines, which work on the "
        "same cores; with vendors elsewhere a core carries more (docs/benchmarks.md)",
    )
    max_calls_per_user: int = Field(2, ge=1, le=100, description="Calls one code or user may have open at once")
    max_call_s: int = Field(1800, ge=10, le=14_400, description="A call is ended politely after this many seconds")
    max_call_usd: Decimal = Field(
        Decimal(0), ge=0, le=10**6, description="A call is ended politely once it has cost more US dollars; 0: never"
    )
    max_code_usd: Decimal = Field(
        Decimal(0),
        ge=0,
        le=10**6,
        description="US dollars that all calls made with one portal code may cost: then it opens no more, and open "
        "ones are ended politely; 0: any. Calls that are open at once may each spend what was left when they began",
    )
    max_day_usd: Decimal = Field(
        Decimal(0),
        ge=0,
        le=10**6,
        description="The same for all calls that begin on one day, from midnight to midnight UTC; 0: any",
    )
    idle_prompt_s: float = Field(
        20.0,
        ge=1,
        le=300,
        description="Silence before the agent asks whether anyone is there; after three quarters of it again it "
        "takes leave. Typing and reading on the page count as a sign of life",
    )
    vanished_s: float = Field(
        8.0, ge=2, le=60, description="Nothing heard from the browser for this long ends the call"
    )
    drain_s: float = Field(120.0, ge=0, le=3600, description="On SIGTERM, how long running calls may go on")
    max_loop_lag_ms: float = Field(
        150.0,
        ge=5,
        le=10_000,
        description="New calls are refused while the event loop of whoever would carry them is this late "
        "(95th percentile)",
    )
    max_loop_busy: float = Field(
        0.85,
        gt=0,
        le=1,
        description="New calls are refused while that event loop is at work for more than this share of the time, "
        "counting what calls that have just begun will add; 1: never",
    )
    media_workers: int | None = Field(
        None,
        ge=0,
        le=MAX_WORKERS,
        description="Processes that carry calls beside the one that serves HTTP; 0: that one carries them itself. "
        "Empty: none with one or two cores, else one per core",
    )

    # Telemetry
    metrics_token: SecretStr = Field(
        SecretStr(""),
        description="Whoever shows it as a bearer token may read /metrics, e.g. Prometheus; at least 16 characters. "
        "Empty: there is no such page",
    )
    otel_exporter_otlp_endpoint: str = Field(
        "",
        description="Where traces of calls are sent: the OTLP/HTTP address of a collector, e.g. "
        "http://127.0.0.1:4318; needs the extra tracing. What was said is never in them. Empty: nowhere",
    )
    otel_exporter_otlp_headers: SecretStr = Field(
        SecretStr(""), description="Comma-separated name=value headers that the collector wants, such as a key"
    )
    otel_service_name: str = Field("parley", description="Name of this service in traces")

    # WebRTC
    ice_servers: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="Comma-separated stun: URLs given to browsers and used by the server"
    )
    udp_port_range: str = Field(
        "", description="UDP ports for media, as LOW-HIGH, shared out among MEDIA_WORKERS; empty: any free port"
    )
    announced_ip: str = Field("", description="Address put into candidates instead of the local one (NAT, containers)")
    allow_private_candidates: bool | None = Field(
        None, description="Accept callers' candidates in private networks; empty: in development only"
    )

    @field_validator("cors_origins", "trusted_proxies", "ice_servers", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value

    @field_validator("field_keys", "token_keys", mode="before")
    @classmethod
    def _keys(cls, value: object) -> object:
        parts = [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value
        if isinstance(parts, list) and any(len(part.partition(":")[2].encode()) < 32 for part in parts):
            raise ValueError("write id:secret with at least 32 bytes of secret each")
        if isinstance(parts, list) and len({part.partition(":")[0] for part in parts}) < len(parts):
            raise ValueError("give each key an id of its own")
        return tuple(parts) if isinstance(parts, list) else parts

    @field_validator("trusted_proxies")
    @classmethod
    def _networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(str(ipaddress.ip_network(proxy, strict=False)) for proxy in value)

    @field_validator("cors_origins")
    @classmethod
    def _origins(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if any(not origin.startswith(("https://", "http://")) for origin in value):
            raise ValueError("name each origin, e.g. https://portal.example; * would let every site in")
        return value

    @field_validator("metrics_token")
    @classmethod
    def _not_guessed(cls, value: SecretStr) -> SecretStr:
        if 0 < len(value.get_secret_value()) < MIN_METRICS_TOKEN:
            raise ValueError(f"give it at least {MIN_METRICS_TOKEN} characters, e.g. from: openssl rand -hex 32")
        return value

    @field_validator("otel_exporter_otlp_endpoint")
    @classmethod
    def _collector(cls, value: str) -> str:
        if value and not (value.startswith(("http://", "https://")) and urlsplit(value).hostname):
            raise ValueError("write http://host:4318 or https://host")
        return value.rstrip("/")

    @field_validator("otel_exporter_otlp_headers")
    @classmethod
    def _headers(cls, value: SecretStr) -> SecretStr:
        pairs = value.get_secret_value().split(",") if value.get_secret_value() else []
        if any(not name.strip() or not equals for name, equals, _ in (pair.partition("=") for pair in pairs)):
            raise ValueError("write name=value,name=value")
        return value

    @field_validator("ice_servers")
    @classmethod
    def _stun(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if any(not url.startswith(("stun:", "stuns:")) for url in value):
            raise ValueError("write stun:host:port")
        return value

    @field_validator("udp_port_range")
    @classmethod
    def _ports(cls, value: str) -> str:
        if value:
            low, _, high = value.partition("-")
            if not (low.isdigit() and high.isdigit() and 1024 <= int(low) <= int(high) <= 65535):
                raise ValueError("write it as LOW-HIGH with 1024 <= LOW <= HIGH <= 65535, e.g. 40000-40100")
        return value

    @field_validator("announced_ip")
    @classmethod
    def _address(cls, value: str) -> str:
        return str(ipaddress.ip_address(value)) if value else value

    @field_validator(
        "deepgram_base_url",
        "anthropic_base_url",
        "cartesia_base_url",
        "openai_base_url",
        "groq_base_url",
        "deepseek_base_url",
        "elevenlabs_base_url",
    )
    @classmethod
    def _vendor_url(cls, value: str) -> str:
        url = urlsplit(value)
        if value and (url.scheme not in ("https", "http") or not url.hostname):
            raise ValueError("write https://host, or for a server on this machine http://127.0.0.1:port")
        if url.scheme == "http" and not is_loopback(url.hostname or ""):
            raise ValueError("plain http is for servers on this machine only: keys and voices would be readable")
        return value.rstrip("/")

    @model_validator(mode="after")
    def _safe_in_production(self) -> Settings:
        secret = self.secret_key.get_secret_value()
        if secret and len(secret.encode()) < 32:
            raise ValueError("SECRET_KEY must have at least 32 bytes")
        if self.production and self.admin_password.get_secret_value() == DEV_ADMIN_PASSWORD:
            raise ValueError("ADMIN_PASSWORD is the published development default; choose another")
        if self.production and self.public_url and not self.public_url.startswith("https://"):
            raise ValueError("PUBLIC_URL must be https in production: browsers refuse the microphone otherwise")
        if self.udp_ports is not None and max(1, self.workers) * self.max_calls > len(range(*self.udp_ports)) + 1:
            raise ValueError(
                f"UDP_PORT_RANGE has fewer ports than calls: {max(1, self.workers)} x MAX_CALLS={self.max_calls}"
            )
        if self.production:
            for name in type(self).model_fields:
                if name.endswith("_base_url") and name != "ollama_base_url" and getattr(self, name).startswith("http:"):
                    raise ValueError(f"{name.upper()} must be https in production")
        return self

    @property
    def production(self) -> bool:
        """Whether this runs for real users."""
        return self.environment == "production"

    @property
    def sqlalchemy_url(self) -> str:
        """The database to use, with the default filled in."""
        return self.database_url or f"sqlite+aiosqlite:///{self.data_dir.resolve() / 'parley.db'}"

    @property
    def url(self) -> str:
        """What a person types into the browser."""
        return self.public_url or f"http://{self.host}:{self.port}"

    @property
    def udp_ports(self) -> tuple[int, int] | None:
        """First and last UDP port for media; None for any."""
        if not self.udp_port_range:
            return None
        low, _, high = self.udp_port_range.partition("-")
        return int(low), int(high)

    @property
    def workers(self) -> int:
        """How many processes carry calls beside this one, with the default filled in."""
        if self.media_workers is not None:
            return self.media_workers
        cores = usable()
        return cores if cores > 2 else 0

    def of_worker(self, number: int) -> Settings:
        """The settings of one of the `workers`, from 1: its share of the ports, and no workers of its own."""
        update: dict[str, object] = {"media_workers": 0}
        if self.udp_ports is not None:
            low, high = self.udp_ports
            share = (high - low + 1) // self.workers
            update["udp_port_range"] = f"{low + (number - 1) * share}-{low + number * share - 1}"
        return self.model_copy(update=update)

    @property
    def code_format(self) -> Literal["digits6", "crockford8"]:
        """The form of portal codes, with the default filled in."""
        return self.otp_format or ("crockford8" if self.production else "digits6")

    @property
    def loopback(self) -> bool:
        """Whether only this machine can reach the server; media then also runs over loopback."""
        return is_loopback(self.host)

    @property
    def private_candidates(self) -> bool:
        """Whether candidates in private networks are accepted."""
        return not self.production if self.allow_private_candidates is None else self.allow_private_candidates


class _Given(Settings):
    """Settings from what is given alone: neither the environment nor a file is read."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (init_settings,)


def to_json(settings: Settings) -> str:
    """Settings for another process, its secrets in clear: for a private pipe, never for a log or a command line."""
    return json.dumps({name: _plain(getattr(settings, name)) for name in Settings.model_fields})


def from_json(text: str) -> Settings:
    """What `to_json` was given.

    Raises: ValueError.
    """
    return _Given(**json.loads(text))


def _plain(value: object) -> object:
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    if isinstance(value, tuple):
        return [_plain(part) for part in value]
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)


def example() -> str:
    """The text of `.env.example`: every setting with its description and default, commented out."""
    lines = [
        "# Every setting, with its default. Copy to .env and uncomment what you change.",
        "# Environment variables of the same names win over .env. `python run.py check` prints what takes effect.",
    ]
    for name, field in Settings.model_fields.items():
        default = field.default
        if isinstance(default, SecretStr):
            default = default.get_secret_value()
        elif isinstance(default, tuple):
            default = ",".join(map(str, default))
        lines += ["", *textwrap.wrap(field.description or "", 110, initial_indent="# ", subsequent_indent="# ")]
        lines.append(f"#{name.upper()}={'' if default is None else default}")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(example(), end="")


def is_loopback(host: str) -> bool:
    """Whether a host name or address is this machine's own."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
