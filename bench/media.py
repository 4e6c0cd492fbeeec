"""What bad networks do to words: calls through a relay that loses, delays, repeats and moves, server beside server.

    python -m bench media [--quick] [--server parley:MEDIA_PLANE=false --server pipecat …] [--direction up]

Callers say sentences, the server's recogniser writes down what it heard, and each reply is a recording of another
sentence, which a player with a fixed 60 ms buffer plays and the same recogniser writes down at the caller's end. Word
errors count insertions, deletions and replacements over the words said. Every call also has to come about through the
harm; one that does not in fifteen seconds is counted and dialled again without. Voices are synthetic, fates seeded.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
import time
import wave
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from loguru import logger

from bench import machine, recital
from bench.caller import Caller, Refused, new_http
from bench.capacity import LATE_CALLER_MS
from bench.load import summary
from bench.playout import Arrival, play
from bench.process import Server, named, serving
from bench.recognition import edit_distance, words_alike
from bench.recordings import SENTENCES
from bench.relay import NONE, Harm, Relay
from bench.sound import AUDIBLE_RMS, MICROPHONE, Clip, Codec, Pcm, load_clip
from bench.voices import NEEDS_FLITE, SAMPLE_RATE, flite_installed, speak
from pipelines.banking.phrases import PHRASES
from providers.offline.decoders import DecoderPool, LentDecoder

VOICES = ("slt", "rms")
WORDS = range(5, 10)
EACH = 20
LEAD_S, TAIL_S = 0.1, 0.2
AROUND_S = 0.3
"""Silence around what the recogniser hears: some servers send none, and without it the first word suffers."""


CALLS = 5
DIAL_S = 15.0
REPLY_S = 8.0
OVER_S = 0.6
RECORDED_S = 60.0
BLACK_OUT_S, BLACK_OUT_AFTER_S = 2.0, 0.5
OUT = Path("build/bench/media.json")


@dataclass(frozen=True, slots=True)
class Cell:
    """What the network is like.

    Attributes:
        name: In the tables.
        harm: To each direction that is harmed.
        black_out: Whether nothing passes for two seconds, in the middle of the call.
        moves: Whether the caller's port changes there.
    """

    name: str
    harm: Harm = NONE
    black_out: bool = False
    moves: bool = False


CELLS = (
    Cell("no harm"),
    *(Cell(f"loss {share:.0%}", Harm(loss=share)) for share in (0.05, 0.10, 0.20)),
    *(Cell(f"loss {share:.0%} in bursts", Harm(loss=share, burst=4)) for share in (0.05, 0.10, 0.20)),
    Cell("jitter 40 ms", Harm(jitter_s=0.04)),
    Cell("jitter 40 ms in order", Harm(jitter_s=0.04, reorders=False)),
    Cell("repeats 5%", Harm(duplicates=0.05)),
    Cell("black-out 2 s", black_out=True),
    Cell("port change", moves=True),
)
QUICK = ("no harm", "loss 10%", "jitter 40 ms", "port change")


# Sentences ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Script:
    """Who says what; sentence to its recording."""

    callers: Mapping[str, Path]
    bot: Mapping[str, Path]


def script(folder: Path, count: int) -> Script:
    """So many sentences for each side, spoken into `folder`."""
    rows = [json.loads(line) for line in SENTENCES.read_text("utf-8").splitlines()]
    # No names, which only the product knows; no sums, of which it lets no model speak freely.
    plain = [row["text"] for row in rows if not {"name", "amount"} & row["slots"].keys()]
    usable = [text for text in plain if len(text.split()) in WORDS]
    folder.mkdir(parents=True, exist_ok=True)

    def recorded(texts: Sequence[str], side: str) -> dict[str, Path]:
        paths = {text: folder / f"{side}-{number}.wav" for number, text in enumerate(texts[:count])}
        for number, (text, path) in enumerate(paths.items()):
            _write(path, speak(VOICES[number % len(VOICES)], text))
        return paths

    return Script(recorded(usable[0::2], "caller"), recorded(usable[1::2], "bot"))


def _write(path: Path, pcm: Pcm) -> None:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE)
        file.writeframes(
            bytes(round(LEAD_S * SAMPLE_RATE) * 2) + pcm.tobytes() + bytes(round(TAIL_S * SAMPLE_RATE) * 2)
        )


# Calls ----------------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Turn:
    """One sentence and what came of it.

    Attributes:
        said: By the caller.
        voice_to_voice_ms: From its last voiced sample to the first audible packet; `None` if that came before, or
            not at all.
        cut_in: Whether the bot spoke before the caller had finished.
        answered: Whether anything came.
        arrivals: Packets that came from the beginning of this turn to the next.
    """

    said: str
    voice_to_voice_ms: float | None = None
    cut_in: bool = False
    answered: bool = False
    arrivals: tuple[Arrival, ...] = ()


@dataclass(slots=True)
class Talk:
    """One call.

    Attributes:
        dialled: Times that it took.
        planned: Sentences to be said.
        turns: What came of those that were.
        understood: Final transcripts, in order.
        recited: Of the sentences, what the bot set out to say in reply, in order.
        lost: Whether the line was gone before the end.
        late_ms: How late the caller's packets left.
    """

    dialled: int = 0
    planned: int = 0
    turns: list[Turn] = field(default_factory=list)
    understood: list[str] = field(default_factory=list)
    recited: list[str] = field(default_factory=list)
    lost: bool = False
    late_ms: list[float] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Line:
    """How a caller reaches a server, what the network does to it, and what the bot has recordings of."""

    server: Server
    http: httpx.AsyncClient
    token: str | None
    cell: Cell
    direction: str
    recorded: frozenset[str]

    def harm(self, relay: Relay) -> None:
        """Begin."""
        up, down = (self.cell.harm if self.direction in (way, "both") else NONE for way in ("up", "down"))
        relay.harm(up=up, down=down)

    def codec(self, caller: Caller) -> Codec:
        """How the caller encodes: as browsers, with copies against the loss it is told of if it was asked for them."""
        lossy = self.direction in ("up", "both") and "useinbandfec=1" in caller.answer_sdp
        return replace(MICROPHONE, expected_loss=round(self.cell.harm.loss * 100)) if lossy else MICROPHONE

    def caller(self, relay: Relay) -> Caller:
        """Somebody who has not dialled yet."""
        return Caller(
            self.server.url,
            token=self.token,
            plain=self.token is None,
            record_s=RECORDED_S,
            relay=relay,
            http=self.http,
        )


async def call(line: Line, sentences: Mapping[str, Path], seed: int) -> Talk:
    """Say these sentences, each after the reply to the one before."""
    talk = Talk(planned=len(sentences))
    for harmed in (True, False):
        async with Relay(seed=seed) as relay:
            if harmed:
                line.harm(relay)
            caller = line.caller(relay)
            try:
                talk.dialled += 1
                if not await _reached(line, caller):
                    continue
                line.harm(relay)
                await _converse(line, relay, caller, sentences, talk)
                return talk
            finally:
                talk.late_ms += caller.microphone.lateness_ms
                await caller.hang_up()
    talk.lost = True
    return talk


async def _reached(line: Line, caller: Caller) -> bool:
    """Whether the call came about and its greeting was heard out."""
    try:
        if line.token:
            await caller.ask_access()
        await caller.connect(timeout_s=DIAL_S)
        await caller.hears(DIAL_S, since_s=caller.timing.offered_s)
        await caller.silence(OVER_S)
    except (TimeoutError, Refused, httpx.HTTPError):
        return False
    return True


async def _converse(line: Line, relay: Relay, caller: Caller, sentences: Mapping[str, Path], talk: Talk) -> None:
    greeting = set(_segments(caller))
    for number, (text, path) in enumerate(sentences.items()):
        if number == len(sentences) // 2:
            if line.cell.moves:
                await relay.move()
            if line.cell.black_out:
                asyncio.get_running_loop().call_later(BLACK_OUT_AFTER_S, relay.black_out, BLACK_OUT_S)
        clip = await asyncio.to_thread(load_clip, path, line.codec(caller))
        talk.turns.append(await _turn(caller, text, clip))
        if caller.ended.is_set():
            talk.lost = True
            break
    talk.understood = [said.text for said in caller.transcript if said.who == "user"]
    # A sentence that the product puts in the place of one has no recording.
    said = [text for segment, text in _segments(caller).items() if segment not in greeting]
    talk.recited = [text for text in said if recital.key(text) in line.recorded]


def _segments(caller: Caller) -> dict[int, str]:
    """What the bot set out to say so far, each piece once."""
    outputs = [message["data"] for message in caller.messages if message.get("type") == "bot-output"]
    return {data["segment_id"]: data["text"] for data in outputs if data.get("will_be_spoken")}


async def _turn(caller: Caller, text: str, clip: Clip) -> Turn:
    turn = Turn(text)
    began_s = time.monotonic()
    speech = caller.begin(clip)
    ended_s = await speech.ended
    early_s = caller.ear.audible_since(began_s)
    turn.cut_in = early_s is not None and early_s < ended_s
    try:
        reply_s = await caller.hears(REPLY_S, since_s=ended_s)
        turn.answered = True
        turn.voice_to_voice_ms = None if turn.cut_in else (reply_s - ended_s) * 1000
        await caller.silence(OVER_S)
    except TimeoutError:
        pass
    turn.arrivals = tuple(each for each in caller.ear.arrivals if each.at_s >= began_s)
    return turn


# Words ----------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Heard:
    """What the caller's end made of the replies of one call.

    Attributes:
        texts: What the recogniser wrote down, turn by turn.
        packets: How many should have been played.
        concealed: How many were guessed.
        restored: How many came out of redundancy.
    """

    texts: tuple[str, ...]
    packets: int
    concealed: int
    restored: int


async def hear(decoder: LentDecoder, talk: Talk) -> Heard:
    """Play the replies of a call and write them down."""
    texts: list[str] = []
    packets = concealed = restored = 0
    for turn in talk.turns:
        played = await asyncio.to_thread(play, turn.arrivals)
        sound = np.pad(_audible(played.pcm), round(AROUND_S * SAMPLE_RATE))
        packets, concealed = packets + played.packets, concealed + played.concealed
        restored += played.restored
        texts.append(" ".join(word.word for word in await decoder.transcribe(sound.tobytes())))
    return Heard(tuple(texts), packets, concealed, restored)


def _audible(pcm: Pcm) -> Pcm:
    """From just before the first sound to just after the last."""
    step = SAMPLE_RATE // 100
    steps = pcm[: len(pcm) // step * step].reshape(-1, step).astype(np.float32) / 32768
    loud = np.flatnonzero(np.sqrt(np.mean(np.square(steps), axis=1)) > AUDIBLE_RMS)
    if not len(loud):
        return pcm[:0]
    return pcm[max(0, int(loud[0]) - 5) * step : (int(loud[-1]) + 5) * step]


@dataclass(frozen=True, slots=True)
class Words:
    """Said, and wrong."""

    said: int
    wrong: int

    def __add__(self, other: Words) -> Words:
        return Words(self.said + other.said, self.wrong + other.wrong)

    @property
    def rate(self) -> float | None:
        """Word error rate."""
        return self.wrong / self.said if self.said else None


def compare(said: Sequence[str], heard: Sequence[str]) -> Words:
    """Sentences beside what was written down, however that is cut into pieces."""
    expected, found = ([word for text in texts for word in words_alike(recital.key(text))] for texts in (said, heard))
    return Words(len(expected), edit_distance(expected, found))


# Cells ----------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Texts:
    """Both sides of a call, and what was made of them."""

    said: Sequence[str]
    understood: Sequence[str]
    recited: Sequence[str]
    heard: Sequence[str]


@dataclass(frozen=True, slots=True)
class Result:
    """One cell with one server.

    Attributes:
        recognised: What callers said, at the server's end.
        heard: What the bot said, at the callers' end.
        turns: Planned.
        answered: Of them.
        answered_after: Of those after the middle of a call, where things happen that happen once.
        not_connected: Calls that did not come about through the harm.
        lost: Calls that broke off.
        voice_to_voice_ms: Summary.
        concealed: Share of the packets played.
        restored: Share of the packets played.
        exceptions: That the server logged.
        caller_late_ms: How late the callers sent, 95th percentile: above ten the cell says little.
        texts: Of each call, what was said and what was made of it, for a closer look.
    """

    server: str
    cell: str
    recognised: Words
    heard: Words
    turns: int
    answered: int
    answered_after: int
    not_connected: int
    lost: int
    voice_to_voice_ms: dict[str, Any]
    concealed: float
    restored: float
    exceptions: int
    caller_late_ms: float
    texts: tuple[Texts, ...]


def result(server: str, cell: str, talks: Sequence[Talk], heard: Sequence[Heard], exceptions: int) -> Result:
    """Take the calls of a cell together."""
    nothing = Words(0, 0)
    packets = max(1, sum(each.packets for each in heard))
    turns = [turn for talk in talks for turn in talk.turns]
    return Result(
        server=server,
        cell=cell,
        recognised=sum((compare([t.said for t in talk.turns], talk.understood) for talk in talks), nothing),
        heard=sum((compare(talk.recited, each.texts) for talk, each in zip(talks, heard, strict=True)), nothing),
        turns=sum(talk.planned for talk in talks),
        answered=sum(turn.answered for turn in turns),
        answered_after=sum(turn.answered for talk in talks for turn in talk.turns[talk.planned // 2 :]),
        not_connected=sum(talk.dialled > 1 or not talk.turns for talk in talks),
        lost=sum(talk.lost for talk in talks),
        voice_to_voice_ms=summary([turn.voice_to_voice_ms for turn in turns]),
        concealed=sum(each.concealed for each in heard) / packets,
        restored=sum(each.restored for each in heard) / packets,
        exceptions=exceptions,
        caller_late_ms=summary([ms for talk in talks for ms in talk.late_ms], samples=False)["p95"] or 0.0,
        texts=tuple(
            Texts([turn.said for turn in talk.turns], talk.understood, talk.recited, each.texts)
            for talk, each in zip(talks, heard, strict=True)
        ),
    )


def exceptions(log: Path) -> int:
    """Errors in a server's log so far."""
    return sum(
        "Traceback (most recent call last)" in line or "| ERROR " in line
        for line in log.read_text("utf-8", errors="replace").splitlines()
    )


async def measure(
    servers: Mapping[str, Server],
    logs: Mapping[str, Path],
    cells: Sequence[Cell],
    spoken: Script,
    *,
    calls: int,
    direction: str,
    folder: Path,
) -> list[Result]:
    """Every cell with every server in turn, printed as it is done."""
    pool = DecoderPool(1, folder)
    decoder = await pool.lend(PHRASES, ())
    results: list[Result] = []
    recorded = frozenset(recital.key(text) for text in spoken.bot)
    shares = [dict(list(spoken.callers.items())[number::calls]) for number in range(calls)]
    async with new_http() as http:
        tokens = {name: await _token(server, http) for name, server in servers.items()}
        for cell in cells:
            for name, server in servers.items():
                line = Line(server, http, tokens[name], cell, direction, recorded)
                before = exceptions(logs[name])
                talks = await asyncio.gather(*(call(line, share, number) for number, share in enumerate(shares)))
                heard = [await hear(decoder, talk) for talk in talks]
                results.append(result(name, cell.name, talks, heard, exceptions(logs[name]) - before))
                print(_row(results[-1]), file=sys.stderr, flush=True)
    pool.take_back(decoder)
    await pool.close()
    return results


async def _token(server: Server, http: httpx.AsyncClient) -> str | None:
    if server.code is None:
        return None
    return await Caller(server.url, http=http).log_in(server.code)


COLUMNS = (
    "network",
    "server",
    "words wrong at the server",
    "words wrong at the caller",
    "concealed / restored",
    "turns answered (second half)",
    "not connected",
    "lost",
    "voice to voice ms, median / p95",
    "errors logged",
    "callers late p95 ms",
)


def table(results: Sequence[Result]) -> str:
    """The results as Markdown."""
    return "\n".join(
        [f"| {' | '.join(COLUMNS)} |", "|" + "---|" * len(COLUMNS), *(f"| {_row(each)} |" for each in results)]
    )


def _row(each: Result) -> str:
    voice = each.voice_to_voice_ms
    values = (
        each.cell,
        each.server,
        _rate(each.recognised),
        _rate(each.heard),
        f"{each.concealed:.1%} / {each.restored:.1%}",
        f"{each.answered} of {each.turns} ({each.answered_after})",
        each.not_connected,
        each.lost,
        f"{voice['median']} / {voice['p95']}",
        each.exceptions,
        f"{each.caller_late_ms:.1f}{' (!)' if each.caller_late_ms > LATE_CALLER_MS else ''}",
    )
    return " | ".join(str(value) for value in values)


def _rate(words: Words) -> str:
    return "-" if words.rate is None else f"{words.rate:.1%} of {words.said}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line of `python -m bench media`."""
    parser = argparse.ArgumentParser(prog="python -m bench media", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help=f"{len(QUICK)} cells, half the sentences")
    parser.add_argument("--calls", type=int, default=CALLS, help=f"at once, to share the sentences ({CALLS})")
    parser.add_argument("--server", action="append", help="name, or name:SETTING=value,… (parley and pipecat)")
    parser.add_argument("--cell", action="append", help="only these")
    parser.add_argument("--direction", choices=("both", "up", "down"), default="both", help="what is harmed")
    parser.add_argument("--out", type=Path, default=OUT, help=f"where the JSON goes ({OUT})")
    args = parser.parse_args(arguments)
    logger.remove()
    if not flite_installed():
        print(NEEDS_FLITE, file=sys.stderr)
        return 2
    names = args.cell or (QUICK if args.quick else [cell.name for cell in CELLS])
    before = machine.describe()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="parley-media-")))
        spoken = script(folder / "voice", EACH // 2 if args.quick else EACH)
        recital.write(folder, spoken.bot)
        servers: dict[str, Server] = {}
        logs: dict[str, Path] = {}
        for number, text in enumerate(args.server or ["parley", "pipecat"]):
            name, settings = named(text)
            logs[text] = folder / f"{number}-{name}.log"
            everything = {recital.FOLDER: str(folder), "RATE_FACTOR": "1000", **settings}
            servers[text] = stack.enter_context(serving(name, settings=everything, log=logs[text]))
        results = asyncio.run(
            measure(
                servers,
                logs,
                [cell for cell in CELLS if cell.name in names],
                spoken,
                calls=args.calls,
                direction=args.direction,
                folder=folder,
            )
        )
        args.out.parent.mkdir(parents=True, exist_ok=True)
        found = {"machine": before, "direction": args.direction, "results": [asdict(each) for each in results]}
        args.out.write_text(json.dumps(found, indent=1) + "\n")
        for log in logs.values():
            args.out.with_name(f"media-{log.name}").write_bytes(log.read_bytes())
    print(f"{before['cpu']}, {before['cores']} cores, Python {before['python']}, load before {before['load']}\n")
    print(table(results))
    return 0


if __name__ == "__main__":
    sys.exit(main())
