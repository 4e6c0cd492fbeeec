"""Runs an app for measuring: on a free port, its URL on standard output."""

from __future__ import annotations

import argparse
import json
import os
import socket
import sys
from collections.abc import Callable
from typing import Any

import uvicorn
from loguru import logger

from bench.probe import Probe


def serve(what: str, build: Callable[[int], tuple[Any, dict[str, Any]]]) -> None:
    """Serve until stopped; first print one line of JSON with `url`, `pid` and what `build` adds.

    Args:
        what: Description of the program.
        build: Makes the app and what else a caller needs to know, from the port.
    """
    parser = argparse.ArgumentParser(description=what)
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    args = parser.parse_args()
    logger.remove()
    logger.add(sys.stderr, level="WARNING")
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", args.port))
    port = listener.getsockname()[1]
    app, also = build(port)
    print(json.dumps({"url": f"http://127.0.0.1:{port}", "pid": os.getpid(), **also}), flush=True)
    uvicorn.Server(uvicorn.Config(Probe(app), log_level="warning", access_log=False)).run(sockets=[listener])
