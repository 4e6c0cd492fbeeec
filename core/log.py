"""One log: loguru, which pipecat speaks too; secrets and what people said are taken out before anything is written."""

from __future__ import annotations

import inspect
import json
import logging
import os
import re
import sys
from typing import TYPE_CHECKING

from loguru import logger

if TYPE_CHECKING:
    from loguru import Message, Record

_SECRETS = (
    (re.compile(r"eyJ[\w-]{5,}\.[\w-]{5,}\.[\w-]*"), "[token]"),
    (re.compile(r"(?i)(bearer\s+)\S+"), r"\1[token]"),
    (
        re.compile(r"(?i)((?:token|otp_code|code|password|secret|api[_-]?key|pin)[\"']?\s*[=:]\s*[\"']?)[^\s\"'&,}]+"),
        r"\1[…]",
    ),
    (re.compile(r"(?i)(a=ice-pwd:|a=ice-ufrag:)\S+"), r"\1[…]"),
    (re.compile(r"\b(?!\d{4}-\d\d-\d\d)\d(?:[ -]?\d){8,18}\b"), "[digits]"),  # dates stay
)

# The media libraries repeat transcripts, messages and SDP in their lines below WARNING; alembic only chats.
_TALKATIVE = ("pipecat", "aiortc", "aioice", "alembic", "httpx")


def setup(level: str = "INFO", *, as_json: bool = False) -> None:
    """Send every log line of the process through one redacting sink.

    Args:
        level: Least level written. Libraries that repeat what people say are held at WARNING.
        as_json: One JSON object a line, for machines.
    """
    os.environ["LOGURU_AUTOINIT"] = "0"  # Helper processes start without a sink of their own.
    logger.remove()
    logger.configure(patcher=_redact)
    sink = _write_json if as_json else _write
    logger.add(sink, level=level, serialize=as_json, backtrace=False, diagnose=False, filter=_quiet)
    logging.basicConfig(handlers=[_ToLoguru()], level=logging.INFO, force=True)


def redact(text: str) -> str:
    """`text` without tokens, codes, passwords, ICE credentials and long numbers."""
    for pattern, replacement in _SECRETS:
        text = pattern.sub(replacement, text)
    return text


def _redact(record: Record) -> None:
    record["message"] = redact(record["message"])


def _write(message: Message) -> None:
    """Lines for people; the text of an exception is redacted like any other."""
    sys.stderr.write(redact(message) if message.record["exception"] else message)


def _write_json(message: Message) -> None:
    """One JSON object a line."""
    line = json.loads(message)
    if line["record"]["exception"]:
        line["text"] = redact(line["text"])
        line["record"]["exception"]["value"] = redact(str(line["record"]["exception"]["value"]))
    sys.stderr.write(json.dumps(line, default=str) + "\n")


def _quiet(record: Record) -> bool:
    name = record["name"] or ""
    return not name.startswith(_TALKATIVE) or record["level"].no >= logging.WARNING


class _ToLoguru(logging.Handler):
    """Passes the standard library's records on."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            level: str | int = logger.level(record.levelname).name
        except ValueError:
            level = record.levelno
        frame, depth = inspect.currentframe(), 0
        while frame and (depth == 0 or frame.f_code.co_filename == logging.__file__):
            frame, depth = frame.f_back, depth + 1
        logger.opt(depth=depth, exception=record.exc_info).log(level, "{}", record.getMessage())
