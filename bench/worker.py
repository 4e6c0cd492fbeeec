"""A voice worker of `bench.server`: brings the instant vendors along, unless the environment has keys of others."""

from __future__ import annotations

import os
import sys

from agent.worker.process import main
from bench import fakes
from providers import catalog

COMMAND = (sys.executable, "-P", "-m", "bench.worker")

if __name__ == "__main__":
    if "CARTESIA_API_KEY" not in os.environ:
        catalog.add("fakes", fakes)
    sys.exit(main())
