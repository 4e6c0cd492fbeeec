"""Who serves a call: what a profile names over the settings, and nobody who does not serve its language."""

from __future__ import annotations

import re
from typing import Any

import pytest
from pipecat.utils.errors import ErrorCategory

from core.settings import Settings
from providers import catalog
from providers.base import Brief, Kind, LanguageNotOffered, VoiceNotOffered
from providers.catalog import ProviderNotReady, UnknownProvider
from providers.failover import FailoverLLM, FailoverSTT
from providers.phrases import Phrases

KEYS = {
    f"{vendor}_api_key": "a-key" for vendor in ("deepgram", "anthropic", "cartesia", "openai", "elevenlabs", "groq")
}


def settings_with(**values: Any) -> Settings:
    return Settings(_env_file=None, **values)  # pyright: ignore[reportCallIssue]


def brief(language: str = "en", *, voice: str = "", voice_of: str = "", **providers: str) -> Brief:
    named: Any = providers
    return Brief(
        "banking",
        "",
        Phrases(intents=(), can_do=""),
        language=language,
        voice=voice,
        voice_of=voice_of,
        providers=named,
    )


ALONE = {"stt": "deepgram", "llm": "anthropic"}
CLOUD = settings_with(**KEYS)
OFFLINE = settings_with()


@pytest.mark.parametrize(
    ("kind", "language", "chain"),
    [
        ("stt", "en", ("deepgram", "openai", "offline")),
        ("stt", "hi-IN", ("deepgram", "openai")),
        ("stt", "sw", ("openai",)),  # Swahili
        ("llm", "en-IN", ("anthropic", "openai", "groq", "offline")),
        ("llm", "hi", ("anthropic", "openai", "groq")),
        ("tts", "hi", ("cartesia", "elevenlabs", "offline")),
        ("tts", "sw", ("offline",)),
    ],
)
def test_whoever_does_not_serve_the_language_is_left_out(kind: Kind, language: str, chain: tuple[str, ...]) -> None:
    assert catalog.choose(CLOUD, kind, brief(language)).chain == chain


def test_those_left_out_are_told_with_the_reason() -> None:
    choice = catalog.choose(settings_with(**KEYS, stt_provider="fallback:offline,deepgram"), "stt", brief("hi"))
    assert choice.chain == ("deepgram",)
    assert choice.passed_over == ("offline: The offline recogniser does not hear hi, only English",)


@pytest.mark.parametrize(
    ("settings", "kind", "providers", "reason"),
    [
        (OFFLINE, "stt", {}, "can hear hi: The offline recogniser does not hear hi, only English. Choose a vendor"),
        (OFFLINE, "llm", {}, "can answer in hi: The offline language rules do not understand hi"),
        (CLOUD, "stt", {"stt": "offline"}, "The offline recogniser does not hear hi"),
        # A vendor without its key is no reason to be sent to the one that remains, in the wrong language.
        (OFFLINE, "stt", {"stt": "deepgram"}, "The offline recogniser does not hear hi"),
    ],
)
def test_a_language_that_nobody_serves_is_refused(
    settings: Settings, kind: Kind, providers: dict[str, str], reason: str
) -> None:
    with pytest.raises(LanguageNotOffered, match=re.escape(reason)):
        catalog.choose(settings, kind, brief("hi", **providers))
    with pytest.raises(LanguageNotOffered, match=re.escape(reason)):
        catalog.make(settings, kind, brief("hi", **providers))


def test_a_profile_names_over_the_settings_and_only_for_its_kind() -> None:
    settings = settings_with(**KEYS, stt_provider="openai", tts_provider="elevenlabs")
    mine = brief(stt="fallback:deepgram,openai", llm="offline")
    assert catalog.choose(settings, "stt", mine).chain == ("deepgram", "openai", "offline")
    assert catalog.choose(settings, "llm", mine).chain == ("offline",)
    assert catalog.choose(settings, "tts", mine).chain == ("elevenlabs", "offline")
    assert "set by the agent's profile" in catalog.choose(settings, "stt", mine).told
    assert catalog.choose(settings, "stt").chain == ("openai", "offline")


def test_a_profile_may_outlive_a_vendor() -> None:
    choice = catalog.choose(CLOUD, "stt", brief(stt="fallback:gone,deepgram"))
    assert choice.chain == ("deepgram", "offline")
    assert choice.passed_over == ("gone: there is no such provider of stt",)
    assert catalog.choose(CLOUD, "stt", brief(stt="gone")).chain == ("offline",)
    with pytest.raises(LanguageNotOffered):
        catalog.choose(CLOUD, "stt", brief("hi", stt="gone"))
    with pytest.raises(UnknownProvider):
        catalog.choose(settings_with(stt_provider="gone"), "stt")


@pytest.mark.parametrize(("kind", "chain"), [("stt", FailoverSTT), ("llm", FailoverLLM)])
def test_a_vendor_alone_is_a_chain_too(kind: Kind, chain: type) -> None:
    assert len(catalog.choose(CLOUD, kind, brief("hi", **{kind: ALONE[kind]})).chain) == 1
    assert isinstance(catalog.make(CLOUD, kind, brief("hi", **{kind: ALONE[kind]})), chain)
    assert not isinstance(catalog.make(OFFLINE, kind, brief()), chain)


def test_a_key_that_cannot_be_one_is_told() -> None:
    choice = catalog.choose(settings_with(deepgram_api_key="…", cartesia_api_key="a b"), "stt")
    assert choice.chain == ("offline",)
    assert choice.passed_over == ("deepgram: DEEPGRAM_API_KEY holds characters that no key has",)
    assert catalog.choose(settings_with(cartesia_api_key="a b"), "tts").passed_over


async def test_where_all_who_could_are_at_rest_nobody_serves() -> None:
    alone = catalog.choose(CLOUD, "llm", brief("hi", llm="anthropic"))
    backed = catalog.choose(CLOUD, "llm", brief(llm="anthropic"))
    try:
        assert not catalog.resting(CLOUD, alone)
        catalog.breaker(CLOUD, "anthropic", "llm").rest(ErrorCategory.AUTHENTICATION)
        why = "Language model: nobody serves just now: anthropic does not accept ANTHROPIC_API_KEY"
        assert catalog.resting(CLOUD, alone) == why
        assert not catalog.resting(CLOUD, backed), "the offline engine stands behind it"
    finally:
        catalog.breakers.close()


def test_one_that_is_never_chosen_by_itself_may_be_named() -> None:
    settings = settings_with(ollama_model="qwen3:4b")
    assert catalog.choose(settings, "llm").chain == ("offline",)
    assert catalog.choose(settings, "llm", brief(llm="ollama")).chain == ("ollama", "offline")
    assert catalog.offered(settings, "llm")["ollama"].ok
    assert not catalog.offered(settings, "llm")["anthropic"].ok


def test_only_its_own_vendor_is_told_of_a_voice() -> None:
    mine = brief(voice="katie", voice_of="cartesia")
    own = catalog._service(CLOUD, "cartesia", "tts", mine)
    other = catalog._service(CLOUD, "elevenlabs", "tts", mine)
    assert own._settings.voice == "katie"  # type: ignore[attr-defined]
    assert other._settings.voice not in ("katie", "", None)  # type: ignore[attr-defined]


def test_vendors_of_every_profile_are_known_once() -> None:
    settings = settings_with(**KEYS, stt_provider="deepgram", llm_provider="anthropic", tts_provider="cartesia")
    both = [brief(tts="fallback:elevenlabs,cartesia"), brief("hi", stt="offline")]
    known = [(each.kind, each.vendor) for each in catalog.vendors(settings, both)]
    assert known == [("stt", "deepgram"), ("llm", "anthropic"), ("tts", "cartesia"), ("tts", "elevenlabs")]


def test_what_is_asked_for_must_be_there() -> None:
    with pytest.raises(ProviderNotReady, match="deepgram cannot serve: DEEPGRAM_API_KEY is not set"):
        catalog.confirm(OFFLINE, "stt", brief(stt="fallback:offline,deepgram"))
    with pytest.raises(UnknownProvider, match="no provider named 'deepgrm'"):
        catalog.confirm(CLOUD, "stt", brief(stt="deepgrm"))
    with pytest.raises(UnknownProvider, match="cartesia has no stt"):
        catalog.confirm(CLOUD, "stt", brief(stt="cartesia"))
    with pytest.raises(VoiceNotOffered, match="espeak-ng has no voice katie for en"):
        catalog.confirm(OFFLINE, "tts", brief(voice="katie"))
    assert catalog.confirm(CLOUD, "tts", brief(voice="katie")).name == "cartesia"


@pytest.mark.parametrize("name", ["moonshine", "whisper", "kokoro", "piper"])
def test_engines_that_know_english_alone_refuse_the_rest(name: str) -> None:
    module = catalog.load(name)
    kind = module.ENGINE.kind
    with pytest.raises(LanguageNotOffered, match="hi, only English"):
        getattr(module, kind)(OFFLINE, brief("hi"))
    module.check_language(OFFLINE, "en-IN")
