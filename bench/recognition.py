"""How well the offline recogniser hears: word errors, slots and latency, beside the stock language model.

    python -m bench.recognition [--json] [--misses] [--voices slt,rms] [--set tuning] [--heard FILE]

The sentences in `data/recognition/utterances.jsonl` are requests as people make them, written before the recogniser's
own English (by the same author) and without looking at the bank's templates. Weights were chosen on `tuning.jsonl`; how
far the stock model is pruned, and which spellings count as the same, with a look at both, so that the figures flatter a
little. flite speaks at 16 kHz (Debian package `flite`), espeak-ng as well, and a decoder hears them the way a call
does: piece by piece as a running transcript, then all at once at the end, keeping the voice's cepstral mean from
sentence to sentence. The stock model cannot take the caller's names, ours can: that is part of the difference.
Synthetic voices say nothing about people at a microphone, on whom this acoustic model is several times weaker.

FILE takes what was heard of the first voice, as `python -m bench.intents --heard FILE` reads it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence, Set
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median, quantiles

from loguru import logger
from pipecat.audio.utils import create_file_resampler

from bench.voices import ESPEAK, NEEDS_FLITE, flite_installed, speak
from pipelines.banking.phrases import PHRASES
from providers.offline import espeak, language_model, sphinx
from providers.offline.decoders import DecoderPool, LentDecoder
from providers.offline.hearing import Ear, words_of
from providers.offline.language_model import LanguageModel
from providers.offline.sphinx import SAMPLE_RATE
from providers.offline.stt import STEP_S

DATA = Path(__file__).parent / "data" / "recognition"
FLITE_VOICES = ("slt", "rms", "awb")
LEAD_S, TAIL_S = 0.3, 0.4
NAMES = (
    *("Priya Sharma", "Rahul Verma", "Maria Gonzalez", "Tom Becker", "Aisha Khan", "John Miller"),
    *("Chen Wei", "Olga Petrova", "David Okafor", "Sunita Rao", "Emily Clark", "Mateo Rossi"),
)
# Two spellings of one thing are not an error.
SAME = {"ok": "okay", "paycheck": "pay check", "o'clock": "oclock", "oh": "zero"}


@dataclass(frozen=True, slots=True)
class Utterance:
    """A sentence of the set.

    Attributes:
        text: Its words.
        intent: What is wanted.
        slots: Slot name to value: whole numbers in digits, first names, accounts.
    """

    text: str
    intent: str
    slots: Mapping[str, str]


@dataclass(slots=True)
class Tally:
    """What was counted for one voice with one language model."""

    words: int = 0
    errors: int = 0
    new_words: int = 0
    new_errors: int = 0
    sentences: int = 0
    wrong_sentences: int = 0
    said: dict[str, int] = field(default_factory=dict)
    got: dict[str, int] = field(default_factory=dict)
    audio_s: float = 0.0
    running_cpu_s: float = 0.0
    final_cpu_s: float = 0.0
    final_ms: list[float] = field(default_factory=list)

    def add(self, other: Tally) -> None:
        """Count another voice in."""
        for name in (
            "words",
            "errors",
            "new_words",
            "new_errors",
            "sentences",
            "wrong_sentences",
            "audio_s",
            "running_cpu_s",
            "final_cpu_s",
        ):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for mine, theirs in ((self.said, other.said), (self.got, other.got)):
            for slot, n in theirs.items():
                mine[slot] = mine.get(slot, 0) + n
        self.final_ms += other.final_ms


@dataclass(frozen=True, slots=True)
class Score:
    """Results of one voice; shares of one, times in milliseconds.

    Attributes:
        voice: Who spoke.
        model: Which language model listened.
        wer: Word error rate.
        wer_new: The same without the sentences that the language model was trained on word for word.
        sentence_errors: Share of sentences not heard word for word.
        slots: Slot name to the share of its values that can be recovered from what was heard; `all` is over all.
        running_rtf: CPU seconds per second of audio, the running transcript.
        final_rtf: The same, the final transcript.
        final_p50_ms: From the last sample to the final transcript, median; wall clock, without the VAD's silence.
        final_p95_ms: The same, 95th percentile.
    """

    voice: str
    model: str
    wer: float
    wer_new: float
    sentence_errors: float
    slots: Mapping[str, float]
    running_rtf: float
    final_rtf: float
    final_p50_ms: float
    final_p95_ms: float


def main() -> int:
    """Print a table, or JSON."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--json", action="store_true", help="JSON instead of a table")
    parser.add_argument("--misses", action="store_true", help="list what was misheard")
    parser.add_argument("--voices", default=",".join((*FLITE_VOICES, ESPEAK)), help="comma-separated")
    parser.add_argument("--set", default="utterances", choices=("utterances", "tuning"))
    parser.add_argument("--heard", type=Path, help="write what was heard of the first voice")
    options = parser.parse_args()
    logger.remove()
    voices = options.voices.split(",")
    if set(voices) - {ESPEAK} and not flite_installed():
        print(NEEDS_FLITE, file=sys.stderr)
        return 2
    return asyncio.run(_measure(voices, options))


async def _measure(voices: Sequence[str], options: argparse.Namespace) -> int:
    rows = [json.loads(line) for line in (DATA / f"{options.set}.jsonl").read_text("utf-8").splitlines()]
    utterances = [Utterance(row["text"], row["intent"], row["slots"]) for row in rows]
    known = _trained_on()
    with tempfile.TemporaryDirectory() as folder:
        pool = DecoderPool(1, Path(folder))
        began, began_cpu = time.monotonic(), time.process_time()
        await pool.model(PHRASES)
        build = {"wall_s": round(time.monotonic() - began, 1), "cpu_s": round(time.process_time() - began_cpu, 1)}
        began = time.monotonic()
        ours = await pool.model(PHRASES)
        build |= {"again_s": round(time.monotonic() - began, 4), "bytes": ours.model.stat().st_size}
        stock = LanguageModel(sphinx.model_dir() / "en-us.lm.bin", sphinx.model_dir() / "cmudict-en-us.dict")
        speech = {voice: [await _speak(voice, each.text) for each in utterances] for voice in voices}
        decoder = await pool.lend(PHRASES, NAMES)
        scores: list[Score] = []
        for label, model, names in (("ours", ours, NAMES), ("stock", stock, ())):
            together = Tally()
            for voice in voices:
                await decoder.prepare(model, names)
                tally, heard = await _listen(decoder, utterances, speech[voice], known)
                if voice != ESPEAK:
                    together.add(tally)
                scores.append(_score(voice, label, tally))
                if label == "ours" and options.misses:
                    _print_misses(voice, utterances, heard)
                if label == "ours" and options.heard and voice == voices[0]:
                    lines = [json.dumps({**row, "heard": text}) for row, text in zip(rows, heard, strict=True)]
                    options.heard.write_text("\n".join(lines) + "\n", "utf-8")
            if together.words:
                scores.append(_score("flite, all", label, together))
        pool.take_back(decoder)
        await pool.close()
        espeak.close()
    facts = {
        "utterances": len(utterances),
        "trained_on": sum(" ".join(words_alike(each.text)) in known for each in utterances),
        "language_model": build,
        "scores": [asdict(score) for score in scores],
    }
    print(json.dumps(facts, indent=2) if options.json else _table(facts, scores))
    return 0


async def _listen(
    decoder: LentDecoder, utterances: Sequence[Utterance], speech: Sequence[bytes], known: Set[str]
) -> tuple[Tally, list[str]]:
    """One voice, sentence after sentence in one call."""
    tally, heard = Tally(), list[str]()
    step = int(STEP_S * SAMPLE_RATE) * 2
    ear = Ear(PHRASES)
    for utterance, audio in zip(utterances, speech, strict=True):
        cpu = time.process_time()
        await decoder.start()
        for at in range(0, len(audio), step):
            await decoder.feed(audio[at : at + step])
        tally.running_cpu_s += time.process_time() - cpu
        cpu, wall = time.process_time(), time.monotonic()
        text = " ".join(word.word for word in await decoder.transcribe(audio))
        tally.final_cpu_s += time.process_time() - cpu
        tally.final_ms.append((time.monotonic() - wall) * 1000)
        tally.audio_s += len(audio) / (2 * SAMPLE_RATE)
        heard.append(text)
        said, got = words_alike(utterance.text), words_alike(text)
        errors = edit_distance(said, got)
        tally.words += len(said)
        tally.errors += errors
        if " ".join(said) not in known:
            tally.new_words += len(said)
            tally.new_errors += errors
        tally.sentences += 1
        tally.wrong_sentences += errors > 0
        for slot, value in utterance.slots.items():
            tally.said[slot] = tally.said.get(slot, 0) + 1
            tally.got[slot] = tally.got.get(slot, 0) + _recovered(ear, slot, value, text)
    return tally, heard


def _recovered(ear: Ear, slot: str, value: str, text: str) -> bool:
    """Whether the slot's value can be had from the text by the rules the language service uses."""
    if slot in ("name", "account"):
        return value in text.split()
    entity = {"amount": "money", "number": "number"}[slot]
    return int(value) in [span.value for span in ear.find(entity, words_of(text))]


def edit_distance(said: Sequence[str], heard: Sequence[str]) -> int:
    """Fewest words to insert, delete or replace (Levenshtein)."""
    row = list(range(len(heard) + 1))
    for i, a in enumerate(said, 1):
        diagonal, row[0] = row[0], i
        for j, b in enumerate(heard, 1):
            diagonal, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, diagonal + (a != b))
    return row[-1]


def words_alike(text: str) -> list[str]:
    """Words, with those that count as the same written the same."""
    return " ".join(SAME.get(word, word) for word in text.split()).split()


async def _speak(voice: str, text: str) -> bytes:
    """The sentence as 16 kHz 16-bit mono, with silence around it."""
    if voice == ESPEAK:
        blocks: list[bytes] = []
        espeak.synthesize(text, on_audio=lambda block: blocks.append(block) is None, on_word=lambda _: None)
        audio, rate = b"".join(blocks), espeak.SAMPLE_RATE
    else:
        audio, rate = (await asyncio.to_thread(speak, voice, text)).tobytes(), SAMPLE_RATE
    if rate != SAMPLE_RATE:
        audio = await create_file_resampler().resample(audio, rate, SAMPLE_RATE)
    return bytes(int(LEAD_S * SAMPLE_RATE) * 2) + audio + bytes(int(TAIL_S * SAMPLE_RATE) * 2)


def _trained_on() -> Set[str]:
    """Every sentence the language model was made from."""
    return {" ".join(words_alike(text)) for corpus in language_model.training_texts(PHRASES) for text in corpus}


def _score(voice: str, model: str, tally: Tally) -> Score:
    slots = {slot: tally.got[slot] / n for slot, n in sorted(tally.said.items())}
    if tally.said:
        slots["all"] = sum(tally.got.values()) / sum(tally.said.values())
    return Score(
        voice=voice,
        model=model,
        wer=round(tally.errors / tally.words, 4),
        wer_new=round(tally.new_errors / tally.new_words, 4),
        sentence_errors=round(tally.wrong_sentences / tally.sentences, 4),
        slots={slot: round(share, 4) for slot, share in slots.items()},
        running_rtf=round(tally.running_cpu_s / tally.audio_s, 4),
        final_rtf=round(tally.final_cpu_s / tally.audio_s, 4),
        final_p50_ms=round(median(tally.final_ms)),
        final_p95_ms=round(quantiles(tally.final_ms, n=20)[-1]),
    )


def _table(facts: Mapping[str, object], scores: Sequence[Score]) -> str:
    slots = ("amount", "name", "number", "account", "all")
    columns = ("WER", "new", "sent.", *slots, "RTF", "final", "p50 ms", "p95 ms")
    lines = [
        f"{facts['utterances']} sentences, {facts['trained_on']} of them in the training text word for word",
        f"language model: {facts['language_model']}",
        "",
        f"{'model':6} {'voice':10} " + " ".join(f"{name:>7}" for name in columns),
    ]
    for score in scores:
        shares = (score.wer, score.wer_new, score.sentence_errors, *(score.slots.get(slot, 0.0) for slot in slots))
        cells = [f"{share:7.1%}" for share in shares]
        cells += [f"{score.running_rtf:7.3f}", f"{score.final_rtf:7.3f}"]
        cells += [f"{score.final_p50_ms:7}", f"{score.final_p95_ms:7}"]
        lines.append(f"{score.model:6} {score.voice:10} " + " ".join(cells))
    return "\n".join(lines)


def _print_misses(voice: str, utterances: Sequence[Utterance], heard: Sequence[str]) -> None:
    for utterance, text in zip(utterances, heard, strict=True):
        if words_alike(utterance.text) != words_alike(text):
            print(f"{voice}: {utterance.text} | {text}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
