"""Packets of a real Opus stream, from a real peer, as windows."""

from __future__ import annotations

import asyncio
import threading

import numpy as np
from aiortc import RTCPeerConnection

from agent.hearing import MAX_WINDOWS, WINDOW_BYTES, Hearing, verify
from agent.track import SpeechTrack
from pipelines.build import AUDIO_IN_HZ

RATE = 24_000


def test_the_places_it_takes_are_there() -> None:
    verify()


async def connected() -> tuple[RTCPeerConnection, RTCPeerConnection, SpeechTrack]:
    speaker, listener = RTCPeerConnection(), RTCPeerConnection()
    track = SpeechTrack(RATE)
    speaker.addTrack(track)
    await speaker.setLocalDescription(await speaker.createOffer())
    await listener.setRemoteDescription(speaker.localDescription)
    await listener.setLocalDescription(await listener.createAnswer())
    await speaker.setRemoteDescription(listener.localDescription)
    return speaker, listener, track


async def test_what_is_said_is_heard_at_the_pipelines_rate() -> None:
    speaker, listener, track = await connected()
    hearing = Hearing()
    try:
        hearing.listen(listener.getTransceivers()[0].receiver)
        track.add_audio_bytes((np.sin(np.arange(RATE * 2) * 2 * np.pi * 440 / RATE) * 8000).astype(np.int16).tobytes())
        async with asyncio.timeout(10):
            windows = [await hearing.windows.get() for _ in range(40)]
        assert {len(window) for window in windows} == {WINDOW_BYTES}
        samples = np.frombuffer(b"".join(windows[10:]), np.int16).astype(float)
        loudest = np.argmax(np.abs(np.fft.rfft(samples))) * AUDIO_IN_HZ / len(samples)
        assert abs(loudest - 440) < 5
        assert hearing.last_at is not None
    finally:
        await speaker.close()
        await listener.close()
    assert not [thread for thread in threading.enumerate() if "decoder" in thread.name], "aiortc's thread is left"


async def test_a_pipeline_that_does_not_read_costs_a_bounded_amount() -> None:
    speaker, listener, track = await connected()
    hearing = Hearing()
    try:
        hearing.listen(listener.getTransceivers()[0].receiver)
        hearing._held += bytes(WINDOW_BYTES * (MAX_WINDOWS + 10))
        track.add_audio_bytes(bytes(RATE // 5 * 2))
        async with asyncio.timeout(10):
            while hearing.dropped == 0:
                await asyncio.sleep(0.01)
        assert hearing.windows.qsize() == MAX_WINDOWS
    finally:
        await speaker.close()
        await listener.close()
