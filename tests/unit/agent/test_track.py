import asyncio

import numpy as np
import pytest
from aiortc import MediaStreamError
from av import AudioResampler, CodecContext
from av.audio.codeccontext import AudioCodecContext

from agent.track import FRAME_S, HANGOVER_FRAMES, LOOK_AHEAD_S, RTP_HZ, SpeechTrack

RATE = 24_000


def tone(seconds: float) -> bytes:
    return (np.sin(np.arange(int(seconds * RATE)) * 0.05) * 8000).astype(np.int16).tobytes()


async def test_room_is_given_ahead_of_sending() -> None:
    """The writer may go on while audio is still unsent, so a late loop is not heard."""
    track = SpeechTrack(RATE)
    assert track.add_audio_bytes(tone(LOOK_AHEAD_S)).done()
    full = track.add_audio_bytes(tone(0.04))
    assert not full.done()
    for _ in range(2):
        await track.recv()
    assert full.done()


async def test_packets_come_at_their_pace_and_with_their_time() -> None:
    track = SpeechTrack(RATE)
    track.add_audio_bytes(tone(0.2))
    started = asyncio.get_running_loop().time()
    stamps = [(await track.recv()).pts for _ in range(6)]
    assert stamps == [n * RTP_HZ // 50 for n in range(6)]
    assert asyncio.get_running_loop().time() - started > 5 * FRAME_S - 0.01


async def test_silence_is_not_sent_and_speech_after_it_leaves_at_once() -> None:
    track = SpeechTrack(RATE)
    track.add_audio_bytes(tone(FRAME_S))
    last = [await track.recv() for _ in range(HANGOVER_FRAMES + 1)][-1]
    waiting = asyncio.ensure_future(track.recv())
    await asyncio.sleep(0.2)
    assert not waiting.done()
    track.add_audio_bytes(tone(FRAME_S))
    packet = await asyncio.wait_for(waiting, 0.1)
    assert packet.pts is not None and last.pts is not None
    assert packet.pts - last.pts > 0.15 * RTP_HZ, "the clock did not jump over the silence"


async def test_an_interruption_drops_what_is_not_sent_and_wakes_the_writer() -> None:
    track = SpeechTrack(RATE)
    waiting = track.add_audio_bytes(tone(0.4))
    await track.recv()
    track.drop()
    assert waiting.done()
    for _ in range(HANGOVER_FRAMES):
        await track.recv()
    silent = asyncio.ensure_future(track.recv())
    await asyncio.sleep(0.05)
    assert not silent.done()
    silent.cancel()


async def test_what_is_sent_is_what_was_given() -> None:
    track = SpeechTrack(RATE)
    track.add_audio_bytes(tone(0.4))
    decoder = CodecContext.create("libopus", "r")
    assert isinstance(decoder, AudioCodecContext)
    decoder.sample_rate = RTP_HZ
    decoder.layout = "mono"
    resampler = AudioResampler("s16", "mono", RATE)
    heard = [
        resampled.to_ndarray()[0]
        for _ in range(20)
        for frame in decoder.decode(await track.recv())
        for resampled in resampler.resample(frame)
    ]
    spectrum = np.abs(np.fft.rfft(np.concatenate(heard)[4800:9600].astype(float)))
    assert np.argmax(spectrum) * RATE / 4800 == pytest.approx(0.05 / (2 * np.pi) * RATE, abs=10)


async def test_a_stopped_track_lets_go_of_everybody() -> None:
    track = SpeechTrack(RATE)
    waiting = asyncio.ensure_future(track.recv())
    writing = track.add_audio_bytes(tone(1))
    await waiting
    idle = SpeechTrack(RATE)
    asleep = asyncio.ensure_future(idle.recv())
    await asyncio.sleep(0)
    for each in (track, idle):
        each.stop()
    assert writing.done()
    with pytest.raises(MediaStreamError):
        await asleep
    with pytest.raises(MediaStreamError):
        await track.recv()
