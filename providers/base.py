"""The contract of a vendor file.

A module `providers/<name>.py` (or a package of that name) may offer:

    def stt(settings: Settings, brief: Brief) -> STTService
    def llm(settings: Settings, brief: Brief) -> LLMService
    def tts(settings: Settings, brief: Brief) -> TTSService
    def ready(settings: Settings, kind: Kind) -> Readiness      # may it be chosen, and why (not)
    async def warm(settings: Settings, briefs: Sequence[Brief]) -> None   # load models before the first call
    async def close() -> None                                   # give back what `warm` took
    PRICES: Prices

A vendor that is a package has one module a kind: `providers/<name>/stt.py` with `stt()`, and `warm()` and `close()` of
its own; `ready` and `PRICES` stand in the package.

The module's name is the provider's name in `STT_PROVIDER`, `LLM_PROVIDER` and `TTS_PROVIDER`. What it returns are
ordinary pipecat services, so the pipeline is the same list of processors whichever vendor is chosen.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import Literal

from providers.phrases import Phrases

Kind = Literal["stt", "llm", "tts"]


@dataclass(frozen=True, slots=True)
class Brief:
    """What one call tells its speech and language services about itself.

    Attributes:
        agent_type: Identifier of the agent type, e.g. `banking`.
        instructions: The system instruction for a language model.
        phrases: How people speak to this agent type.
        names: Proper names this caller may say (payees, contacts), as written.
        language: BCP 47 tag of the conversation.
    """

    agent_type: str
    instructions: str
    phrases: Phrases
    names: tuple[str, ...] = ()
    language: str = "en"


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
        llm_output_mtok: Per million output tokens.
        tts_mchar: Per million characters spoken.
    """

    stt_minute: Decimal = Decimal(0)
    llm_input_mtok: Decimal = Decimal(0)
    llm_cached_mtok: Decimal | None = None
    llm_output_mtok: Decimal = Decimal(0)
    tts_mchar: Decimal = Decimal(0)

    def micros(
        self,
        *,
        audio_ms: int = 0,
        input_tokens: int = 0,
        cached_tokens: int = 0,
        output_tokens: int = 0,
        characters: int = 0,
    ) -> int:
        """What so much costs, in whole millionths of a dollar, half of one rounded up.

        Args:
            input_tokens: The cached ones among them.
        """
        cached_mtok = self.llm_input_mtok if self.llm_cached_mtok is None else self.llm_cached_mtok
        # A dollar for a million is a millionth of a dollar for one.
        cost = (
            self.stt_minute * audio_ms * 1_000_000 / 60_000
            + self.llm_input_mtok * (input_tokens - cached_tokens)
            + cached_mtok * cached_tokens
            + self.llm_output_mtok * output_tokens
            + self.tts_mchar * characters
        )
        return int(cost.to_integral_value(ROUND_HALF_UP))
