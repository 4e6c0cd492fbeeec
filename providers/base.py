"""The contract of a vendor file.

A module `providers/<name>.py` (or a package of that name) may offer:

    def stt(settings: Settings, brief: Brief) -> STTService
    def llm(settings: Settings, brief: Brief) -> LLMService
    def tts(settings: Settings, brief: Brief) -> TTSService
    def ready(settings: Settings, kind: Kind) -> Readiness      # may it be chosen, and why (not)
    async def warm(settings: Settings, briefs: Sequence[Brief]) -> None   # load models before the first call
    async def close() -> None                                   # give back what `warm` took
    async def check(settings: Settings) -> None                 # ask the vendor whether it serves us
    async def say(settings, text, *, voice, language, sample_rate) -> bytes   # a fixed sentence, to be kept
    def check_language(settings: Settings, tag: str) -> None    # raises LanguageNotOffered; without it, all are served
    def check_voice(settings: Settings, voice: str, tag: str) -> None    # raises VoiceNotOffered, where it can be known
    async def find_voice(settings: Settings, voice: str) -> None    # ask the vendor for it; raises VoiceNotOffered
    PRICES: Tariff
    PATIENCE_S: float = 0.0    # the least deadline before another vendor takes over

`check` asks the cheapest question that takes the key; whatever it raises tells what is wrong (pipecat's
`classify_http_exception` reads it). It is asked when the server starts and while a vendor is given a rest.

`check_language` and `check_voice` make no connection and load nothing: they are asked before a call, and whenever a
profile is looked at. `stt` and `tts` raise what they raise.

A vendor that is a package has one module a kind: `providers/<name>/stt.py` with `stt()`, and `warm()`, `close()` and
`check_language()` of its own; `ready` and `PRICES` stand in the package.

The module's name is the provider's name in `STT_PROVIDER`, `LLM_PROVIDER` and `TTS_PROVIDER`. What it returns are
ordinary pipecat services, so the pipeline is the same list of processors whichever vendor is chosen.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from typing import Literal

from core.errors import AppError
from providers.phrases import Phrases

Kind = Literal["stt", "llm", "tts"]

KIND_NAMES: dict[Kind, str] = {"stt": "Speech to text", "llm": "Language model", "tts": "Text to speech"}


@dataclass(frozen=True, slots=True)
class Words:
    """What is said when a vendor is slow or fails, in one language.

    Attributes:
        one_moment: While a model takes its time.
        again: Before an answer that another model begins anew; it ends with a space.
        apology: Where nobody is left.
    """

    one_moment: str
    again: str
    apology: str


ENGLISH = Words(
    one_moment="One moment.",
    again="Sorry, let me start again. ",
    apology="I'm sorry, I can't help you any further just now. Please call again a little later. Goodbye.",
)


@dataclass(frozen=True, slots=True)
class Brief:
    """What one call tells its speech and language services about itself.

    Attributes:
        agent_type: Identifier of the agent type, e.g. `banking`.
        instructions: The system instruction for a language model.
        phrases: How people speak to this agent type.
        names: Proper names this caller may say (payees, contacts), as written.
        language: BCP 47 tag of the conversation.
        voice: The vendor's name of a voice; empty: the vendor's file chooses one for the language.
        voice_of: The only vendor who knows that voice, the others choose for themselves; empty: whoever serves.
        providers: Who serves, by kind, in the words of the settings ("deepgram", "fallback:a,b"); a kind that is
            missing is served by whom the settings name.
        prompts: Sentences that are the same in every call, such as the greeting.
        words: What is said when a vendor is slow or fails, in the language of the conversation.
    """

    agent_type: str
    instructions: str
    phrases: Phrases
    names: tuple[str, ...] = ()
    language: str = "en"
    voice: str = ""
    prompts: tuple[str, ...] = ()
    voice_of: str = ""
    providers: Mapping[Kind, str] = field(default_factory=dict)
    words: Words = ENGLISH


class LanguageNotOffered(AppError):
    """A vendor does not serve the language of the conversation."""

    code = "language_not_offered"
    status = 422


class VoiceNotOffered(AppError):
    """A vendor has no such voice, or none such for the language of the conversation."""

    code = "voice_not_offered"
    status = 422


def only_english(tag: str, refusal: str) -> None:
    """Raises: LanguageNotOffered, saying `refusal` and the language, unless that is English."""
    if tag.replace("_", "-").partition("-")[0].lower() != "en":
        raise LanguageNotOffered(f"{refusal} {tag}, only English")


def only_voice(voice: str, only: str, vendor: str) -> None:
    """Raises: VoiceNotOffered, unless none is asked for, or the one that a vendor has."""
    if voice not in ("", only):
        raise VoiceNotOffered(f"{vendor} has one voice, {only}, and none named {voice}. Leave the voice empty")


@dataclass(frozen=True, slots=True)
class Readiness:
    """Whether a provider can serve, and the reason in words an operator understands."""

    ok: bool
    why: str


@dataclass(frozen=True, slots=True)
class Prices:
    """What a vendor charges, in US dollars; zero for what runs on this machine.

    Attributes:
        stt_minute: Per minute of audio heard.
        llm_input_mtok: Per million input tokens.
        llm_cached_mtok: Per million input tokens found in the vendor's cache; None where they cost what others do.
        llm_cache_write_mtok: Per million input tokens put into it; None likewise.
        llm_output_mtok: Per million output tokens.
        tts_mchar: Per million characters spoken.
    """

    stt_minute: Decimal = Decimal(0)
    llm_input_mtok: Decimal = Decimal(0)
    llm_cached_mtok: Decimal | None = None
    llm_cache_write_mtok: Decimal | None = None
    llm_output_mtok: Decimal = Decimal(0)
    tts_mchar: Decimal = Decimal(0)

    def micros(
        self,
        *,
        audio_ms: int = 0,
        input_tokens: int = 0,
        cached_tokens: int = 0,
        cache_write_tokens: int = 0,
        output_tokens: int = 0,
        characters: int = 0,
    ) -> int:
        """What so much costs, in whole millionths of a dollar, half of one rounded up.

        Args:
            input_tokens: Those found in the cache, and those put into it, among them.
        """
        cached_mtok = self.llm_input_mtok if self.llm_cached_mtok is None else self.llm_cached_mtok
        write_mtok = self.llm_input_mtok if self.llm_cache_write_mtok is None else self.llm_cache_write_mtok
        # A dollar for a million is a millionth of a dollar for one.
        cost = (
            self.stt_minute * audio_ms * 1_000_000 / 60_000
            + self.llm_input_mtok * (input_tokens - cached_tokens - cache_write_tokens)
            + cached_mtok * cached_tokens
            + write_mtok * cache_write_tokens
            + self.llm_output_mtok * output_tokens
            + self.tts_mchar * characters
        )
        return int(cost.to_integral_value(ROUND_HALF_UP))


@dataclass(frozen=True, slots=True)
class Tariff:
    """A vendor's price list.

    Attributes:
        models: What each model costs, by how its name begins; the longest fitting beginning counts, "" fits all.
        source: The page it was read from.
        as_of: When.
    """

    models: Mapping[str, Prices] = field(default_factory=dict)
    source: str = ""
    as_of: date | None = None

    def of(self, model: str | None) -> Prices | None:
        """What a model costs; None if the list does not say."""
        fitting = [beginning for beginning in self.models if (model or "").startswith(beginning)]
        return self.models[max(fitting, key=len)] if fitting else None


FREE = Tariff({"": Prices()})
"""What runs on this machine costs nothing by use."""
