"""FastRTC's own Python environment, since its packages are none of the project's: made when it is first asked for."""

from __future__ import annotations

import os
import subprocess
import sys
import venv
from importlib.util import find_spec
from pathlib import Path

REQUIREMENTS = (
    "fastrtc[vad]==0.0.34",
    "aiortc==1.16.0",
    "anthropic==1.17.0",
    "cartesia[websockets]==4.2.0",
    "deepgram-sdk==7.17.0",
    "loguru==0.7.3",
)
FOLDER = Path("build/bench/fastrtc-venv")
INSTALL_TIMEOUT_S = 900.0


def python() -> Path:
    """The interpreter that has FastRTC; the first time that takes a minute, and 1.2 GB of the disk.

    Raises: RuntimeError, if it cannot be installed here.
    """
    found = FOLDER / "bin" / "python"
    wanted, done = "\n".join(REQUIREMENTS), FOLDER / "requirements.txt"
    if not done.exists() or done.read_text() != wanted:
        output = sys.stderr if os.environ.get("BENCH_VERBOSE") else subprocess.DEVNULL
        pip = [str(found), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *REQUIREMENTS]
        try:
            venv.create(FOLDER, clear=True, with_pip=True)
            subprocess.run(pip, stdout=output, stderr=output, timeout=INSTALL_TIMEOUT_S, check=True)
        except (OSError, subprocess.SubprocessError) as error:
            raise RuntimeError("it cannot be installed; BENCH_VERBOSE=1 shows why") from error
        done.write_text(wanted)
    return found


def environment() -> dict[str, str]:
    """What its process is told beside the vendors' keys: where a Silero VAD is, and not to report to anybody."""
    pipecat = find_spec("pipecat")
    assert pipecat and pipecat.origin
    vad = Path(pipecat.origin).parent / "audio" / "vad" / "data" / "silero_vad.onnx"
    return {"SILERO_VAD": str(vad), "GRADIO_ANALYTICS_ENABLED": "False", "HF_HUB_OFFLINE": "1"}
