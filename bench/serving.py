"""Runs an app for measuring: on a free port, its URL on standard output."""

from __future__ import annotations

import argparse
import json
import os
import socket
import sys
from collections.abc import Callable
from typing import Any

import aioice.ice
import uvicorn
from loguru import logger

from bench.probe import Probe


def serve(parser: argparse.ArgumentParser, build: Callable[[], Any]) -> None:
    """Parse `--port`, build the app, print `{"url", "pid"}` as one line, serve until stopped."""
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    args = parser.parse_args()
    # Media stays on this machine, also where there is no other interface.
    aioice.ice.get_host_addresses = lambda use_ipv4, use_ipv6: ["127.0.0.1"]  # noqa: ARG005 - the library's names
    logger.remove()
    logger.add(sys.stderr, level="WARNING")
    app = Probe(build())
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", args.port))
    print(json.dumps({"url": f"http://127.0.0.1:{listener.getsockname()[1]}", "pid": os.getpid()}), flush=True)
    uvicorn.Server(uvicorn.Config(app, log_level="warning", access_log=False)).run(sockets=[listener])
