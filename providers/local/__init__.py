"""`python run.py speech`: better speech on this machine, for those who have internet once."""

from __future__ import annotations

import importlib
import importlib.metadata
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from core.errors import AppError
from core.settings import Settings
from providers.base import Kind
from providers.local.download import InstallFailed, Progress, RemoteFile, fetch, in_mb
from providers.local.engine import Engine

RECOMMENDED = ("moonshine", "kokoro")
"""What `speech install` brings when nothing is named."""

PIP_DEADLINE_S = 1800.0

_KINDS: dict[Kind, str] = {"stt": "speech to text", "llm": "language", "tts": "text to speech"}

Pip = Callable[[Sequence[str]], int]
"""Runs pip with these arguments in the running environment and returns its exit code."""


def install(settings: Settings, names: Sequence[str], *, pip: Pip | None = None) -> int:
    """Install engines, wheels and models, and print what happens.

    What is already there is left alone, so the command may be repeated.

    Args:
        settings: Says where the models go.
        names: Which engines; empty for `RECOMMENDED`.
        pip: Installs the wheels.

    Returns: 0 when all can serve, 1 when one could not be installed, 2 for an unknown name, 130 when interrupted.
    """
    known = engines()
    if unknown := [name for name in names if name not in known]:
        print(f"Unknown: {', '.join(unknown)}. There are: {', '.join(known)}.", file=sys.stderr)
        return 2
    failed = False
    for name in dict.fromkeys(names or RECOMMENDED):
        try:
            _install(settings, known[name], pip or _pip)
        except AppError as error:
            print(f"\n{name}: {error.message}", file=sys.stderr)
            failed = True
        except KeyboardInterrupt:
            print("\nInterrupted. The same command goes on where it stopped.", file=sys.stderr)
            return 130
    print()
    _show_chosen(settings)
    print("A running server takes up what is new when it is started again.")
    return int(failed)


def show(settings: Settings) -> int:
    """Print the engines, what is installed, and which provider serves each part of a call."""
    rows = [("ENGINE", "DOES", "MODEL", "SIZE", "STATE", "LICENCE")]
    for engine in engines().values():
        state = engine.ready(settings)
        weighs = _on_disk(engine.folder(settings)) if state.ok else engine.download_mb * 1_000_000
        rows.append(
            (
                engine.name,
                _KINDS[engine.kind],
                engine.model,
                in_mb(weighs),
                "ready" if state.ok else "no model" if not engine.missing_packages() else "not installed",
                engine.licence,
            )
        )
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    print(f"\nModels are kept in {settings.data_dir / 'models'}. Install: python run.py speech install [engine ...]\n")
    _show_chosen(settings)
    return 0


def engines() -> dict[str, Engine]:
    """Every provider that declares an `ENGINE`."""
    from providers import catalog

    found = ((name, getattr(catalog.load(name), "ENGINE", None)) for name in catalog.names())
    return {name: engine for name, engine in found if isinstance(engine, Engine)}


def _show_chosen(settings: Settings) -> None:
    from providers import catalog

    print("In use, and why:")
    for kind, label in _KINDS.items():
        try:
            choice = catalog.choose(settings, kind)
            print(f"  {label}: {choice.name} ({choice.why})")
        except AppError as error:
            print(f"  {label}: {error.message}")


def _install(settings: Settings, engine: Engine, pip: Pip) -> None:
    print(f"\n{engine.name} ({_KINDS[engine.kind]}), licence: {engine.licence}")
    if engine.missing_packages():
        _install_packages(engine, pip)
    print("  packages: installed")
    if not engine.has_model(settings):
        _download(settings, engine)
    print(f"  model {engine.model}: {in_mb(_on_disk(engine.folder(settings)))} in {engine.folder(settings)}")


def _install_packages(engine: Engine, pip: Pip) -> None:
    # Through pipecat's extra, so that the versions are those its service was written for; held back by what is
    # installed, so that a running product's own packages stay as they were locked.
    requirement = f"pipecat-ai[{engine.name}]=={importlib.metadata.version('pipecat-ai')}"
    print(f"  packages: installing {requirement} ...", flush=True)
    with tempfile.TemporaryDirectory() as scratch:
        constraints = Path(scratch) / "constraints.txt"
        installed = {f"{package.name}=={package.version}" for package in importlib.metadata.distributions()}
        constraints.write_text("\n".join(sorted(installed)))
        code = pip(["install", "--quiet", "--disable-pip-version-check", "-c", str(constraints), requirement])
    importlib.invalidate_caches()
    if code != 0 or engine.missing_packages():
        raise InstallFailed(
            f"pip could not install {requirement} into {sys.prefix} (exit code {code}); its own message is above. "
            "It needs internet or a package index it is configured for. Run the same command again then."
        )


def _pip(arguments: Sequence[str]) -> int:
    try:
        return subprocess.run([sys.executable, "-m", "pip", *arguments], check=False, timeout=PIP_DEADLINE_S).returncode  # noqa: S603 - this interpreter, arguments of ours
    except subprocess.TimeoutExpired:
        raise InstallFailed(f"pip was not done after {PIP_DEADLINE_S / 60:.0f} minutes and was stopped") from None


def _download(settings: Settings, engine: Engine) -> None:
    files = engine.files()
    print(f"  model {engine.model}: {in_mb(sum(file.size for file in files))} to download", flush=True)
    for file in files:
        fetch(file, engine.folder(settings), progress=_progress(file))
    engine.mark_installed(settings, files)


def _progress(file: RemoteFile) -> Progress:
    """Prints a line that is rewritten on a terminal, and one line per tenth elsewhere."""
    terminal = sys.stdout.isatty()
    last = -1

    def show_progress(done: int) -> None:
        nonlocal last
        step = done * (100 if terminal else 10) // file.size
        if step == last:
            return
        last = step
        line = f"    {file.name}: {in_mb(done)} of {in_mb(file.size)}"
        end = "\n" if not terminal or done == file.size else ""
        print(f"\r{line}" if terminal else line, end=end, flush=True)

    return show_progress


def _on_disk(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
