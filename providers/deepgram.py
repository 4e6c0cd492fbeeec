"""Deepgram: hears. With nova-3 we decide when somebody has finished, Flux decides it by itself and says so early.

Numbers stay words (no `smart_format`, no `numerals`). "Five six hundred" is then as doubtful in the transcript as it is
to the ear, and `core.spoken.amounts` asks again; formatted it would be 5600 and believed. What is plain to the ear
("fifteen fifty", "one five zero zero zero") is read from words too, but not from 15:50 or 1 5 0 0 0.
"""

from __future__ import annotations

import asyncio
import json
import math
import warnings
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import date
from decimal import Decimal
from functools import cache
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from pipecat.utils.errors import ErrorCategory, classify_http_exception

from core.settings import Settings
from providers.base import Brief, Kind, LanguageNotOffered, Prices, Readiness, Tariff
from providers.chat_completions import key_of, load, readiness, tls
from providers.frames import NothingHeardFrame

if TYPE_CHECKING:
    from pipecat.frames.frames import (
        ErrorFrame,
        VADUserStartedSpeakingFrame,
        VADUserStoppedSpeakingFrame,
    )
    from pipecat.services.stt_service import STTService

_MULTILINGUAL, _KEYTERMS = "-multilingual", "+keyterms"
_KEYTERMS_MINUTE = Decimal("0.0013")
_MINUTE = {
    "nova-3": Decimal("0.0048"),
    f"nova-3{_MULTILINGUAL}": Decimal("0.0058"),
    "flux-general-en": Decimal("0.0065"),
    "flux-general-multi": Decimal("0.0078"),
}
PRICES = Tariff(
    {model: Prices(stt_minute=minute) for model, minute in _MINUTE.items()}
    | {model + _KEYTERMS: Prices(stt_minute=minute + _KEYTERMS_MINUTE) for model, minute in _MINUTE.items()},
    source="https://deepgram.com/pricing",  # streaming, pay as you go
    as_of=date(2026, 8, 1),
)

BASE_URL = "https://api.deepgram.com"

CONNECT_S = 3.0
SEND_S = 1.0
"""Longest wait for Deepgram to take a piece of sound; the call's audio waits as long."""

CLOSE_S = 0.5
"""Less than the second that pipecat waits for a task it has cancelled."""

PING_S = 5.0
"""How often the line is tried, and how long it may stay silent then: a dead one is found before the caller speaks."""

CHECK_S = 5.0

ENDPOINTING_MS = 500
"""Silence after which nova-3 makes its words final unasked. It is longer than what our own detector takes to ask for
them, so that a breath within "five | hundred" splits nothing; it serves speech too soft for our detector."""

MAX_KEYTERM_BYTES = 500
"""Deepgram refuses a connection whose key terms are longer than 500 tokens, and no token is shorter than a byte."""

_STEP_S = 0.02
_SOCKET = {"open_timeout": CONNECT_S, "ping_interval": PING_S, "ping_timeout": PING_S, "compression": None}

_ENGLISH = frozenset(("en", "en-US", "en-GB", "en-AU", "en-NZ", "en-IN"))
_MIXED = frozenset(("hi", "bn", "gu", "kn", "mr", "ta", "te"))
"""Languages of India, which people mix with English in one sentence: heard with the multilingual model."""

_NOVA_3 = frozenset(
    "be bg bs ca cs da de el es et fi fr hr hu id it ja ko lt lv mk ms ne nl no pa pl pt ro ru sk sl sr sv th tl tr uk "  # noqa: SIM905
    "vi zh".split()
)
_FLUX = frozenset(("en", "de", "es", "fr", "hi", "it", "ja", "nl", "pt", "ru"))


def ready(settings: Settings, kind: Kind) -> Readiness:  # noqa: ARG001 - the contract of a vendor file
    """Whether there is a key."""
    return readiness("DEEPGRAM_API_KEY", settings.deepgram_api_key, settings.deepgram_model)


def stt(settings: Settings, brief: Brief) -> STTService:
    """The recogniser, with this caller's names as key terms.

    Raises: LanguageNotOffered.
    """
    return _make_flux(settings, brief) if _is_flux(settings) else _make_nova(settings, brief)


def check_language(settings: Settings, tag: str) -> None:
    """Raises: LanguageNotOffered."""
    model = settings.deepgram_model
    if _is_flux(settings):
        _flux_model(model, tag)
    else:
        _nova_language(model, tag)


async def warm(settings: Settings, briefs: Sequence[Brief]) -> None:  # noqa: ARG001 - the contract of a vendor file
    """Import the SDK, which takes half a second that the first caller would wait."""
    await load(_flux if _is_flux(settings) else _nova)


async def check(settings: Settings) -> None:
    """Ask for the key's projects. Raises whatever is wrong."""
    import httpx
    from deepgram import AsyncDeepgramClient, DeepgramClientEnvironment

    http, ws = _base_url(settings), _base_url(settings, scheme="ws")
    environment = DeepgramClientEnvironment(base=http, production=ws, agent=ws, agent_rest=http)
    async with httpx.AsyncClient(timeout=CHECK_S, verify=tls()) as client:
        deepgram = AsyncDeepgramClient(
            api_key=key_of(settings.deepgram_api_key), environment=environment, httpx_client=client
        )
        await deepgram.manage.v1.projects.list(request_options={"max_retries": 0})


def _is_flux(settings: Settings) -> bool:
    return settings.deepgram_model.startswith("flux")


def _base_url(settings: Settings, *, scheme: str = "http") -> str:
    return scheme + (settings.deepgram_base_url or BASE_URL).removeprefix("http")


def _line(url: str) -> dict[str, Any]:
    """How to open a websocket, and when to give it up."""
    return _SOCKET | ({"ssl": tls()} if url.startswith("wss:") else {})


def _keyterms(names: Sequence[str]) -> list[str]:
    """As many of the names as Deepgram surely takes, the first ones first."""
    taken: list[str] = []
    left = MAX_KEYTERM_BYTES
    for name in names:
        left -= len(name.encode()) + 1
        if left < 0:
            break
        taken.append(name)
    return taken


def _nova_language(model: str, tag: str) -> tuple[str, list[str]]:
    """nova-3's name for a language, and the languages it may expect within `multi`."""
    base = tag.partition("-")[0]
    if base == "en":
        return (tag if tag in _ENGLISH else "en"), []
    if base in _MIXED:
        return "multi", [base, "en"]
    if base in _NOVA_3:
        return base, []
    raise LanguageNotOffered(f"Deepgram's {model} does not hear {tag}")


def _flux_model(model: str, tag: str) -> tuple[str, list[str]]:
    """The model of the Flux family for a language, and the languages it may expect."""
    base = tag.partition("-")[0]
    if base == "en" and model != "flux-general-multi":
        return ("flux-general-en" if model == "flux" else model), []
    if base in _FLUX and model in ("flux", "flux-general-multi"):
        return "flux-general-multi", list(dict.fromkeys((base, "en")))
    raise LanguageNotOffered(f"Deepgram's {model} does not hear {tag}")


def _make_nova(settings: Settings, brief: Brief) -> STTService:
    service = _nova()
    language, hints = _nova_language(settings.deepgram_model, brief.language)
    keyterms = _keyterms(brief.names)
    extra = {"language_hint": hints} if hints else {}
    recogniser = service(
        api_key=key_of(settings.deepgram_api_key),
        url=f"{_base_url(settings, scheme='ws')}/v1/listen",
        settings=service.Settings(
            model=settings.deepgram_model,
            language=language,
            endpointing=ENDPOINTING_MS,
            keyterm=keyterms or None,
            numerals=False,
            smart_format=False,
            extra=extra,
        ),
    )
    return _billed_as(recogniser, settings.deepgram_model + (_MULTILINGUAL if language == "multi" else ""), keyterms)


def _make_flux(settings: Settings, brief: Brief) -> STTService:
    from pipecat.transcriptions.language import Language

    service = _flux()
    model, hints = _flux_model(settings.deepgram_model, brief.language)
    keyterms = _keyterms(brief.names)
    recogniser = service(
        api_key=key_of(settings.deepgram_api_key),
        url=f"{_base_url(settings, scheme='ws')}/v2/listen",
        settings=service.Settings(
            model=model, keyterm=keyterms, language_hints=[Language(hint) for hint in hints] or None
        ),
    )
    return _billed_as(recogniser, model, keyterms)


def _billed_as(recogniser: STTService, model: str, keyterms: Sequence[str]) -> STTService:
    """Have usage counted under the name that has a price: several languages and key terms cost extra."""
    from pipecat.metrics.metrics import MetricsData

    name = model + (_KEYTERMS if keyterms else "")
    recogniser.set_core_metrics_data(MetricsData(processor=recogniser.name, model=name))
    return recogniser


class _OneLife:
    """For both services: the first trouble with the line is told at once and for good, and nothing more after it.

    pipecat would try again by itself for a dozen seconds, deaf, before it gave up.
    """

    async def push_error_frame(self, error: ErrorFrame, force_treat_as_permanent: bool = False) -> None:  # noqa: ARG002
        if self.is_usable:  # pyright: ignore[reportAttributeAccessIssue]
            if error.category is None and error.exception is None:
                error.category = ErrorCategory.CONNECTIVITY
            await super().push_error_frame(error, force_treat_as_permanent=True)  # pyright: ignore[reportAttributeAccessIssue]

    def _classify_error(self, exception: Exception) -> ErrorCategory | None:
        from websockets.exceptions import WebSocketException

        found = classify_http_exception(exception)
        if found is not ErrorCategory.UNKNOWN:
            return found
        if isinstance(exception, WebSocketException | OSError):
            return ErrorCategory.CONNECTIVITY
        if isinstance(exception, ValueError):  # what came was not what the protocol says
            return ErrorCategory.SERVER
        return super()._classify_error(exception)  # pyright: ignore[reportAttributeAccessIssue]


@cache
def _nova() -> Any:
    with warnings.catch_warnings():
        # Its own way to connect, which is not taken here, uses a part of websockets that is on its way out.
        warnings.filterwarnings("ignore", "websockets.legacy is deprecated", DeprecationWarning)
        from deepgram.listen.v1.socket_client import AsyncV1SocketClient
    from deepgram.core import ApiError
    from deepgram.listen.v1.types import ListenV1Error, ListenV1Results
    from pipecat.services.deepgram.stt import DeepgramSTTService
    from pipecat.utils.network import QuickFailureTracker
    from websockets.asyncio.client import connect
    from websockets.exceptions import ConnectionClosed, InvalidStatus

    class Socket(AsyncV1SocketClient):
        """The SDK's, which never waits long to send, and knows how much sound it has sent."""

        def __init__(self, *, websocket: Any) -> None:
            super().__init__(websocket=websocket)
            self.sent_bytes = 0

        async def send_media(self, message: bytes) -> None:
            await super().send_media(message)
            self.sent_bytes += len(message)

        async def _send(self, data: Any) -> None:
            try:
                async with asyncio.timeout(SEND_S):
                    await super()._send(data)
            except TimeoutError:
                self._websocket.transport.abort()  # whoever reads from the line is told
                raise

        async def send_close_stream(self, message: Any = None) -> None:
            with suppress(ConnectionClosed, TimeoutError):
                await super().send_close_stream(message)

    class Nova(_OneLife, DeepgramSTTService):
        """pipecat's service on a line whose every step has a bound; it says when Deepgram heard no words."""

        def __init__(self, *, api_key: str, url: str, settings: Any) -> None:
            super().__init__(api_key=api_key, mip_opt_out=True, settings=settings)
            self._address = url
            self._headers = {"Authorization": f"Token {api_key}"}
            # All that pipecat asks of the SDK's client. The SDK's own `connect` waits ten seconds for an answer, up to
            # fifty for a farewell, leaves its socket behind when cancelled, and does not tell why it was refused.
            listen = SimpleNamespace(v1=SimpleNamespace(connect=self._open))
            self._client: Any = SimpleNamespace(listen=listen)
            self._connection: Any = None
            self._quick_failure_tracker = QuickFailureTracker(min_stable_duration=math.inf, max_consecutive_failures=1)
            self._broken: Exception | None = None
            self._asked_s = 0.0

        @asynccontextmanager
        async def _open(self, **query: Any) -> AsyncIterator[Socket]:
            self._broken = None
            url = f"{self._address}?{urlencode(query, doseq=True)}"
            try:
                websocket = await connect(url, additional_headers=self._headers, close_timeout=CLOSE_S, **_line(url))
            except InvalidStatus as refusal:
                reason = refusal.response.headers.get("dg-error") or "no reason given"
                raise ApiError(status_code=refusal.response.status_code, body=reason) from None
            async with websocket:
                yield Socket(websocket=websocket)
                # pipecat listens until the line ends, by whatever cause, and takes its end for no trouble.
                raise self._broken or ConnectionError(
                    f"Deepgram hung up: {websocket.close_code} {websocket.close_reason}".rstrip()
                )

        async def _on_error(self, error: Exception) -> None:
            self._broken = error

        def request_finalize(self) -> None:
            super().request_finalize()
            self._asked_s = self._connection.sent_bytes / (2 * self.sample_rate) if self._connection else 0.0

        async def _on_message(self, message: Any) -> None:
            if isinstance(message, ListenV1Error):
                raise ConnectionError(f"Deepgram reports: {message.description}")
            nothing = isinstance(message, ListenV1Results) and self._answers_without_words(message)
            await super()._on_message(message)
            if nothing:
                self._finalize_requested = self._finalize_pending = False
                await self.push_frame(NothingHeardFrame())

        def _answers_without_words(self, results: ListenV1Results) -> bool:
            """Whether what was said last is dealt with, and there were no (further) words in it.

            Deepgram need not answer a Finalize that finds nothing; it then goes on with the sound that came after it.
            """
            if not self._finalize_requested or any(heard.transcript for heard in results.channel.alternatives):
                return False
            return bool(results.from_finalize) or results.start + results.duration >= self._asked_s + _STEP_S

    return Nova


@cache
def _flux() -> Any:
    from pipecat.services.deepgram.flux.stt import DeepgramFluxSTTService

    class Flux(_OneLife, DeepgramFluxSTTService):
        """pipecat's service on a line whose every step has a bound; it says when Flux heard no words."""

        _CONNECTION_TIMEOUT = CONNECT_S

        def __init__(self, *, api_key: str, url: str, settings: Any) -> None:
            super().__init__(
                api_key=api_key, url=url, mip_opt_out=True, enable_eager_end_of_turn=True, settings=settings
            )
            self._reconnect_on_error = False
            self._ws_send_timeout, self._ws_close_timeout = SEND_S, CLOSE_S
            self._sent_bytes = 0
            self._asked_s: float | None = None

        async def _websocket_connect(self, uri: str, **kwargs: Any) -> Any:
            self._sent_bytes = 0
            return await super()._websocket_connect(uri, **_line(uri), **kwargs)

        async def _process_message(self, message: str | bytes) -> None:
            json.loads(message)  # pipecat passes over what is no JSON, and would wait for ever
            await super()._process_message(message)

        async def _end_turn_cut_short(self) -> None:
            # pipecat would hand on half a sentence as a whole one ("send five"); whoever takes over hears all of it.
            self._user_is_speaking = False
            self._clear_eager_end_of_turn()

        async def _transport_send_audio(self, audio: bytes) -> None:
            await super()._transport_send_audio(audio)
            self._sent_bytes += len(audio)

        async def _handle_vad_user_started_speaking(self, frame: VADUserStartedSpeakingFrame) -> None:
            await super()._handle_vad_user_started_speaking(frame)
            self._asked_s = None

        async def _handle_vad_user_stopped_speaking(self, frame: VADUserStoppedSpeakingFrame) -> None:
            await super()._handle_vad_user_stopped_speaking(frame)
            self._asked_s = self._sent_bytes / (2 * self.sample_rate)

        async def _handle_turn_info(self, data: dict[str, Any]) -> None:
            in_turn = self._user_is_speaking
            await super()._handle_turn_info(data)
            if in_turn or self._user_is_speaking:
                self._asked_s = None  # the end of the turn is the answer
            elif self._asked_s is not None and data.get("audio_window_end", 0.0) >= self._asked_s + _STEP_S:
                self._asked_s = None
                await self.push_frame(NothingHeardFrame())

    return Flux
