"""Failover: when a vendor fails, the next one does its work."""

from providers.failover.breaker import Breaker, Breakers
from providers.failover.chain import Link, Listener, Switch
from providers.failover.llm import FailoverLLM
from providers.failover.member import hear
from providers.failover.stt import FailoverSTT
from providers.failover.tts import FailoverTTS

__all__ = [
    "Breaker",
    "Breakers",
    "FailoverLLM",
    "FailoverSTT",
    "FailoverTTS",
    "Link",
    "Listener",
    "Switch",
    "hear",
]
