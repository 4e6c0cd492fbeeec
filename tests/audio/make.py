"""Makes the recordings in this folder: `python tests/audio/make.py` (needs Debian's `flite`, version 2.2).

Each has 0.3 s of silence before the speech and 0.6 s after it; 16 kHz, 16-bit, mono.
"""

from __future__ import annotations

import subprocess
import tempfile
import wave
from pathlib import Path

import numpy as np

RECORDINGS = {
    "balance": ("rms", "what is my balance"),
    "transactions": ("slt", "tell me my last three transactions"),
    "stop": ("slt", "wait, stop please"),
    "goodbye": ("rms", "goodbye, thank you"),
    "payee": ("rms", "send fifty dollars to priya"),
    "send": ("rms", "send five hundred to ravi"),
    "send_more": ("rms", "send fifteen thousand rupees to ravi"),
    "yes": ("rms", "yes please"),
    "no": ("slt", "no thank you"),
}
RATE = 16_000
LEAD_S, TAIL_S, MARGIN_S = 0.3, 0.6, 0.025
AUDIBLE = 200


def main() -> None:
    """Write all of them."""
    for name, (voice, text) in RECORDINGS.items():
        with tempfile.NamedTemporaryFile(suffix=".wav") as file:
            subprocess.run(["flite", "-voice", voice, "-t", text, "-o", file.name], check=True)
            with wave.open(file.name) as spoken:
                samples = np.frombuffer(spoken.readframes(spoken.getnframes()), np.int16)
        audible, margin = np.flatnonzero(np.abs(samples.astype(np.int32)) > AUDIBLE), int(MARGIN_S * RATE)
        speech = samples[max(0, audible[0] - margin) : audible[-1] + margin]
        with wave.open(str(Path(__file__).with_name(f"{name}.wav")), "wb") as out:
            out.setnchannels(1)
            out.setsampwidth(2)
            out.setframerate(RATE)
            out.writeframes(bytes(int(LEAD_S * RATE) * 2) + speech.tobytes() + bytes(int(TAIL_S * RATE) * 2))


if __name__ == "__main__":
    main()
