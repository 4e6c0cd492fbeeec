"""Engines on this machine: their models fetched from a server on loopback, their services over stand-in wheels."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import shutil
import sys
import threading
from collections.abc import Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import resources
from pathlib import Path
from types import ModuleType
from typing import Any

import google_crc32c
import pytest
from pipecat.frames.frames import (
    Frame,
    InputAudioRawFrame,
    TranscriptionFrame,
    TTSAudioRawFrame,
    TTSSpeakFrame,
    VADUserStartedSpeakingFrame,
    VADUserStoppedSpeakingFrame,
)
from pipecat.tests.utils import run_test

from core.settings import Settings
from providers import catalog, kokoro, local, moonshine, piper, whisper
from providers.base import Brief
from providers.local.download import InstallFailed, RemoteFile, fetch
from providers.local.engine import Engine, Shared
from providers.phrases import Phrases

CONTENT = bytes(range(256)) * 4096  # 1 MiB
BRIEF = Brief("banking", "", Phrases(intents=(), can_do=""), names=("Anna Kovacs", "Bo"))


class FileServer:
    """Serves one content over HTTP, as told.

    Attributes:
        content: What it serves.
        cut_after: Bytes after which it closes each connection; None sends all.
        ranges: Whether it honours `Range`.
        status: Another status than 200 to answer with, and nothing else.
        asked: The `Range` header of every request, "" for none.
    """

    def __init__(self) -> None:
        self.content = CONTENT
        self.cut_after: int | None = None
        self.ranges = True
        self.status = 200
        self.asked: list[str] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer._answer(self)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    def _answer(self, request: BaseHTTPRequestHandler) -> None:
        wanted = request.headers.get("Range", "")
        self.asked.append(wanted)
        if self.status != 200:
            request.send_error(self.status)
            return
        start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted and self.ranges else 0
        body = self.content[start:]
        request.send_response(206 if start else 200)
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body if self.cut_after is None else body[: self.cut_after])

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}/model.bin"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def server() -> Iterator[FileServer]:
    served = FileServer()
    yield served
    served.close()


def remote(server: FileServer, *, content: bytes = CONTENT, digest: str = "") -> RemoteFile:
    return RemoteFile("model.bin", server.url, len(content), digest or f"sha256:{hashlib.sha256(content).hexdigest()}")


def test_a_file_is_brought_once(server: FileServer, tmp_path: Path) -> None:
    seen: list[int] = []
    folder = tmp_path / "models" / "acme"
    assert fetch(remote(server), folder, progress=seen.append).read_bytes() == CONTENT
    assert seen[-1] == len(CONTENT)
    assert seen == sorted(seen)
    fetch(remote(server), folder)
    assert server.asked == [""]
    assert [path.name for path in folder.iterdir()] == ["model.bin"]


def test_a_transfer_that_breaks_off_is_continued(server: FileServer, tmp_path: Path) -> None:
    server.cut_after = 400_000
    assert fetch(remote(server), tmp_path).read_bytes() == CONTENT
    assert server.asked == ["", "bytes=400000-", "bytes=800000-"]


def test_a_transfer_that_gets_nowhere_is_given_up_and_continued_by_the_next_call(
    server: FileServer, tmp_path: Path
) -> None:
    server.cut_after = 100_000
    with pytest.raises(InstallFailed, match=r"model\.bin could not be downloaded from http://127") as failure:
        fetch(remote(server), tmp_path)
    assert len(server.asked) == 5
    assert "0.5 MB of 1.0 MB are kept" in failure.value.message
    assert failure.value.retryable
    assert [path.name for path in tmp_path.iterdir()] == ["model.bin.part"]
    server.cut_after = None
    assert fetch(remote(server), tmp_path).read_bytes() == CONTENT
    assert server.asked[5:] == ["bytes=500000-"]


def test_a_server_that_cannot_continue_starts_again(server: FileServer, tmp_path: Path) -> None:
    (tmp_path / "model.bin.part").write_bytes(CONTENT[:1000])
    server.ranges = False
    assert fetch(remote(server), tmp_path).read_bytes() == CONTENT


@pytest.mark.parametrize("beginning", [b"x" * 1000, b"x" * len(CONTENT), b"x" * (len(CONTENT) + 1)])
def test_a_beginning_from_another_edition_is_thrown_away(server: FileServer, tmp_path: Path, beginning: bytes) -> None:
    (tmp_path / "model.bin.part").write_bytes(beginning)
    assert fetch(remote(server), tmp_path).read_bytes() == CONTENT


@pytest.mark.parametrize("served", [CONTENT[:-1] + b"x", CONTENT + b"x"], ids=["altered", "longer"])
def test_a_file_that_is_not_the_expected_one_is_deleted(server: FileServer, tmp_path: Path, served: bytes) -> None:
    server.content = served
    with pytest.raises(InstallFailed, match="not the file that was expected"):
        fetch(remote(server), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_both_kinds_of_digest_are_checked(server: FileServer, tmp_path: Path) -> None:
    right = base64.b64encode(google_crc32c.value(CONTENT).to_bytes(4, "big")).decode()
    fetch(remote(server, digest=f"crc32c:{right}"), tmp_path / "right")
    with pytest.raises(InstallFailed, match="not the file that was expected"):
        fetch(remote(server, digest="crc32c:AAAAAA=="), tmp_path / "wrong")


def test_without_a_network_the_message_says_what_where_and_what_to_do(server: FileServer, tmp_path: Path) -> None:
    file = remote(server)
    server.close()
    with pytest.raises(InstallFailed) as failure:
        fetch(file, tmp_path)
    for part in ("model.bin", file.url, "refused", "Check the internet connection", "run the same command again"):
        assert part in failure.value.message
    assert list(tmp_path.iterdir()) == []


def test_a_refusal_by_the_server_is_named(server: FileServer, tmp_path: Path) -> None:
    server.status = 404
    with pytest.raises(InstallFailed, match="the server answered 404 Not Found"):
        fetch(remote(server), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_fetched_over_an_open_line(tmp_path: Path) -> None:
    with pytest.raises(InstallFailed, match="not an https address"):
        fetch(RemoteFile("model.bin", "http://192.0.2.1/model.bin", 1, "sha256:0"), tmp_path)


def test_a_full_disk_is_noticed_before_anything_is_asked(server: FileServer, tmp_path: Path) -> None:
    with pytest.raises(InstallFailed, match="Make room, or set DATA_DIR"):
        fetch(RemoteFile("model.bin", server.url, 10**18, "sha256:0"), tmp_path)
    assert server.asked == []


# An engine of the tests' own, whose wheel and model are small.


def settings_in(folder: Path, **more: str) -> Settings:
    return Settings(_env_file=None, data_dir=folder, **more)  # pyright: ignore[reportCallIssue, reportArgumentType]


@pytest.fixture
def acme(server: FileServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    """An engine named `acme` that the catalogue knows; its wheel is missing, its model on the server."""
    monkeypatch.syspath_prepend(str(tmp_path / "wheels"))
    engine = Engine("acme", "tts", ("acme_voice",), "v1", "Acme", "MIT", 1, lambda: [remote(server)])
    module = ModuleType("acme")
    module.ENGINE = engine  # pyright: ignore[reportAttributeAccessIssue]
    catalog.add("acme", module)
    yield engine
    catalog.remove("acme")


def bring_wheel(tmp_path: Path, *, works: bool = True) -> Any:
    """A stand-in for pip that lays the wheel on the path, and the arguments it was called with."""
    calls: list[Sequence[str]] = []

    def pip(arguments: Sequence[str]) -> int:
        calls.append([*arguments, Path(arguments[arguments.index("-c") + 1]).read_text()])
        if works:
            package = tmp_path / "wheels" / "acme_voice"
            package.mkdir(parents=True)
            (package / "__init__.py").write_text("raise RuntimeError('readiness must not import the engine')\n")
        return 0 if works else 1

    pip.calls = calls  # pyright: ignore[reportFunctionMemberAccess]
    return pip


def test_install_brings_wheel_and_model_and_is_repeatable(
    acme: Engine, server: FileServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = settings_in(tmp_path / "data")
    assert "acme_voice not installed: python run.py speech install acme" in acme.ready(settings).why
    pip = bring_wheel(tmp_path)
    assert local.install(settings, ["acme"], pip=pip) == 0
    assert acme.ready(settings).ok
    (arguments,) = pip.calls
    assert arguments[0] == "install"
    assert arguments[-2].startswith("pipecat-ai[acme]==")
    assert "numpy==" in arguments[-1]  # What is installed stays as it is.
    out = capsys.readouterr().out
    assert "model.bin: 1.0 MB of 1.0 MB" in out
    assert "speech to text: offline" in out

    assert local.install(settings, ["acme"], pip=pip) == 0
    assert len(pip.calls) == len(server.asked) == 1

    capsys.readouterr()
    assert local.show(settings) == 0
    row = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("acme"))
    assert row.split() == ["acme", "text", "to", "speech", "v1", "1.0", "MB", "ready", "MIT"]


def test_install_says_when_pip_fails(acme: Engine, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert local.install(settings_in(tmp_path), ["acme"], pip=bring_wheel(tmp_path, works=False)) == 1
    assert "pip could not install pipecat-ai[acme]==" in capsys.readouterr().err


def test_install_with_the_real_pip_notices_that_nothing_came(
    acme: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    assert local.install(settings_in(tmp_path), ["acme"]) == 1
    assert "pip could not install" in capsys.readouterr().err


def test_a_failed_download_leaves_the_engine_unready_and_the_next_run_mends_it(
    acme: Engine, server: FileServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = settings_in(tmp_path / "data")
    server.cut_after = 0
    assert local.install(settings, ["acme"], pip=bring_wheel(tmp_path)) == 1
    assert "could not be downloaded" in capsys.readouterr().err
    assert "its model is not downloaded" in acme.ready(settings).why
    server.cut_after = None
    assert local.install(settings, ["acme"]) == 0
    assert acme.ready(settings).ok


@pytest.mark.parametrize("damage", ["cut", "gone", "stamp"])
def test_a_damaged_model_is_not_ready(acme: Engine, tmp_path: Path, damage: str) -> None:
    settings = settings_in(tmp_path / "data")
    local.install(settings, ["acme"], pip=bring_wheel(tmp_path))
    folder = acme.folder(settings)
    if damage == "cut":
        (folder / "model.bin").write_bytes(b"short")
    elif damage == "gone":
        (folder / "model.bin").unlink()
    else:
        (folder / "installed.json").write_text("[]")
    assert not acme.ready(settings).ok


def test_an_unknown_engine_is_refused_with_the_known_ones(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert local.install(settings_in(tmp_path), ["siri"]) == 2
    assert "There are: moonshine, whisper, kokoro, piper" in capsys.readouterr().err


async def test_a_model_is_loaded_once_in_a_thread_and_shared(tmp_path: Path) -> None:
    loaded: list[tuple[Path, int]] = []

    def load(folder: Path) -> object:
        loaded.append((folder, threading.get_ident()))
        return object()

    shared: Shared[object] = Shared(load)
    await asyncio.gather(*(shared.warm(tmp_path) for _ in range(4)))
    assert shared.get(tmp_path) is shared.get(tmp_path)
    assert [folder for folder, _ in loaded] == [tmp_path]
    assert loaded[0][1] != threading.get_ident()
    shared.drop()
    shared.get(tmp_path)
    assert len(loaded) == 2


# The four engines, over stand-ins that have the parts of the real wheels' interfaces that are used.

WHEELS = {
    "moonshine_voice/__init__.py": """
from .moonshine_api import string_to_model_arch
def model_arch_to_string(arch): return "small-streaming"
def supported_languages(): return ["en"]
def supported_languages_friendly(): return "en"
def get_model_for_language(*a, **k): raise AssertionError("must not download")
LOADED = []
class Transcriber:
    def __init__(self, model_path, model_arch):
        LOADED.append(model_path)
        assert model_arch == 4
    def transcribe_without_streaming(self, audio, rate):
        assert rate == 16000 and len(audio) >= 16000
        class Line: text = "what is my balance"
        class Transcript: lines = [Line()]
        return Transcript()
""",
    "moonshine_voice/moonshine_api.py": """
import json
def string_to_model_arch(name): return {"small-streaming": 4}[name]
def moonshine_get_stt_dependencies_string(language, options):
    assert (language, options) == ("en", {"model_arch": 4})
    file = {"name": "encoder.ort", "url": "https://example.org/encoder.ort", "size": 5, "checksum": "AAAAAA==",
            "checksum_type": "crc32c"}
    return json.dumps({"groups": [{"base_url": "https://example.org", "files": [file]}]})
""",
    "faster_whisper/__init__.py": """
LOADED, ASKED = [], []
class WhisperModel:
    supported_languages = ["en"]
    def __init__(self, path, device="auto", compute_type="default", cpu_threads=0, local_files_only=False):
        assert local_files_only and cpu_threads >= 1
        LOADED.append(path)
    def transcribe(self, audio, language=None, hotwords=None, initial_prompt=None):
        ASKED.append((language, hotwords))
        class Segment: text, no_speech_prob = "what is my balance", 0.01
        return iter([Segment()]), None
""",
    "kokoro_onnx/__init__.py": """
import numpy as np
LOADED = []
class Kokoro:
    def __init__(self, *args): raise AssertionError("must be built over the shared session")
    @classmethod
    def from_session(cls, session, voices_path):
        self = cls.__new__(cls)
        LOADED.append(voices_path)
        return self
    def create(self, text, voice): return np.zeros(2400, np.float32), 24000
    async def create_stream(self, text, voice, lang, speed):
        assert (voice, lang, speed) == ("af_heart", "en-us", 1.0)
        yield np.full(24000, 0.5, np.float32), 24000
""",
    "requests/__init__.py": "def get(*a, **k): raise AssertionError('must not download')\n",
    "piper/__init__.py": """
import numpy as np
LOADED = []
class PiperVoice:
    class config: sample_rate = 22050
    @staticmethod
    def load(path):
        LOADED.append(str(path))
        return PiperVoice()
    def synthesize(self, text):
        class Chunk: audio_int16_bytes = np.full(22050, 9000, np.int16).tobytes()
        yield Chunk()
""",
    "piper/download_voices.py": "def download_voice(*a, **k): raise AssertionError('must not download')\n",
}


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Stand-ins for the four wheels, first on the path."""
    folder = tmp_path_factory.mktemp("wheels")
    for name, source in WHEELS.items():
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(source)
    sys.path.insert(0, str(folder))
    before = set(sys.modules)
    yield
    sys.path.remove(str(folder))
    ours = ("moonshine", "faster_whisper", "kokoro", "requests", "piper", "whisper")
    for name in set(sys.modules) - before:
        if name.split(".")[0].startswith(ours) or name.startswith(tuple(f"pipecat.services.{our}" for our in ours)):
            del sys.modules[name]


@pytest.fixture
async def installed(wheels: None, tmp_path: Path) -> Any:
    """Settings under which all four models lie in their folders, with something in every file."""
    settings = settings_in(tmp_path)
    for module in (moonshine, whisper, kokoro, piper):
        engine = module.ENGINE
        engine.folder(settings).mkdir(parents=True)
        files = [RemoteFile(file.name, file.url, 5, file.digest) for file in engine.files()]
        for file in files:
            (engine.folder(settings) / file.name).write_bytes(b"small")
        engine.mark_installed(settings, files)
    # Kokoro's model is opened by ONNX Runtime before the stand-in sees it: any real one will do.
    model = kokoro.ENGINE.folder(settings) / "kokoro-v1.0.onnx"
    shutil.copy(str(resources.files("pipecat.audio.vad.data").joinpath("silero_vad.onnx")), model)
    sizes = {file.name: (model.parent / file.name).stat().st_size for file in kokoro.ENGINE.files()}
    (model.parent / "installed.json").write_text(json.dumps({"model": "v1.0", "files": sizes}))
    yield settings
    for module in (moonshine, whisper, kokoro, piper):
        await module.close()


def utterance() -> list[Frame]:
    return [
        VADUserStartedSpeakingFrame(),
        *(InputAudioRawFrame(audio=bytes(640), sample_rate=16_000, num_channels=1) for _ in range(50)),
        VADUserStoppedSpeakingFrame(),
    ]


@pytest.mark.parametrize(("module", "wheel"), [(moonshine, "moonshine_voice"), (whisper, "faster_whisper")])
async def test_recognisers_transcribe_over_one_shared_model(
    installed: Settings, module: ModuleType, wheel: str
) -> None:
    await module.warm(installed, [BRIEF])
    for _ in range(2):
        down, _up = await run_test(module.stt(installed, BRIEF), frames_to_send=utterance())
        heard = [frame for frame in down if isinstance(frame, TranscriptionFrame)]
        assert [(frame.text.strip(), frame.finalized) for frame in heard] == [("what is my balance", True)]
    loaded = sys.modules[wheel].LOADED
    assert loaded.count(str(module.ENGINE.folder(installed))) == 1
    if module is whisper:
        assert sys.modules[wheel].ASKED[-1] == ("en", "Anna Kovacs Bo")


@pytest.mark.parametrize(("module", "wheel"), [(kokoro, "kokoro_onnx"), (piper, "piper")])
async def test_voices_speak_over_one_shared_model(installed: Settings, module: ModuleType, wheel: str) -> None:
    await module.warm(installed, [BRIEF])
    already = len(sys.modules[wheel].LOADED)
    for _ in range(2):
        down, up = await run_test(module.tts(installed, BRIEF), frames_to_send=[TTSSpeakFrame("Ten dollars.")])
        seconds = sum(len(f.audio) / 2 / f.sample_rate for f in down if isinstance(f, TTSAudioRawFrame))
        assert seconds == pytest.approx(1.0, abs=0.1)
        assert up == []
    assert len(sys.modules[wheel].LOADED) == already


def test_a_ready_engine_is_preferred_to_the_offline_one(installed: Settings) -> None:
    assert catalog.choose(installed, "stt").name == "moonshine"
    assert catalog.choose(installed, "tts").name == "kokoro"
    assert catalog.choose(installed, "llm").name == "offline"
    chosen = installed.model_copy(update={"stt_provider": "whisper", "tts_provider": "offline"})
    assert catalog.choose(chosen, "stt").name == "whisper"
    assert catalog.choose(chosen, "tts").name == "offline"


def test_what_is_fetched_is_pinned() -> None:
    for module in (whisper, kokoro, piper):
        files = module.ENGINE.files()
        assert all(file.url.startswith("https://") and file.digest.startswith("sha256:") for file in files)
        assert sum(file.size for file in files) // 1_000_000 in range(
            module.ENGINE.download_mb - 1, module.ENGINE.download_mb + 1
        )
