"""What an agent profile may say, and what is answered to the rest."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from agent import profiles
from agent.profiles import Profile
from core.errors import AppError, Invalid
from core.settings import Settings
from pipelines import catalog as agent_types
from providers.base import LanguageNotOffered

BANK = agent_types.load("banking")
KEYS = {f"{vendor}_api_key": "a-key" for vendor in ("deepgram", "anthropic", "cartesia")}


def checked(language: str = "en", voice: str = "", *, keys: Any = KEYS, **providers: Any) -> Profile:
    settings = Settings(_env_file=None, **keys)  # pyright: ignore[reportCallIssue]
    named: Any = providers
    return profiles.checked(settings, BANK, language=language, voice=voice, providers=named)


@pytest.mark.parametrize(
    ("written", "kept"), [("hi", "hi"), ("HI-in", "hi-IN"), (" en_gb ", "en-GB"), ("hi-deva-in", "hi-Deva-IN")]
)
def test_languages_are_kept_as_vendors_write_them(written: str, kept: str) -> None:
    assert checked(written).language == kept


@pytest.mark.parametrize("tag", ["", "english", "h", "hi-", "hi-I", "e n", "../en", "hi\n-IN"])
def test_what_is_no_language_tag_is_refused(tag: str) -> None:
    with pytest.raises(Invalid, match=r"is not a language tag. Write it like en, hi or en-IN"):
        checked(tag)


def test_a_language_the_agent_type_does_not_speak_is_refused_with_those_it_does() -> None:
    with pytest.raises(LanguageNotOffered, match=r"Bank does not speak fr. Choose one of: en"):
        checked("fr")


@pytest.mark.parametrize(
    ("providers", "code", "says"),
    [
        ({"stt": "deepgrm"}, "unknown_provider", "Speech to text: There is no provider named 'deepgrm'; there are: "),
        ({"tts": "deepgram"}, "unknown_provider", "Text to speech: .*deepgram has no tts"),
        ({"llm": "fallback:"}, "unknown_provider", "Language model: name a provider"),
        (
            {"llm": "fallback:anthropic,openai"},
            "provider_not_ready",
            "Language model: openai .*: OPENAI_API_KEY is not set",
        ),
    ],
)
def test_vendors_that_cannot_be_had_are_refused(providers: dict[str, str], code: str, says: str) -> None:
    with pytest.raises(AppError, match=says) as refusal:
        checked(**providers)
    assert (refusal.value.code, refusal.value.status) == (code, 422)


def test_hindi_is_refused_where_a_part_would_be_served_by_the_offline_engine_alone() -> None:
    with pytest.raises(LanguageNotOffered, match=r"Speech to text: .*offline recogniser does not hear hi"):
        checked("hi", keys={})
    with pytest.raises(LanguageNotOffered, match=r"Language model: .*offline language rules do not understand hi"):
        checked("hi", llm="offline")
    assert checked("hi", tts="offline").providers == {"tts": "offline"}  # it speaks Hindi, if not well


@pytest.mark.parametrize("voice", ["a b", "../../voices", "a?b=c", "-x", "v" * 101, "ka\u0301tie"])
def test_a_voice_is_an_id_and_nothing_else(voice: str) -> None:
    with pytest.raises(Invalid, match="not a voice's id"):
        checked(voice=voice)


def test_a_voice_belongs_to_the_vendor_that_speaks_first() -> None:
    assert checked(voice="95d51f79-c397").voice_of == "cartesia"
    assert checked(voice="en-us", tts="offline").voice_of == "offline"
    with pytest.raises(AppError, match="Text to speech: espeak-ng has no voice 95d51f79") as refusal:
        checked(voice="95d51f79", tts="offline")
    assert refusal.value.code == "voice_not_offered"


def test_what_is_left_empty_is_as_the_server_is_set() -> None:
    assert checked(stt=None, llm="", tts="  ") == Profile("banking")


def test_a_call_is_told_what_the_profile_says() -> None:
    profile = Profile("banking", language="hi-IN", voice="v", voice_of="cartesia", providers={"stt": "deepgram"})
    told = profile.brief(BANK, names=("Ravi",))
    assert (told.language, told.voice, told.voice_of, told.names) == ("hi-IN", "v", "cartesia", ("Ravi",))
    assert told.providers == {"stt": "deepgram"}
    assert told.instructions == BANK.in_language("hi").instructions != BANK.instructions
    # The agent type as it speaks Hindi already is the same one.
    assert replace(profile, language="hi").brief(BANK.in_language("hi")).instructions == told.instructions
