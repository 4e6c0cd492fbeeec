"""A real browser on a long call: what Chromium says of our media, and whether sent and heard drift apart.

    python -m bench chromium [--minutes 30] [--stock]

Chromium calls from the product's own page, with a WAV as its microphone, and is answered by the instant vendors' three
seconds. Every 100 ms it is asked for its statistics (`chromium.js`), and the level is taken of every 5 ms that its
jitter buffer hands on. Both ends read the machine's one monotonic clock, so this shows what our path and the browser's
buffers do, not how far two machines' clocks are apart.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shutil
import sys
import tempfile
import time
import wave
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from playwright.async_api import Page, async_playwright

from bench import machine, witness
from bench.fakes import REPLY_S
from bench.heard import Look, Recording, report
from bench.process import Server, serving
from bench.sound import AUDIBLE_RMS, VOICE, Pcm, read_wav, rms

SLOT_S = 6.5
"""From one end of the caller's speech to the next: they, the reply of three seconds, and a pause."""

LEAD_S = 2.2
"""From the start of a slot to the end of speech in it; longer than the longest utterance."""

TAKE_EVERY_S = 5.0
LOOK_EVERY_MS = 100
SCRIPT = Path(__file__).with_suffix(".js")
OUT = Path("build/bench/chromium.json")
FLAGS = (
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
    "--autoplay-policy=no-user-gesture-required",
    "--disable-gpu",
)


@dataclass(slots=True)
class Taken:
    """What a page had to tell, its times turned into the machine's monotonic seconds."""

    looks: list[Look] = field(default_factory=list)
    recording: Recording = field(default_factory=Recording)
    agreed: dict[str, str] = field(default_factory=dict)
    lag_ms: list[float] = field(default_factory=list)
    """The longest the server's event loop was late, every few seconds."""
    _offset_s: float | None = None
    _round_trip_s: float = float("inf")

    def add(self, told: dict[str, Any], *, asked_s: float, answered_s: float) -> None:
        """Take what was fetched between two moments."""
        if answered_s - asked_s < self._round_trip_s:
            self._round_trip_s = answered_s - asked_s
            self._offset_s = (asked_s + answered_s) / 2 - told["now_ms"] / 1000
        self.looks += told["looks"]
        for piece in told["sound"]:
            self.recording.add(piece["at_ms"] / 1000, piece["levels"])

    @property
    def offset_s(self) -> float:
        """To be added to the page's times."""
        assert self._offset_s is not None
        return self._offset_s


def microphone(path: Path) -> Path:
    """Three utterances of one rate, which Chromium plays over and over; each ends at the same place in its slot."""
    spoken = [read_wav(each) for each in sorted(VOICE.glob("*.wav"))]
    with wave.open(str(path), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(spoken[0][1])
        for pcm, rate in spoken:
            out.writeframes(_slot(pcm, rate).tobytes())
    return path


def _slot(pcm: Pcm, rate: int) -> Pcm:
    step = rate // 100
    loud = [at for at in range(0, len(pcm), step) if rms(pcm[at : at + step]) > AUDIBLE_RMS]
    before = round(LEAD_S * rate) - loud[-1] - step
    return np.pad(pcm, (before, round(SLOT_S * rate) - before - len(pcm)))


async def talk(server: Server, chromium: str, sound: Path, *, seconds: float) -> Taken:
    """Make one call from the product's page."""
    flags = [*FLAGS, f"--use-file-for-fake-audio-capture={sound}"]
    if os.geteuid() == 0:
        flags.append("--no-sandbox")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium, args=flags)
        try:
            page = await browser.new_page()
            await page.add_init_script(path=SCRIPT)
            await _dial(page, server)
            return await _listen(page, server, seconds=seconds)
        finally:
            await browser.close()


async def _dial(page: Page, server: Server) -> None:
    await page.goto(server.url)
    await page.get_by_role("textbox").first.click()
    await page.keyboard.type(server.code or "")
    await page.get_by_role("link", name="Choose Bank").click()
    await page.get_by_role("button", name="Start the call").click()
    await page.get_by_role("button", name="Mute", exact=True).wait_for()


async def _listen(page: Page, server: Server, *, seconds: float) -> Taken:
    taken = Taken()
    ends_s = time.monotonic() + seconds
    end = page.get_by_role("button", name="End", exact=True)
    while time.monotonic() < ends_s and await end.is_visible():
        await asyncio.sleep(min(TAKE_EVERY_S, max(0.0, ends_s - time.monotonic())))
        asked_s = time.monotonic()
        told = await page.evaluate("bench.take()")
        taken.add(told, asked_s=asked_s, answered_s=time.monotonic())
        taken.lag_ms.append((await asyncio.to_thread(server.state))["lag_max_ms"])
    if time.monotonic() < ends_s:
        print("The call ended too early.", file=sys.stderr)
    taken.agreed = await page.evaluate("bench.agreed()")
    await end.click()
    return taken


def run(chromium: str, *, minutes: float, stock: bool) -> tuple[Taken, list[witness.Note]]:
    """One call to a fresh server."""
    with tempfile.TemporaryDirectory(prefix="parley-bench-") as folder:
        notes = Path(folder) / "notes.jsonl"
        settings = {
            witness.WITNESS: str(notes),
            "MAX_CALL_S": str(round(minutes * 60) + 600),
            "MEDIA_PLANE": "false" if stock else "true",
        }
        with serving("parley", settings=settings) as server:
            sound = microphone(Path(folder) / "microphone.wav")
            taken = asyncio.run(talk(server, chromium, sound, seconds=minutes * 60))
        return taken, witness.read(notes)


def table(found: dict[str, Any]) -> str:
    """The figures as a Markdown table."""
    replies, inbound, outbound = found["replies"], found["inbound"], found["outbound"]
    concealment, agreed = found["concealment"], found["agreed"]
    rows = {
        "call": f"{found['seconds'] / 60:.1f} min, {found['turns']} turns, {replies['count']} whole replies heard",
        "agreed, outwards / inwards": f"{agreed['sends']} / {agreed['receives']}",
        "candidates": agreed["pair"],
        "server's loop late, ms, median / worst of every 5 s": f"{_mid(found['loop_lag_ms'])}",
        "packets in, lost, too late": f"{inbound['packets']:.0f}, {inbound['lost']:.0f}, {inbound['late']:.0f}",
        "jitter ms, median / p95": _two(inbound["jitter_ms"]),
        "in the jitter buffer ms, median / p95": _two(inbound["jitter_buffer_ms"]),
        "concealed while the agent speaks": f"{concealment['inside_percent']} % ({concealment['inside_events']:.0f} "
        f"times, in {concealment['replies_with_any']} replies)",
        "made up at a reply's ends": f"{concealment['audible_at_ends_ms_per_reply']} ms per reply",
        "concealed as silence": f"{concealment['silent_percent']} % of the call",
        "slowed down / sped up, ms per reply": f"{concealment['slowed_ms_per_reply']} / "
        f"{concealment['hurried_ms_per_reply']}",
        "a reply of 3000 ms heard, ms": f"{replies['heard_ms']['median']:.0f} (p95 {replies['heard_ms']['p95']:.0f}, "
        f"shortest {replies['shortest_ms']:.0f}, longest {replies['heard_ms']['max']:.0f})",
        "holes in replies": f"{replies['holes_ms']:.0f} ms in {replies['with_holes']} replies",
        "packets out": f"{outbound['packets']:.0f}, lost at most {outbound['lost_percent']:.1f} %, "
        f"{outbound['target_bps']:.0f} bit/s",
        "round trip ms, median / p95": _two(outbound["round_trip_ms"]),
    }
    names = {
        "rtp_ahead_of_playing_ms": "RTP time ahead of the time it is played at",
        "from_sending_to_hearing_ms": "from handing speech on to hearing it",
        "heard_ahead_of_sent_ms": "sound the server heard, ahead of what the page sent",
        "microphone_behind_time_ms": "(Chromium's own: sound its microphone gave, behind time passed)",
        "playing_behind_time_ms": "(Chromium's own: sound its loudspeaker took, behind time passed)",
    }
    for name, says in names.items():
        drift = found["drift"][name]
        fifths = ", ".join(f"{value:.0f}" for value in drift["fifths"])
        rows[f"{says}, ms"] = f"{drift['min']} to {drift['max']}; medians of each fifth of the call {fifths}"
    return "\n".join(["| figure | value |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows.items())])


def _two(figures: dict[str, Any]) -> str:
    return f"{figures['median']} / {figures['p95']}"


def _mid(lags_ms: list[float]) -> str:
    return f"{np.median(lags_ms):.0f} / {max(lags_ms):.0f}"


def main() -> int:
    """Command line of `python -m bench chromium`."""
    parser = argparse.ArgumentParser(prog="python -m bench chromium", description=__doc__)
    parser.add_argument("--minutes", type=float, default=2.0, help="length of the call (2)")
    parser.add_argument("--stock", action="store_true", help="over pipecat's own transport (MEDIA_PLANE=false)")
    parser.add_argument("--out", type=Path, default=OUT, help=f"where the JSON goes ({OUT})")
    args = parser.parse_args()
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        print("Chromium is not installed.", file=sys.stderr)
        return 2
    before = machine.describe()
    taken, notes = run(chromium, minutes=args.minutes, stock=args.stock)
    found = report(taken.looks, taken.recording, notes, offset_s=taken.offset_s, reply_s=REPLY_S)
    found |= {"agreed": taken.agreed, "loop_lag_ms": taken.lag_ms, "machine": before, "stock": args.stock}
    found |= {"each_second": taken.looks[:: round(1000 / LOOK_EVERY_MS)]}
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_text(json.dumps(found) + "\n")
    print(f"{before['cpu']}, {before['cores']} cores, load before {before['load']}\n\n{table(found)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
