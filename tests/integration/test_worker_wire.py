"""The words between switchboard and voice worker over a real Unix socket, garbage included."""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import httpx
import pytest
import pytest_asyncio
import uvicorn
from loguru import logger
from prometheus_client.parser import text_string_to_metric_families
from pydantic import SecretStr

from agent.webrtc import Candidate
from agent.worker import remote, wire, words
from agent.worker.figures import merged
from agent.worker.remote import RemoteWorker
from agent.worker.server import Door
from agent.worker.words import (
    Answer,
    Digits,
    Drain,
    Entered,
    HangUp,
    NeverAsked,
    OpenCall,
    Opening,
    Reader,
    Reload,
    Renegotiation,
    Resting,
    Text,
    Trickled,
    Unreachable,
    WorkerState,
)
from core.errors import AppError, NotFound
from core.settings import Settings, from_json, to_json
from identity.tokens import Claims

NOW = datetime(2026, 3, 1, 12, 30, 15, 250_000, tzinfo=UTC)
ADA = Claims("otp_1", "otp", ("read:agents",), None, "Ада", 3, "jti", NOW, NOW, "ses_1")
OPENING = Opening("call_1", ADA, "banking", 'v=0\r\no=- \u2028 \\ "quoted"\r\n')
ANSWER = Answer("v=0\r\n", "answer", "pc_1", 7)
STATE = WorkerState(
    pid=os.getpid(),
    revision=1,
    seats=8,
    seats_taken=1,
    lag_ms=0.5,
    busy=0,
    draining=False,
    calls=(OpenCall("call_1", "banking"),),
    resting=(Resting("tts", "acme", "quota"),),
)


class Scripted:
    """Answers as it is told, and keeps what it was asked."""

    def __init__(self) -> None:
        self.asked: list[object] = []
        self.wrong: Exception | None = None
        self.answers: dict[type, object] = {
            Opening: ANSWER,
            Renegotiation: ANSWER,
            Digits: Entered(None, 2, "open"),
            Reader: (Text("123456 is your code", NOW),),
        }
        self.news: asyncio.Queue[WorkerState | None] = asyncio.Queue()

    async def _answer(self, question: object) -> Any:
        self.asked.append(question)
        if self.wrong is not None:
            raise self.wrong
        return self.answers.get(type(question))

    open = renegotiate = trickle = enter = hang_up = drain = reload = texts = _answer

    async def figures(self) -> bytes:
        return b"# HELP x y\nx 1\n"

    async def states(self) -> AsyncGenerator[WorkerState]:
        while (state := await self.news.get()) is not None:
            yield state


class Line:
    """A scripted worker behind its door, and the switchboard's side of it."""

    def __init__(self, socket: Path) -> None:
        self.socket = socket
        self.there = Scripted()
        self.here = RemoteWorker(1, socket)
        self.here.started(STATE.pid)
        self.heard = asyncio.Event()

    @asynccontextmanager
    async def served(self) -> AsyncIterator[None]:
        config = uvicorn.Config(
            Door(cast(Any, self.there)), uds=str(self.socket), lifespan="off", log_config=None, access_log=False
        )
        server = uvicorn.Server(config)
        serving = asyncio.ensure_future(server._serve())
        while not server.started:
            await asyncio.sleep(0.005)
        yield
        self.there.news.put_nowait(None)
        server.should_exit = True
        await serving

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[None]:
        task = asyncio.ensure_future(self.here.listen(self.heard.set))
        yield
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    async def hears(self, state: WorkerState) -> None:
        self.there.news.put_nowait(state)
        async with asyncio.timeout(5):
            while self.here.state != state:
                self.heard.clear()
                await self.heard.wait()


@contextmanager
def logged() -> Iterator[list[str]]:
    lines: list[str] = []
    sink = logger.add(lines.append, level=0, format="{message} {exception}")
    yield lines
    logger.remove(sink)


@pytest_asyncio.fixture
async def line() -> AsyncIterator[Line]:
    with tempfile.TemporaryDirectory() as folder:
        line = Line(Path(folder) / "1")
        yield line
        await line.here.close()


async def test_every_word_crosses_whole(line: Line) -> None:
    questions: list[tuple[Callable[[Any], Awaitable[object]], object, object]] = [
        (line.here.open, OPENING, ANSWER),
        (line.here.renegotiate, Renegotiation("call_1", "v=0", True), ANSWER),
        (line.here.trickle, Trickled("call_1", (Candidate("a", None), Candidate("", 0))), None),
        (line.here.enter, Digits("call_1", None), Entered(None, 2, "open")),
        (line.here.hang_up, HangUp("call_1", "withdrawn"), None),
        (line.here.drain, Drain(0.5), None),
        (line.here.reload, Reload("banking"), None),
        (line.here.texts, Reader("otp_1"), (Text("123456 is your code", NOW),)),
    ]
    async with line.served():
        for ask, question, answer in questions:
            assert await ask(question) == answer
        assert await line.here.figures() == b"# HELP x y\nx 1\n"
    assert line.there.asked == [question for _, question, _ in questions]
    assert {type(question) for question in line.there.asked} == {word.question for word in wire.ALL.values()}


async def test_what_is_wrong_crosses_as_data_and_keeps_its_meaning(line: Line) -> None:
    wrong = AppError("For the screen", code="odd", status=418, spoken="For the ear", retryable=True, retry_after_s=7)
    async with line.served():
        for each in (wrong, NotFound("There is no such call"), words.StartFailed("Sorry", status=503)):
            line.there.wrong = each
            with pytest.raises(AppError) as told:
                await line.here.open(OPENING)
            assert vars(told.value) == vars(each)


async def test_what_nobody_expected_is_told_without_its_text(line: Line) -> None:
    line.there.wrong = RuntimeError("the password is hunter2")
    async with line.served():
        with logged() as lines, pytest.raises(AppError) as told:
            await line.here.enter(Digits("call_1", "123456"))
    assert (told.value.status, told.value.code) == (500, "internal")
    assert "hunter2" not in told.value.message
    assert any("RuntimeError" in each for each in lines)
    assert not any("123456" in each for each in lines)


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "/open", b"", 422),
        ("POST", "/open", b"{", 422),
        ("POST", "/open", b"[]", 422),
        ("POST", "/open", b"\xff\xfe", 422),
        ("POST", "/hang_up", b'{"call_id": "x", "reason": 5}', 422),
        ("POST", "/hang_up", b'{"call_id": "x"}', 422),
        ("POST", "/hang_up", b'{"call_id": "x", "reason": "y", "also": 1}', 422),
        ("POST", "/drain", b'{"timeout_s": "5"}', 422),
        ("POST", "/enter", b'{"call_id": "x", "code": "' + b"9" * wire.MAX_QUESTION_BYTES + b'"}', 413),
        ("POST", "/close", b"{}", 404),
        ("POST", "/_find", b'"x"', 404),
        ("POST", "/__class__", b"{}", 404),
        ("POST", "//open", b"{}", 404),
        ("GET", "/open", b"", 404),
        ("PUT", "/state", b"", 404),
    ],
)
async def test_garbage_is_refused_and_nothing_happens(
    line: Line, method: str, path: str, body: bytes, status: int
) -> None:
    async with (
        line.served(),
        httpx.AsyncClient(transport=httpx.AsyncHTTPTransport(uds=str(line.socket))) as http,
    ):
        answer = await http.request(method, f"http://worker{path}", content=body)
        assert answer.status_code == status
        assert wire.load(wire.Wrong, answer.content).status == status
        assert await line.here.open(OPENING) == ANSWER, "and the next is answered"
    assert line.there.asked == [OPENING]


async def test_a_worker_that_is_not_there_was_never_asked(line: Line) -> None:
    with pytest.raises(NeverAsked) as refused:
        await line.here.open(OPENING)
    assert (refused.value.status, refused.value.retry_after_s) == (503, 5)


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{",
        b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nnull",
        b"HTTP/1.1 418 x\r\ncontent-length: 4\r\n\r\nwhat",
        b"HTTP/1.1 200 OK\r\ncontent-length: 9000000\r\n\r\n" + b"x" * 9_000_000,
        b"garbage\r\n\r\n",
    ],
    ids=["dies", "dies halfway", "another shape", "nothing", "no refusal", "too much", "no HTTP"],
)
async def test_whatever_a_worker_answers_the_switchboard_goes_on(line: Line, answer: bytes) -> None:
    async def answering(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"}")
        writer.write(answer)
        writer.close()

    server = await asyncio.start_unix_server(answering, line.socket)
    async with server:
        with logged() as lines, pytest.raises(Unreachable):
            await line.here.enter(Digits("call_1", "123456"))
    assert not any("123456" in each for each in lines)


async def test_a_state_is_heard_at_once_and_after_a_break_again(line: Line) -> None:
    assert line.here.state is None
    async with line.listening():
        for n in range(2):
            async with line.served():
                await line.hears(replace(STATE, revision=10 * n))
                await line.hears(replace(STATE, revision=10 * n + 1, calls=()))


async def test_only_the_process_that_was_started_is_believed(line: Line) -> None:
    async with line.listening(), line.served():
        await line.hears(STATE)
        line.here.lost()
        assert (line.here.state, line.here.life) == (None, 1)
        line.there.news.put_nowait(replace(STATE, revision=2))  # from a pipe that still held something
        line.there.news.put_nowait(replace(STATE, pid=5))
        waiting = asyncio.ensure_future(line.here.ready())
        await asyncio.wait([waiting], timeout=0.2)
        assert not waiting.done()
        line.here.started(5)
        await line.hears(replace(STATE, pid=5, revision=3))
        await waiting


@pytest.mark.parametrize(
    "garbage",
    [b"{}\n", b"\n", b"null\n", b"x" * 100 + b"\n", b"x" * (wire.MAX_STATE_BYTES + 10)],
    ids=["empty", "blank", "null", "no JSON", "without end"],
)
async def test_a_garbled_state_is_not_believed_and_listened_past(line: Line, garbage: bytes) -> None:
    good = wire.dump(WorkerState, replace(STATE, revision=5)) + b"\n"
    told = [garbage, good]
    enough = asyncio.Event()

    async def telling(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n" + told.pop(0))
        if not told:
            await enough.wait()
        writer.close()

    server = await asyncio.start_unix_server(telling, line.socket)
    async with line.listening():
        async with asyncio.timeout(5):
            await line.here.ready()
        assert line.here.state is not None and line.here.state.revision == 5
    enough.set()
    server.close()
    await asyncio.sleep(0)


async def test_a_silent_worker_cannot_be_relied_on(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote, "SILENCE_S", 0.2)
    async with line.listening(), line.served():
        await line.hears(STATE)
        async with asyncio.timeout(5):
            while line.here.state is not None:
                await asyncio.sleep(0.02)
        assert line.here.silent_s > 0.2


def test_settings_cross_whole_with_their_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    given = Settings(
        _env_file=None,  # pyright: ignore[reportCallIssue]
        data_dir=Path("somewhere"),
        secret_key=SecretStr("s" * 32),
        anthropic_api_key=SecretStr("key"),
        field_keys=("a:" + "x" * 32, "b:" + "y" * 32),  # pyright: ignore[reportArgumentType]
        cors_origins=("https://a.example", "https://b.example"),
        udp_port_range="40000-40999",
        media_workers=4,
        max_call_usd="0.25",  # pyright: ignore[reportArgumentType]
        smart_turn_process=False,
    )
    monkeypatch.setenv("CLAUDE_API_KEY", "another")
    monkeypatch.setenv("PORT", "1")
    monkeypatch.setenv("DEEPGRAM_API_KEY", "another")
    assert from_json(to_json(given)).model_dump() == given.model_dump()
    ranges = [given.of_worker(number).udp_ports for number in (1, 2, 3, 4)]
    assert ranges == [(40_000, 40_249), (40_250, 40_499), (40_500, 40_749), (40_750, 40_999)]
    assert given.of_worker(4).workers == 0


@pytest.mark.parametrize(("ports", "calls", "fits"), [("40000-40015", 8, True), ("40000-40014", 8, False)])
def test_every_seat_has_a_port(ports: str, calls: int, fits: bool) -> None:
    def settings() -> Settings:
        return Settings(_env_file=None, media_workers=2, max_calls=calls, udp_port_range=ports)  # pyright: ignore[reportCallIssue]

    if fits:
        assert settings().workers == 2
        return
    with pytest.raises(ValueError, match="UDP_PORT_RANGE"):
        settings()


def test_figures_of_all_stand_together_and_can_be_told_apart() -> None:
    own = b'# HELP a first\n# TYPE a gauge\na 1.0\n# HELP b_total second\n# TYPE b_total counter\nb_total{x="{"} 2.0\n'
    other = (
        b'# HELP b_total second\n# TYPE b_total counter\nb_total{x="} y"} 3.0\n# HELP c third\n# TYPE c gauge\nc 4.0\n'
    )
    text = merged(own, {1: other, 2: other + b"\n# HELP d empty\n# TYPE d counter\n"})
    samples = [
        (sample.name, sample.labels, sample.value)
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
    ]
    assert samples == [
        ("a", {}, 1.0),
        ("b_total", {"x": "{"}, 2.0),
        ("b_total", {"worker": "1", "x": "} y"}, 3.0),
        ("b_total", {"worker": "2", "x": "} y"}, 3.0),
        ("c", {"worker": "1"}, 4.0),
        ("c", {"worker": "2"}, 4.0),
    ]
    assert text.count(b"# HELP b_total") == 1
