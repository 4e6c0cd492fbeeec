"""A voice worker of `bench.server`: brings vendors of the benches along, as the server does."""

from __future__ import annotations

import os
import sys

from agent.worker.process import main
from bench import fakes, recital
from providers import catalog

COMMAND = (sys.executable, "-P", "-m", "bench.worker")


def bring_vendors() -> dict[str, str]:
    """Make the benches' vendors known to this process; the settings that have them serve, unless keys of others do."""
    catalog.add("fakes", fakes)
    if recital.wanted():
        catalog.add("recital", recital)
        return {"stt_provider": "offline", "llm_provider": "recital", "tts_provider": "recital"}
    if "CARTESIA_API_KEY" in os.environ:
        return {}
    return {"stt_provider": "fakes", "llm_provider": "fakes", "tts_provider": "fakes"}


if __name__ == "__main__":
    bring_vendors()
    sys.exit(main())
